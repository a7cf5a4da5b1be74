"""The configuration of a run: what the command line changes, and what it is refused for."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.config import Profile
from common.errors import ConfigFault
from services.cli.configuration import Overrides, effective, profile_file, toml_text
from tests.services.cli.samples import CONFIG

SIM = profile_file(Profile.SIM)


def test_without_options_the_file_stands() -> None:
    """Nothing is changed but the venue's URL, which follows the local venue's port."""
    found = effective(SIM, Overrides())
    assert sorted(found.settings.coins) == ["BTC", "ETH"]
    assert found.settings.venue.url == f"http://127.0.0.1:{found.settings.venue_sim.port}"
    assert found.settings.venue_sim.tape == ""


def test_every_option_changes_its_key(tmp_path: Path) -> None:
    """Each override arrives in the settings, and in the text that the services will read."""
    tape = tmp_path / "day.tape"
    tape.write_bytes(b"x")
    wanted = Overrides(assets=("ETH",), tape=tape, venue_port=4001, metrics_port=4002, seed=9, log_level="DEBUG")
    found = effective(SIM, wanted)
    settings = found.settings
    assert list(settings.coins) == ["ETH"]
    assert (settings.venue_sim.tape, settings.venue_sim.port, settings.venue_sim.seed) == (str(tape), 4001, 9)
    assert (settings.venue.url, settings.metrics.port, settings.log.level) == ("http://127.0.0.1:4001", 4002, "DEBUG")
    again = tmp_path / "config.toml"
    again.write_text(found.text)
    assert effective(again, Overrides()).settings == settings


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (Overrides(assets=("DOGE",)), r"unknown asset DOGE: .*sim\.toml has BTC, ETH"),
        (Overrides(tape=Path("/nonexistent/tape")), r"tape /nonexistent/tape: cannot be read"),
        (Overrides(log_level="LOUD"), r"command line: .*log\.level"),
        (Overrides(venue_port=70_000), r"command line: .*venue_sim\.port"),
    ],
)
def test_a_wrong_option_is_named(overrides: Overrides, told: str) -> None:
    """One line names the option's key and what is wrong with it."""
    with pytest.raises(ConfigFault, match=told):
        effective(SIM, overrides)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('profile = "sim"', 'profile = "sim"\nspeed = 3', "speed"),
        ("max_position_usd = 6000.0", "max_position_usd = 0.0", r"coins.*max_position_usd|max_position_usd"),
        ('network = "testnet"', 'network = "moon"', "moon"),
        ("[signer]", "[signer", "sample.toml"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, old: str, new: str, told: str) -> None:
    """An unknown key, a limit of zero, a wrong value and broken TOML refuse the start."""
    path = tmp_path / "sample.toml"
    path.write_text(CONFIG.replace(old, new, 1))
    with pytest.raises(ConfigFault, match=told) as fault:
        effective(path, Overrides())
    assert str(path) in str(fault.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The path is in the line."""
    with pytest.raises(ConfigFault, match=r"missing\.toml: cannot be read"):
        effective(tmp_path / "missing.toml", Overrides())


@pytest.mark.parametrize("kind", ["empty file", "empty directory"])
def test_an_empty_tape_is_refused(tmp_path: Path, kind: str) -> None:
    """A tape without anything in it would be a venue without a market."""
    tape = tmp_path / "tape"
    if kind == "empty file":
        tape.touch()
    else:
        tape.mkdir()
    with pytest.raises(ConfigFault, match=r"is (an )?empty"):
        effective(SIM, Overrides(tape=tape))


def test_a_tape_in_the_file_must_be_there_too(tmp_path: Path) -> None:
    """The same check holds for what the file names."""
    path = tmp_path / "sample.toml"
    path.write_text(CONFIG + '[venue_sim]\ntape = "/nonexistent/tape"\n')
    with pytest.raises(ConfigFault, match="tape /nonexistent/tape"):
        effective(path, Overrides())


@pytest.mark.parametrize("profile", [Profile.TESTNET, Profile.MAINNET])
def test_a_real_profile_needs_an_account(profile: Profile) -> None:
    """The delivered file has none, so nobody trades by accident."""
    with pytest.raises(ConfigFault, match=r"venue\.account: is empty"):
        effective(profile_file(profile), Overrides())


@pytest.mark.parametrize("profile", [Profile.TESTNET, Profile.MAINNET])
def test_a_real_profile_with_an_account_is_complete(profile: Profile, tmp_path: Path) -> None:
    """Nothing else is missing in the delivered file, and the URL stays the venue's own."""
    path = tmp_path / "real.toml"
    text = profile_file(profile).read_text()
    path.write_text(text.replace('account = ""', f'account = "0x{"ab" * 20}"'))
    found = effective(path, Overrides(metrics_port=1234))
    assert found.settings.profile is profile
    assert found.settings.venue.url.startswith("https://api.hyperliquid")


@pytest.mark.parametrize("overrides", [Overrides(seed=1), Overrides(venue_port=0), Overrides(tape=Path("x"))])
def test_options_of_the_local_venue_are_refused_elsewhere(overrides: Overrides) -> None:
    """An option without effect would be a lie."""
    with pytest.raises(ConfigFault, match="belongs to the sim profile"):
        effective(profile_file(Profile.MAINNET), overrides)


names = st.text(min_size=1, max_size=8)
scalars = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"])),
)
values = st.one_of(scalars, st.lists(scalars, max_size=3))
tables = st.recursive(
    st.dictionaries(names, values, max_size=3), lambda inner: st.dictionaries(names, st.one_of(values, inner))
)


@given(tables)
def test_what_is_written_reads_back(document: dict[str, Any]) -> None:
    """Whatever keys and strings a configuration has, its text says the same."""
    assert tomllib.loads(toml_text(document)) == document


def test_a_value_without_a_toml_form_is_refused() -> None:
    """Nothing is written that would read back as something else."""
    with pytest.raises(ConfigFault, match="no values of this kind"):
        toml_text({"a": None})


def test_a_leader_leads_what_is_traded(tmp_path: Path) -> None:
    """Of the chosen assets alone; where none of them has one, the section goes."""
    path = tmp_path / "led.toml"
    path.write_text(SIM.read_text() + '[leader]\nsymbols = {BTC = "btcusdt"}\n')
    for assets, led in (((), True), (("BTC",), True), (("ETH",), False)):
        leader = effective(path, Overrides(assets=assets)).settings.leader
        assert (leader is not None) is led
        assert leader is None or leader.symbols == {"BTC": "btcusdt"}

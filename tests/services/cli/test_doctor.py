"""Each check tells what is wrong and what to do, and a home in order passes."""

import re
from pathlib import Path

import pytest

from common import keys
from common.errors import ConfigFault
from common.halt import HaltDir
from common.home import Home
from common.instrument import Instrument
from services.cli import doctor, exits
from tests.market import with_settings
from tests.services.cli.samples import BTC, made_home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = made_home(tmp_path / "home", public=False)
    keys.prepare_sim(made)
    return made


def test_a_home_in_order_passes(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing runs, so the venue is not asked."""
    home.config.write_text(home.config.read_text() + "[venue_sim]\nport = 0\n[metrics]\nport = 0\n")
    assert doctor.doctor(home) == exits.OK
    text = capsys.readouterr().out
    assert "FAILED" not in text
    for name in ("python", "packages", "disk", "keys", "instruments"):
        assert name in text


def test_before_the_first_run_the_machine_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A home that is not there yet is no fault."""
    assert doctor.doctor(Home(tmp_path / "nowhere")) == exits.OK
    assert "sim, testnet, mainnet" in capsys.readouterr().out


def test_a_failed_check_fails_the_command(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """A halt is one, and says the command that clears it."""
    HaltDir(home.halt).add("operator", "drill", "mm")
    assert doctor.doctor(home) == exits.FAILED
    assert "FAILED" in capsys.readouterr().out
    with pytest.raises(ConfigFault, match=r"halted: operator; .*mm arm"):
        doctor.halt_directory(home)


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("glft", r"glft; risk aversion per bp and order: BTC 0\.0\d+, ETH 0\.0\d+$"),
        ("avellaneda_stoikov", r"avellaneda_stoikov; risk aversion per bp and order: BTC 0\.\d+, ETH 0\.\d+$"),
        ("symmetric", "symmetric$"),
        ("tests.services.strategy.example_model", "tests.services.strategy.example_model$"),
    ],
)
def test_what_the_strategy_solves_is_shown(model: str, told: str) -> None:
    """Operators set a shift of the quotes; the number that the formulas want is derived, and shown here."""
    assert re.match(told, doctor.strategy(with_settings("strategy", model=model)))


def test_a_strategy_that_is_none_is_found() -> None:
    """Before anything is started."""
    with pytest.raises(ConfigFault, match=r"strategy\.model"):
        doctor.strategy(with_settings("strategy", model="nonsense"))


def test_an_open_passphrase_is_found(home: Home) -> None:
    """The line says the command that mends it."""
    words = keys.passphrase_path(home, "risk")
    words.chmod(0o640)
    with pytest.raises(ConfigFault, match=r"mode 0640 lets others at it; chmod 600"):
        doctor.private_keys(home)
    words.unlink()
    with pytest.raises(ConfigFault, match="no passphrase of risk"):
        doctor.private_keys(home)


def test_a_mixed_up_keystore_is_found(home: Home) -> None:
    """Two keystores changed places: each opens, neither is the one that the owner approved."""
    one, other = keys.keystore_path(home, "risk"), keys.keystore_path(home, "canceller")
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    with pytest.raises(ConfigFault, match=r"risk: keystore of .* does not match public\.json"):
        doctor.private_keys(home)


def test_an_open_run_directory_is_found(home: Home) -> None:
    """Whoever enters it can talk to the services."""
    assert doctor.run_directory(home) == str(home.run())
    home.run().chmod(0o750)
    with pytest.raises(ConfigFault, match=r"mode 0750 .*chmod 700"):
        doctor.run_directory(home)


@pytest.mark.parametrize(
    ("universe", "wrong"),
    [
        ((BTC,), []),
        ((), ["coins.BTC: the venue has no such coin"]),
        (
            (Instrument(coin="BTC", asset=3, size_decimals=4, leverage_max=50),),
            ["coins.BTC.asset: 0, the venue says 3", "coins.BTC.size_decimals: 5, the venue says 4"],
        ),
        (
            (Instrument(coin="BTC", asset=0, size_decimals=5, leverage_max=49),),
            ["coins.BTC.leverage: 50, the venue allows 49"],
        ),
    ],
)
def test_grids_are_compared(universe: tuple[Instrument, ...], wrong: list[str]) -> None:
    """An asset number of the other network would trade another coin."""
    assert doctor.differences({"BTC": BTC}, universe) == wrong


def test_a_fault_becomes_a_finding() -> None:
    """A check that cannot look has failed; the others go on."""

    def broken() -> str:
        raise PermissionError(13, "Permission denied", "/secret")

    found = doctor.examined("keys", broken)
    assert not found.ok
    assert "/secret" in found.text

"""A configuration that says something wrong refuses the start, by the path of the key."""

import re
from pathlib import Path

import pytest

from common.config import JournalSync, Network, Profile, load, parse
from common.errors import ConfigFault
from common.instrument import Instrument
from common.units import MILLISECOND

ROOT = Path(__file__).parents[2]
SMALLEST = """
profile = "sim"
[venue]
url = "http://127.0.0.1:3001"
network = "testnet"
[coins.BTC]
asset = 0
size_decimals = 5
max_position_usd = 6000
max_order_usd = 2000
order_usd = 500
[risk]
max_daily_loss_usd = 1000.0
max_hourly_loss_usd = 500.0
max_drawdown_share = 0.05
min_equity_usd = 20.0
[signer]
max_order_usd = 5000.0
max_position_usd = 20000.0
"""


def refused(text: str) -> str:
    with pytest.raises(ConfigFault) as caught:
        parse(text.encode(), "my.toml")
    assert str(caught.value).startswith("my.toml: ")
    return str(caught.value)


def changed(old: str, new: str) -> str:
    assert SMALLEST.count(f"\n{old}") == 1, old
    return SMALLEST.replace(f"\n{old}", f"\n{new}")


@pytest.mark.parametrize("path", sorted((ROOT / "deploy").glob("*.toml")), ids=lambda path: path.name)
def test_delivered_files_load(path: Path) -> None:
    """What we ship is right, and its profile is its name."""
    assert load(path).profile == path.stem


def test_the_smallest_file() -> None:
    """Everything that has a safe default may be left out."""
    settings = parse(SMALLEST.encode(), "my.toml")
    assert (settings.profile, settings.venue.network) == (Profile.SIM, Network.TESTNET)
    assert settings.journal.sync is JournalSync.NORMAL
    assert settings.liveness.units(4) == 4 * 250 * MILLISECOND
    assert settings.instruments() == {"BTC": Instrument(coin="BTC", asset=0, size_decimals=5, leverage_max=5)}
    with pytest.raises(KeyError):
        settings.instrument("ETH")


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        # unknown keys
        ('profile = "sim"', 'profile = "sim"\nspeed = 5', "unknown field `speed`"),
        ("[risk]", "[risk]\nmax_loss = 5", "unknown field `max_loss` - at `$.risk`"),
        ("asset = 0", "asset = 0\nleverge = 3", "unknown field `leverge` - at `$.coins[...]`"),
        ("[risk]", "[risc]\n[risk]", "unknown field `risc`"),
        # wrong types
        ("asset = 0", 'asset = "0"', "$.coins[...].asset"),
        ("max_daily_loss_usd = 1000.0", "max_daily_loss_usd = true", "$.risk.max_daily_loss_usd"),
        ("[risk]", "[risk]\nmax_open_orders = 1.5", "$.risk.max_open_orders"),
        ('profile = "sim"', 'profile = "live"', "$.profile"),
        ('network = "testnet"', 'network = "devnet"', "$.venue.network"),
        ('url = "http://', 'url = "', "$.venue.url"),
        ('url = "http://', 'url = "ftp://', "$.venue.url"),
        ("asset = 0", "asset = 10000001", "$.coins[...].asset"),
        ("[risk]", '[alerts]\nwebhook = "http://127.0.0.1:65536/"\n[risk]', "$.alerts.webhook"),
        # names and places that belong to something else
        ("[risk]", '[tape]\nservices = ["rsk"]\n[risk]', "tape.services: there is no service rsk; one of risk"),
        ("[risk]", "[cpu]\naffinity = { rsk = [0] }\n[risk]", "cpu.affinity: there is no service rsk"),
        ('network = "testnet"', 'network = "mainnet"', "venue.network: mainnet is not the network of the sim profile"),
        ('profile = "sim"', 'profile = "mainnet"', "venue.network: testnet is not the network of the mainnet profile"),
        # absent
        ("max_daily_loss_usd = 1000.0", "", "missing required field `max_daily_loss_usd` - at `$.risk`"),
        ("max_order_usd = 5000.0", "", "missing required field `max_order_usd` - at `$.signer`"),
        # limits of nothing and beyond sense
        ("max_daily_loss_usd = 1000.0", "max_daily_loss_usd = 0", "$.risk.max_daily_loss_usd"),
        ("max_daily_loss_usd = 1000.0", "max_daily_loss_usd = -5", "$.risk.max_daily_loss_usd"),
        ("max_position_usd = 6000", "max_position_usd = 0", "$.coins[...].max_position_usd"),
        ("order_usd = 500", "order_usd = 0", "$.coins[...].order_usd"),
        ("max_order_usd = 5000.0", "max_order_usd = 0", "$.signer.max_order_usd"),
        ("size_decimals = 5", "size_decimals = 7", "$.coins[...].size_decimals"),
        ("asset = 0", "asset = -1", "$.coins[...].asset"),
        ("[risk]", "[risk]\nmax_open_orders = 0", "$.risk.max_open_orders"),
        ("[risk]", "[risk]\nprice_band_bps = 2001", "$.risk.price_band_bps"),
        ("[risk]", "[orders]\norder_expiry_ms = 499\n[risk]", "$.orders.order_expiry_ms"),
        ("max_hourly_loss_usd = 500.0", "", "missing required field `max_hourly_loss_usd` - at `$.risk`"),
        ("max_hourly_loss_usd = 500.0", "max_hourly_loss_usd = 1000.1", "risk.max_hourly_loss_usd"),
        ("max_drawdown_share = 0.05", "", "missing required field `max_drawdown_share` - at `$.risk`"),
        ("max_drawdown_share = 0.05", "max_drawdown_share = 0.51", "$.risk.max_drawdown_share"),
        ("min_equity_usd = 20.0", "min_equity_usd = 0", "$.risk.min_equity_usd"),
        ("max_position_usd = 6000", "max_position_usd = 1e9", "$.coins[...].max_position_usd"),
        ("[risk]", "[risk]\nsoft_limit_share = 0.5", "$.risk.soft_limit_share"),  # the hard limit is below twice it
        ("[risk]", "[risk]\nsoft_limit_share = 1.01", "$.risk.soft_limit_share"),
        ("[risk]", "[risk]\nmax_volume_share = 0", "$.risk.max_volume_share"),
        ("[risk]", "[risk]\nmax_volume_share = 10.1", "$.risk.max_volume_share"),
        ("[risk]", "[risk]\nmax_volume_share = nan", "$.risk.max_volume_share"),
        ("[risk]", "[risk]\nmax_repeats = 0", "$.risk.max_repeats"),
        ("[risk]", "[monitors]\nflash_bps = 0\n[risk]", "$.monitors.flash_bps"),
        ("[risk]", "[monitors]\nvelocity_share = 11\n[risk]", "$.monitors.velocity_share"),
        ("[risk]", "[monitors]\ntroubles_max = 0\n[risk]", "$.monitors.troubles_max"),
        ("[risk]", "[monitors]\nbudget_left_share = 1\n[risk]", "$.monitors.budget_left_share"),
        ("[risk]", "[orders]\nprice_tolerance = 1.01\n[risk]", "$.orders.price_tolerance"),
        ("[risk]", "[liveness]\nunit_ms = 49\n[risk]", "$.liveness.unit_ms"),
        ("[risk]", "[liveness]\nvalid_until = 0\n[risk]", "$.liveness.valid_until"),
        ("[risk]", "[metrics]\nport = 65536\n[risk]", "$.metrics.port"),
        ("[risk]", '[log]\nlevel = "LOUD"\n[risk]', "$.log.level"),
    ],
)
def test_wrong_keys_are_named(old: str, new: str, path: str) -> None:
    """Unknown keys, wrong types, missing keys and absurd values: the message has the key's path."""
    assert path in refused(changed(old, new))


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("key", ["max_daily_loss_usd = 1000.0", "max_order_usd = 5000.0"])
def test_no_limit_is_infinite(key: str, value: str) -> None:
    """TOML can say inf and nan; a limit of either would be none."""
    name = key.split(maxsplit=1)[0]
    assert name in refused(changed(key, f"{name} = {value}"))


@pytest.mark.parametrize(
    ("old", "right", "wrong", "path"),
    [
        ("order_usd = 500", "order_usd = 10", "order_usd = 9.99", "coins.BTC.order_usd: 9.99 is below"),
        ("order_usd = 500", "order_usd = 2000", "order_usd = 2001", "coins.BTC: order_usd <= max_order_usd"),
        ("max_position_usd = 6000", "max_position_usd = 2000", "max_position_usd = 1999", "coins.BTC: order_usd <="),
        ("max_order_usd = 5000.0", "max_order_usd = 2000", "max_order_usd = 1999", "coins.BTC.max_order_usd: exceeds"),
        (
            *("max_position_usd = 20000.0", "max_position_usd = 6000", "max_position_usd = 5999"),
            "coins.BTC.max_position_usd: exceeds signer.max_position_usd",
        ),
        ("[risk]", "[budget]\nreserve = 100\n[risk]", "[budget]\nreserve = 101\n[risk]", "budget: the shares add up"),
        (
            *("[risk]", "[liveness]\norder_management_silence = 5\n[risk]"),
            *("[liveness]\norder_management_silence = 6\n[risk]", "liveness: order_management_silence must not"),
        ),
        (
            *("[risk]", "[liveness]\nrisk_silence = 8\n[risk]", "[liveness]\nrisk_silence = 9\n[risk]"),
            "liveness: risk_silence must not exceed canceller_silence",
        ),
        (
            *("[risk]", "[liveness]\nrecovery = 20\n[risk]", "[liveness]\nrecovery = 19\n[risk]"),
            "liveness.recovery: a restart takes",
        ),
        (
            *("[signer]", "[signer]\nmax_deviation_bps = 50", "[signer]\nmax_deviation_bps = 49"),
            "kill.slippage_bps: exceeds",
        ),
        (
            *("[risk]", "[canceller]\nmax_cancels_per_s = 40\n[risk]"),
            *("[canceller]\nmax_cancels_per_s = 39\n[risk]", "canceller.max_cancels_per_s: below"),
        ),
        (
            *("[risk]", "[canceller]\nschedule_horizon_ms = 86399999\n[risk]"),
            *("[canceller]\nschedule_horizon_ms = 86400000\n[risk]", "canceller.schedule_horizon_ms: a horizon"),
        ),
        (
            *("[risk]", "[venue_sim]\ndata_age_ms = [5, 5]\n[risk]", "[venue_sim]\ndata_age_ms = [6, 5]\n[risk]"),
            "venue_sim.data_age_ms: [6, 5] is no range",
        ),
        (
            *("[risk]", '[venue_sim.latency]\nto_venue = { kind = "uniform", least_ms = 5, most_ms = 5 }\n[risk]'),
            '[venue_sim.latency]\nto_venue = { kind = "uniform", least_ms = 6, most_ms = 5 }\n[risk]',
            "venue_sim.latency.to_venue: least_ms must not exceed most_ms",
        ),
    ],
)
def test_contradictions_are_named(old: str, right: str, wrong: str, path: str) -> None:
    """Values that contradict each other: the last right one loads, the first wrong one is named."""
    parse(changed(old, right).encode(), "my.toml")
    assert path in refused(changed(old, wrong))


@pytest.mark.parametrize(
    ("host", "network", "profile", "fits"),
    [
        ("api.hyperliquid.xyz", "mainnet", "mainnet", True),
        ("api.hyperliquid.xyz", "testnet", "testnet", False),
        ("api.hyperliquid-testnet.xyz", "testnet", "testnet", True),
        ("api.hyperliquid-testnet.xyz/", "mainnet", "mainnet", False),
    ],
)
def test_play_money_is_never_real(host: str, network: str, profile: str, fits: bool) -> None:
    """The address of the one venue with the signatures of the other is refused, whatever the profile says."""
    text = re.sub(r"url = .*", f'url = "https://{host}"', SMALLEST)
    text = text.replace('network = "testnet"', f'network = "{network}"').replace('"sim"', f'"{profile}"')
    if fits:
        parse(text.encode(), "my.toml")
    else:
        assert "venue.url: " in refused(text)


@pytest.mark.parametrize(("port", "fits"), [(7003, True), (7002, False), (7001, False), (7000, False)])
def test_no_two_services_take_one_port(port: int, fits: bool) -> None:
    """Each takes two: what it publishes on, and the next for requests."""
    text = f'{SMALLEST}[mesh]\ntcp = {{ risk = "127.0.0.1:7001", canceller = "127.0.0.1:{port}" }}\n'
    if fits:
        parse(text.encode(), "my.toml")
    else:
        assert "mesh.tcp.canceller: port 700" in refused(text)


def test_each_coin_has_its_own_asset() -> None:
    """Orders name the asset alone: the second coin's would be the first one's."""
    coin = SMALLEST.split("[coins.BTC]")[1].split("[risk]", maxsplit=1)[0]
    assert "coins: two of them are asset 0" in refused(SMALLEST.replace("[risk]", f"[coins.ETH]{coin}[risk]"))


def test_no_coins() -> None:
    """A market maker without a market is a mistake."""
    head, tail = SMALLEST.split("[coins.BTC]")
    assert "coins: at least one coin" in refused(f"{head}[coins]\n[risk]{tail.split('[risk]')[1]}")


@pytest.mark.parametrize("text", [b"profile = ", b"\xff\xfe", b"", b"[[coins]]"])
def test_broken_text_is_named(text: bytes) -> None:
    """Text that is no TOML, or no configuration at all, names the file."""
    with pytest.raises(ConfigFault, match=r"my\.toml: "):
        parse(text, "my.toml")


def test_missing_file_is_named(tmp_path: Path) -> None:
    """A path that cannot be read is said with the reason of the system."""
    with pytest.raises(ConfigFault, match=r"absent\.toml: cannot be read: No such file"):
        load(tmp_path / "absent.toml")
    with pytest.raises(ConfigFault, match="Is a directory"):
        load(tmp_path)

"""What a strategy section refuses, with the value that would be legal."""

from pathlib import Path

import msgspec
import pytest

from common import config
from common.errors import ConfigFault
from common.sections import Alerts, Leader, Strategy, largest_shift
from tests.market import SETTINGS


def faults(orders: float = 12.0, **changes: object) -> list[str]:
    return list(msgspec.structs.replace(Strategy(), **changes).faults({"BTC": orders}))


@pytest.mark.parametrize("model", ["glft", "avellaneda_stoikov"])
def test_a_shift_without_solution(model: str) -> None:
    """Twelve orders at the limit: below 24 half-spreads; the refusal names the largest legal value."""
    assert largest_shift(12.0) == 23.976
    assert faults(model=model, full_inventory_shift=23.976) == []
    (fault,) = faults(model=model, full_inventory_shift=23.977)
    assert fault.endswith("coins.BTC holds 12 orders at its limit; 23.976 is the largest legal value")
    assert faults(model="symmetric", full_inventory_shift=99.0) == []


def test_other_contradictions() -> None:
    """Bounds the wrong way round, and parameters that nobody reads."""
    assert faults(half_spread_min_bps=2.0, half_spread_max_bps=2.0) == []
    assert faults(half_spread_min_bps=2.1, half_spread_max_bps=2.0)[0].startswith("half_spread_min_bps")
    assert faults(parameters={"share": 1.0})[0].startswith("parameters: glft has none")
    assert faults(model="somebodys.model", parameters={"share": 1.0}) == []


def test_a_command_is_an_absolute_path() -> None:
    """What a search path would find is not what was meant."""
    assert list(Alerts().faults()) == list(Alerts(command=("/usr/local/bin/page", "me")).faults()) == []
    assert list(Alerts(command=("page",)).faults()) == ["command: 'page' is no absolute path of a program"]


def test_the_start_is_refused() -> None:
    """By the path of the key, whoever reads the file."""
    text = (Path(__file__).parents[2] / "deploy" / "sim.toml").read_bytes()
    text = text.replace(b"full_inventory_shift = 3.0", b"full_inventory_shift = 24.0")
    with pytest.raises(ConfigFault, match=r"sim: strategy.full_inventory_shift: 24.0 has no solution"):
        config.parse(text, "sim")
    assert SETTINGS.strategy.model == "glft"


def test_leaders() -> None:
    """Each coin its own, that is configured; only the local venue has one that needs no address."""
    there = Leader(symbols={"BTC": "btcusdt"}, url="wss://fstream.binance.com")
    assert list(there.faults({"BTC"}, local=False)) == []
    here = msgspec.structs.replace(there, url="")
    assert list(here.faults({"BTC"}, local=True)) == []
    assert next(iter(here.faults({"BTC"}, local=False))).startswith("url: only the sim profile")
    assert list(there.faults({"ETH"}, local=True)) == ["symbols.BTC: there is no [coins.BTC]; remove one of the two"]
    twice = Leader(symbols={"BTC": "btcusdt", "ETH": "btcusdt"})
    assert next(iter(twice.faults({"BTC", "ETH"}, local=True))).startswith("symbols: two coins have one name")
    assert next(iter(Leader(symbols={}).faults({"BTC"}, local=True))).startswith("symbols: names no coin")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('symbols = {BTC = "btc/usdt"}', "matching regex"),
        ('url = "http://127.0.0.1:1"', "matching regex"),
        ('url = "ws://example.com"', "matching regex"),
        ('url = "wss://example.com/?x"', "matching regex"),
        ("max_tilt_bps = 20.1", "<= 20.0"),
        ("max_tilt_bps = 0.0", "> 0.0"),
        ("weight = 1.1", "<= 1.0"),
        ("stale_ms = 99", ">= 100"),
        ("stale_ms = 10001", "<= 10000"),
        ("half_life_s = 9.0", ">= 10.0"),
        ("half_life_s = 3601.0", "<= 3600.0"),
        ("maximum = 1", "unknown field"),
        ('symbols = {DOGE = "dogeusdt"}', r"leader.symbols.DOGE: there is no \[coins.DOGE\]"),
    ],
)
def test_a_leader_that_cannot_be_followed(line: str, fault: str) -> None:
    """One error, by the path of the key; the section alone, and an encrypted address, are fine."""
    text = (Path(__file__).parents[2] / "deploy" / "sim.toml").read_text() + "[leader]\n"
    good = 'symbols = {BTC = "btcusdt"}\n'
    for url in ("", "ws://localhost:3001/leader", "ws://127.0.0.1", "wss://fstream.binance.com"):
        assert config.parse(f'{text}{good}url = "{url}"\n'.encode(), "sim").leader is not None
    with pytest.raises(ConfigFault, match=fault):
        config.parse(f"{text}{'' if line.startswith('symbols') else good}{line}\n".encode(), "sim")

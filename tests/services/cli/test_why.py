"""`mm why`: prices add up, an unquoted side has its one reason, shares sum to 100 %."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from common.errors import ConfigFault
from common.messages import QuoteLevel, QuoteShares, QuoteTarget
from common.units import MILLISECOND, SECOND, Lots, Millis, Nanos, Ticks
from services.cli import exits
from services.cli.why import _screen, explained, why
from tests.services.cli.samples import BTC, made_home

FAIR = 1_130_005.0
PRICE = 1_129_550


def target(*, reason_ask: str = "momentum") -> QuoteTarget:
    """A bid 4.03 bps below fair, of which the grid made 0.03, and no ask."""
    rounding = (PRICE / FAIR - 1) * 10_000 + 4
    return QuoteTarget(
        coin="BTC",
        bids=(
            QuoteLevel(ticks=Ticks(PRICE), lots=Lots(442)),
            QuoteLevel(ticks=Ticks(1_129_320), lots=Lots(49), reduce_only=True),
        ),
        asks=(),
        reason_bid="",
        reason_ask=reason_ask,
        fair_ticks=FAIR,
        mid_ticks=FAIR,
        components_bps={"skew": -0.5, "bid.base": -3.0, "bid.skew": -0.5, "bid.zero": 0.0, "bid.rounding": rounding},
        book_venue_ms=Millis(7),
        book_received_at=Nanos(2 * SECOND),
        valid_until=Nanos(0),
    )


SHARES = QuoteShares(
    coin="BTC", since=Nanos(0), as_of=Nanos(1), bid={"quoted": 1.0}, ask={"momentum": 0.25, "quoted": 0.75}
)
NOW = Nanos(2 * SECOND + 120 * MILLISECOND)
FACTS = {("QuoteTarget", "BTC"): target(), ("QuoteShares", "BTC"): SHARES}


def test_a_price_is_fair_plus_its_components() -> None:
    """Rules 1 to 3: the sum is the price, parts of both sides included; the other side has its reason alone."""
    (found,) = explained({"BTC": BTC}, FACTS, NOW)
    assert (found.fair, found.mid) == ("113000.500", "113000.500")
    assert (found.book_venue_ms, found.book_age_ms) == (7, 120.0)
    bid = found.bid
    assert FAIR * (1 + sum(bid.components_bps.values()) / 10_000) == pytest.approx(PRICE)
    assert bid.components_bps["skew"] == -1.0  # a model's part and the shift of both sides
    assert [(level.px, level.sz, level.reduce_only) for level in bid.levels] == [
        ("112955.0", "0.00442", False),
        ("112932.0", "0.00049", True),
    ]
    assert bid.levels[0].from_fair_bps == pytest.approx(sum(bid.components_bps.values()))
    assert bid.reason is None
    assert (found.ask.levels, found.ask.reason, found.ask.components_bps) == ((), "momentum", {})
    assert sum(found.ask.time_shares.values()) == 1


def test_what_nobody_said() -> None:
    """A coin without a target is left out; without shares or a price there is no number instead."""
    assert explained({"BTC": BTC}, {}, NOW) == []
    (found,) = explained({"BTC": BTC}, {("QuoteTarget", "BTC"): target()}, NOW)
    assert found.bid.time_shares == {}


def test_the_table() -> None:
    """Parts that are zero are left out; every level, the reason and the shares are there."""
    console = Console(width=100, record=True, file=None)
    with console.capture() as shown:
        console.print(_screen(explained({"BTC": BTC}, FACTS, NOW)[0]))
    text = shown.get()
    for words in (
        "fair 113000.500",
        "book 120 ms old",
        "base",
        "-3.00",
        "from fair",
        "-4.03",
        "0.00049 @ 112932.0",
        "reduce-only",
    ):
        assert words in text
    assert "not quoted: momentum" in text
    assert "75.0%" in text
    assert "zero" not in text


def test_before_strategy_has_spoken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 3 and an empty list; a coin that is not configured, and a home that never ran, are mistakes."""
    home = made_home(tmp_path)
    assert why(home, None, as_json=True) == exits.NOT_YET
    told = capsys.readouterr()
    assert json.loads(told.out) == []
    assert "strategy is DOWN" in told.err
    with pytest.raises(ConfigFault, match="DOGE is not configured: there are BTC"):
        why(home, "DOGE", as_json=False)

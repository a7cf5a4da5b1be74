"""Candles are made of trades."""

from hypothesis import given
from hypothesis import strategies as st

from common.units import Lots, Millis, Side, Ticks
from services.venue_sim.api import TradeEvent
from services.venue_sim.candles import INTERVALS_MS, Candles

MINUTE = 60_000


def trade(time_ms: int, ticks: int, lots: int = 1) -> TradeEvent:
    return TradeEvent(
        coin="BTC",
        side=Side.BUY,
        ticks=Ticks(ticks),
        lots=Lots(lots),
        time_ms=Millis(time_ms),
        block=1,
        tid=1,
        buyer="",
        seller="",
    )


def test_a_minute() -> None:
    """Open, high, low, close, volume and count of one interval; the next minute begins anew."""
    candles = Candles(("BTC",))
    for at, ticks in ((0, 10), (1, 30), (MINUTE - 1, 5), (MINUTE, 7)):
        candles.add(trade(at, ticks, 2))
    first, second = candles.between("BTC", "1m", 0, MINUTE)
    assert (first.start_ms, first.open, first.high, first.low, first.close, first.lots, first.trades) == (
        *(0, 10, 30, 5, 5),
        *(6, 3),
    )
    assert (second.start_ms, second.open, second.trades) == (MINUTE, 7, 1)
    assert candles.current("BTC", "1m") is second


def test_range_takes_what_overlaps() -> None:
    """A candle belongs to a range as soon as one millisecond of it does."""
    candles = Candles(("BTC",))
    candles.add(trade(MINUTE, 10))
    assert candles.between("BTC", "1m", 2 * MINUTE - 1, 2 * MINUTE)
    assert not candles.between("BTC", "1m", 2 * MINUTE, 3 * MINUTE)
    assert candles.between("BTC", "1m", 0, MINUTE)
    assert not candles.between("BTC", "1m", 0, MINUTE - 1)


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(1, 100), st.integers(1, 9)), max_size=40))
def test_nothing_is_lost(trades: list[tuple[int, int, int]]) -> None:
    """Every interval's candles hold every trade's volume exactly once."""
    candles = Candles(("BTC",))
    for at, ticks, lots in sorted(trades):
        candles.add(trade(at, ticks, lots))
    for interval in INTERVALS_MS:
        found = candles.between("BTC", interval, 0, 10**9)
        assert sum(candle.lots for candle in found) == sum(lots for _, _, lots in trades)
        assert all(candle.low <= min(candle.open, candle.close) for candle in found)

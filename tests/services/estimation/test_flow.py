"""Flow: events at the touch by hand, trades per second, nonsense changes nothing."""

from math import inf, log, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.touch import Touch
from common.units import MICROS_PER_USD, Micros, Side
from services.estimation.flow import FLOW_HALF_LIVES_S, OFI_HALF_LIFE_S, OrderFlow, TradeFlow
from tests.market import ASK, BID, top

USD = MICROS_PER_USD


def touch(ms: int, bid: int = BID, bid_lots: int = 100, ask: int = ASK, ask_lots: int = 100) -> Touch:
    return Touch.of(top(ms / 1_000, bid=bid, ask=ask, bid_lots=bid_lots, ask_lots=ask_lots, venue_ms=ms))


def pushed(*touches: Touch) -> float:
    """Return the lots that were pushed, all within one millisecond so that nothing fades."""
    flow = OrderFlow()
    for one in touches:
        flow.add(one)
    return flow._pushed


@pytest.mark.parametrize(
    ("after", "lots"),
    [
        (touch(0, bid_lots=130), 30),  # joined the bid
        (touch(0, bid_lots=80), -20),  # left it
        (touch(0, ask_lots=130), -30),  # joined the ask
        (touch(0, ask_lots=80), 20),
        (touch(0, bid=BID + 5, bid_lots=40), 40),  # a better bid brings its whole size
        (touch(0, bid=BID - 5, bid_lots=40), -100),  # a worse one takes the old away
        (touch(0, ask=ASK - 5, ask_lots=40), -40),
        (touch(0, ask=ASK + 5, ask_lots=40), 100),
        (touch(0), 0),
    ],
)
def test_one_event(after: Touch, lots: float) -> None:
    """Rule 1: Cont, Kukanov and Stoikov's e, case by case, from 100 lots a side."""
    assert pushed(touch(0), after) == lots


def test_imbalance_is_in_touches_and_fades() -> None:
    """Rule 2: 100 lots pushed where a touch has 150 are two thirds, and a third after a half-life."""
    flow = OrderFlow()
    flow.add(touch(0))
    flow.add(touch(0, bid_lots=200))
    assert flow.imbalance == pytest.approx(100 / 150)
    flow.add(touch(int(1_000 * OFI_HALF_LIFE_S), bid_lots=200))
    assert flow.imbalance == pytest.approx(50 / 150)
    assert flow.effective_samples == pytest.approx(2, rel=0.1)
    assert OrderFlow().imbalance == 0.0


def test_a_restart_compares_nothing() -> None:
    """A touch after a broken feed is a first one, whatever its stamp."""
    flow = OrderFlow()
    flow.add(touch(9_000))
    flow.restart()
    flow.add(touch(5, bid_lots=999))
    assert (flow.imbalance, flow.refused) == (0.0, 0)


@pytest.mark.parametrize(
    "odd",
    [touch(999), touch(2_000, bid=ASK), touch(2_000, bid_lots=0), touch(2_000, ask=-1), touch(2_000, ask_lots=-5)],
)
def test_odd_touches_change_nothing(odd: Touch) -> None:
    """Rule 4: late, crossed, empty: counted."""
    clean, dirty = OrderFlow(), OrderFlow()
    for flow in (clean, dirty):
        flow.add(touch(1_000))
    dirty.add(odd)
    assert dirty.refused == 1
    for flow in (clean, dirty):
        flow.add(touch(3_000, bid_lots=170))
    assert dirty.imbalance == clean.imbalance


def test_trade_flow() -> None:
    """Rule 3: 10 USD bought and 4 sold at once, over each half-life's own time; half of it one half-life later."""
    flow = TradeFlow()
    flow.add(Side.BUY, Micros(10 * USD), 100.0)
    flow.add(Side.SELL, Micros(4 * USD), 100.0)
    for number, half_life in enumerate(FLOW_HALF_LIVES_S):
        now = flow.usd_per_s(100.0)[number]
        assert now == pytest.approx(6 * log(2) / half_life)
        assert flow.usd_per_s(100.0 + half_life)[number] == pytest.approx(now / 2)


def test_a_steady_flow_is_its_rate() -> None:
    """Ten dollars bought every tenth of a second are a hundred a second, at every half-life long enough to see it."""
    flow = TradeFlow()
    for number in range(6_000):
        flow.add(Side.BUY, Micros(10 * USD), number / 10)
    assert flow.usd_per_s(599.9) == pytest.approx((100.0, 100.0, 100.0), rel=0.05)


@pytest.mark.parametrize(("usd", "at_s"), [(0, 11.0), (-5, 11.0), (5, 9.999), (5, nan), (5, inf), (5, -inf)])
def test_odd_trades_change_nothing(usd: int, at_s: float) -> None:
    """Rule 4: counted; after a restart an earlier one is none."""
    flow = TradeFlow()
    flow.add(Side.BUY, Micros(USD), 10.0)
    before = flow.usd_per_s(20.0)
    flow.add(Side.SELL, Micros(usd * USD), at_s)
    assert flow.refused == 1
    assert flow.usd_per_s(20.0) == before
    flow.restart()
    flow.add(Side.SELL, Micros(USD), 1.0)
    assert flow.refused == 1


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 10**12), st.floats(0, 100)), max_size=30),
    st.floats(0, 1e6),
)
def test_questions_change_nothing(rows: list[tuple[Side, int, float]], ahead: float) -> None:
    """Rule 4: asked or not, the flow is the same; it never exceeds all that was traded at once."""
    silent, curious, at, total = TradeFlow(), TradeFlow(), 0.0, 0.0
    for side, notional, dt_s in rows:
        at += dt_s
        total += notional / USD
        silent.add(side, Micros(notional), at)
        curious.add(side, Micros(notional), at)
        curious.usd_per_s(at + ahead)
    assert curious.usd_per_s(at) == silent.usd_per_s(at)
    assert all(abs(flow) <= total * log(2) + 1e-6 for flow in silent.usd_per_s(at))

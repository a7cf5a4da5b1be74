"""Market orders: prints of one sweep are one order, its depth is measured from the mid before it."""

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.messages import Trade
from common.units import Millis, Side
from services.estimation.market_orders import AHEAD_MAX_MS, MID_AGE_MAX_MS, PRINTS_MAX, MarketOrder, MarketOrders
from tests.market import trade

MID = 1_000_000.0


def print_at(ms: int, tid: int, ticks: int = 1_000_010, *, side: Side = Side.BUY, lots: int = 100) -> Trade:
    return trade(ms / 1_000, tid, side=side, ticks=ticks, lots=lots, venue_ms=ms)


def orders(mid_ms: int = 1_000) -> MarketOrders:
    """Return a side of the market that has seen one mid."""
    made = MarketOrders()
    made.see(Millis(mid_ms), MID)
    return made


def seen(made: MarketOrders, ms: int) -> list[MarketOrder]:
    return made.see(Millis(ms), MID + 500)


def test_a_sweep_is_one_order() -> None:
    """Rules 1 and 2: three prints at two prices, whole at the next block; depth from the mid before, not after."""
    made = orders()
    for tid, ticks in ((1, 1_000_010), (2, 1_000_300), (3, 1_000_300)):
        assert made.add(print_at(1_070, tid, ticks)) == []
    assert made.see(Millis(1_070), MID + 400) == []  # the market that this very block left behind
    (order,) = seen(made, 1_140)
    assert (order.side, order.venue_ms, order.levels) == (Side.BUY, 1_070, 2)
    assert order.notional == 100 * (1_000_010 + 2 * 1_000_300)
    assert order.depth_bps == pytest.approx(3.0)
    assert seen(made, 1_210) == []


def test_a_seller_goes_down() -> None:
    """Depth is positive away from the mid on either side."""
    made = orders()
    for tid, ticks in ((1, 999_990), (2, 999_800)):
        made.add(print_at(1_070, tid, ticks, side=Side.SELL))
    (order,) = seen(made, 1_140)
    assert order.depth_bps == pytest.approx(2.0)


def test_both_sides_of_one_block_are_two_orders() -> None:
    """Rule 1: and a print of the next block makes both whole."""
    made = orders()
    made.add(print_at(1_070, 1))
    made.add(print_at(1_070, 2, side=Side.SELL, ticks=999_990))
    whole = made.add(print_at(1_140, 3))
    assert [order.side for order in whole] == [Side.BUY, Side.SELL]
    assert [order.venue_ms for order in seen(made, 1_200)] == [1_140]


@pytest.mark.parametrize(("age_ms", "known"), [(MID_AGE_MAX_MS, True), (MID_AGE_MAX_MS + 1, False)])
def test_an_old_mid_is_none(age_ms: int, *, known: bool) -> None:
    """Rule 2: both sides of the limit; without any mid the depth is unknown too."""
    made = orders()
    made.add(print_at(1_000 + age_ms, 1))
    (order,) = seen(made, 50_000)
    assert (order.depth_bps is not None) is known
    blind = MarketOrders()
    blind.add(print_at(1_000, 1))
    assert seen(blind, 2_000)[0].depth_bps is None


@pytest.mark.parametrize(
    "odd",
    [
        print_at(1_070, 1),  # twice
        print_at(1_069, 9),  # of an earlier block
        print_at(1_080, 9, ticks=0),
        print_at(1_080, 9, ticks=-5),
        print_at(1_080, 9, lots=0),
        print_at(1_080, 9, lots=-1),
        print_at(1_001 + AHEAD_MAX_MS, 9),  # from the future
    ],
)
def test_nonsense_changes_nothing(odd: Trade) -> None:
    """Rule 3: counted, and the order is as if it never came."""
    clean, dirty = orders(), orders()
    for made in (clean, dirty):
        made.add(print_at(1_070, 1))
    assert dirty.add(odd) == []
    assert dirty.refused == 1
    for made in (clean, dirty):
        made.add(print_at(1_070, 2))
    assert seen(clean, 1_140) == seen(dirty, 1_140)


def test_a_whole_order_is_not_opened_again() -> None:
    """Rule 3: a print of a block that is over came late."""
    made = orders()
    made.add(print_at(1_070, 1))
    seen(made, 1_140)
    made.add(print_at(1_070, 2))
    assert made.refused == 1
    assert seen(made, 1_200) == []


def test_prints_have_a_limit() -> None:
    """No block holds more."""
    made = orders()
    for tid in range(PRINTS_MAX + 1):
        made.add(print_at(1_070, tid))
    assert made.refused == 1


def test_a_restart_lets_time_go_back() -> None:
    """What was open is dropped: nobody knows its end."""
    made = orders()
    made.add(print_at(1_070, 1))
    made.restart()
    made.add(print_at(500, 2))
    (order,) = seen(made, 600)
    assert (order.venue_ms, order.depth_bps) == (500, None)


def test_the_order_of_prints_is_no_matter() -> None:
    """Within a block the venue promises none."""
    found = []
    for rows in permutations([(1, 1_000_010), (2, 1_000_200), (3, 1_000_100)]):
        made = orders()
        for tid, ticks in rows:
            made.add(print_at(1_070, tid, ticks))
        found += seen(made, 1_140)
    assert len(set(found)) == 1


steps = st.lists(
    st.tuples(st.integers(0, 2_000), st.integers(1, 50), st.integers(-2, 10), st.sampled_from(Side)), max_size=60
)


@settings(max_examples=60)
@given(steps)
def test_every_sound_print_is_in_one_order(rows: list[tuple[int, int, int, Side]]) -> None:
    """Counters in equal counters processed: the notional of all orders is that of all prints taken."""
    made, taken, given_out = orders(0), 0, 0
    for ms, tid, lots, side in rows:
        refused = made.refused
        whole = made.add(print_at(ms, tid, lots=lots, side=side))
        taken += lots * 1_000_010 if made.refused == refused else 0
        given_out += sum(order.notional for order in whole)
    given_out += sum(order.notional for order in seen(made, 10_000))
    assert given_out == taken

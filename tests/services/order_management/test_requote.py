"""The diff between a target and what may still fill."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.messages import OrderState, QuoteLevel
from common.units import Lots, Side, Ticks
from services.order_management.requote import SidePlan, Tolerance, plan_side
from services.order_management.tracked_order import TrackedOrder
from tests.services.order_management.parts import cloid, level

FAIR = 10_000.0
SHARES = Tolerance(price=0.2, size=0.2)


def resting(slot: int, ticks: int, lots: int = 100, side: Side = Side.BUY, **fields: object) -> TrackedOrder:
    order = TrackedOrder(
        cloid=cloid(1, slot), coin="BTC", side=side, price=Ticks(ticks), size=Lots(lots), oid=slot + 1, nonce=1
    )
    order.state = OrderState.RESTING
    for name, value in fields.items():
        setattr(order, name, value)
    return order


def plan(
    levels: list[QuoteLevel], own: list[TrackedOrder], opposite: list[TrackedOrder] | None = None, side: Side = Side.BUY
) -> SidePlan:
    return plan_side(side, levels, fair_ticks=FAIR, own=own, opposite=opposite or [], tolerance=SHARES)


@pytest.mark.parametrize(("ticks", "kept"), [(9_920, True), (9_880, True), (9_921, False), (9_879, False)])
def test_keeps_within_price_tolerance(ticks: int, kept: bool) -> None:
    """Rule 1: a level 100 ticks from fair reaches 20 ticks; the edge itself is kept."""
    order = resting(1, ticks)
    made = plan([level(9_900, 100)], [order])
    assert made == (SidePlan(cancels=(), places=()) if kept else SidePlan(cancels=(order,), places=()))


@pytest.mark.parametrize(("lots", "kept"), [(120, True), (80, True), (121, False), (79, False)])
def test_keeps_within_size_tolerance(lots: int, kept: bool) -> None:
    """Rule 1: 20 % of the wanted size either way, judged by what remains."""
    order = resting(1, 9_900, lots)
    assert (plan([level(9_900, 100)], [order]).cancels == ()) is kept
    partly = resting(1, 9_900, lots + 500, filled=Lots(500))
    assert (plan([level(9_900, 100)], [partly]).cancels == ()) is kept


def test_reduce_only_flag_must_match() -> None:
    """Rule 1: under ReduceOnly an order without the flag may not stay."""
    order = resting(1, 9_900)
    assert plan([level(9_900, 100, reduce_only=True)], [order]).cancels == (order,)


def test_nearest_order_for_the_innermost_level() -> None:
    """Rule 2: one order serves one level; the second nearest is free for the next."""
    near, far = resting(1, 9_899), resting(2, 9_885)
    made = plan([level(9_900, 100), level(9_880, 100)], [far, near])
    assert made == SidePlan(cancels=(), places=())
    assert plan([level(9_900, 100)], [far, near]).cancels == (far,)


def test_cancels_under_way_are_not_repeated() -> None:
    """Rule 3: neither pending nor confirmed cancels, nor what the venue said is gone, nor what is not acknowledged."""
    for order in (
        resting(1, 9_000, state=OrderState.CANCEL_PENDING),
        resting(1, 9_000, state=OrderState.CANCEL_CONFIRMED),
        resting(1, 9_000, state=OrderState.FILLED_DURING_CANCEL),
        resting(1, 9_000, gone_at=5),
        resting(1, 9_000, state=OrderState.SENT, oid=None),
        resting(1, 9_000, state=OrderState.UNKNOWN, oid=None),
    ):
        assert plan([level(9_900, 100)], [order]) == SidePlan(cancels=(), places=())


def test_never_more_than_the_target_wants() -> None:
    """Rule 4: an order being cancelled holds its place; the innermost missing levels come first."""
    ladder = [level(9_900, 100), level(9_880, 100), level(9_860, 100)]
    leaving = resting(1, 9_500, state=OrderState.CANCEL_PENDING)
    assert plan(ladder, [leaving]).places == (ladder[0], ladder[1])
    assert plan(ladder, [leaving, resting(2, 9_901)]).places == (ladder[1],)
    assert plan([], [resting(2, 9_901)]).places == ()
    assert plan(ladder, []).places == tuple(ladder)


@pytest.mark.parametrize(("side", "ticks"), [(Side.BUY, 10_050), (Side.SELL, 9_950)])
def test_never_meets_our_own(side: Side, ticks: int) -> None:
    """Rule 5: at the price of our own order on the other side is too close, one tick off is not."""
    own = resting(1, ticks, side=side.opposite)
    touching = level(ticks, 100)
    beside = level(ticks - side.sign, 100)
    assert plan([touching], [], [own], side).places == ()
    assert plan([beside], [], [own], side).places == (beside,)


orders = st.lists(
    st.tuples(st.integers(9_500, 9_990), st.integers(1, 200), st.sampled_from(OrderState), st.booleans()), max_size=8
)
ladders = st.lists(st.tuples(st.integers(9_500, 9_990), st.integers(50, 200)), max_size=5)


@given(ladders, orders)
def test_laws(wanted: list[tuple[int, int]], live: list[tuple[int, int, OrderState, bool]]) -> None:
    """Never more than wanted, never a cancel of a cancel, the same answer twice, and nothing to do once it is done."""
    levels = [level(ticks, lots) for ticks, lots in wanted]
    own = [
        order
        for slot, (ticks, lots, state, known) in enumerate(live)
        if (order := resting(slot, ticks, lots, state=state, oid=slot if known else None)).may_still_fill
    ]
    made = plan(levels, own)
    assert made == plan(levels, own)
    assert len(own) + len(made.places) <= max(len(levels), len(own))
    assert not any(order.being_cancelled for order in made.cancels)
    if not own:
        placed = [resting(slot, one.ticks, one.lots) for slot, one in enumerate(made.places)]
        assert plan(levels, placed) == SidePlan(cancels=(), places=())

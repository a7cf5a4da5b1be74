"""The diff between a target and what may still fill."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.messages import OrderState, QuoteLevel
from common.units import Lots, Side, Ticks
from services.order_management.requote import SidePlan, SideState, Tolerance, plan_side
from services.order_management.tracked_order import TrackedOrder
from tests.services.order_management.parts import cloid, level

FAIR = 10_000.0
SHARES = Tolerance(price=0.2, queue=0.5, size=0.2)
PLENTY = Lots(10_000)


class Place:
    """A queue in which every place is worth the same."""

    def __init__(self, *, worth: bool) -> None:
        self._worth = worth

    def worth_keeping(self, _order: TrackedOrder, _level: QuoteLevel) -> bool:
        return self._worth


def resting(slot: int, ticks: int, lots: int = 100, side: Side = Side.BUY, **fields: object) -> TrackedOrder:
    order = TrackedOrder(
        cloid=cloid(1, slot), coin="BTC", side=side, price=Ticks(ticks), size=Lots(lots), oid=slot + 1, nonce=1
    )
    order.state = OrderState.RESTING
    for name, value in fields.items():
        setattr(order, name, value)
    return order


def plan(
    levels: list[QuoteLevel],
    own: list[TrackedOrder],
    opposite: list[TrackedOrder] | None = None,
    side: Side = Side.BUY,
    *,
    spare: int = PLENTY,
    may_modify: bool = True,
    worth: bool = False,
) -> SidePlan:
    state = SideState(
        side=side, fair_ticks=FAIR, own=own, opposite=opposite or [], spare=Lots(spare), may_modify=may_modify
    )
    return plan_side(levels, state, SHARES, Place(worth=worth))


KEPT = SidePlan(kept=1)


@pytest.mark.parametrize(("ticks", "kept"), [(9_920, True), (9_880, True), (9_921, False), (9_879, False)])
def test_keeps_within_price_tolerance(ticks: int, kept: bool) -> None:
    """Rule 1: a level 100 ticks from fair reaches 20 ticks; the edge itself is kept."""
    order, wanted = resting(1, ticks), level(9_900, 100)
    assert plan([wanted], [order]) == (KEPT if kept else SidePlan(modifies=((order, wanted),)))


@pytest.mark.parametrize(("ticks", "kept"), [(9_850, True), (9_849, False), (9_921, False)])
def test_keeps_a_good_place_in_the_queue(ticks: int, kept: bool) -> None:
    """Rule 1: further out by up to half the distance, never nearer than the price tolerance lets it."""
    order, wanted = resting(1, ticks), level(9_900, 100)
    assert (plan([wanted], [order], worth=True) == KEPT) is kept
    asked = resting(1, 20_000 - ticks, side=Side.SELL)
    assert (plan([level(10_100, 100)], [asked], side=Side.SELL, worth=True) == KEPT) is kept


@pytest.mark.parametrize(("lots", "kept"), [(120, True), (80, True), (121, False), (79, False)])
def test_keeps_within_size_tolerance(lots: int, kept: bool) -> None:
    """Rule 1: 20 % of the wanted size either way, judged by what remains."""
    order = resting(1, 9_900, lots)
    assert (plan([level(9_900, 100)], [order]) == KEPT) is kept
    partly = resting(1, 9_900, lots + 500, filled=Lots(500))
    assert (plan([level(9_900, 100)], [partly]) == KEPT) is kept


def test_reduce_only_flag_must_match() -> None:
    """Rules 1 and 4: under ReduceOnly an order without the flag may not stay, nor wait for risk; so the other way."""
    order, wanted = resting(1, 9_900), level(9_900, 100, reduce_only=True)
    assert plan([wanted], [order]) == SidePlan(exposed=(order,), lacking=1)
    order, wanted = resting(1, 9_900, reduce_only=True), level(9_900, 100)
    assert plan([wanted], [order]) == SidePlan(exposed=(order,), lacking=1)
    both = [level(9_900, 100, reduce_only=True), level(9_800, 100)]
    assert plan(both, [resting(1, 9_900, reduce_only=True), resting(2, 9_700)]).exposed == ()


def test_a_side_that_is_not_wanted_is_not_waited_for() -> None:
    """Rule 4: without a level, whatever its price."""
    far = resting(1, 9_000)
    assert plan([], [far]) == SidePlan(exposed=(far,))


def test_nearest_order_for_the_innermost_level() -> None:
    """Rule 2: one order serves one level; the second nearest is free for the next."""
    near, far = resting(1, 9_899), resting(2, 9_885)
    assert plan([level(9_900, 100), level(9_880, 100)], [far, near]) == SidePlan(kept=2)
    assert plan([level(9_900, 100)], [far, near]) == SidePlan(kept=1, cancels=(far,))


def test_modifies_pair_level_and_nearest_order() -> None:
    """Rule 3: the innermost level chooses first; what no level wants is cancelled, what no order serves is placed."""
    inner, outer = level(9_900, 100), level(9_880, 100)
    near, far = resting(1, 9_800), resting(2, 9_700)
    assert plan([inner, outer], [far, near]).modifies == ((near, inner), (far, outer))
    assert plan([inner], [far, near]) == SidePlan(modifies=((near, inner),), cancels=(far,))
    assert plan([inner, outer], [near]) == SidePlan(modifies=((near, inner),), places=(outer,))


@pytest.mark.parametrize(("ticks", "modified"), [(9_950, True), (9_951, False), (10_050, False)])
def test_an_exposed_order_is_cancelled_at_once(ticks: int, modified: bool) -> None:
    """Rules 3 and 4: nearer to fair than half the wanted distance, or beyond fair, it does not wait for risk."""
    order = resting(1, ticks)
    made = plan([level(9_900, 100)], [order])
    assert made == (
        SidePlan(modifies=((order, level(9_900, 100)),)) if modified else SidePlan(exposed=(order,), lacking=1)
    )


@pytest.mark.parametrize(("ticks", "exposed"), [(9_950, False), (9_951, True)])
def test_an_exposed_order_does_not_wait_for_its_modify(ticks: int, *, exposed: bool) -> None:
    """Rule 4: while risk is asked about its modify it is cancelled; once that is posted, the venue decides."""
    order = resting(1, ticks, replaced_by=cloid(1, 2))
    assert plan([level(9_900, 100)], [order]).exposed == ((order,) if exposed else ())
    order.state = OrderState.MODIFY_PENDING
    assert plan([level(9_900, 100)], [order]) == SidePlan(lacking=1)


@pytest.mark.parametrize(("ticks", "exposed"), [(9_950, False), (9_951, True)])
def test_the_innermost_level_says_what_is_exposed(ticks: int, *, exposed: bool) -> None:
    """Rule 4: whichever level is the first in the list, and of the outer orders too."""
    order = resting(1, ticks)
    made = plan([level(9_900, 100), level(9_700, 100)], [resting(2, 9_900), order])
    assert made.exposed == ((order,) if exposed else ())


@pytest.mark.parametrize(("spare", "modified"), [(100, 1), (99, 0), (200, 2), (199, 1)])
def test_modifies_need_room_for_both(spare: int, modified: int) -> None:
    """Rule 3: old and new count together, and so do the modifies of one plan; what has no room is cancelled first."""
    ladder, own = [level(9_900, 100), level(9_880, 100)], [resting(1, 9_700), resting(2, 9_690)]
    made = plan(ladder, own, spare=spare)
    assert len(made.modifies) == modified
    assert (len(made.cancels), made.lacking, made.places) == (2 - modified, 2 - modified, ())


def test_only_what_rests_for_certain_is_modified() -> None:
    """Rule 3: not while unknown, unproven, of unknown origin, or while the side waits after a veto."""
    for order in (
        resting(1, 9_700, state=OrderState.UNKNOWN),
        resting(1, 9_700, told_filled=Lots(1)),
        resting(1, 9_700, orphan=True),
    ):
        assert plan([level(9_900, 100)], [order]) == SidePlan(cancels=(order,), lacking=1)
    certain = resting(1, 9_700, told_filled=Lots(1), filled=Lots(1), state=OrderState.PARTIALLY_FILLED)
    assert plan([level(9_900, 100)], [certain]).modifies
    assert plan([level(9_900, 100)], [certain], may_modify=False) == SidePlan(cancels=(certain,), lacking=1)


def test_a_modify_under_way_is_left_alone() -> None:
    """Rules 4 and 5: neither repeated nor cancelled; its two orders hold one place, and the new one may be kept."""
    old = resting(1, 9_700, state=OrderState.MODIFY_PENDING, replaced_by=cloid(1, 2))
    new = resting(2, 9_900, state=OrderState.SENT, oid=None, replaces=old.cloid)
    ladder = [level(9_900, 100), level(9_880, 100)]
    assert plan(ladder, [old, new]) == SidePlan(kept=1, places=(ladder[1],))
    assert plan(ladder[:1], [old, new]) == KEPT
    asked_for = resting(1, 9_700, replaced_by=cloid(1, 2))
    assert plan(ladder[:1], [asked_for]) == SidePlan(lacking=1), "risk is being asked"


def test_cancels_under_way_are_not_repeated() -> None:
    """Rule 4: neither pending nor confirmed cancels, nor what the venue said is gone, nor what is not acknowledged."""
    for order in (
        resting(1, 9_000, state=OrderState.CANCEL_PENDING),
        resting(1, 9_000, state=OrderState.CANCEL_CONFIRMED),
        resting(1, 9_000, state=OrderState.FILLED_DURING_CANCEL),
        resting(1, 9_000, gone_at=5),
        resting(1, 9_000, state=OrderState.SENT, oid=None),
        resting(1, 9_000, state=OrderState.UNKNOWN, oid=None),
    ):
        assert plan([level(9_900, 100)], [order]) == SidePlan(lacking=1)


def test_never_more_than_the_target_wants() -> None:
    """Rule 5: an order being cancelled holds its place; the innermost missing levels come first."""
    ladder = [level(9_900, 100), level(9_880, 100), level(9_860, 100)]
    leaving = resting(1, 9_500, state=OrderState.CANCEL_PENDING)
    assert plan(ladder, [leaving]).places == (ladder[0], ladder[1])
    assert plan(ladder, [leaving, resting(2, 9_901)]).places == (ladder[1],)
    assert plan([], [resting(2, 9_901)]).places == ()
    assert plan(ladder, []).places == tuple(ladder)


@pytest.mark.parametrize(("side", "ticks"), [(Side.BUY, 10_050), (Side.SELL, 9_950)])
def test_never_meets_our_own(side: Side, ticks: int) -> None:
    """Rule 6: at the price of our own order on the other side is too close, one tick off is not."""
    own = resting(1, ticks, side=side.opposite)
    touching = level(ticks, 100)
    beside = level(ticks - side.sign, 100)
    assert plan([touching], [], [own], side).places == ()
    assert plan([beside], [], [own], side).places == (beside,)
    stale = resting(2, 10_000 - side.sign * 300, side=side)
    assert plan([touching], [stale], [own], side) == SidePlan(cancels=(stale,))


orders = st.lists(
    st.tuples(st.integers(9_500, 9_990), st.integers(1, 200), st.sampled_from(OrderState), st.booleans()), max_size=8
)
ladders = st.lists(st.tuples(st.integers(9_500, 9_990), st.integers(50, 200)), max_size=5)


@given(ladders, orders)
def test_laws(wanted: list[tuple[int, int]], live: list[tuple[int, int, OrderState, bool]]) -> None:
    """Never more than wanted, one change an order, the same answer twice, and nothing to do once it is done."""
    levels = [level(ticks, lots) for ticks, lots in wanted]
    own = [
        order
        for slot, (ticks, lots, state, known) in enumerate(live)
        if (
            order := resting(
                slot,
                ticks,
                lots,
                state=state,
                oid=slot if known else None,
                replaced_by="x" if state is OrderState.MODIFY_PENDING else None,
            )
        ).may_still_fill
    ]
    made = plan(levels, own)
    assert made == plan(levels, own)
    assert len(own) + len(made.places) <= max(len(levels), len(own))
    touched = [*made.exposed, *made.cancels, *(order for order, _ in made.modifies)]
    assert len({order.cloid for order in touched}) == len(touched)
    assert not any(order.being_cancelled or order.state is OrderState.MODIFY_PENDING for order in touched)
    assert made.kept + len(made.modifies) + len(made.places) <= len(levels)
    if not own:
        placed = [resting(slot, one.ticks, one.lots) for slot, one in enumerate(made.places)]
        assert plan(levels, placed) == SidePlan(kept=len(levels))

"""Makers: a ladder that follows, heals and never takes."""

from random import Random

from common.units import Lots, Side
from services.venue_sim.api import Action, CancelOrders, ModifyOrders, OrderSpec, PlaceOrders, Tif
from services.venue_sim.market_makers import SLOTS, MarketMakers
from services.venue_sim.scenarios import ORDINARY, Conduct
from tests.services.venue_sim.stage import BTC

START = 1_130_000.0


def makers() -> MarketMakers:
    return MarketMakers(BTC, 0, START, Random(1))


def placed(actions: list[Action]) -> tuple[OrderSpec, ...]:
    return tuple(spec for action in actions if isinstance(action, PlaceOrders) for spec in action.orders)


def moved(actions: list[Action]) -> tuple[OrderSpec, ...]:
    return tuple(target.order for action in actions if isinstance(action, ModifyOrders) for target in action.modifies)


def test_the_first_step_fills_every_slot() -> None:
    """A ladder on both sides, post-only, legal, bids below asks, each with a cloid of its own."""
    (action,) = makers().step(START, 0.0, {})
    specs = placed([action])
    assert len(specs) == 2 * SLOTS
    assert len({spec.cloid for spec in specs}) == 2 * SLOTS
    assert all(spec.tif is Tif.ALO and BTC.is_legal(spec.ticks) for spec in specs)
    bids = sorted((spec.ticks for spec in specs if spec.side is Side.BUY), reverse=True)
    asks = sorted(spec.ticks for spec in specs if spec.side is Side.SELL)
    assert bids[0] < START < asks[0]
    assert 0.5 < (asks[0] - bids[0]) / START * 10_000 < 2.0
    assert (START - bids[-1]) / START * 10_000 > 20


def test_what_rests_well_stays() -> None:
    """Without a move of the price hardly anything is moved: fidgeting alone, one slot in 20 s."""
    group = makers()
    resting = {spec.cloid or "": spec.lots for spec in placed(group.step(START, 0.0, {}))}
    assert sum(len(moved(group.step(START, 0.1, resting))) for _ in range(10)) <= 8


def test_danger_is_answered_soon() -> None:
    """The price rose by 10 bps: within half a second most near asks have moved up."""
    group = makers()
    resting = {spec.cloid or "": spec.lots for spec in placed(group.step(START, 0.0, {}))}
    for _ in range(15):
        group.step(START * 1.001, 0.07, resting)
    near = [slot for slot in group.slots.values() if slot.side is Side.SELL and slot.rank < 5]
    assert sum(slot.ticks > START * 1.0008 for slot in near) >= 4
    assert abs(group.reference / START - 1.001) < 0.0001


def test_a_filled_slot_heals() -> None:
    """A slot that is gone stays empty at first, and is back within a few seconds."""
    group = makers()
    gone, *kept = placed(group.step(START, 0.0, {}))
    resting = {spec.cloid or "": spec.lots for spec in kept}
    assert group.slots[gone.cloid or ""].lots > 0
    assert placed(group.step(START, 0.001, resting)) == ()
    assert gone.cloid in {spec.cloid for _ in range(50) for spec in placed(group.step(START, 0.1, resting))}


def test_depth_is_what_a_taker_finds() -> None:
    """Lots of the other side up to a price, as the venue said they are left."""
    group = makers()
    group.step(START, 0.0, {})
    asks = sorted((slot.ticks, slot.lots) for slot in group.slots.values() if slot.side is Side.SELL)
    assert group.depth(Side.BUY, asks[0][0] - 1) == 0
    limit = asks[2][0]
    assert group.depth(Side.BUY, limit) == sum(lots for ticks, lots in asks if ticks <= limit)
    assert group.depth(Side.SELL, START) == 0


def test_orders_of_an_earlier_process_are_taken_over() -> None:
    """A restored venue still has our orders: they are moved to where this process wants them."""
    group = makers()
    resting = {cloid: Lots(5) for cloid in group.slots}
    (action,) = group.step(START, 0.0, resting)
    assert len(moved([action])) == 2 * SLOTS


def test_a_change_of_conduct_moves_everything() -> None:
    """Rule 4: at once a tenth of the sizes at three times the distances, and nothing more while it lasts."""
    group, thin = makers(), Conduct(depth=0.1, width=3.0)
    before = placed(group.step(START, 0.0, {}))
    resting = {spec.cloid or "": spec.lots for spec in before}
    after = moved(group.step(START, 0.0, resting, thin))
    assert len(after) == 2 * SLOTS
    assert sum(spec.lots for spec in after) < 0.2 * sum(spec.lots for spec in before)
    near_before, near_after = (max(s.ticks for s in specs if s.side is Side.BUY) for specs in (before, after))
    assert 2.0 < (START - near_after) / (START - near_before) < 4.0
    assert group.step(START, 0.0, {spec.cloid or "": spec.lots for spec in after}, thin) == []


def test_a_side_that_nobody_makes() -> None:
    """Rule 4: its orders are cancelled once, the other side stays, and it comes back at once."""
    group, bids_only = makers(), Conduct(asks=False)
    resting = {spec.cloid or "": spec.lots for spec in placed(group.step(START, 0.0, {}, bids_only))}
    assert len(resting) == SLOTS
    assert {group.slots[cloid].side for cloid in resting} == {Side.BUY}
    resting |= {spec.cloid or "": spec.lots for spec in placed(group.step(START, 0.0, resting, ORDINARY))}
    assert len(resting) == 2 * SLOTS
    cancels = [each for each in group.step(START, 0.0, resting, bids_only) if isinstance(each, CancelOrders)]
    assert [len(each.cancels) for each in cancels] == [SLOTS]
    kept = {cloid: lots for cloid, lots in resting.items() if group.slots[cloid].side is Side.BUY}
    assert not any(isinstance(each, CancelOrders) for each in group.step(START, 0.0, kept, bids_only))

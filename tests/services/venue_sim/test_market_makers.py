"""Makers: a ladder that follows, heals and never takes."""

from random import Random

from common.units import Lots, Side
from services.venue_sim.api import ModifyOrders, PlaceOrders, Tif
from services.venue_sim.market_makers import SLOTS, MarketMakers
from tests.services.venue_sim.stage import BTC

START = 1_130_000.0


def makers() -> MarketMakers:
    return MarketMakers(BTC, 0, START, Random(1))


def test_the_first_step_fills_every_slot() -> None:
    """A ladder on both sides, post-only, legal, bids below asks, each with a cloid of its own."""
    orders = makers().step(START, 0.0, {})
    assert orders.modifies is None
    assert isinstance(orders.places, PlaceOrders)
    specs = orders.places.orders
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
    placed = group.step(START, 0.0, {}).places
    assert placed is not None
    resting = {spec.cloid or "": spec.lots for spec in placed.orders}
    moved = [group.step(START, 0.1, resting).modifies for _ in range(10)]
    assert sum(len(modifies.modifies) for modifies in moved if modifies is not None) <= 8


def test_danger_is_answered_soon() -> None:
    """The price rose by 10 bps: within half a second most near asks have moved up."""
    group = makers()
    placed = group.step(START, 0.0, {}).places
    assert placed is not None
    resting = {spec.cloid or "": spec.lots for spec in placed.orders}
    for _ in range(15):
        group.step(START * 1.001, 0.07, resting)
    near = [slot for slot in group.slots.values() if slot.side is Side.SELL and slot.rank < 5]
    assert sum(slot.ticks > START * 1.0008 for slot in near) >= 4
    assert abs(group.reference / START - 1.001) < 0.0001


def test_a_filled_slot_heals() -> None:
    """A slot that is gone stays empty at first, and is back within a few seconds."""
    group = makers()
    placed = group.step(START, 0.0, {}).places
    assert placed is not None
    gone, *kept = placed.orders
    resting = {spec.cloid or "": spec.lots for spec in kept}
    assert group.slots[gone.cloid or ""].lots > 0
    first = group.step(START, 0.001, resting)
    assert first.places is None
    back = [group.step(START, 0.1, resting).places for _ in range(50)]
    assert any(places is not None and places.orders[0].cloid == gone.cloid for places in back)


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
    orders = group.step(START, 0.0, resting)
    assert orders.places is None
    assert isinstance(orders.modifies, ModifyOrders)
    assert len(orders.modifies.modifies) == 2 * SLOTS

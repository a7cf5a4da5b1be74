"""One requote, and what it costs."""

import pytest
from msgspec.structs import replace

from common.actor import Send
from common.messages import AddressBudget, ApprovalRequest, Book, OrderUpdates
from common.units import Lots, Millis, Nanos, Side, Ticks
from services.order_management.pace import PLENTY, RESERVE
from services.order_management.placing import Wanted
from tests.services.order_management import wires
from tests.services.order_management.parts import level, seconds, target
from tests.services.order_management.world import World, quoted


def counts(world: World) -> dict[str, int]:
    decided = {name: times for name, times in world.core._desk.counts.items() if name.startswith("requote.")}
    return {name.removeprefix("requote."): times for name, times in decided.items() if times}


def asked(world: World) -> list[ApprovalRequest]:
    return [request for request in world.requests if isinstance(request, ApprovalRequest)]


def test_equal_targets_cause_nothing() -> None:
    """A thousand repetitions of what rests: no cancel, no request, and twelve orders kept each time."""
    world = quoted()
    before = counts(world)
    nonce, cloids = world.nonce, len(world.cloids)
    for _ in range(1_000):
        world.send(world.target("BTC"))
    assert (world.nonce, len(world.cloids), asked(world), world.cancels) == (nonce, cloids, [], [])
    kept = counts(world).pop("keep") - before.pop("keep")
    assert kept == 6_000
    assert {**counts(world), "keep": 0} == {**before, "keep": 0}


def test_a_requote_is_two_messages() -> None:
    """Rules 1 and 2: a ladder that moved is one modify, or, where a side jumped, one cancel and one placing action."""
    world = quoted()
    before = counts(world)
    world.wider = 1
    world.send(world.target("BTC"))
    assert (world.cancels, [len(one.modifies) for one in asked(world)]) == ([], [6])
    world.drain()
    shift(world, 1)
    for _ in range(20):
        world.send(world.target("BTC"))
    assert ([len(one.cancels) for one in world.cancels], asked(world)) == ([6], []), "one action of a kind in flight"
    world._serve(world.cancels, world._cancel, first=True)
    world.drain_queries()
    block = tuple(one for told in world.venue.updates for one in told.updates)
    world.send(OrderUpdates(updates=block, received_at=world.now))
    world.venue.updates.clear()
    assert (world.cancels, [len(one.places) for one in asked(world)]) == ([], [6])
    made = {name: times - before.get(name, 0) for name, times in counts(world).items()}
    assert (made["modify"], made["replace"], made.get("cancel", 0), made["place"]) == (6, 6, 0, 6)
    world.settle()


def test_requests_that_are_short_are_saved() -> None:
    """Rule 2: then the other side is modified, though the jump takes a message more."""
    world = quoted()
    short(world, PLENTY - 1)
    shift(world, 1)
    assert ([len(one.cancels) for one in world.cancels], [len(one.modifies) for one in asked(world)]) == ([3], [3])
    world.settle()


def test_a_side_that_is_only_pulled_leaves_the_other_alone() -> None:
    """Rule 2: where nothing follows what is cancelled, the other side's modify is the only placing action."""
    world = quoted()
    wanted = tuple(level(999_500 - 20 * depth) for depth in range(3))
    world.send(target("BTC", bids=wanted, valid_until=Nanos(world.now + seconds(4))))
    assert ([len(one.cancels) for one in world.cancels], [len(one.modifies) for one in asked(world)]) == ([3], [3])
    world.settle()


def shift(world: World, by: float) -> None:
    """The market of BTC is so much further up, in steps of five basis points."""
    world.shift = by
    world.send(world.target("BTC"))


def short(world: World, requests: int) -> None:
    world.send(AddressBudget(used=0, cap=requests))


def test_a_short_budget_keeps_what_rests() -> None:
    """Rule 4: the second move within the pause changes nothing; after it the ladder follows."""
    world = quoted()
    short(world, (PLENTY + RESERVE) // 2)
    shift(world, 0.13)
    assert (len(world.cancels), len(asked(world))) == (0, 1)
    world.drain()
    shift(world, 0.26)
    assert (world.cancels, asked(world)) == ([], [])
    for _ in range(9):
        world.advance(500)
    assert (world.cancels, asked(world)) == ([], [])
    world.advance(500)
    assert (len(world.cancels), len(asked(world))) == (0, 1), "of both coins"
    world.settle()


@pytest.mark.parametrize("left", [(PLENTY + RESERVE) // 2, RESERVE])
def test_a_pause_keeps_nothing_that_is_exposed(left: int) -> None:
    """Rule 4: three asks that the market came to meet go at once and come back after the pause; the bids stay."""
    world = quoted()
    short(world, left)
    world.core._pace.moved(Nanos(world.now - 1))
    due = world.core._pace.due()
    shift(world, 1)
    (request,) = world.cancels
    asks = world.core._desk.store.side("BTC", Side.SELL)
    assert {cancel.cloid for cancel in request.cancels} == {order.cloid for order in asks}
    assert len(asks) == 3
    assert asked(world) == []
    world.drain()
    assert world.core._pace.due() == due
    while world.now < due - seconds(0.5):
        world.advance(500)
        world.drain()
        assert not world.core._desk.store.side("BTC", Side.SELL)
    world.advance(500)
    world.drain()
    assert len(world.core._desk.store.side("BTC", Side.SELL)) == (0 if left == RESERVE else 3)
    short(world, PLENTY)
    world.settle()


def test_a_fill_is_replaced_within_the_pause() -> None:
    """Rule 4: what is missing is placed, for only quotes that rest earn requests."""
    world = quoted()
    short(world, (PLENTY + RESERVE) // 2)
    world.shift = 1
    world.send(world.target("BTC"))
    world.drain()
    resting = world.venue.open()[0]
    world.venue.fill(resting.oid, resting.left)
    world._tell_fill()
    assert [len(request.places) for request in asked(world)] == [1]
    assert not world.cancels


def test_the_reserve_belongs_to_cancels() -> None:
    """Rule 4: at the reserve orders that do not fit are cancelled, and nothing is placed or modified."""
    world = quoted()
    short(world, RESERVE)
    world.shift = 1
    world.send(world.target("BTC"))
    assert ([len(request.cancels) for request in world.cancels], asked(world)) == ([6], [])
    world.drain()
    assert asked(world) == []
    short(world, PLENTY)
    world.settle()


def test_modifies_go_before_new_orders() -> None:
    """Rule 2: one action holds one kind, and what rests at a wrong price is asked for first."""
    world = quoted()
    old = world.core._desk.store.side("BTC", Side.BUY)[0]
    new, moved = Wanted("BTC", Side.BUY, level(999_400)), Wanted("BTC", Side.BUY, level(999_800), old)
    (request,) = [
        effect.message
        for effect in world.core._placing.ask([new], [moved], world.now)
        if isinstance(effect, Send) and isinstance(effect.message, ApprovalRequest)
    ]
    assert [(one.old_cloid, one.order.ticks) for one in request.modifies] == [(old.cloid, 999_800)]
    assert request.places == ()


@pytest.mark.parametrize(("usd", "modified"), [(3_000.0, 3), (2_999.9, 2), (2_000.0, 1), (1_999.9, 0)])
def test_room_for_old_and_new(usd: float, modified: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 3: 1,500 lots of bids rest; each 500 more at the fair price let one be modified, the others make way."""
    coins = {coin: replace(limits, max_position_usd=usd) for coin, limits in wires.SETTINGS.coins.items()}
    monkeypatch.setattr(wires, "SETTINGS", replace(wires.SETTINGS, coins=coins))
    world = quoted()
    world.wider = 1
    world.send(world.target("BTC"))
    assert sum(one.order.side is Side.BUY for request in asked(world) for one in request.modifies) == modified
    world.send(target("BTC", fair=0.0, valid_until=Nanos(world.now + seconds(4))))
    world.settle()


@pytest.mark.parametrize("fronted", [True, False])
def test_a_place_at_the_front_is_kept(fronted: bool) -> None:
    """Requote rule 1: a basis point further out, with nobody ahead: kept; without a book: modified."""
    world = World(1, faults=False)
    if fronted:
        bids = ((Ticks(999_900), Lots(10)), (Ticks(990_000), Lots(10)))
        asks = ((Ticks(1_000_100), Lots(10)), (Ticks(1_010_000), Lots(10)))
        world.send(Book(coin="BTC", venue_ms=Millis(1), bids=bids, asks=asks, received_at=world.now))
    world.settle(7)
    up = tuple(level(999_800 - 20 * depth) for depth in range(3))
    asks_wanted = tuple(level(1_000_300 + 20 * depth) for depth in range(3))
    moved = target("BTC", bids=up, asks=asks_wanted, fair=1_000_100, valid_until=Nanos(world.now + seconds(4)))
    world.send(moved)
    assert sum(len(request.modifies) for request in asked(world)) == (0 if fronted else 2)
    assert not world.cancels

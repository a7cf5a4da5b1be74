"""Start, crash and reconnect."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from common.actor import Exit
from common.messages import (
    BootRecord,
    FindingRecord,
    MalformedVenueData,
    Message,
    OrderState,
    Reconciled,
    ServiceState,
    StreamDown,
    StreamUp,
    TransitionRecord,
    VenueMeta,
)
from common.messages.orders import OrderIntent
from common.units import Lots, Nanos, Side, Ticks
from services.order_management.recovery import EmptyProof, Phase
from tests.services.order_management.parts import cloid, seconds
from tests.services.order_management.wires import SETTINGS
from tests.services.order_management.world import World, quoted


def reconciled(world: World) -> bool:
    said = world.said[Reconciled, ""]
    assert isinstance(said, Reconciled)
    return said.done


def run(world: World, for_s: float) -> None:
    until = Nanos(world.now + seconds(for_s))
    while world.now < until:
        world.drain()
        world.advance(50)


def intent(number: int, side: Side = Side.BUY) -> OrderIntent:
    return OrderIntent(cloid=cloid(number, epoch=3), coin="BTC", side=side, ticks=Ticks(990_000), lots=Lots(500))


def test_a_first_start_waits_for_what_may_still_arrive() -> None:
    """Rule 1: without a journal order_expiry plus margin from the start; then two empty lists, 1 s apart."""
    world = World(1, faults=False)
    world.connect()
    started = world.now
    run(world, 3.9)
    assert world.core._recovery.phase is Phase.QUIET
    while not reconciled(world):
        run(world, 0.05)
    assert seconds(5) <= world.now - started < seconds(6)
    assert world.core.state is ServiceState.READY
    assert not world.findings


def test_start_needs_the_stream() -> None:
    """Rule 1: until it is up nothing is asked of the order list, and we are STARTING."""
    world = World(1, faults=False)
    for _ in range(40):
        world.drain_queries()
        world.advance(250)
    assert world.core.state is ServiceState.STARTING
    assert world.core.detail == "waiting for the user stream"
    assert not reconciled(world)
    assert not world.requests


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"asset": 5}, "asset 0, the venue says 5"),
        ({"size_decimals": 4}, "size_decimals 5, the venue says 4"),
        (None, "lists no such"),
    ],
)
def test_another_universe_ends_the_start(change: dict[str, int] | None, word: str) -> None:
    """Rule 1: an order in a wrong asset or size is worse than none: exit 78, which names the key."""
    world = World(1, faults=False)
    ours = SETTINGS.instruments()
    listed = tuple(
        replace(one, **change) if change and coin == "BTC" else one
        for coin, one in ours.items()
        if change is not None or coin != "BTC"
    )
    world.send(StreamUp(connection=1))
    query_id = next(query_id for query_id, ask, _ in world.asks if type(ask.query).__name__ == "MetaQuery")
    world.send(VenueMeta(query_id=query_id, universe=listed))
    (end,) = world.exits
    assert end.code == 78
    assert word in end.reason
    assert "coins.BTC" in end.reason


def test_everything_of_ours_is_cancelled_at_start() -> None:
    """Rule 1: orders of a lost home are swept, and two empty lists are needed after that."""
    world = World(1, faults=False)
    world.venue._place(intent(1), refuse=False)
    world.connect()
    run(world, 4.5)
    assert not reconciled(world)
    run(world, 3)
    assert reconciled(world)
    assert world.venue.orders[1000].status == "canceled"


def killed_in_flight() -> tuple[World, bytes]:
    """Posted, not arrived, killed; a new process is up."""
    world = quoted()
    world.shift = 1
    world.signals()
    world.drain()
    assert not world.posts
    world.shift = 2
    world.signals()
    while not world.posts:
        world._serve(world.cancels, world._cancel, first=True)
        world._serve(world.answers, world.send, first=True)
        world._tell_update()
        world._serve(world.requests, world._answer_request, first=True)
    world.restart()
    (body,) = world.ghosts
    world.connect()
    return world, body


def test_an_order_in_flight_is_waited_for_after_a_crash() -> None:
    """Rule 1: with risk silent it arrives just before its expiry, is found, cancelled, and counted once."""
    world, body = killed_in_flight()
    for _ in range(6):
        world.drain_queries()
        world.requests.clear()
        world.advance(250)
        world.check()
    assert world.core._recovery.phase is Phase.QUIET
    world.venue.receive(0, body)
    world.ghosts.clear()
    world.check()
    world.settle()


def test_an_order_in_flight_is_burned_after_a_crash() -> None:
    """Rule 1: with risk at hand its nonce is burned, which ends the wait: what arrives later is refused."""
    world, body = killed_in_flight()
    run(world, 0.5)
    assert world.core._recovery.phase is Phase.ORDERS
    assert "duplicate nonce" in world.venue.receive(0, body).error
    world.ghosts.clear()
    world.settle()


def test_reconnect_reads_before_it_quotes() -> None:
    """Rule 2: pulled while down; after that the list, the doubtful ones, fills and the account, then quotes again."""
    world = quoted()
    world.connected = False
    world.send(StreamDown(connection=1, reason="closed"))
    assert world.core.state is ServiceState.DEGRADED
    assert not reconciled(world)
    assert sum(len(request.cancels) for request in world.cancels) == 12
    assert any(request.everything for request in world.cancels)
    world.drain()
    assert not world.venue.open()
    world.connect()
    assert world.core.detail.startswith("proving open orders")
    run(world, 1)
    assert not world.requests
    world.settle(10)


def test_fills_of_an_outage_are_found() -> None:
    """Rule 3: what was filled while nobody told us is in position and orders before anything is quoted."""
    world = quoted()
    world.connected = False
    world.cancels.clear()
    oid = world.venue.open()[0].oid
    world.venue.fill(oid, 500)
    world.send(StreamDown(connection=1, reason="closed"))
    world.venue.updates.clear()
    world.venue.fills_told.clear()
    world.venue.fills = [world.venue.fills[0], *world.venue.fills[1:]]
    world.connected = True
    world.send(StreamUp(connection=2))
    run(world, 4)
    assert world.core._desk.ledger.lots("BTC") == world.venue.position["BTC"]
    order = world.core._desk.store.find(None, oid)
    assert order is not None
    assert order.is_filled()
    world.settle()


def test_a_stream_that_drops_during_recovery() -> None:
    """Rule 3: begins again; nothing is half done."""
    world = World(1, faults=False)
    world.connect()
    run(world, 4.5)
    world.connected = False
    world.send(StreamDown(connection=1, reason="closed"))
    assert world.core._recovery.phase is Phase.STREAM
    run(world, 5)
    assert not reconciled(world)
    world.settle()


def restarted_with(world: World, position: int) -> World:
    """Kill it, and let the account change meanwhile without a fill that anybody could read."""
    world.restart()
    world.cancels.clear()
    world.venue.position["BTC"] = position
    world.connect()
    return world


def test_another_position_at_start_is_adopted_with_a_finding() -> None:
    """Rule 4: only after two reads that say the same; then it is the position, and a person is told."""
    world = restarted_with(quoted(), 70)
    run(world, 12)
    assert reconciled(world)
    assert world.core._desk.ledger.lots("BTC") == 70
    assert [finding.kind for finding in world.findings if finding.coin == "BTC"] == ["position adopted"]
    assert world.core._desk.ledger.coins["BTC"].realized_pnl == Decimal(0)


def test_an_empty_account_at_start_is_not_adopted() -> None:
    """Rule 4: no equity and no positions, however often it is said, is somebody else's account or none."""
    world = quoted()
    world.venue.fill(world.venue.open()[0].oid, 100)
    world.settle()
    held, equity = dict(world.venue.position), world.venue.equity
    assert any(held.values())
    restarted_with(world, 0)
    world.venue.equity = Decimal(0)
    run(world, 20)
    assert not reconciled(world)
    assert not world.venue.open()
    assert {finding.kind for finding in world.findings} == {"account without equity"}
    world.venue.position.update(held)
    world.venue.equity = equity
    world.settle()


def test_a_position_that_moves_is_not_adopted() -> None:
    """Rule 4: two reads that differ from each other prove nothing yet."""
    world = restarted_with(quoted(), 70)
    while world.core._recovery._disagreed is None:
        run(world, 0.05)
    for moved in range(1, 6):
        world.venue.position["BTC"] = 70 + moved
        before = world.core._recovery._disagreed
        while world.core._recovery._disagreed == before:
            run(world, 0.05)
    assert not reconciled(world)
    run(world, 10)
    assert world.core._desk.ledger.lots("BTC") == 75


def test_while_running_nothing_is_adopted() -> None:
    """Rule 4: the same difference after a reconnect stays a difference, for risk and a person to judge."""
    world = quoted()
    world.connected = False
    world.send(StreamDown(connection=1, reason="closed"))
    world.venue.position["BTC"] = world.venue.position.get("BTC", 0) + 70
    world.connect()
    run(world, 20)
    assert not reconciled(world)
    assert world.core._desk.ledger.lots("BTC") == 0
    assert "position differs" in {finding.kind for finding in world.findings}


def test_a_list_asked_before_its_phase() -> None:
    """Rule 5: an answer that left the venue before the orders were to be proven empty is no proof."""
    world = World(1, faults=False)
    world.connect()
    world.send(MalformedVenueData(channel="x", reason="makes it read the list"))
    early = next(ask for ask in world.asks if type(ask[1].query).__name__ == "OpenOrdersQuery")
    world.asks.remove(early)
    run(world, 4.5)
    assert world.core._recovery.phase is Phase.ORDERS
    world._answer_query(*early)
    world.send(world.answers.pop())
    assert world.core._recovery._proof._empty == 0


def test_empty_proof() -> None:
    """Rule 1: two, a second apart; one nanosecond less does not count, and a sighting starts over."""
    proof = EmptyProof()
    assert not proof.on_list(empty=True, asked_at=seconds(1))
    assert not proof.on_list(empty=True, asked_at=Nanos(seconds(2) - 1))
    assert proof.on_list(empty=True, asked_at=seconds(2))
    proof = EmptyProof()
    proof.on_list(empty=True, asked_at=seconds(1))
    assert not proof.on_list(empty=False, asked_at=seconds(2))
    assert not proof.on_list(empty=True, asked_at=seconds(3))
    assert proof.on_list(empty=True, asked_at=seconds(4))


def test_intents_that_never_left() -> None:
    """A process killed between intent and SENT posted nothing: vetoed by the next one, in its first words."""
    world = quoted()
    world.shift = 1
    world.signals()
    while not world.requests:
        world._serve(world.cancels, world._cancel, first=True)
        world._serve(world.answers, world.send, first=True)
        world._tell_update()
    asked = world.cloids[-1]
    world.restart()
    written = len(world.journal)
    world.advance(1)
    words: list[Message] = world.journal[written:]
    assert isinstance(words[0], BootRecord)
    last = [row for row in words if isinstance(row, TransitionRecord) and row.cloid == asked]
    assert [row.state for row in last] == [OrderState.VETOED]
    assert not [row for row in words if isinstance(row, FindingRecord)]
    assert not [end for end in world.exits if isinstance(end, Exit)]

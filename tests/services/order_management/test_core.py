"""Order management as a whole, in a quiet world."""

from collections import Counter

import pytest
from msgspec.structs import replace

from common.actor import Effect, Exit, Record
from common.messages import (
    CancelRequest,
    CheckpointRecord,
    Fill,
    FillRecord,
    HaltDirectory,
    HaltNotice,
    LiveOrders,
    MalformedVenueData,
    Message,
    NoopRequest,
    PendingExposure,
    Position,
    PostureLevel,
    QueryFailed,
    ServiceState,
    Stopping,
    encode,
    kinds,
)
from common.messages.base import HaltFile
from common.messages.orders import OrderState as S
from common.messages.venue import OpenOrdersQuery
from common.units import Nanos
from services.order_management import core as core_module
from services.order_management.core import Inbox, OrderManagement
from tests.services.order_management.parts import ACCOUNT, boot, feed, posture, seconds, target
from tests.services.order_management.wires import SETTINGS
from tests.services.order_management.world import World, quoted

HALT = HaltDirectory(files=(HaltFile(name="x", cause="test"),))


def live(world: World, coin: str = "BTC") -> list[S]:
    said = world.said[LiveOrders, coin]
    assert isinstance(said, LiveOrders)
    return [order.state for order in said.orders]


def everything(world: World) -> int:
    return sum(request.everything for request in world.cancels)


def test_ladder_rests() -> None:
    """Rule 2: every level of the target once, and a target that is only repeated asks for nothing."""
    world = quoted()
    assert live(world) == live(world, "ETH") == [S.RESTING] * 6
    posts = world.nonce
    world.settle(30)
    assert world.nonce == posts
    assert not world.core._desk.counts.get("cancels")


def test_a_jump_is_one_cancel_and_one_placing_action() -> None:
    """Rule 2: what rests is cancelled at once, and each of it is followed as soon as it is proven gone."""
    world = quoted()
    world.shift = 1
    world.signals()
    assert [len(request.cancels) for request in world.cancels] == [6, 6]
    assert not world.requests
    world.advance(400)
    assert len(world.cancels) == 2, "a cancel under way is not repeated"
    while world.requests:
        world._serve(world.requests, world._answer_request, first=True)
    world._cancel(world.cancels.pop(0))
    world._tell_update()
    assert [len(again.places) for again in world.requests if not isinstance(again, NoopRequest)] == [1]
    world.settle()


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (posture(BTC=PostureLevel.PULL_QUOTES), "BTC: posture PULL_QUOTES"),
        (feed(fresh=False), "BTC: feed: stale"),
        (target(valid_until=Nanos(0)), "BTC: target lapsed"),
    ],
)
def test_one_coin_is_pulled(message: Message, why: str) -> None:
    """Rule 3: one request with all of its orders, at once; the other coin stays, and nothing is swept."""
    world = quoted()
    world.send(message)
    (request,) = world.cancels
    assert {cancel.coin for cancel in request.cancels} == {"BTC"}
    assert len(request.cancels) == 6
    assert world.core.detail == why
    assert live(world, "ETH") == [S.RESTING] * 6
    world.send(message)
    assert len(world.cancels) == 1
    world.settle()


@pytest.mark.parametrize(("how", "why"), [("halt", "halted"), ("silence", "risk is silent"), ("stop", "stopping")])
def test_the_whole_account_is_pulled(how: str, why: str) -> None:
    """Rule 3: every order by name, and everything of ours by the venue's own list, once."""
    world = quoted()
    if how == "silence":
        world.advance(4_000, healthy=False)
    else:
        world.send(HALT if how == "halt" else Stopping())
    assert world.core.detail == why
    assert sum(len(request.cancels) for request in world.cancels) == 12
    assert everything(world) == 1
    world.advance(100, healthy=False)
    assert everything(world) == 1


def test_halted_until_a_person_arms() -> None:
    """Rule 3: with a halt file nothing is asked of risk; when it is gone quoting resumes by itself."""
    world = quoted()
    world.send(HALT)
    assert world.core.state is ServiceState.HALTED
    for _ in range(20):
        world.drain()
        world.advance(250)
    assert not world.venue.open()
    assert world.core.state is ServiceState.HALTED
    world.send(HaltNotice(request_id=1, by="cli"))
    world.send(HaltDirectory())
    world.settle(5)


def test_what_is_not_acknowledged_is_burned() -> None:
    """Rule 3: pulled before the answer: cancelled, and its nonce burned; the noop that wins ends it."""
    world = quoted()
    world.shift = 1
    world.signals()
    while not world.posts:
        for queue, act in ((world.cancels, world._cancel), (world.answers, world.send)):
            world._serve(queue, act, first=True)
        world._tell_update()
        world._serve(world.requests, world._answer_request, first=True)
    late = world.posts.pop()
    world.requests.clear()
    world.send(posture(PostureLevel.PULL_QUOTES))
    burned = [request for request in world.requests if isinstance(request, NoopRequest)]
    assert [request.nonce for request in burned] == [world.nonce]
    world.drain()
    assert "duplicate nonce" in world.venue.receive(*late).error
    assert S.SENT not in live(world)
    assert not world.core._desk.store.unacknowledged()
    world.settle()


def test_questions_while_running() -> None:
    """Rule 6: in two minutes 24 accounts, 12 lists and 2 reads of fills, within our share of the weight."""
    world = quoted()
    asked: Counter[str] = Counter()
    for _ in range(480):
        asked.update(type(ask.query).__name__ for _, ask, _ in world.asks)
        world.drain()
        world.advance(250)
    assert 22 <= asked["AccountQuery"] <= 25
    assert 11 <= asked["OpenOrdersQuery"] <= 13
    assert 1 <= asked["FillsQuery"] <= 3
    weight = asked["AccountQuery"] * 2 + (asked["OpenOrdersQuery"] + asked["FillsQuery"]) * 20
    assert weight / 2 + asked["OrderStatusQuery"] <= 250


def test_malformed_data_makes_us_read() -> None:
    """Rule 6: something was said that nobody understood: it is counted, and orders and fills are read."""
    world = quoted()
    world.asks.clear()
    world.send(MalformedVenueData(channel="userFills", reason="x"))
    assert {type(ask.query).__name__ for _, ask, _ in world.asks} >= {"OpenOrdersQuery", "FillsQuery"}
    assert world.core._desk.counts["malformed"] == 1


def test_answers_that_nobody_waits_for() -> None:
    """Rule 6: an answer or failure with an unknown id changes nothing."""
    world = quoted()
    world.venue.end(world.venue.open()[0].oid, "canceled")
    stale = world.venue.answer(5, OpenOrdersQuery(), world.now)
    world.send(stale)
    world.send(QueryFailed(query_id=6, reason="x"))
    assert live(world) == [S.RESTING] * 6


def test_a_fill_is_told_at_once() -> None:
    """Rule 4: the stream's word moves position, order and exposure in the same step; a snapshot repeats nothing."""
    world = quoted()
    world.venue.fill(world.venue.open()[0].oid, 200)
    told = world.venue.fills_told[0]
    world._tell_fill()
    position, exposure = world.said[Position, "BTC"], world.said[PendingExposure, "BTC"]
    assert isinstance(position, Position)
    assert isinstance(exposure, PendingExposure)
    assert (position.lots, position.proven, exposure.pending_bid) == (200, True, 1_300)
    assert world.said[Fill, "BTC"] == told.fills[0]
    world.send(replace(told, snapshot=True))
    assert world.core._desk.ledger.lots("BTC") == 200
    assert [row.source for row in world.journal if isinstance(row, FillRecord)] == ["stream"]


def test_stops_with_nothing_resting() -> None:
    """Rule 8: gate first, then cancels, then two empty lists, then exit 0; a late approval is not posted."""
    world = quoted()
    world.shift = 1
    world.signals()
    for _ in range(8):
        for queue, act in ((world.cancels, world._cancel), (world.answers, world.send)):
            world._serve(queue, act, first=True)
        world._tell_update()
    late = world.requests.pop()
    world.send(Stopping())
    world._answer_request(late)
    assert not world.posts
    began = world.now
    world.settle(15, stop=True)
    assert world.exits == [Exit(0, "stopped as asked, nothing of ours rests")]
    assert world.now - began < seconds(3)
    assert not world.venue.open()


def test_stops_after_ten_seconds_whatever_rests() -> None:
    """Rule 8: with nobody to cancel it still ends, and says how many orders it could not prove gone."""
    world = quoted()
    world.send(Stopping())
    for _ in range(39):
        world.drain_queries()
        world.advance(250)
    assert not world.exits
    world.drain_queries()
    world.advance(250)
    assert world.exits == [Exit(0, "stopped as asked, 12 orders not proven gone in time")]


def test_checkpoints() -> None:
    """Rule 9: one after each recovery, and one for every 10,000 rows; a start needs no row before the last one."""
    world = quoted()
    kept = [row for row in world.journal if isinstance(row, CheckpointRecord)]
    assert len(kept) == 1
    world.core._desk.rows = core_module.CHECKPOINT_ROWS - 1
    world.settle(1)
    assert sum(isinstance(row, CheckpointRecord) for row in world.journal) == 1
    world.core._desk.rows = core_module.CHECKPOINT_ROWS
    world.settle(1)
    assert isinstance(world.journal[-1], CheckpointRecord)
    last = world.journal[-1]
    world.journal[:] = [last]
    world.restart()
    world.settle()
    assert not [finding for finding in world.findings if finding.kind != "x"]


def test_inbox_is_complete() -> None:
    """Every message of the subscription is handled without a word when it means nothing to us."""
    assert "SnapshotRequest" not in kinds(Inbox)
    assert {"Approval", "CancelAnswer", "NoopSigned", "HaltNotice", "VenueMeta"} <= kinds(Inbox)


def test_equal_tapes_give_equal_effects() -> None:
    """A recorded hour lives again, byte for byte, and the first words come once."""
    world = World(5)
    tape: list[tuple[Nanos, Message]] = []
    handle = world.core.handle
    first: list[list[Effect]] = []

    def recording(message: Message, now: Nanos) -> list[Effect]:
        tape.append((now, message))
        effects = handle(message, now)  # type: ignore[arg-type]  # whatever the world sends
        first.append(effects)
        return effects

    world.core.handle = recording  # type: ignore[method-assign]  # a tap on the wire
    world.rough = 0
    world.connect()
    for _ in range(300):
        world.step()
    again = OrderManagement(SETTINGS, boot(7, seconds(1_000)), ACCOUNT, ())
    effects = [again.handle(message, now) for now, message in tape]  # type: ignore[arg-type]  # as above
    assert effects == first
    recorded = [encode(effect.row) for some in effects for effect in some if isinstance(effect, Record)]
    assert recorded == [encode(row) for row in world.journal]


def test_cost_does_not_grow_with_lifetime_orders() -> None:
    """After thousands of orders nothing but the bounded memory of the ended ones is left."""
    world = quoted()
    for turn in range(60):
        world.shift = turn % 2
        world.signals()
        world.drain()
    store = world.core._desk.store
    assert len(world.cloids) > 500
    assert len(store.open) <= 24
    assert sum(len(side) for side in store._sides.values()) == len(store.open)
    assert sum(len(sums._counted) for sums in store.exposure.values()) == len(store.open)
    assert not world.core._placing._posts
    assert len(world.core._cancelling._requests) <= 2
    assert isinstance(world.cancels, list)
    assert not [request for request in world.cancels if not isinstance(request, CancelRequest)]

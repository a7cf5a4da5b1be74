"""From target to posted bytes."""

import msgspec
import pytest
from msgspec.structs import replace

from common.actor import Post, Record, Send
from common.messages import (
    Approval,
    ApprovalRequest,
    IntentRecord,
    Message,
    NoopRequest,
    OrderUpdates,
    Posted,
    PostFailed,
    PostureLevel,
    SendFailed,
    TransitionRecord,
)
from common.messages.orders import OrderState as S
from common.messages.venue import ActionStatus, OrderStatusQuery
from common.units import Lots, Nanos
from tests.services.order_management.model_venue import Body
from tests.services.order_management.parts import posture, seconds, target
from tests.services.order_management.wires import asked_for
from tests.services.order_management.world import World, quoted


def asked() -> tuple[World, ApprovalRequest]:
    """A quiet world in which the venue ended every order: everything is asked for anew."""
    world = quoted()
    for resting in world.venue.open():
        world.venue.end(resting.oid, "marginCanceled")
    told = tuple(one for message in world.venue.updates for one in message.updates)
    world.venue.updates.clear()
    world.send(OrderUpdates(updates=told, received_at=world.now))
    request = world.requests.pop()
    assert isinstance(request, ApprovalRequest)
    assert not world.requests
    return world, request


def changed() -> tuple[World, ApprovalRequest]:
    """A quiet world whose spread grew: all six orders of a coin are to be modified, and nothing is cancelled."""
    world = quoted()
    world.wider = 1
    world.send(world.target("BTC"))
    request = world.requests.pop()
    assert isinstance(request, ApprovalRequest)
    return world, request


def old_states(world: World, request: ApprovalRequest) -> set[S]:
    found = [world.core._desk.store.find(modify.old_cloid, None) for modify in request.modifies]
    return {order.state for order in found if order is not None}


def asks_about(world: World, request: ApprovalRequest) -> bool:
    """Say whether the venue is asked for each order that was to be modified."""
    asked_for = {ask.query.cloid for _, ask, _ in world.asks if isinstance(ask.query, OrderStatusQuery)}
    return {modify.old_cloid for modify in request.modifies} <= asked_for


def states(world: World, request: ApprovalRequest) -> set[S]:
    found = [world.core._desk.store.find(order.cloid, None) for order in asked_for(request)]
    return {order.state for order in found if order is not None}


def approve(world: World, request: ApprovalRequest) -> Approval:
    return world._approval(request, list(asked_for(request)))


def hand(world: World, message: Message) -> list[object]:
    """Effects of one message, publications left out."""
    effects = world.core.handle(message, world.now)  # type: ignore[arg-type]  # whatever the test sends
    return [effect for effect in effects if not (isinstance(effect, Send) and effect.to == "")]


def test_one_request_for_all_coins_after_its_intents() -> None:
    """Rule 1: intents first, one request for both coins, and no second one while it is open."""
    world, request = asked()
    recorded = [row.order for row in world.journal if isinstance(row, IntentRecord)][-len(request.places) :]
    assert tuple(recorded) == request.places
    assert {order.coin for order in request.places} == {"BTC", "ETH"}
    world.shift = 2
    world.signals()
    assert world.requests == []


def test_request_is_bounded_in_time() -> None:
    """Rule 1: the deadline is the approval timeout, or the lapse of the oldest target if that is sooner."""
    world, request = asked()
    assert request.deadline == world.now + seconds(0.5)
    assert request.valid_until == world.now + seconds(4)
    assert request.epoch == 7


@pytest.mark.parametrize("how", ["silence", "not handed over", "too late"])
def test_no_answer_is_a_veto(how: str) -> None:
    """Rule 2: at the deadline itself, and an approval that comes later is never posted."""
    world, request = asked()
    if how == "not handed over":
        world.send(SendFailed(to="risk", kind="ApprovalRequest", request_id=request.request_id, reason="no peer"))
    elif how == "silence":
        world.advance(499, healthy=False)
        assert states(world, request) == {S.INTENT}
        world.advance(1, healthy=False)
    else:
        world.now = request.deadline
    effects = hand(world, approve(world, request))
    assert states(world, request) == {S.VETOED}
    assert not [effect for effect in effects if isinstance(effect, Post)]


def test_an_approval_for_somebody_else() -> None:
    """Rule 2: of another request or another epoch it changes nothing."""
    world, request = asked()
    good = approve(world, request)
    for wrong in (replace(good, request_id=1), replace(good, epoch=6)):
        assert hand(world, wrong) == []
        assert states(world, request) == {S.INTENT}
    assert any(isinstance(effect, Post) for effect in hand(world, good))
    assert hand(world, good) == [], "the same approval twice posts once"


def test_pulled_while_risk_was_asked() -> None:
    """Rule 2: a gate that closed for one coin of the action stops the action, for it cannot be split."""
    world, request = asked()
    world.send(posture(ETH=PostureLevel.PULL_QUOTES))
    effects = hand(world, approve(world, request))
    assert states(world, request) == {S.VETOED}
    assert not [effect for effect in effects if isinstance(effect, Post)]


def test_partial_vetoes() -> None:
    """Rule 2: what was vetoed ends with its code, the rest is posted; all vetoed posts nothing."""
    world, request = asked()
    effects = hand(world, world._approval(request, list(request.places[2:])))
    (post,) = [effect for effect in effects if isinstance(effect, Post)]
    assert msgspec.json.decode(post.body, type=Body).orders == request.places[2:]
    vetoed = [effect.row for effect in effects if isinstance(effect, Record)][:2]
    assert [row.evidence for row in vetoed if isinstance(row, TransitionRecord)] == ["veto test: "] * 2
    world, request = asked()
    assert not [e for e in hand(world, world._approval(request, [])) if isinstance(e, Post)]
    assert states(world, request) == {S.VETOED}


def test_an_approval_of_what_was_not_asked() -> None:
    """Rule 2: bytes with a stranger in them are not ours to post."""
    world, request = asked()
    good = approve(world, request)
    effects = hand(world, replace(good, approved=(*good.approved, "0xstranger")))
    assert not [effect for effect in effects if isinstance(effect, Post)]
    assert states(world, request) == {S.VETOED}


def test_sent_is_recorded_before_the_bytes_leave() -> None:
    """Rule 3: one SENT row an order with nonce, expiry and approval; the post ends with the target."""
    world, request = asked()
    approval = approve(world, request)
    effects = hand(world, approval)
    *records, post = [effect for effect in effects if isinstance(effect, Record | Post)]
    assert isinstance(post, Post)
    assert post.deadline == request.valid_until
    sent = [record.row for record in records if isinstance(record, Record)]
    assert [
        (row.state, row.nonce, row.expires_after, row.approval_id) for row in sent if isinstance(row, TransitionRecord)
    ] == [(S.SENT, approval.nonce, approval.expires_after, approval.approval_id)] * len(request.places)


@pytest.mark.parametrize(("sent", "state"), [(False, S.REJECTED), (True, S.UNKNOWN)])
def test_what_a_failed_post_proves(sent: bool, state: S) -> None:
    """Rule 4: no byte left: not placed, and no exposure; anything else may have arrived and counts."""
    world, request = asked()
    world.send(approve(world, request))
    post_id, _ = world.posts.pop()
    world.send(PostFailed(post_id=post_id, sent=sent, reason="x"))
    assert states(world, request) == {state}
    bid, _ = world.core._desk.store.exposure["BTC"].pending_exposure()
    assert bid == (1_500 if sent else 0)


def posted(world: World, request: ApprovalRequest) -> int:
    world.send(approve(world, request))
    return world.posts.pop()[0]


@pytest.mark.parametrize(
    ("error", "state"),
    [("Invalid nonce: duplicate nonce 5", S.UNKNOWN), ("Action already expired", S.REJECTED)],
)
def test_a_refusal_of_the_whole_action(error: str, state: S) -> None:
    """Rule 4: nothing of it was placed, unless these very bytes may have used the nonce before."""
    world, request = asked()
    world.send(Posted(post_id=posted(world, request), error=error))
    assert states(world, request) == {state}


def test_one_error_for_the_whole_payload() -> None:
    """Rule 4: venue rule: a single error stands for all; any other number of statuses is doubt, and a finding."""
    world, request = asked()
    world.send(Posted(post_id=posted(world, request), statuses=(ActionStatus(kind="error", text="bad"),)))
    assert states(world, request) == {S.REJECTED}
    world, request = asked()
    two = (ActionStatus(kind="resting", oid=1), ActionStatus(kind="resting", oid=2))
    world.send(Posted(post_id=posted(world, request), statuses=two))
    assert states(world, request) == {S.UNKNOWN}
    assert world.findings[-1].kind == "answer does not fit"


def test_refused_sides_wait_longer_each_time() -> None:
    """Rule 5: 1, 2, 4, 8, 16, 16 units between requests that are vetoed, and prompt again after a success."""
    world, request = asked()
    world.send(world._approval(request, []))
    at, waits = world.now, []
    for _ in range(6):
        while not world.requests:
            world.drain_queries()
            world.advance(100)
        waits.append(round((world.now - at) / seconds(1)))
        at = world.now
        request = world.requests.pop()  # type: ignore[assignment]  # nothing is pulled here, so no noops
        world.send(world._approval(request, []))
    assert waits == [1, 2, 4, 8, 16, 16]
    world.settle(40)
    assert not world.core._placing._holds


def test_target_lapses_before_the_timeout() -> None:
    """Rule 1: risk is given no longer than the target lives."""
    world, request = asked()
    world.send(world._approval(request, []))
    world.advance(3_500)
    world.requests.clear()
    for coin in ("BTC", "ETH"):
        old = world.core._gate.target(coin)
        until = Nanos(world.now + seconds(0.2))
        world.send(target(coin, bids=old.bids, asks=old.asks, fair=old.fair_ticks, valid_until=until))
    world.advance(100, healthy=False)
    if world.requests:
        assert world.requests[0].deadline <= world.now + seconds(0.2)
    assert Lots(0) == world.venue.pending("BTC", request.places[0].side)


# --- modifies --------------------------------------------------------------------------------------


def test_modifies_are_asked_as_one() -> None:
    """Rule 1: one request and one intent each, that names what it replaces; nothing is pending until it is posted."""
    world, request = changed()
    assert not request.places
    assert len(request.modifies) == 6
    rows = [row for row in world.journal if isinstance(row, IntentRecord)][-6:]
    assert [(row.order, row.replaces) for row in rows] == [(one.order, one.old_cloid) for one in request.modifies]
    assert old_states(world, request) == {S.RESTING}
    world.signals()
    assert not world.requests, "one at a time"


def test_both_legs_count_once_posted() -> None:
    """Rule 3: SENT and MODIFY_PENDING are recorded before the bytes; old leaves and new size count together."""
    world, request = changed()
    before, _ = world.core._desk.store.exposure["BTC"].pending_exposure()
    effects = hand(world, approve(world, request))
    (post,) = [effect for effect in effects if isinstance(effect, Post)]
    rows = effects[: effects.index(post)]
    assert msgspec.json.decode(post.body, type=Body).modifies == request.modifies
    recorded = [one.row.state for one in rows if isinstance(one, Record) and isinstance(one.row, TransitionRecord)]
    assert recorded == [S.SENT, S.MODIFY_PENDING] * 6
    after, _ = world.core._desk.store.exposure["BTC"].pending_exposure()
    assert (before, after) == (1_500, 3_000)


def test_a_vetoed_modify_becomes_a_cancel() -> None:
    """Rule 5: of the vetoed side; nothing of it is modified while it waits."""
    world, request = changed()
    world.send(world._approval(request, []))
    cancelled = {cancel.cloid for one in world.cancels for cancel in one.cancels}
    assert cancelled == {modify.old_cloid for modify in request.modifies}
    assert not world.posts
    world.settle()


@pytest.mark.parametrize("how", ["cancel", "fill untold", "gone"])
def test_an_uncertain_old_order_stops_the_action(how: str) -> None:
    """Rule 6: being cancelled, or a fill that the venue spoke of and nobody showed; gone is no harm."""
    world, request = changed()
    old = world.core._desk.store.open[request.modifies[0].old_cloid]
    assert old.oid is not None
    if how == "cancel":
        world.core._cancelling.cancel([old], "test", world.now)
    elif how == "gone":
        world.venue.end(old.oid, "marginCanceled")
        world._tell_update()
    else:
        world.venue.fill(old.oid, 100)
        world._tell_update()
        assert (old.told_filled, old.filled) == (100, 0)
    effects = hand(world, approve(world, request))
    assert bool([effect for effect in effects if isinstance(effect, Post)]) is (how == "gone")
    world.settle()


def test_no_modify_while_a_fill_is_untold() -> None:
    """Requote rule 3: what the venue said was filled must be counted first; until then a cancel is all that is safe."""
    world = quoted()
    (resting,) = [one for one in world.venue.open() if one.order.ticks == 999_700]
    world.venue.fill(resting.oid, 50)
    world._tell_update()
    world.wider = 1
    world.send(world.target("BTC"))
    (request,) = [one for one in world.requests if isinstance(one, ApprovalRequest)]
    assert len(request.modifies) == 5
    assert resting.order.cloid not in {modify.old_cloid for modify in request.modifies}
    assert resting.order.cloid in {cancel.cloid for one in world.cancels for cancel in one.cancels}
    world.settle()


@pytest.mark.parametrize(
    ("error", "new", "old"),
    [
        ("Error placing new order during modify: Post only order would have", S.REJECTED, S.CANCEL_CONFIRMED),
        ("Cannot modify canceled or filled order", S.REJECTED, S.CANCEL_PENDING),
        ("Order has invalid price.", S.REJECTED, S.CANCEL_PENDING),
    ],
)
def test_the_refusals_of_a_modify(error: str, new: S, old: S) -> None:
    """Facts rule 7: the cancel leg alone ends the old order; after another refusal it is asked about and cancelled."""
    world, request = changed()
    status = ActionStatus(kind="error", text=error)
    world.send(Posted(post_id=posted(world, request), statuses=(status,) * 6))
    assert states(world, request) == {new}
    assert old_states(world, request) == {old}
    assert asks_about(world, request) is (old is S.CANCEL_PENDING)
    world.settle()


@pytest.mark.parametrize("sent", [True, False])
def test_a_modify_without_an_answer(sent: bool) -> None:
    """Rule 4: in doubt both legs count; what never left frees the old order, which is asked about and cancelled."""
    world, request = changed()
    world.send(PostFailed(post_id=posted(world, request), sent=sent, reason="x"))
    assert states(world, request) == {S.UNKNOWN if sent else S.REJECTED}
    assert old_states(world, request) == {S.MODIFY_PENDING if sent else S.CANCEL_PENDING}
    assert asks_about(world, request) is not sent
    bid, _ = world.core._desk.store.exposure["BTC"].pending_exposure()
    assert bid == (3_000 if sent else 1_500)
    world.settle()


@pytest.mark.parametrize("new_first", [True, False])
@pytest.mark.parametrize("told", ["answer", "updates"])
def test_the_two_legs_in_either_order(told: str, new_first: bool) -> None:
    """Facts rule 7: the new leg proves the old one's end, the old one's end proves nothing of the new."""
    world, request = changed()
    world.venue.new_leg_first = new_first
    world.send(approve(world, request))
    post_id, body = world.posts.pop()
    answer = world.venue.receive(post_id, body)
    if told == "answer":
        world.send(answer)
        assert (states(world, request), old_states(world, request)) == ({S.RESTING}, {S.CANCEL_CONFIRMED})
    else:
        world._tell_update()
        first = request.modifies[0]
        store = world.core._desk.store
        old, new = store.find(first.old_cloid, None), store.find(first.order.cloid, None)
        assert old is not None
        assert new is not None
        assert old.state is (S.CANCEL_CONFIRMED if new_first else S.CANCELLED)
        assert new.state is (S.RESTING if new_first else S.SENT)
    while world.venue.updates:
        world._tell_update()
    assert (states(world, request), old_states(world, request)) == ({S.RESTING}, {S.CANCELLED})
    bid, _ = world.core._desk.store.exposure["BTC"].pending_exposure()
    assert bid == 1_500
    world.settle()


def test_a_pull_overtakes_a_modify() -> None:
    """Cancelling rule 4: old and new are cancelled, and the noop on their nonce stops the modify on its way."""
    world, request = changed()
    world.send(approve(world, request))
    (late,) = world.posts
    world.posts.clear()
    world.send(posture(BTC=PostureLevel.PULL_QUOTES))
    assert states(world, request) == old_states(world, request) == {S.CANCEL_PENDING}
    (noop,) = [one for one in world.requests if isinstance(one, NoopRequest)]
    assert noop.nonce == msgspec.json.decode(late[1], type=Body).nonce
    world.requests.remove(noop)
    world._answer_request(noop)
    ((post_id, body),) = world.posts
    world.posts.clear()
    world.send(world.venue.receive(post_id, body))
    assert states(world, request) == {S.REJECTED}
    assert world.venue.receive(*late).error.startswith("Invalid nonce")
    world.settle()

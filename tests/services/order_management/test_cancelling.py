"""Getting rid of orders."""

import pytest

from common.actor import Effect, Post, Send
from common.messages import (
    CancelAnswer,
    CancelOutcome,
    CancelRequest,
    FindingRecord,
    NoopRequest,
    NoopSigned,
    Posted,
    PostFailed,
    SendFailed,
)
from common.messages.orders import OrderState as S
from common.units import Lots, Nanos
from services.order_management.cancelling import ANSWER_WAIT, HAND_OVER, NOOP_TRIES_MAX, SWEEP_WAIT, Cancelling
from services.order_management.desk import Desk
from services.order_management.facts import VenueFacts
from services.order_management.watch import check_orders
from tests.services.order_management.parts import desk, rows, seconds, stamp, tracked

T = seconds(1)
NEVER = "Order was never placed, already canceled, or filled."


def cancelling() -> tuple[Desk, Cancelling]:
    place = desk()
    return place, Cancelling(place, VenueFacts(place))


def requests(effects: list[Effect]) -> list[CancelRequest]:
    return [e.message for e in effects if isinstance(e, Send) and isinstance(e.message, CancelRequest)]


def answer(request: CancelRequest, *words: str, error: str = "") -> CancelAnswer:
    outcomes = tuple(
        CancelOutcome(cancel=cancel, status=word) for cancel, word in zip(request.cancels, words, strict=False)
    )
    return CancelAnswer(request_id=request.request_id, outcomes=outcomes, error=error)


def test_asked_once() -> None:
    """Rule 1: recorded, then asked, of the canceller; not again while it is under way."""
    place, asking = cancelling()
    order = tracked(place, state=S.RESTING, oid=77)
    *recorded, send = asking.cancel([order], "test", T)
    assert len(recorded) == 1
    assert isinstance(send, Send)
    assert send.to == "canceller"
    (request,) = requests([send])
    assert request.cancels == (order.cancel(),)
    assert request.deadline == T + HAND_OVER
    assert order.state is S.CANCEL_PENDING
    assert asking.cancel([order], "test", T) == []
    assert asking.cancel([], "test", T) == []


@pytest.mark.parametrize("how", ["silence", "error", "not handed over"])
def test_asked_again_after_a_failure_later_each_time(how: str) -> None:
    """Rule 1: the venue is asked at once; the repeats come 1, 2, 4, 8 s after each failure, never at every tick."""
    place, asking = cancelling()
    order = tracked(place, state=S.RESTING, oid=77)
    (request,) = requests(asking.cancel([order], "test", T))
    now, waits = T, []
    for _ in range(4):
        if how == "silence":
            now = Nanos(now + ANSWER_WAIT)
            asking.on_time(now)
        elif how == "error":
            asking.on_answer(answer(request, error="venue not reached"), now)
        else:
            failed = SendFailed(to="canceller", kind="CancelRequest", request_id=request.request_id, reason="x")
            asking.on_send_failed(failed, now)
        assert place.queries.pending(f"status {order.cloid}")
        assert order.check_at is not None
        assert check_orders(place, asking, Nanos(order.check_at - 1)) == []
        waits.append((order.check_at - now) // 10**9)
        now = order.check_at
        (request,) = requests(check_orders(place, asking, now))
    assert waits == ([0, 2, 4, 8] if how == "silence" else [1, 2, 4, 8])


def test_only_success_confirms() -> None:
    """Rule 2: "never placed" may be an order that has not arrived: asked about, and still counted."""
    place, asking = cancelling()
    one, two = tracked(place, 1, state=S.RESTING, oid=1), tracked(place, 2)
    (request,) = requests(asking.cancel([one, two], "test", T))
    asking.on_answer(answer(request, "success", NEVER), T)
    assert (one.state, two.state) == (S.CANCEL_CONFIRMED, S.CANCEL_PENDING)
    assert not place.queries.pending(f"status {one.cloid}")
    assert place.queries.pending(f"status {two.cloid}")
    assert place.store.exposure["BTC"].pending_exposure() == (1_000, 0)


def test_answers_in_parts() -> None:
    """Rule 2: what the first part leaves out is not doubted before its time."""
    place, asking = cancelling()
    one, two = tracked(place, 1, state=S.RESTING, oid=1), tracked(place, 2, state=S.RESTING, oid=2)
    (request,) = requests(asking.cancel([one, two], "test", T, requoted="BTC"))
    asking.on_answer(answer(request, "success"), T)
    assert asking.requoting("BTC")
    assert not place.queries.pending(f"status {two.cloid}")
    rest = CancelOutcome(cancel=two.cancel(), status="success")
    asking.on_answer(CancelAnswer(request_id=request.request_id, outcomes=(rest,)), T)
    assert not asking.requoting("BTC")
    assert asking.deadline() is None


def test_outcome_for_an_earlier_process() -> None:
    """Rule 2: "success" is the venue's word whoever asked; doubt about an order that nobody cancels does no harm."""
    place, asking = cancelling()
    one, two = tracked(place, 1, state=S.RESTING, oid=1), tracked(place, 2, state=S.RESTING, oid=2)
    outcomes = (CancelOutcome(cancel=one.cancel(), status="success"), CancelOutcome(cancel=two.cancel(), status=NEVER))
    asking.on_answer(CancelAnswer(request_id=1, outcomes=outcomes), T)
    assert (one.state, two.state) == (S.CANCEL_CONFIRMED, S.RESTING)


def test_stuck_cancel() -> None:
    """Rule 3: at `stuck_cancel_ms` a finding, once, and a sweep besides the repeat."""
    place, asking = cancelling()
    order = tracked(place, state=S.RESTING, oid=77)
    asking.cancel([order], "test", T)
    limit = Nanos(T + place.settings.orders.stuck_cancel_ms * 10**6)
    order.check_at = Nanos(limit - 1)
    assert rows(check_orders(place, asking, Nanos(limit - 1)), FindingRecord) == []
    order.check_at = limit
    effects = check_orders(place, asking, limit)
    assert [row.kind for row in rows(effects, FindingRecord)] == ["stuck cancel"]
    assert [request.everything for request in requests(effects)] == [True, False]
    order.check_at = limit
    assert rows(check_orders(place, asking, limit), FindingRecord) == []


def test_one_sweep_at_a_time() -> None:
    """Rule 3: everything is asked once, and again after its answer or its time."""
    _, asking = cancelling()
    (request,) = requests(asking.everything("test", T))
    assert request.everything
    assert asking.everything("test", T) == []
    asking.on_answer(CancelAnswer(request_id=request.request_id), T)
    assert len(asking.everything("test", T)) == 1
    asking.on_time(Nanos(T + SWEEP_WAIT - 1))
    assert asking.sweeping
    asking.on_time(Nanos(T + SWEEP_WAIT))
    assert not asking.sweeping


def noops(effects: list[Effect]) -> list[NoopRequest]:
    return [e.message for e in effects if isinstance(e, Send) and isinstance(e.message, NoopRequest)]


def test_a_noop_for_each_nonce() -> None:
    """Rule 4: orders of one action share a nonce; asked again after a second, a few times, not after expiry."""
    place, asking = cancelling()
    orders = [tracked(place, 1), tracked(place, 2, nonce=1), tracked(place, 3)]
    (first, second) = noops(asking.burn(orders, T))
    assert (first.nonce, second.nonce) == (1, 3)
    assert asking.burn(orders, Nanos(T + 10**9 - 1)) == []
    for again in range(1, NOOP_TRIES_MAX):
        assert len(asking.burn(orders, Nanos(T + again * 10**9))) == 2
    assert asking.burn(orders, Nanos(T + NOOP_TRIES_MAX * 10**9)) == []
    place, asking = cancelling()
    orders = [tracked(place, 1)]
    stamp(place, seconds(5))
    assert asking.burn(orders, seconds(5)) == []


def test_nonces_of_one_coin_do_not_forget_those_of_another() -> None:
    """Rule 4: pulled one coin after the other, each nonce is still asked once."""
    place, asking = cancelling()
    one, two = tracked(place, 1), tracked(place, 2)
    assert len(noops(asking.burn([one], T) + asking.burn([two], T))) == 2
    assert asking.burn([one], T) + asking.burn([two], T) == []


@pytest.mark.parametrize("outcome", ["accepted", "refused", "unanswered"])
def test_what_a_noop_proves(outcome: str) -> None:
    """Rule 4: accepted: the order never arrives. Refused or unanswered: nothing, and the venue is asked."""
    place, asking = cancelling()
    order, arrived = tracked(place, 1), tracked(place, 2, nonce=1, oid=5)
    (request,) = noops(asking.burn([order], T))
    (post,) = asking.on_noop_signed(NoopSigned(request_id=request.request_id, nonce=1, body=b"x"), T)
    assert isinstance(post, Post)
    said: Posted | PostFailed = Posted(post_id=post.post_id)
    if outcome == "refused":
        said = Posted(post_id=post.post_id, error="Invalid nonce: duplicate nonce 1")
    elif outcome == "unanswered":
        said = PostFailed(post_id=post.post_id, sent=True, reason="x")
    asking.on_noop_posted(said, T)
    assert order.state is (S.REJECTED if outcome == "accepted" else S.SENT)
    assert place.queries.pending(f"status {order.cloid}") is (outcome != "accepted")
    assert arrived.pending() == Lots(500)
    assert asking.on_noop_posted(said, T) == []


def test_signatures_that_nobody_waits_for() -> None:
    """Rule 4: refused, of another request, or of a nonce that has proven itself meanwhile: not posted."""
    place, asking = cancelling()
    (request,) = noops(asking.burn([tracked(place, 1)], T))
    for request_id, nonce, body in ((request.request_id, 1, b""), (1, 1, b"x"), (request.request_id, 2, b"x")):
        assert asking.on_noop_signed(NoopSigned(request_id=request_id, nonce=nonce, body=body), T) == []


def test_requotes_of_a_coin() -> None:
    """Rule 5: one coin's requote does not hold up another's, nor a pull."""
    place, asking = cancelling()
    asking.cancel([tracked(place, 1, state=S.RESTING)], "requote", T, requoted="BTC")
    assert asking.requoting("BTC")
    assert not asking.requoting("ETH")
    assert len(requests(asking.cancel([tracked(place, 2, state=S.RESTING)], "pull", T))) == 1

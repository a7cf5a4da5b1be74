"""What risk signs and posts by itself."""

from common.actor import Post, Record, Send, Sign
from common.messages import (
    Cancel,
    HaltDirectory,
    NonceRecord,
    NoopRequest,
    NoopSigned,
    Posted,
    Signed,
    SignFailed,
)
from common.messages.venue import CancelOrders, Noop
from common.units import SECOND, Millis, Nanos
from services.risk.facts import Facts
from services.risk.own_actions import POST_LIFE, OwnActions
from tests.services.risk.scene import ACCOUNT, SETTINGS, Scene, bid, cloid


def test_noops_are_signed_for_own_nonces_only() -> None:
    """Rule 4: also while halted; refused for a nonce that no order was signed with, and past the deadline."""
    scene = Scene().ready()
    scene.send(scene.request(bid(1)))
    nonce = scene.placed()[-1].nonce
    scene.directory = HaltDirectory(readable=False)
    scene.send(scene.directory)
    later = Nanos(scene.now + SECOND)
    scene.send(NoopRequest(request_id=1, epoch=500, deadline=later, nonce=nonce))
    assert scene.told(NoopSigned, "order_management")[-1].body == b"signed"
    scene.send(NoopRequest(request_id=2, epoch=500, deadline=later, nonce=nonce + 77))
    assert scene.last(NoopSigned).body == b""
    scene.send(NoopRequest(request_id=3, epoch=500, deadline=Nanos(scene.now - 1), nonce=nonce))
    assert scene.last(NoopSigned).reason == "past its deadline"


def cancels(count: int) -> list[Cancel]:
    return [Cancel(coin="BTC", cloid=cloid(number)) for number in range(count)]


def desk() -> tuple[Facts, OwnActions]:
    facts = Facts(SETTINGS, ACCOUNT, started_at=Nanos(0), build="")
    return facts, OwnActions(facts)


def test_every_new_nonce_is_recorded_first() -> None:
    """Rule 1: one row and one signature for each hundred cancels, with nonces that grow."""
    _, own = desk()
    effects = own.cancel(cancels(201), Millis(500))
    assert [type(effect).__name__ for effect in effects] == ["Record", "Sign"] * 3
    signs = [effect for effect in effects if isinstance(effect, Sign)]
    assert [sign.nonce for sign in signs] == [500, 501, 502]
    sizes = [len(sign.action.cancels) for sign in signs if isinstance(sign.action, CancelOrders)]
    assert sizes == [100, 100, 1]
    assert effects[0] == Record(NonceRecord(nonce=500, tag="cancel"))
    assert all(sign.expires_after is None for sign in signs)


def test_without_any_nonce_nothing_is_cancelled_yet() -> None:
    """Rule 1: neither venue time nor an earlier nonce; the next attempt knows one of them."""
    facts, own = desk()
    assert own.cancel(cancels(1), None) == []
    facts.decisions.use(7)
    assert own.cancel(cancels(1), None)[0] == Record(NonceRecord(nonce=8, tag="cancel"))
    assert own.cancel([], Millis(9)) == []


def test_a_noop_uses_the_nonce_that_it_burns() -> None:
    """Rule 1: no row, because the nonce is in the journal already."""
    _, own = desk()
    assert own.burn(77) == Sign(1, Noop(), 77)


def test_answers_to_own_actions() -> None:
    """Rules 2 and 3: a refusal is a finding, silence nothing; what nobody asked for is nobody's."""
    _, own = desk()
    sign = own.cancel(cancels(1), Millis(500))[1]
    assert isinstance(sign, Sign)
    (post,) = own.on_signed(Signed(sign_id=sign.sign_id, nonce=500, body=b"x"), Nanos(3))
    assert post == Post(sign.sign_id, b"x", Nanos(3 + POST_LIFE))
    refused = Posted(post_id=sign.sign_id, error="User or API Wallet does not exist.")
    assert [found.kind for found in own.on_posted(refused, Nanos(4))] == ["cancel refused"]
    assert own.on_posted(refused, Nanos(5)) == []
    own.burn(77)
    own.on_signed(Signed(sign_id=2, nonce=77, body=b"x"), Nanos(3))
    own.on_post_failed(2)
    assert own.on_posted(Posted(post_id=2), Nanos(6)) == []


def test_a_refused_signature_is_told() -> None:
    """Rule 3: to whoever asked for a noop, as a finding otherwise."""
    facts, own = desk()
    sign = own.cancel(cancels(1), Millis(500))[1]
    assert isinstance(sign, Sign)
    effects, (found,) = own.on_sign_failed(SignFailed(sign_id=sign.sign_id, nonce=500, reason="no key"), Nanos(0))
    assert (effects, found.kind, found.evidence) == ([], "signature refused", "no key")
    facts.decisions._nonces[77] = None
    request = NoopRequest(request_id=5, epoch=1, deadline=Nanos(9), nonce=77)
    asked = own.burn_for(request, Nanos(9))
    assert isinstance(asked, Sign)
    effects, findings = own.on_sign_failed(SignFailed(sign_id=asked.sign_id, nonce=77, reason="no key"), Nanos(0))
    assert effects == [Send(NoopSigned(request_id=5, nonce=77, body=b"", reason="no key"), to="order_management")]
    assert findings == []

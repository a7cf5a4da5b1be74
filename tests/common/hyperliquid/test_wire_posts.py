"""The three layers of refusals, and everything that must not be guessed at."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.hyperliquid.wire_actions import PostedItems
from common.hyperliquid.wire_posts import decode_action_answer, decode_post_answer, post_frame
from common.messages.venue import ActionStatus, Posted, PostFailed
from common.units import Lots
from tests.common.hyperliquid.coins import BTC, COINS, ETH

ONE = PostedItems((BTC.asset,))
TWO = PostedItems((BTC.asset, ETH.asset))
NONE = PostedItems()
ALO = "Post only order would have immediately matched, bbo was 64143@64144. asset=0"


def ok(*statuses: object) -> bytes:
    data = {"statuses": list(statuses)}
    return json.dumps({"status": "ok", "response": {"type": "order", "data": data}}).encode()


def posted(*statuses: ActionStatus, error: str = "") -> Posted:
    return Posted(post_id=9, statuses=statuses, error=error)


def said(kind: str, oid: int | None = None, lots: Lots | None = None, text: str = "") -> ActionStatus:
    return ActionStatus(kind=kind, oid=oid, lots=lots, text=text)


RESTING = {"resting": {"oid": 77, "cloid": "0x1"}}
FILLED = {"filled": {"totalSz": "0.02", "avgPx": "1891.4", "oid": 78}}


@pytest.mark.parametrize(
    ("payload", "items", "expected"),
    [
        (ok(RESTING, FILLED), TWO, posted(said("resting", 77), said("filled", 78, Lots(200)))),
        (ok("success", {"error": "gone"}), TWO, posted(said("success"), said("error", text="gone"))),
        (ok({"error": ALO}), ONE, posted(said("error", text=ALO))),
        (
            ok("waitingForFill", "waitingForTrigger"),
            TWO,
            posted(said("waiting", text="waitingForFill"), said("waiting", text="waitingForTrigger")),
        ),
        (b'{"status":"ok","response":{"type":"default"}}', NONE, posted()),
    ],
)
def test_words(payload: bytes, items: PostedItems, expected: Posted) -> None:
    """Rule 2: each item has its word, in the order of the batch, sizes in its own coin's lots."""
    assert decode_action_answer(9, payload, items, COINS) == expected


@pytest.mark.parametrize("count", [2, 3])
def test_one_error_for_a_batch(count: int) -> None:
    """Rule 1: a refusal before matching comes once, whatever was in the batch."""
    items = PostedItems((0,) * count)
    assert decode_action_answer(9, ok({"error": "Order has invalid price."}), items, COINS) == posted(
        error="Order has invalid price."
    )


def test_whole_action() -> None:
    """Rule 1: the action as such is refused."""
    payload = b'{"status":"err","response":"Invalid nonce: duplicate nonce 1764221206959"}'
    assert decode_action_answer(9, payload, TWO, COINS) == posted(error="Invalid nonce: duplicate nonce 1764221206959")


@pytest.mark.parametrize(
    ("payload", "items"),
    [
        *((ok(RESTING), TWO), (ok(RESTING, RESTING), ONE), (ok(), ONE), (ok("success"), TWO), (ok("who knows"), ONE)),
        *((ok({}), ONE), (ok({"resting": {}}), ONE), (ok({"resting": {"oid": -1}}), ONE), (ok(5), ONE)),
        *((ok({"filled": {"oid": 1, "totalSz": "0.000001"}}), ONE), (ok({"filled": {"oid": 1, "totalSz": "0"}}), ONE)),
        *((ok({"filled": {"oid": 1, "totalSz": "NaN"}}), ONE), (ok(FILLED), PostedItems((77,)))),
        *((b"null", ONE), (b"", ONE), (b'{"status":"ok"}', ONE), (b'{"status":"maybe","response":{}}', ONE)),
        (ok(RESTING).replace(b'"ok"', b'"maybe"'), ONE),
        *((b'{"status":"err","response":{}}', ONE), (b'{"status":"ok","response":{"type":"default"}}', ONE)),
        (b'{"status":"ok","response":{"type":"order","data":{"status":"running"}}}', ONE),
    ],
)
def test_not_understood(payload: bytes, items: PostedItems) -> None:
    """Rule 3: an order may rest behind any of these, so none of them is a refusal."""
    found = decode_action_answer(9, payload, items, COINS)
    assert isinstance(found, PostFailed)
    assert found.sent
    assert found.reason


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        *(("429 Too Many Requests: null", True), ("422 Unprocessable Entity: x", True), ("400 Bad Request", True)),
        *(("502 Bad Gateway", False), ("504 Gateway Timeout", False), ("408 Request Timeout", False)),
        *(("something else", False), ("", False), ("4", False), ("4290", False)),
    ],
)
def test_front_door(text: str, refused: bool) -> None:
    """Rules 1 and 3: a 4xx was turned away, a 5xx may have gone through."""
    response = json.dumps({"type": "error", "payload": text}).encode()
    found = decode_post_answer(9, response, ONE, COINS)
    assert isinstance(found, Posted if refused else PostFailed)
    assert text in (found.error if isinstance(found, Posted) else found.reason)


def test_wrapped_answer() -> None:
    """Rule 2: over the stream the body of HTTP is the payload."""
    response = b'{"type":"action","payload":' + ok(RESTING) + b"}"
    assert decode_post_answer(9, response, ONE, COINS) == posted(said("resting", 77))


@given(st.binary(max_size=100) | st.text(max_size=100).map(lambda text: json.dumps(text).encode()))
def test_garbage(response: bytes) -> None:
    """Rule 3: whatever comes, it is an answer or a failure, never an exception."""
    for decode in (decode_post_answer, decode_action_answer):
        assert isinstance(decode(9, response, ONE, COINS), PostFailed)


def test_deep_garbage() -> None:
    """Rule 3: a thousand brackets are no reason to fall over."""
    for text in (b"[" * 5_000, b'{"status":"ok","response":' + b"[" * 5_000):
        assert isinstance(decode_action_answer(9, text, ONE, COINS), PostFailed)


def test_frame_keeps_the_bytes() -> None:
    """Rule 2: what was signed is what is sent, byte for byte."""
    body = b'{"action" : {"type":"noop"},"nonce":1.0e3}'
    frame = post_frame(7, body)
    assert body in frame
    assert json.loads(frame)["id"] == 7
    assert json.loads(frame)["request"] == {"type": "action", "payload": json.loads(body)}

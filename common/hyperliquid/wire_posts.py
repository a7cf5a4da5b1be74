"""The venue's answers to actions that we posted.

Rules
  1. A refusal has three layers: a word per item, one error for a whole batch, the whole action. The last two are
     both `Posted.error`; so is a refusal by the venue's front door (HTTP status 4xx).
  2. Each item of an accepted batch has its word, in the order of the batch.
  3. Whatever may have reached the matching and is not understood is PostFailed(sent=True): query, do not guess.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

from common.errors import PeerFault
from common.hyperliquid import wire_types as types
from common.hyperliquid.wire_actions import PostedItems
from common.instrument import Instrument
from common.messages.venue import ActionStatus, Posted, PostFailed

REASON_CHARS_MAX: Final = 300  # of the venue's text in our messages
WAITING: Final = frozenset({"waitingForFill", "waitingForTrigger"})

_FRONT_DOOR: Final = re.compile(r"4(?!08)\d\d\b")  # 408 says that something timed out, not that nothing happened


class _Response(msgspec.Struct, frozen=True):
    """What follows "response" in a post's answer."""

    type: str
    payload: msgspec.Raw


class _Answer(msgspec.Struct, frozen=True):
    """Body of the same answer over HTTP."""

    status: str
    response: msgspec.Raw


class _Resting(msgspec.Struct, frozen=True):
    oid: types.Id


class _Filled(msgspec.Struct, frozen=True, rename="camel"):
    total_sz: Decimal
    oid: types.Id


class _Word(msgspec.Struct, frozen=True):
    resting: _Resting | None = None
    filled: _Filled | None = None
    error: str | None = None


class _Words(msgspec.Struct, frozen=True):
    statuses: list[str | _Word]


class _Batch(msgspec.Struct, frozen=True):
    data: _Words | None = None


_response: Final = msgspec.json.Decoder(_Response)
_answer: Final = msgspec.json.Decoder(_Answer)
_batch: Final = msgspec.json.Decoder(_Batch)
_text: Final = msgspec.json.Decoder(str)


def post_frame(wire_id: int, body: bytes) -> bytes:
    """Wrap a signed request for the stream, its bytes untouched."""
    return b'{"method":"post","id":%d,"request":{"type":"action","payload":%b}}' % (wire_id, body)


def decode_post_answer(
    post_id: int, response: bytes | msgspec.Raw, items: PostedItems, instruments: Mapping[str, Instrument]
) -> Posted | PostFailed:
    """Read what the venue's stream says of one post; never raises."""
    try:
        found = _response.decode(response)
        if found.type == "error":
            return _front_door(post_id, _text.decode(found.payload))
        return decode_action_answer(post_id, found.payload, items, instruments)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _not_understood(post_id, str(error))


def decode_action_answer(
    post_id: int, payload: bytes | msgspec.Raw, items: PostedItems, instruments: Mapping[str, Instrument]
) -> Posted | PostFailed:
    """Read the venue's answer to one action; never raises."""
    try:
        found = _answer.decode(payload)
        if found.status == "err":
            return Posted(post_id=post_id, error=_text.decode(found.response)[:REASON_CHARS_MAX])
        if found.status != "ok":
            return _not_understood(post_id, f"status {found.status}")
        data = _batch.decode(found.response).data
        return _accepted(post_id, data.statuses if data else [], items, instruments)
    except (PeerFault, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _not_understood(post_id, str(error))


def _accepted(
    post_id: int, words: list[str | _Word], items: PostedItems, instruments: Mapping[str, Instrument]
) -> Posted | PostFailed:
    if len(words) == len(items.assets):
        by_asset = {instrument.asset: instrument for instrument in instruments.values()}
        statuses = (_status(word, by_asset.get(asset)) for word, asset in zip(words, items.assets, strict=True))
        return Posted(post_id=post_id, statuses=tuple(statuses))
    match words:
        case [_Word(error=str() as text)]:
            return Posted(post_id=post_id, error=text[:REASON_CHARS_MAX])
        case _:
            return _not_understood(post_id, f"{len(words)} statuses for {len(items.assets)} items")


def _status(word: str | _Word, instrument: Instrument | None) -> ActionStatus:
    match word:
        case "success":
            return ActionStatus(kind="success")
        case str() if word in WAITING:
            return ActionStatus(kind="waiting", text=word)
        case _Word(resting=_Resting(oid)):
            return ActionStatus(kind="resting", oid=oid)
        case _Word(filled=_Filled(size, oid)) if instrument:
            return ActionStatus(kind="filled", oid=oid, lots=types.lots_positive(instrument, size))
        case _Word(error=str() as text):
            return ActionStatus(kind="error", text=text[:REASON_CHARS_MAX])
        case _:
            raise PeerFault(f"unknown status {word}")


def _front_door(post_id: int, text: str) -> Posted | PostFailed:
    if _FRONT_DOOR.match(text):
        return Posted(post_id=post_id, error=text[:REASON_CHARS_MAX])
    return _not_understood(post_id, text)


def _not_understood(post_id: int, reason: str) -> PostFailed:
    return PostFailed(post_id=post_id, sent=True, reason=reason[:REASON_CHARS_MAX])

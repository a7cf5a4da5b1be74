"""Every WebSocket's subscriptions. Pure: frames and blocks in, messages and drops out.

Rules
  1. A subscription is acknowledged with its normal form before its first message.
  2. A second subscription to the same, and an unsubscription of nothing, are errors on the error channel; so is
     every frame that makes no sense. The connection stays.
  3. What the venue does not have (services/venue_sim/subscriptions.py, rule 3) breaks the connection, or is an error
     where the venue is set up to be patient.
  4. A posted info request is answered at once; a posted action after its block.
  5. Subscriptions, users, messages and posts in flight are limited (services/venue_sim/address_limits.py).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from common.errors import PeerFault
from common.units import Millis
from services.venue_sim import api
from services.venue_sim import subscriptions as subs
from services.venue_sim.address_limits import AddressLimits
from services.venue_sim.broadcast import Broadcast
from services.venue_sim.desk import Desk
from services.venue_sim.latency import Line
from services.venue_sim.questions import Question

ECHO_BYTES_MAX: Final = 1_000  # of a senseless frame in its error
PONG: Final = b'{"channel":"pong"}'
REASONS: Final = {
    400: "Bad Request",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    500: "Internal Server Error",
}

_encode: Final = msgspec.json.Encoder().encode


class Answered(msgspec.Struct, frozen=True):
    """What an answer is to: `user` is whose account acted, empty for a stranger."""

    request: api.ActionRequest
    answer: api.ActionAnswer
    user: str


class Led(msgspec.Struct, frozen=True):
    """What the leader says of a coin (services/venue_sim/leader.py)."""

    coin: str


class Say(msgspec.Struct, frozen=True):
    """Send this text to a connection. `about`: the subscription, action or leader behind it, where there is one."""

    connection: int
    text: bytes
    about: subs.Subscription | Answered | Led | None = None


class Drop(msgspec.Struct, frozen=True):
    """Abort the TCP connection."""

    connection: int
    reason: str


class PostedAction(msgspec.Struct, frozen=True):
    """An action came in by WebSocket; its answer goes to `answered`."""

    connection: int
    id: int
    body: bytes


Effect: TypeAlias = Say | Drop | PostedAction


class Streams:
    """All connections. `sight` is told every account that a client names; `noted` every change of a subscription."""

    def __init__(
        self,
        *,
        desk: Desk,
        broadcast: Broadcast,
        coins: frozenset[str],
        address: AddressLimits,
        abort_unknown: bool,
        slow_is_said: bool,
        hold_back: Line[Say],
        sight: Callable[[str], None],
        noted: Callable[[int, str, str], None],
    ) -> None:
        self._desk = desk
        self._broadcast = broadcast
        self._coins = coins
        self._address = address
        self._abort_unknown = abort_unknown
        self._slow_is_said = slow_is_said  # in the echo of an ordinary book
        self._hold_back = hold_back
        self._sight = sight
        self._noted = noted
        self._of: dict[int, dict[subs.Subscription, None]] = {}
        self._heard_by: dict[subs.Subscription, dict[int, None]] = {}

    # --- connections ---

    @property
    def connections(self) -> Mapping[int, Iterable[subs.Subscription]]:
        """Return every open connection with its subscriptions."""
        return self._of

    def open(self, connection: int) -> None:
        self._of[connection] = {}

    def close(self, connection: int) -> bool:
        """Forget a connection; say whether it was one."""
        found = self._of.pop(connection, None)
        for subscription in found or {}:
            self._forget(connection, subscription)
        self._hold_back.forget(lambda key: isinstance(key, tuple) and key[0] == connection)
        return found is not None

    def _forget(self, connection: int, subscription: subs.Subscription) -> None:
        heard_by = self._heard_by[subscription]
        del heard_by[connection]
        if not heard_by:
            del self._heard_by[subscription]

    # --- frames ---

    def receive(self, connection: int, text: str, now: Millis) -> list[Effect]:
        """Take one text of a client."""
        if connection not in self._of:
            return []
        if not self._address.message(now):
            return [_error(connection, "Rate limited: too many messages")]
        try:
            frame = subs.parse(text, slow_is_said=self._slow_is_said)
        except PeerFault:
            echo = text[:ECHO_BYTES_MAX]
            return [_error(connection, f"Error parsing JSON into valid websocket request: {echo}")]
        match frame:
            case subs.Subscribe(subscription=subscription):
                return self._subscribe(connection, subscription, now)
            case subs.Unsubscribe(subscription=subscription):
                return self._unsubscribe(connection, subscription)
            case subs.Ping():
                return [Say(connection, PONG)]
            case subs.Post():
                return self._post(connection, frame, now)

    def _subscribe(self, connection: int, subscription: subs.Subscription, now: Millis) -> list[Effect]:
        known = subs.is_known(subscription, self._coins)
        if not known and self._abort_unknown:
            return [Drop(connection, f"unknown: {_text(subscription)}")]
        if subscription in self._of[connection]:
            return [_error(connection, f"Already subscribed: {_text(subscription)}")]
        refusal = self._refusal(subscription) if known else f"Invalid subscription {_text(subscription)}"
        if refusal:
            return [_error(connection, refusal)]
        if subscription.account is not None:
            self._sight(subscription.account)
        self._of[connection][subscription] = None
        self._heard_by.setdefault(subscription, {})[connection] = None
        self._noted(connection, "subscribe", _text(subscription))
        effects: list[Effect] = [_acknowledge(connection, "subscribe", subscription)]
        for message in self._broadcast.first(subscription, now):
            effects += self._deliver(subscription, [connection], _encode(message), now)
        return effects

    def _refusal(self, subscription: subs.Subscription) -> str:
        limits = self._address.limits
        if getattr(subscription, "dex", None) not in {None, ""}:
            return f"Invalid subscription {_text(subscription)}"
        if sum(map(len, self._of.values())) >= limits.subscriptions:
            return f"Cannot subscribe to more than {limits.subscriptions} channels."
        users = {each.account for each in self._heard_by} | {subscription.account}
        if len(users - {None}) > limits.users and subscription.account is not None:
            return f"Cannot track more than {limits.users} total users."
        return ""

    def _unsubscribe(self, connection: int, subscription: subs.Subscription) -> list[Effect]:
        if subscription not in self._of[connection]:
            return [_error(connection, f"Already unsubscribed: {_text(subscription)}")]
        del self._of[connection][subscription]
        self._forget(connection, subscription)
        self._noted(connection, "unsubscribe", _text(subscription))
        return [_acknowledge(connection, "unsubscribe", subscription)]

    # --- posts ---

    def _post(self, connection: int, frame: subs.Post, now: Millis) -> list[Effect]:
        if frame.request.type == "action":
            if not self._address.begin_post():
                return [_error(connection, f"too many pending post requests id={frame.id}")]
            return [PostedAction(connection, frame.id, bytes(frame.request.payload))]
        question = self._desk.read(frame.request.payload)
        if isinstance(question, Question):
            if question.user is not None:
                self._sight(question.user.lower())
            reply = self._desk.answer(question, now)
        else:
            reply = question
        if reply.http != 200:
            return [self._post_answer(connection, frame.id, "error", http_error(reply.http, str(reply.data)))]
        payload = {"type": reply.kind, "data": reply.data}
        return [self._post_answer(connection, frame.id, "info", payload)]

    def answered(
        self, connection: int, post_id: int, payload: Any, *, http: int = 200, about: Answered | None = None
    ) -> list[Say]:
        """Take the answer to a posted action: the body that HTTP would have carried."""
        self._address.end_post()
        if connection not in self._of:
            return []
        if http != 200:
            return [self._post_answer(connection, post_id, "error", http_error(http, str(payload)))]
        return [self._post_answer(connection, post_id, "action", payload, about)]

    def _post_answer(
        self, connection: int, post_id: int, kind: str, payload: Any, about: Answered | None = None
    ) -> Say:
        return Say(connection, post_text(post_id, kind, payload), about)

    # --- news ---

    def follow(self, block: api.Block) -> list[Say]:
        """Tell everyone what a block did."""
        effects: list[Say] = []
        for subscription, messages in self._broadcast.follow(block, self._heard_by):
            connections = list(self._heard_by[subscription])
            for message in messages:
                effects += self._deliver(subscription, connections, _encode(message), block.time_ms)
        return effects

    def release(self, now: Millis) -> list[Say]:
        """Let go what was held back until now."""
        return self._hold_back.arrived(now)

    def _deliver(self, subscription: subs.Subscription, connections: list[int], text: bytes, now: Millis) -> list[Say]:
        if not subscription.public or self._hold_back.is_idle:
            return [Say(connection, text, subscription) for connection in connections]
        for connection in connections:
            self._hold_back.send(Say(connection, text, subscription), now, (connection, subscription))
        return []


def post_text(post_id: int, kind: str, payload: Any) -> bytes:
    """Write the answer to a post."""
    data = {"id": post_id, "response": {"type": kind, "payload": payload}}
    return _encode({"channel": "post", "data": data})


def http_error(status: int, text: str) -> str:
    """Write an HTTP error as posts carry it."""
    return f"{status} {REASONS.get(status, 'Error')}: {text}"


def _text(subscription: subs.Subscription) -> str:
    return _encode(subs.echo(subscription)).decode()


def _error(connection: int, text: str) -> Say:
    return Say(connection, _encode({"channel": "error", "data": text}))


def _acknowledge(connection: int, method: str, subscription: subs.Subscription) -> Say:
    data = {"method": method, "subscription": subs.echo(subscription)}
    return Say(connection, _encode({"channel": "subscriptionResponse", "data": data}))

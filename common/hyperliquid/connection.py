"""One open WebSocket to the venue, from its first subscription to its loss.

Rules
  1. Everything is subscribed at once. StreamUp when all of it is acknowledged; "already subscribed" acknowledges too.
  2. A ping leaves every 20 s, for the venue closes what it has not written to for 60 s. When nothing arrived for 30 s
     the connection is dead, whatever we sent meanwhile; also when not all is acknowledged within 10 s.
  3. A post leaves as the signed bytes it is. It fails unsent when 100 are in flight or past its deadline; sent, when
     the connection is lost or no answer came until 5 s after its deadline.
  4. An answer to no post in flight, and a refusal of anything that we sent, is malformed data.
  5. After `abandon` nothing more is read, though frames may wait.
"""

import asyncio
from collections.abc import Callable, Mapping
from time import monotonic_ns
from typing import Final, TypeAlias, assert_never

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from common.actor import Post
from common.hyperliquid import wire
from common.instrument import Instrument
from common.messages.base import Message
from common.messages.venue import MalformedVenueData, PostFailed, StreamUp
from common.tasks import Tasks
from common.units import SECOND, Millis, Nanos

IN_FLIGHT_MAX: Final = 100  # posts at a time; the venue's limit for one IP address
SUBSCRIPTIONS_MAX: Final = 1_000  # the venue's limit for one IP address
OUTBOX_MAX: Final = SUBSCRIPTIONS_MAX + IN_FLIGHT_MAX + 100  # frames not yet written; the rest is for pings
TICK_S: Final = 0.1  # how late a timeout may be noticed

Stamp: TypeAlias = Callable[[str, Millis, int], None]  # source, venue time, resolution in ms


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long a link waits for what; tests are less patient."""

    connect_s: float = 2.5
    ping_s: float = 20.0
    silence_s: float = 30.0  # longer than ping_s: a quiet stream still has pongs
    acknowledge_s: float = 10.0
    answer_s: float = 5.0  # past a post's deadline: blocks may be late, yet the answer is worth having
    query_s: float = 5.0  # from a query to the last byte of its answer: the venue needs one second, or is in trouble


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What every connection of one link shares."""

    instruments: Mapping[str, Instrument]
    subscriptions: tuple[dict[str, object], ...]
    reader: wire.FrameReader
    deliver: Callable[[Message], None]
    stamp: Stamp
    heard: Callable[[], None]  # something arrived after all was acknowledged
    patience: Patience
    tasks: Tasks


class _Pending(msgspec.Struct):
    """One post on its way."""

    post_id: int
    body: bytes
    deadline: Nanos
    items: wire.PostedItems
    sent: bool = False


class Connection:
    """`serve` lives as long as the socket does."""

    def __init__(self, socket: ClientConnection, number: int, around: Surroundings) -> None:
        self.number: Final = number
        self._socket = socket
        self._around = around
        self._unacknowledged = {
            msgspec.convert(subscription, wire.Subscription).identity for subscription in around.subscriptions
        }
        assert len(around.subscriptions) == len(self._unacknowledged) <= SUBSCRIPTIONS_MAX, "subscriptions repeat"
        self._up = False
        self._abandoned = ""
        self._outbox: asyncio.Queue[bytes | int] = asyncio.Queue(OUTBOX_MAX)  # a frame, or the id of a post
        self._pending: dict[int, _Pending] = {}
        self._last_id = 0
        self._opened_at = self._heard_at = self._pinged_at = Nanos(monotonic_ns())

    # --- what the link asks for --------------------------------------------------------------------

    async def serve(self) -> str:
        """Serve until the connection is lost; return why, with every pending post failed."""
        for subscription in self._around.subscriptions:
            self._outbox.put_nowait(msgspec.json.encode({"method": "subscribe", "subscription": subscription}))
        writer = self._around.tasks.spawn(self._write(), "venue stream writer")
        watch = self._around.tasks.spawn(self._watch(), "venue stream watch")
        self._check_up()
        try:
            while (raw := await self._receive()) is not None:
                self._heard_at = Nanos(monotonic_ns())
                self._on_frame(self._around.reader.read(raw, self._heard_at))
        finally:
            writer.cancel()
            watch.cancel()
        for wire_id in list(self._pending):
            self._fail(wire_id, self._abandoned)
        return self._abandoned

    def post(self, effect: Post) -> str:
        """Take a post on its way; return why not, or "" (rule 3)."""
        if self._abandoned:
            return "not connected"
        if len(self._pending) >= IN_FLIGHT_MAX:
            return f"{IN_FLIGHT_MAX} posts in flight"
        try:
            items = wire.posted_items(effect.body)
        except ValueError as error:
            return str(error)
        self._last_id += 1
        self._pending[self._last_id] = _Pending(effect.post_id, effect.body, effect.deadline, items)
        self._outbox.put_nowait(self._last_id)
        return ""

    def abandon(self, reason: str) -> None:
        """Drop the socket without a goodbye: whoever is silent would not answer one either."""
        self._abandoned = self._abandoned or reason
        self._socket.transport.abort()

    async def close(self) -> None:
        await self._socket.close()

    # --- reading -----------------------------------------------------------------------------------

    async def _receive(self) -> bytes | None:
        try:
            raw = await self._socket.recv(decode=False)
        except ConnectionClosed as closed:
            self._abandoned = self._abandoned or str(closed) or "closed"
        return None if self._abandoned else raw

    def _on_frame(self, frame: wire.Frame) -> None:
        if self._up:
            self._around.heard()
        match frame:
            case wire.Facts():
                self._on_facts(frame)
            case wire.Acknowledged(subscription):
                self._acknowledge(subscription)
            case wire.Refused(text):
                self._on_refused(text)
            case wire.PostAnswer():
                self._on_post_answer(frame)
            case wire.Pong():
                pass
            case _:
                assert_never(frame)

    def _on_facts(self, facts: wire.Facts) -> None:
        if facts.stamp_ms is not None:
            self._around.stamp(facts.channel, facts.stamp_ms, 1)
        for message in facts.messages:
            self._around.deliver(message)

    def _acknowledge(self, subscription: wire.Subscription) -> None:
        self._unacknowledged.discard(subscription.identity)
        self._check_up()

    def _check_up(self) -> None:
        if not self._unacknowledged and not self._up:
            self._up = True
            self._around.deliver(StreamUp(connection=self.number))

    def _on_refused(self, text: str) -> None:
        if duplicate := wire.already_subscribed(text):
            self._acknowledge(duplicate)
            return
        too_many = wire.refused_post(text)
        if too_many in self._pending:
            self._fail(too_many, text)
            return
        self._around.deliver(MalformedVenueData(channel="error", reason=text))

    def _on_post_answer(self, answer: wire.PostAnswer) -> None:
        pending = self._pending.pop(answer.id, None)
        if pending is None:
            self._around.deliver(MalformedVenueData(channel="post", reason=f"answer to unknown post {answer.id}"))
            return
        found = wire.decode_post_answer(pending.post_id, answer.response, pending.items, self._around.instruments)
        self._around.deliver(found)

    # --- writing -----------------------------------------------------------------------------------

    async def _write(self) -> None:
        while True:
            frame = self._frame(await self._outbox.get())
            if frame is None:
                continue
            try:
                await self._socket.send(frame, text=True)
            except ConnectionClosed:
                return  # `serve` hears of it too

    def _frame(self, item: bytes | int) -> bytes | None:
        """Return the bytes to write now; None for a post that has failed while it waited."""
        if isinstance(item, bytes):
            return item
        pending = self._pending.get(item)
        if pending is None or self._expire(item, pending):
            return None
        pending.sent = True
        return wire.post_frame(item, pending.body)

    def _expire(self, wire_id: int, pending: _Pending) -> bool:
        """Fail a post whose time is over."""
        patience = self._around.patience.answer_s if pending.sent else 0
        if monotonic_ns() < pending.deadline + int(patience * SECOND):
            return False
        self._fail(wire_id, "no answer in time" if pending.sent else "past its deadline")
        return True

    def _fail(self, wire_id: int, reason: str) -> None:
        pending = self._pending.pop(wire_id)
        self._around.deliver(PostFailed(post_id=pending.post_id, sent=pending.sent, reason=reason))

    # --- time --------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Ping, and notice what did not happen."""
        patience = self._around.patience
        while True:
            await asyncio.sleep(TICK_S)
            now = Nanos(monotonic_ns())
            if now - self._heard_at >= patience.silence_s * SECOND:
                self.abandon(f"silent for {patience.silence_s} s")
            elif not self._up and now - self._opened_at >= patience.acknowledge_s * SECOND:
                self.abandon(f"not acknowledged: {sorted(self._unacknowledged)}")
            elif now - self._pinged_at >= patience.ping_s * SECOND:
                self._pinged_at = now
                self._outbox.put_nowait(wire.PING)
            for wire_id, pending in list(self._pending.items()):
                self._expire(wire_id, pending)

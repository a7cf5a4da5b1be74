"""The ZeroMQ shell: facts over PUB/SUB, requests over DEALER/ROUTER. The only module that imports zmq.

Sockets are read through their file descriptors on the running asyncio loop: measured cheaper than zmq.asyncio and
as cheap as a poller (ARCHITECTURE.md), and the venue's websockets share the loop.

Rules
  1. A fact of a full-state topic wins by (epoch, sequence); older and repeated ones are dropped.
  2. A gap heals by the next message, or by a snapshot asked for at the start, on a new epoch, and when a heartbeat
     names a later sequence. A gap in Trade or Fill is told to the actor as `Missed`.
  3. What waits in a socket is conflated: only the newest of each full-state (topic, coin) reaches the actor.
  4. A request that no peer can take now fails at once (`SendFailed`); nothing is queued for the dead.
  5. A request from a sender that may not send it, or bytes that do not decode, change nothing and are counted. Who
     sent it is what its CURVE key says (common/curve.py); an envelope that says otherwise is refused.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from time import monotonic_ns
from typing import Final, get_args

import msgspec
import zmq

from common import curve, topology
from common.curve import Door
from common.errors import ConfigFault, PeerFault
from common.messages import (
    Envelope,
    Heartbeat,
    Message,
    Missed,
    SendFailed,
    Snapshot,
    SnapshotRequest,
    decode,
    encode,
)
from common.sequences import FULL_STATE_TOPICS, Heard, Outbox
from common.units import MILLISECOND, SECOND, Nanos
from common.wiring import Wiring

FACTS_QUEUE_MAX: Final = 10_000  # about ten seconds of a busy book; past it PUB drops and the sequence shows a gap
REQUESTS_QUEUE_MAX: Final = 64  # a peer that is this far behind answers too late anyway
MESSAGE_BYTES_MAX: Final = 256 * 1024  # the largest honest message is a snapshot of all books, about 20 KiB
DRAIN_FRAMES_MAX: Final = 2_000  # then the loop gets a turn for timers and the venue
ROUTES_MAX: Final = 1_024  # requests whose answers are still expected
SNAPSHOT_RETRY: Final = 100 * MILLISECOND  # doubled up to the maximum
SNAPSHOT_RETRY_MAX: Final = 2 * SECOND
LIBRARY_VERSION_MIN: Final = (4, 3, 5)  # older ones have remotely reachable faults

ZmqContext = zmq.Context[zmq.Socket[bytes]]
ZmqSocket = zmq.Socket[bytes]

_envelope_decoder = msgspec.msgpack.Decoder(Envelope)
_ROLES: Final = {kind.__name__: roles for kind, roles in topology.REQUESTS.items()}
_ANSWERS: Final = frozenset(kind.__name__ for kind in topology.ANSWERS)


class Mesh:
    """A service's place in the mesh. `deliver` gets every message; it must not block."""

    def __init__(
        self, *, wiring: Wiring, service: str, epoch: int, inbox: object, deliver: Callable[[Message], None]
    ) -> None:
        assert zmq.zmq_version_info() >= LIBRARY_VERSION_MIN, zmq.zmq_version()
        self._wiring = wiring
        self._service = service
        self._deliver = deliver
        kinds: tuple[type[Message], ...] = get_args(inbox) or (inbox,)
        self._inbox = frozenset(kind.__name__ for kind in kinds)
        self._subscriptions = topology.subscriptions(service, kinds)
        self._outbox = Outbox(service, epoch)
        self._heard = Heard()
        self._routes: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._snapshots: dict[str, tuple[int, Nanos]] = {}  # peer -> (tries, ask again at)
        self._context: ZmqContext = zmq.Context()
        self._door = Door(self._context, wiring.certificate)
        self._pub = self._socket(zmq.PUB, FACTS_QUEUE_MAX)
        self._router = self._socket(zmq.ROUTER, REQUESTS_QUEUE_MAX)
        wiring.certificate.serve(self._router, curve.REQUESTS)
        if wiring.tcp:
            wiring.certificate.serve(self._pub, curve.FACTS)
        self._sub = self._socket(zmq.SUB, FACTS_QUEUE_MAX)
        self._dealers: dict[str, ZmqSocket] = {}
        self._waking = False
        self._malformed = 0

    def start(self) -> None:
        """Bind, connect and read on the running loop."""
        self._router.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._bind(self._pub, self._wiring.facts(self._service))
        self._bind(self._router, self._wiring.requests(self._service))
        for producer, topics in self._subscriptions.items():
            hear(self._sub, self._wiring, producer)
            for name in topics:
                self._sub.setsockopt(zmq.SUBSCRIBE, name.encode() + b"\0")
            self._snapshots[producer] = (0, Nanos(0))
        for peer in sorted({*self._subscriptions, *topology.asked(self._service)}):
            self._dealers[peer] = self._dealer(peer)
        loop = asyncio.get_running_loop()
        loop.add_reader(_descriptor(self._door.socket), self._door.answer_all)
        for socket in (self._router, self._sub, *self._dealers.values()):
            loop.add_reader(_descriptor(socket), self.drain)
        loop.call_soon(self._door.answer_all)
        loop.call_soon(self.drain)

    def close(self) -> None:
        loop = asyncio.get_running_loop()
        for socket in (self._door.socket, self._router, self._sub, *self._dealers.values()):
            loop.remove_reader(_descriptor(socket))
            socket.close(linger=0)
        self._pub.close(linger=200)  # last words: ms
        self._context.term()

    # --- out -------------------------------------------------------------------------------------

    def publish(self, message: Message) -> None:
        self._pub.send_multipart(self._outbox.frames(message, Nanos(monotonic_ns())), zmq.NOBLOCK)

    def send(self, message: Message, to: str) -> SendFailed | None:
        """Hand a request, or an answer to an earlier request, to one peer; SendFailed when it cannot take it now."""
        name = type(message).__name__
        request_id: int = getattr(message, "request_id", 0)
        frames = [self._outbox.envelope(request_id, Nanos(monotonic_ns())), name.encode(), encode(message)]
        try:
            if name in _ANSWERS:
                identity = self._routes.pop((to, request_id), None)
                if identity is None:
                    return SendFailed(to=to, kind=name, request_id=request_id, reason="nobody waits for this answer")
                self._router.send_multipart([identity, *frames], zmq.NOBLOCK)
            else:
                self._dealers[to].send_multipart(frames, zmq.NOBLOCK)
        except zmq.ZMQError as error:
            return SendFailed(to=to, kind=name, request_id=request_id, reason=str(error))
        self._wake()
        return None

    def sequences(self) -> dict[str, int]:
        return self._outbox.sequences()

    @property
    def gaps(self) -> int:
        return self._heard.gaps

    @property
    def refused(self) -> int:
        """Return how many frames and keys changed nothing because they were wrong."""
        return self._malformed + self._door.refused

    # --- in --------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Read everything that waits, requests first; the descriptors are edge-triggered, so read to the end."""
        self._waking = False
        left = DRAIN_FRAMES_MAX
        for sender, frames in self._asked(left):
            left -= 1
            self._on_request(sender, frames)
        for peer, dealer in self._dealers.items():
            for frames in self._waiting(dealer, left):
                left -= 1
                self._on_answer(peer, frames)
        waiting: dict[tuple[str, str, str, int], tuple[str, Envelope, bytes]] = {}
        for number, frames in enumerate(self._waiting(self._sub, left)):
            left -= 1
            fact = self._parse_fact(frames)
            if fact is not None:
                name, envelope, _ = fact
                unique = 0 if name in FULL_STATE_TOPICS else number + 1
                place = (envelope.sender, name, envelope.key, unique)
                waiting.pop(place, None)  # the newest keeps its own place in the order of arrival
                waiting[place] = fact
        for name, envelope, body in waiting.values():
            self._on_fact(name, envelope, body)
        if left <= 0:
            self._wake()

    def beat(self, now: Nanos) -> None:
        """Ask again for snapshots that nobody has answered; called at every heartbeat."""
        for peer, (tries, due) in sorted(self._snapshots.items()):
            if now >= due:
                self._snapshots[peer] = (tries + 1, Nanos(now + min(SNAPSHOT_RETRY << tries, SNAPSHOT_RETRY_MAX)))
                self.send(SnapshotRequest(request_id=now), peer)

    def _on_fact(self, name: str, envelope: Envelope, body: bytes) -> None:
        message = self._decode(name, body)
        if message is None:
            return
        wanted, missed, renewed = self._heard.take(name, envelope)
        if not wanted:
            return
        if renewed and envelope.sender in self._subscriptions:
            self._snapshots[envelope.sender] = (0, Nanos(0))
        if isinstance(message, Heartbeat):
            topics = frozenset(self._subscriptions.get(envelope.sender, ()))
            if self._heard.behind(envelope.sender, envelope.epoch, message.sequences, topics):
                self._snapshots.setdefault(envelope.sender, (0, Nanos(0)))
        if missed and name not in FULL_STATE_TOPICS and "Missed" in self._inbox:
            self._deliver(Missed(sender=envelope.sender, topic=name, coin=envelope.key, count=missed))
        if name in self._inbox:
            self._deliver(message)

    def _on_request(self, sender: str, frames: list[bytes]) -> None:
        if len(frames) != 4:
            self._malformed += 1
            return
        identity, envelope_bytes, name_bytes, body = frames
        envelope = self._parse_envelope(envelope_bytes)
        name = name_bytes.decode(errors="replace")
        senders, receivers = _ROLES.get(name, (frozenset(), frozenset()))
        if envelope is None or envelope.sender != sender or sender not in senders or self._service not in receivers:
            self._malformed += 1
            return
        message = self._decode(name, body)
        if message is None:
            return
        request_id: int = getattr(message, "request_id", 0)
        self._routes[(envelope.sender, request_id)] = identity
        while len(self._routes) > ROUTES_MAX:
            self._routes.popitem(last=False)
        if isinstance(message, SnapshotRequest):
            self.send(self._outbox.snapshot(request_id), envelope.sender)
        elif name in self._inbox:
            self._deliver(message)

    def _on_answer(self, peer: str, frames: list[bytes]) -> None:
        if len(frames) != 3:
            self._malformed += 1
            return
        message = self._decode(frames[1].decode(errors="replace"), frames[2])
        if isinstance(message, Snapshot):
            try:
                facts = tuple(unpack(message))
            except PeerFault:
                self._malformed += 1  # and asked for again
                return
            topics = self._subscriptions.get(peer, ())
            for name, envelope, body in facts:
                if name in topics:
                    self._on_fact(name, envelope, body)
            self._snapshots.pop(peer, None)
        elif message is not None and type(message).__name__ in self._inbox:
            self._deliver(message)

    # --- parts -----------------------------------------------------------------------------------

    def _socket(self, kind: int, queue_max: int) -> ZmqSocket:
        socket = self._context.socket(kind)
        socket.set_hwm(queue_max)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.MAXMSGSIZE, MESSAGE_BYTES_MAX)
        socket.setsockopt(zmq.RECONNECT_IVL, 20)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 500)
        return socket

    def _bind(self, socket: ZmqSocket, address: str) -> None:
        try:
            socket.bind(address)
        except zmq.ZMQError as error:
            self._context.destroy(linger=0)
            raise ConfigFault(f"{address}: cannot be listened on ({error}); see mesh.tcp.{self._service}") from error

    def _dealer(self, peer: str) -> ZmqSocket:
        socket = self._socket(zmq.DEALER, REQUESTS_QUEUE_MAX)
        socket.setsockopt(zmq.IMMEDIATE, 1)
        self._wiring.certificate.present(socket, peer)
        socket.connect(self._wiring.requests(peer))
        return socket

    def _wake(self) -> None:
        """A send can swallow the edge of the descriptor, so look again on the next turn of the loop."""
        if not self._waking:
            self._waking = True
            asyncio.get_running_loop().call_soon(self.drain)

    @staticmethod
    def _waiting(socket: ZmqSocket, frames_max: int) -> Iterator[list[bytes]]:
        for _ in range(frames_max):
            try:
                yield socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return

    def _asked(self, frames_max: int) -> Iterator[tuple[str, list[bytes]]]:
        """Yield requests, each with the name that its sender's key belongs to."""
        for _ in range(frames_max):
            try:
                frames = self._router.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            yield str(frames[-1].get("User-Id")), [frame.bytes for frame in frames]

    def _parse_fact(self, frames: list[bytes]) -> tuple[str, Envelope, bytes] | None:
        if len(frames) != 3:
            self._malformed += 1
            return None
        envelope = self._parse_envelope(frames[1])
        return None if envelope is None else (frames[0].rstrip(b"\0").decode(errors="replace"), envelope, frames[2])

    def _parse_envelope(self, body: bytes) -> Envelope | None:
        try:
            return _envelope_decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._malformed += 1
            return None

    def _decode(self, name: str, body: bytes) -> Message | None:
        try:
            return decode(name, body)
        except PeerFault:
            self._malformed += 1
            return None


def _descriptor(socket: ZmqSocket) -> int:
    descriptor = socket.getsockopt(zmq.FD)
    assert isinstance(descriptor, int)
    return descriptor


def unpack(snapshot: Snapshot) -> Iterator[tuple[str, Envelope, bytes]]:
    """Yield (topic, envelope, body) of a snapshot's messages; PeerFault when its frames are not that."""
    for head, body in snapshot.frames:
        name, _, envelope = head.partition(b"\0")
        try:
            yield name.decode(errors="replace"), _envelope_decoder.decode(envelope), body
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise PeerFault(f"snapshot: {error}") from error


def hear(socket: ZmqSocket, wiring: Wiring, producer: str) -> None:
    """Connect to a producer's facts; they ask for keys where any part of the mesh is on tcp."""
    if wiring.tcp:
        wiring.certificate.present(socket, producer)
    socket.connect(wiring.facts(producer))


# --- for the command line: synchronous, one question at a time --------------------------------------


def ask(wiring: Wiring, service: str, message: Message, timeout_s: float) -> Message:
    """Ask one service under the wiring's own name and return its answer; PeerFault when none comes in time."""
    context: ZmqContext = zmq.Context()
    socket = context.socket(zmq.DEALER)
    try:
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.MAXMSGSIZE, MESSAGE_BYTES_MAX)
        wiring.certificate.present(socket, service)
        socket.connect(wiring.requests(service))
        outbox = Outbox(wiring.certificate.name, 0)
        envelope = outbox.envelope(getattr(message, "request_id", 0), Nanos(monotonic_ns()))
        socket.send_multipart([envelope, type(message).__name__.encode(), encode(message)])
        if not socket.poll(int(timeout_s * 1_000)):
            raise PeerFault(f"{service} did not answer within {timeout_s:g} s")
        frames = socket.recv_multipart()
        return decode(frames[1].decode(errors="replace"), frames[2])
    finally:
        socket.close(linger=0)
        context.term()


def snapshot(wiring: Wiring, service: str, timeout_s: float) -> dict[tuple[str, str], Message]:
    """Return the last full-state messages of a service by (topic, coin), its heartbeat included."""
    answer = ask(wiring, service, SnapshotRequest(request_id=1), timeout_s)
    if not isinstance(answer, Snapshot):
        raise PeerFault(f"{service} answered {type(answer).__name__} to a snapshot request")
    return {(name, envelope.key): decode(name, body) for name, envelope, body in unpack(answer)}


class Listener:
    """Hears the facts of some services; for recorders. Iterate to get (received at, message), None on a pause."""

    def __init__(self, wiring: Wiring, topics: dict[str, tuple[str, ...]]) -> None:
        self._context: ZmqContext = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.set_hwm(FACTS_QUEUE_MAX)
        for service, names in topics.items():
            hear(self._socket, wiring, service)
            for name in names:
                self._socket.setsockopt(zmq.SUBSCRIBE, name.encode() + b"\0")

    def receive(self, timeout_s: float) -> tuple[Nanos, Message] | None:
        if not self._socket.poll(int(timeout_s * 1_000)):
            return None
        frames = self._socket.recv_multipart()
        return Nanos(monotonic_ns()), decode(frames[0].rstrip(b"\0").decode(errors="replace"), frames[2])

    def close(self) -> None:
        self._socket.close(linger=0)
        self._context.term()

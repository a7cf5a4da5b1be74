"""The mesh in one process on a virtual clock: the same cores; network, venue, supervisor simulated.

The driver imports no service: it is given actors and the factories that rebuild them after a crash. Equal seeds give
equal histories.

Rules
  1. Effects are performed as common/shell.py performs them; what the shell answers itself comes first.
  2. Facts go to every subscriber by topology; requests to their peer; both with the network's delay.
  3. `crash` forgets everything but the actor's records and the halt directory; its factory rebuilds it.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, get_args

from common import topology
from common.actor import Actor, Ask, Boot, Effect, Exit, Latch, Post, Reconnect, Record, Send, Sign, Unlatch
from common.messages import (
    HaltDirectory,
    HaltFile,
    Heartbeat,
    Message,
    SendFailed,
    Signed,
    SignFailed,
    Wake,
    decode,
    encode,
)
from common.simulation.network import Network
from common.units import SECOND, Millis, Nanos

EVENTS_MAX: Final = 5_000_000  # a storm of an hour of virtual time is about a tenth of that


class SimulatedVenue(Protocol):
    """The venue as the cores see it; implemented over venue_sim's core by the tests."""

    def sign(self, service: str, effect: Sign) -> Signed | SignFailed: ...
    def post(self, service: str, effect: Post, now: Nanos) -> None: ...
    def ask(self, service: str, effect: Ask, now: Nanos) -> None: ...
    def reconnect(self, service: str, now: Nanos) -> None: ...
    def step(self, now: Nanos) -> Iterable[tuple[Nanos, str, Message]]:
        """Return (arrival, service, message) of everything that the venue says by now."""

    def restarted(self, service: str, now: Nanos) -> Iterable[tuple[Nanos, str, Message]]:
        """A service's sockets are new: what they say first."""


@dataclass(slots=True, kw_only=True)
class Seat:
    """One actor's place: how to build it, what it wrote down, and whether it lives."""

    inbox: object
    build: Callable[[Boot, list[Message]], Actor[Any]]
    records: list[Message] = field(default_factory=list)
    actor: Actor[Any] | None = None
    epoch: int = 0
    version: str = "simulation"  # of its code; peers of another do not trade together
    frozen_until: Nanos = Nanos(0)
    exited: int | None = None


class Simulation:
    """Runs the seats until a time; the venue steps every block."""

    def __init__(
        self, *, seats: dict[str, Seat], venue: SimulatedVenue, network: Network, unit: Nanos, block: Nanos
    ) -> None:
        self.seats = seats
        self.venue = venue
        self.network = network
        self.now = Nanos(0)
        self.halt: list[HaltFile] = []
        self.published: list[tuple[Nanos, str, Message]] = []
        self._unit = unit
        self._block = block
        self._heap: list[tuple[Nanos, int, str, Message | None, int]] = []
        self._count = 0
        self._inner: deque[Message] = deque()
        self._wakes: dict[str, Nanos] = {}  # when each living actor is woken; changes only when it handles something
        self._subscribers: dict[tuple[str, str], list[str]] = {}  # by producer and topic
        self._hears: dict[str, frozenset[type[Message]]] = {}
        for name, seat in sorted(seats.items()):
            kinds: tuple[type[Message], ...] = get_args(seat.inbox)
            self._hears[name] = frozenset(kinds)
            for producer, topics in topology.subscriptions(name, kinds).items():
                for topic in topics:
                    self._subscribers.setdefault((producer, topic), []).append(name)

    # --- life of an actor ------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        """Build the actor from its records, as a new boot."""
        seat = self.seats[name]
        seat.epoch = max(seat.epoch + 1, 1_700_000_000 + self.now // SECOND)
        seat.exited = None
        boot = Boot(epoch=seat.epoch, started_at=self.now, build=seat.version)
        seat.actor = seat.build(boot, [_copied(row) for row in seat.records])
        self._look_at(name)
        self._give(name, self._halt_directory())
        for at, service, message in self.venue.restarted(name, self.now):
            self._push(at, service, message)
        self._push(self.now, name, None)

    def crash(self, name: str) -> None:
        self.seats[name].actor = None
        self._look_at(name)

    def freeze(self, name: str, until: Nanos) -> None:
        """Stop the process without ending it: it sees nothing until then, and everything after."""
        self.seats[name].frozen_until = until
        self._look_at(name)

    # --- time --------------------------------------------------------------------------------------------

    def run(self, until: Nanos) -> None:
        """Advance to this time, waking each actor at its deadline."""
        for _ in range(EVENTS_MAX):
            due = self._next_due()
            if due > until:
                break
            self.now = max(self.now, due)
            self._turn()
        else:
            raise AssertionError("too many events: an actor feeds itself")
        self.now = until

    def _next_due(self) -> Nanos:
        block = Nanos((self.now // self._block + 1) * self._block)
        arrival = self._heap[0][0] if self._heap else block
        return min(block, arrival, min(self._wakes.values(), default=block))

    def _look_at(self, name: str) -> None:
        """Ask an actor when it is to be woken, if ever again."""
        seat = self.seats[name]
        due = None if seat.actor is None or seat.exited is not None else seat.actor.deadline()
        if due is None:
            self._wakes.pop(name, None)
        else:
            self._wakes[name] = max(due, seat.frozen_until)

    def _turn(self) -> None:
        if self.now % self._block == 0:
            for at, service, message in self.venue.step(self.now):
                self._push(at, service, message)
        while self._heap and self._heap[0][0] <= self.now:
            _, _, name, found, epoch = heapq.heappop(self._heap)
            seat = self.seats[name]
            if seat.actor is None or seat.exited is not None or (epoch and epoch != seat.epoch):
                continue
            if seat.frozen_until > self.now:
                self._push(seat.frozen_until, name, found)
            elif found is None:
                self._beat(name)
            else:
                self._give(name, found)
        for name in sorted([name for name, at in self._wakes.items() if at <= self.now]):
            self._give(name, Wake())

    def _push(self, at: Nanos, name: str, message: Message | None) -> None:
        """Have it arrive then, where it is heard at all; None is the time for a heartbeat."""
        if message is not None and type(message) not in self._hears[name]:
            return
        self._count += 1
        epoch = self.seats[name].epoch if message is None else 0
        heapq.heappush(self._heap, (at, self._count, name, message, epoch))

    # --- one message and its effects ---------------------------------------------------------------------

    def _give(self, name: str, message: Message) -> None:
        seat = self.seats[name]
        if type(message) not in self._hears[name]:
            return
        self._inner.append(message)
        while self._inner and seat.actor is not None:
            for effect in seat.actor.handle(self._inner.popleft(), self.now):
                self._perform(name, seat, effect)
        self._inner.clear()
        self._look_at(name)

    def _perform(self, name: str, seat: Seat, effect: Effect) -> None:
        match effect:
            case Record():
                seat.records.append(_copied(effect.row))
            case Send(to=""):
                self._publish(name, effect.message)
            case Send():
                self._request(name, effect.message, effect.to)
            case Sign():
                self._inner.append(self.venue.sign(name, effect))
            case Post():
                self.venue.post(name, effect, self.now)
            case Ask():
                self.venue.ask(name, effect, self.now)
            case Reconnect():
                self.venue.reconnect(name, self.now)
            case Latch():
                self.halt.append(
                    HaltFile(
                        name=f"{len(self.halt):04d}",
                        cause=effect.cause,
                        evidence=effect.evidence,
                        by=name,
                        at_ms=Millis(self.now // 1_000_000),
                    )
                )
                self._inner.append(self._halt_directory())
            case Unlatch():
                self.halt = [file for file in self.halt if file.name not in effect.names]
                self._inner.append(self._halt_directory())
            case Exit():
                seat.exited = effect.code

    def _publish(self, name: str, message: Message) -> None:
        self.published.append((self.now, name, message))
        receivers = self._subscribers.get((name, type(message).__name__))
        if receivers is None:
            return
        copy = _copied(message)
        for receiver in receivers:
            for at in self.network.arrivals(name, receiver, self.now, may_lose=True):
                self._push(at, receiver, copy)

    def _request(self, name: str, message: Message, to: str) -> None:
        seat = self.seats.get(to)
        request_id: int = getattr(message, "request_id", 0)
        alive = seat is not None and seat.actor is not None and seat.exited is None
        arrivals = self.network.arrivals(name, to, self.now, may_lose=False) if alive else ()
        if not alive:
            kind = type(message).__name__
            failed = SendFailed(to=to, kind=kind, request_id=request_id, reason="peer is not there")
            self._push(self.now, name, failed)
        for at in arrivals:
            self._push(at, to, _copied(message))

    def _beat(self, name: str) -> None:
        seat = self.seats[name]
        assert seat.actor is not None
        beat = Heartbeat(
            service=name, epoch=seat.epoch, state=seat.actor.state, build=seat.version, detail=seat.actor.detail
        )
        self._publish(name, beat)
        self._give(name, self._halt_directory())
        self._push(Nanos(self.now + self._unit), name, None)

    def _halt_directory(self) -> HaltDirectory:
        return HaltDirectory(files=tuple(self.halt))


def _copied(message: Message) -> Message:
    """Send it through its bytes, as a process boundary does."""
    return decode(type(message).__name__, encode(message))

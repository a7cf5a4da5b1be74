"""A venue far away: what clients send arrives late, and so does what it answers. Pure.

Rules
  1. Requests and frames take the way to the venue, answers and messages the way to the client (latency.py). One
     connection keeps its order in each direction; HTTP requests of different connections may overtake each other.
  2. The venue judges and logs at arrival: an order is in the first block at or after the time sent plus its delay.
  3. A connection is open at once. A close takes its way like a frame: what was sent before it still arrives.
"""

from collections.abc import Hashable
from random import Random
from typing import Protocol, TypeAlias

import msgspec

from common.delays import Latency
from common.units import Millis
from services.venue_sim.core import Exchange
from services.venue_sim.latency import Line, is_none
from services.venue_sim.streams import Drop, Say
from services.venue_sim.venue import Effect, HttpAnswer, Made


class Door(Protocol):
    """What clients and the clock meet of a venue: Venue, FaultyVenue, or DistantVenue before them."""

    @property
    def exchange(self) -> Exchange: ...

    def clock(self, host: Millis) -> Millis: ...

    def open_log(self) -> None: ...

    def take_log(self) -> bytes: ...

    def request(self, ticket: int, method: str, path: str, body: bytes, now: Millis) -> list[Effect]: ...

    def open(self, connection: int, now: Millis, target: str = "") -> list[Effect]: ...

    def close(self, connection: int, reason: str, now: Millis) -> None: ...

    def text(self, connection: int, text: str, now: Millis) -> list[Effect]: ...

    def step(self, now: Millis) -> Made: ...

    @property
    def holds_back(self) -> bool: ...

    def release(self, now: Millis) -> list[Effect]: ...


class Request(msgspec.Struct, frozen=True):
    ticket: int
    method: str
    path: str
    body: bytes


class Frame(msgspec.Struct, frozen=True):
    connection: int
    text: str


class Close(msgspec.Struct, frozen=True):
    connection: int
    reason: str


Sent: TypeAlias = Request | Frame | Close


class DistantVenue:
    """`venue` behind two lines; `chance` is seeded by the caller."""

    def __init__(self, venue: Door, latency: Latency, chance: Random) -> None:
        self._venue = venue
        self._in: Line[Sent] = Line(latency.to_venue, Random(chance.getrandbits(64)))
        self._out: Line[Effect] = Line(latency.to_client, Random(chance.getrandbits(64)))

    @property
    def exchange(self) -> Exchange:
        return self._venue.exchange

    def clock(self, host: Millis) -> Millis:
        return self._venue.clock(host)

    def open_log(self) -> None:
        self._venue.open_log()

    def take_log(self) -> bytes:
        return self._venue.take_log()

    # --- from clients ---

    def request(self, ticket: int, method: str, path: str, body: bytes, now: Millis) -> list[Effect]:
        self._in.send(Request(ticket, method, path, body), now)
        return self._receive(now)

    def open(self, connection: int, now: Millis, target: str = "") -> list[Effect]:
        return self._send(self._venue.open(connection, now, target), now)

    def close(self, connection: int, reason: str, now: Millis) -> None:
        self._in.send(Close(connection, reason), now, connection)

    def text(self, connection: int, text: str, now: Millis) -> list[Effect]:
        self._in.send(Frame(connection, text), now, connection)
        return self._receive(now)

    # --- time ---

    def step(self, now: Millis) -> Made:
        """Make one block of all that has arrived by now."""
        early = self._receive(now)
        made = self._venue.step(now)
        return msgspec.structs.replace(made, effects=[*early, *self._send(made.effects, now)])

    @property
    def holds_back(self) -> bool:
        return True

    def release(self, now: Millis) -> list[Effect]:
        """Let arrive what is due on both ways."""
        return [*self._receive(now), *self._send(self._venue.release(now), now)]

    def _receive(self, now: Millis) -> list[Effect]:
        """Let the venue have what has arrived; return what has arrived at clients."""
        for sent in self._in.arrived(now):
            match sent:
                case Request():
                    effects = self._venue.request(sent.ticket, sent.method, sent.path, sent.body, now)
                case Frame():
                    effects = self._venue.text(sent.connection, sent.text, now)
                case Close():
                    self._close(sent, now)
                    continue
            self._start(effects, now)
        return self._out.arrived(now)

    def _close(self, close: Close, now: Millis) -> None:
        self._venue.close(close.connection, close.reason, now)
        self._in.forget(lambda key: key == close.connection)
        self._out.forget(lambda key: key == close.connection)

    def _send(self, effects: list[Effect], now: Millis) -> list[Effect]:
        self._start(effects, now)
        return self._out.arrived(now)

    def _start(self, effects: list[Effect], now: Millis) -> None:
        for effect in effects:
            self._out.send(effect, now, _line_of(effect))


def at_distance(venue: Door, latency: Latency, chance: Random) -> Door:
    """Return a venue that is so far away; the venue itself where that is nowhere."""
    if is_none(latency.to_venue) and is_none(latency.to_client):
        return venue
    return DistantVenue(venue, latency, chance)


def _line_of(effect: Effect) -> Hashable | None:
    match effect:
        case Say() | Drop():
            return effect.connection
        case HttpAnswer():
            return None

"""What the venue does not send yet: by time, by a race with news, behind a stalled socket. Pure.

Rules
  1. What has the same time leaves in the order in which it came.
  2. A race ends by its rival's passing or by its time, whichever is first.
  3. A stalled socket keeps both directions in order; one that keeps too much is dropped, as a real one would be.
"""

import heapq
from collections.abc import Collection
from typing import Final, TypeAlias

import msgspec

from common.units import Millis
from services.venue_sim.streams import Drop, Say
from services.venue_sim.venue import Effect, HttpAnswer

WITHHELD_MAX: Final = 50_000  # past it the oldest go out early
STALLED_MAX: Final = 20_000  # messages of one socket: a minute of everything for a hundred coins

Ref: TypeAlias = int | str  # oid or cloid
Sent: TypeAlias = Say | HttpAnswer


class Later:
    """Effects that wait for their time."""

    def __init__(self) -> None:
        self._serial = 0
        self._heap: list[tuple[int, int, Effect]] = []

    def keep(self, effect: Effect, until_ms: int) -> None:
        self._serial += 1
        heapq.heappush(self._heap, (until_ms, self._serial, effect))

    def due(self, now: Millis) -> list[Effect]:
        found = []
        while self._heap and (self._heap[0][0] <= now or len(self._heap) > WITHHELD_MAX):
            found.append(heapq.heappop(self._heap)[2])
        return found


class Runner(msgspec.Struct, frozen=True):
    """One that lets its rival pass: whoever speaks of any of `refs`."""

    refs: frozenset[Ref]
    effect: Effect
    until_ms: int


class Race:
    """Effects that wait for news of their orders."""

    def __init__(self) -> None:
        self._runners: list[Runner] = []

    def __bool__(self) -> bool:
        return bool(self._runners)

    def wait(self, refs: Collection[Ref], effect: Effect, until_ms: int) -> None:
        self._runners.append(Runner(frozenset(refs), effect, until_ms))

    def passed(self, refs: Collection[Ref]) -> list[Effect]:
        """Tell that the rivals of these orders are on their way; return what may follow."""
        return self._leave([each for each in self._runners if not each.refs.isdisjoint(refs)])

    def due(self, now: Millis) -> list[Effect]:
        early = max(0, len(self._runners) - WITHHELD_MAX)
        return self._leave([each for at, each in enumerate(self._runners) if at < early or each.until_ms <= now])

    def _leave(self, going: list[Runner]) -> list[Effect]:
        if going:
            self._runners = [each for each in self._runners if each not in going]
        return [each.effect for each in going]


class Stalls:
    """Sockets on which nothing passes."""

    def __init__(self) -> None:
        self._out: dict[int, list[Effect]] = {}
        self._in: dict[int, list[str]] = {}

    @property
    def connections(self) -> list[int]:
        return list(self._out)

    def is_stalled(self, connection: int) -> bool:
        return connection in self._out

    def begin(self, connection: int) -> None:
        self._out.setdefault(connection, [])
        self._in.setdefault(connection, [])

    def keep(self, connection: int, item: Say | str) -> list[Effect]:
        """Keep a message to the client, or a frame from it."""
        if isinstance(item, str):
            self._in[connection].append(item)
        else:
            self._out[connection].append(item)
        if len(self._in[connection]) + len(self._out[connection]) <= STALLED_MAX:
            return []
        self.end(connection)
        return [Drop(connection, "does not read")]

    def end(self, connection: int) -> tuple[list[Effect], list[str]]:
        """Return what was kept: messages to the client, frames from it."""
        return self._out.pop(connection, []), self._in.pop(connection, [])

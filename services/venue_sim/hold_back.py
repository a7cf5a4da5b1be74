"""Makes public data old: messages wait for a time drawn from a range, as if from far away. Pure.

Rules
  1. The time inside a message stays true; only its delivery is late.
  2. Messages of one subscription on one connection keep their order; different ones may overtake each other.
  3. What belongs to one account, and every answer, is never held back.
"""

import heapq
from random import Random
from typing import Final

from common.units import Millis
from services.venue_sim.subscriptions import Subscription

HELD_MAX: Final = 50_000  # a second of everything for a hundred clients; past it the oldest go out early


class HoldBack:
    """`ages_ms`: shortest and longest wait; `random` is seeded by the caller."""

    def __init__(self, ages_ms: tuple[int, int], random: Random) -> None:
        self._ages_ms = ages_ms
        self._random = random
        self._serial = 0
        # (release ms, serial, connection, text, subscription)
        self._held: list[tuple[int, int, int, bytes, Subscription]] = []
        self._last: dict[tuple[int, Subscription], int] = {}  # (connection, subscription) -> its last release

    @property
    def is_idle(self) -> bool:
        """Say whether nothing is ever held back."""
        return self._ages_ms[1] <= 0

    def hold(self, connection: int, subscription: Subscription, text: bytes, now: Millis) -> None:
        key = (connection, subscription)
        release = max(now + self._random.randint(*self._ages_ms), self._last.get(key, 0))
        self._last[key] = release
        self._serial += 1
        heapq.heappush(self._held, (release, self._serial, connection, text, subscription))

    def release(self, now: Millis) -> list[tuple[int, bytes, Subscription]]:
        """Return (connection, text, subscription) of all that is due, in the order of their release."""
        found = []
        while self._held and (self._held[0][0] <= now or len(self._held) > HELD_MAX):
            _, _, connection, text, subscription = heapq.heappop(self._held)
            found.append((connection, text, subscription))
        return found

    def forget(self, connection: int) -> None:
        """Drop what waits for a connection that has gone."""
        self._last = {key: release for key, release in self._last.items() if key[0] != connection}
        self._held = [item for item in self._held if item[2] != connection]
        heapq.heapify(self._held)

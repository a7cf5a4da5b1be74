"""Time on the way: how long things take, and in which order they arrive. Pure.

Rules
  1. A delay is drawn for each thing from its model: constant, uniform, lognormal, or one of a recorded list.
  2. Things of one key arrive in the order in which they were sent, as on one TCP connection; others may overtake them.
  3. What is inside a message stays true; only its arrival is late.
"""

import heapq
from collections.abc import Callable, Hashable
from math import ceil, exp, log
from random import Random
from typing import Final, Generic, TypeAlias, TypeVar

from common.delays import DELAY_MS_MAX, ConstantDelay, Delay, LognormalDelay, RecordedDelay, UniformDelay

UNDER_WAY_MAX: Final = 50_000  # a second of everything for a hundred clients; past it the oldest arrive early

T = TypeVar("T")
Draw: TypeAlias = Callable[[], int]


def sampler(delay: Delay, random: Random) -> Draw:
    """Return what draws a delay in ms; fractions are rounded up."""
    match delay:
        case ConstantDelay(ms=ms):
            return lambda: ms
        case UniformDelay(least_ms=least, most_ms=most):
            return lambda: random.randint(least, most)
        case LognormalDelay(median_ms=median, sigma=sigma):
            return lambda: min(DELAY_MS_MAX, ceil(exp(random.gauss(log(median), sigma))))
        case RecordedDelay(ms=recorded):
            return lambda: random.choice(recorded)


def is_none(delay: Delay) -> bool:
    """Say whether nothing is ever late."""
    return delay in (ConstantDelay(), UniformDelay(least_ms=0, most_ms=0))


class Line(Generic[T]):
    """Things under way in one direction."""

    def __init__(self, delay: Delay, random: Random) -> None:
        self.is_idle = is_none(delay)
        self._draw = sampler(delay, random)
        self._serial = 0
        self._heap: list[tuple[int, int, Hashable, T]] = []  # (arrival ms, serial, key, thing)
        self._last: dict[Hashable, int] = {}  # key -> its last arrival

    def send(self, thing: T, now: int, key: Hashable | None = None) -> None:
        """Send on a thing; without a key it keeps no order."""
        arrival = now + self._draw()
        if key is not None:
            arrival = self._last[key] = max(arrival, self._last.get(key, 0))
        self._serial += 1
        heapq.heappush(self._heap, (arrival, self._serial, key, thing))

    def arrived(self, now: int) -> list[T]:
        """Return what has arrived, in the order of arrival."""
        found = []
        while self._heap and (self._heap[0][0] <= now or len(self._heap) > UNDER_WAY_MAX):
            found.append(heapq.heappop(self._heap)[3])
        return found

    def forget(self, concerned: Callable[[Hashable], bool]) -> None:
        """Drop what is under way with such a key."""
        self._last = {key: arrival for key, arrival in self._last.items() if not concerned(key)}
        self._heap = [item for item in self._heap if not concerned(item[2])]
        heapq.heapify(self._heap)

"""What happened lately: sums and extremes over a sliding span of time.

Rules
  1. An entry counts from its time on for `span`, that moment excluded; older ones are forgotten at the next look.
  2. Every window is bounded in number too: past its bound the oldest entries go first.
"""

from collections import deque
from typing import Final

from common.units import Nanos

ENTRIES_MAX: Final = 10_000  # of one window: above what a minute at the venue's own ceiling of messages can bring


class Window:
    """Sum and count of whole numbers."""

    def __init__(self, span: Nanos) -> None:
        self._span = span
        self._entries: deque[tuple[Nanos, int]] = deque()
        self._sum = 0

    def add(self, now: Nanos, value: int = 1) -> None:
        self._entries.append((now, value))
        self._sum += value
        if len(self._entries) > ENTRIES_MAX:
            self._sum -= self._entries.popleft()[1]

    def sum(self, now: Nanos) -> int:
        self._forget(now)
        return self._sum

    def count(self, now: Nanos) -> int:
        self._forget(now)
        return len(self._entries)

    @property
    def ends_at(self) -> Nanos | None:
        """Say when time alone changes it next."""
        return Nanos(self._entries[0][0] + self._span) if self._entries else None

    def _forget(self, now: Nanos) -> None:
        while self._entries and now - self._entries[0][0] >= self._span:
            self._sum -= self._entries.popleft()[1]


class Extremes:
    """Lowest and highest of a number; each end keeps only entries that may still become it."""

    def __init__(self, span: Nanos) -> None:
        self._span = span
        self._lows: deque[tuple[Nanos, float]] = deque(maxlen=ENTRIES_MAX)
        self._highs: deque[tuple[Nanos, float]] = deque(maxlen=ENTRIES_MAX)

    def add(self, now: Nanos, value: float) -> None:
        while self._lows and self._lows[-1][1] >= value:
            self._lows.pop()
        while self._highs and self._highs[-1][1] <= value:
            self._highs.pop()
        self._lows.append((now, value))
        self._highs.append((now, value))

    def range(self, now: Nanos) -> tuple[float, float] | None:
        """Return the lowest and the highest; None when nothing was seen within the span."""
        for ends in (self._lows, self._highs):
            while ends and now - ends[0][0] >= self._span:
                ends.popleft()
        return (self._lows[0][1], self._highs[0][1]) if self._lows else None

    @property
    def ends_at(self) -> Nanos | None:
        """Say when time alone changes it next."""
        return Nanos(min(self._lows[0][0], self._highs[0][0]) + self._span) if self._lows else None

    def clear(self) -> None:
        self._lows.clear()
        self._highs.clear()

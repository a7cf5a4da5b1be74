"""What the venue lets one address do a minute, and how patiently a lost connection is made anew.

Rules
  1. In no 60 seconds is more spent than the limit; a cost that does not fit is refused and spends nothing.
  2. What is only known afterwards is charged afterwards, even beyond the limit: later costs wait for it.
  3. The first connection is tried at once. The wait before another doubles from 0.1 s to 5 s, with chance in it so
     that peers do not come in step, and longer where the venue's number of new connections a minute is used up. The
     first data makes the next loss a new story.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from common.units import MILLISECOND, SECOND, Nanos

MINUTE: Final = Nanos(60 * SECOND)
CONNECTIONS_PER_MIN_MAX: Final = 30  # new ones of one IP address; more and the venue refuses all of them
WAIT_MIN: Final = Nanos(100 * MILLISECOND)
DOUBLINGS_MAX: Final = 10  # far past WAIT_MAX
WAIT_MAX: Final = Nanos(5 * SECOND)


class MinuteBudget:
    """A sliding minute; `limit` is what may be spent in it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._spent: deque[tuple[Nanos, int]] = deque()  # as many entries as costs of at least 1 fit the limit
        self._sum = 0

    def take(self, cost: int, now: Nanos) -> bool:
        """Spend `cost` if it fits, else say so (rule 1)."""
        if cost > self.spare(now):
            return False
        self.charge(cost, now)
        return True

    def charge(self, cost: int, now: Nanos) -> None:
        """Spend what has been used already (rule 2)."""
        if cost > 0:
            self._spent.append((now, cost))
            self._sum += cost

    def spare(self, now: Nanos) -> int:
        """Return what may be spent now; negative after a charge beyond the limit."""
        while self._spent and self._spent[0][0] <= now - MINUTE:
            self._sum -= self._spent.popleft()[1]
        return self._limit - self._sum

    def freed_at(self) -> Nanos:
        """Say when the oldest spending leaves the minute; 0 when nothing was spent."""
        return Nanos(self._spent[0][0] + MINUTE) if self._spent else Nanos(0)


class ReconnectPace:
    """When the next connection may be tried; `chance` draws evenly from 0 to 1."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._connections = MinuteBudget(CONNECTIONS_PER_MIN_MAX)
        self._tries = 0

    def wait(self, now: Nanos) -> Nanos:
        """Return how long to wait before the next try, which is counted as made then."""
        bound = min(WAIT_MAX, WAIT_MIN << min(self._tries, DOUBLINGS_MAX)) if self._tries else 0
        due = Nanos(now + int(bound * (0.5 + self._chance() / 2)))
        self._tries += 1
        if self._connections.spare(due) < 1:
            due = max(due, self._connections.freed_at())
        self._connections.charge(1, due)
        return Nanos(due - now)

    def succeeded(self) -> None:
        """Start again from the shortest wait: data arrived."""
        self._tries = 1

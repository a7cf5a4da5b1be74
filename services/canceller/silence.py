"""Who has fallen silent: heartbeats of risk and order_management, judged on this process's own clock.

Rules
  1. A service is silent when nothing was heard of it for the limit; the limit starts anew when this process starts.
  2. After this process itself stood still, every limit starts anew: its own absence is not theirs.
  3. A service that announced its stop is silent without blame: what follows is swept, but does not count as a firing.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from common.messages import Heartbeat
from common.units import SECOND, Nanos

FIRING_WINDOW: Final = Nanos(600 * SECOND)


@dataclass(slots=True)
class Silence:
    """The last word of each watched service."""

    watched: tuple[str, ...]
    limit: Nanos
    started_at: Nanos
    heard: dict[str, Nanos] = field(default_factory=dict)
    announced: dict[str, bool] = field(default_factory=dict)

    def hear(self, beat: Heartbeat, now: Nanos) -> None:
        if beat.service in self.watched:
            self.heard[beat.service] = now
            self.announced[beat.service] = beat.stopping

    def forgive(self, now: Nanos) -> None:
        """Rule 2."""
        self.heard = dict.fromkeys(self.watched, now)

    def silent(self, now: Nanos) -> tuple[str, ...]:
        return tuple(name for name in self.watched if now - self.heard.get(name, self.started_at) >= self.limit)

    def blameless(self, names: tuple[str, ...]) -> bool:
        """Say whether each of these had announced its stop."""
        return all(self.announced.get(name, False) for name in names)


@dataclass(slots=True)
class Firings:
    """Counts the firings that count; `limit` of them within the window are too many."""

    limit: int
    total: int = 0
    recent: deque[Nanos] = field(default_factory=deque[Nanos])

    def add(self, now: Nanos) -> bool:
        """Count one; True when it is one too many, and the count begins anew."""
        self.total += 1
        self.recent.append(now)
        while self.recent[0] <= now - FIRING_WINDOW:
            self.recent.popleft()
        if len(self.recent) < self.limit:
            return False
        self.recent.clear()
        return True

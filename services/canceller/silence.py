"""Who has fallen silent: heartbeats of risk and order_management, judged on this process's own clock.

Rules
  1. A service is silent when nothing was heard of it for the limit; the limit starts anew when this process starts.
  2. A service that announced its stop is silent without blame: what follows is swept, but does not count as a firing.
"""

from dataclasses import dataclass, field

from common.messages import Heartbeat
from common.units import Nanos


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

    def silent(self, now: Nanos) -> tuple[str, ...]:
        return tuple(name for name in self.watched if now - self.heard.get(name, self.started_at) >= self.limit)

    def blameless(self, names: tuple[str, ...]) -> bool:
        """Say whether each of these had announced its stop."""
        return all(self.announced.get(name, False) for name in names)

    def deadline(self, now: Nanos) -> Nanos | None:
        """Return when the next one falls silent; None when all have."""
        due = [Nanos(self.heard.get(name, self.started_at) + self.limit) for name in self.watched]
        return min((at for at in due if at > now), default=None)

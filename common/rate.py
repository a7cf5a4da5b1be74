"""How often something may happen: a token bucket that is told the time.

Rules
  1. `burst` may happen at once; after that `per_second`.
  2. Time that runs backwards gives nothing and takes nothing.
"""

from dataclasses import dataclass, field

from common.units import SECOND, Nanos


@dataclass(slots=True)
class TokenBucket:
    """Counts in whole nano-tokens (1e-9 of one happening), so equal times give equal verdicts on every machine."""

    per_second: float
    burst: float
    _level: int = field(init=False)
    _rate: int = field(init=False)
    _as_of: Nanos = Nanos(0)

    def __post_init__(self) -> None:
        self._level = self._full
        self._rate = round(self.per_second * SECOND)

    @property
    def _full(self) -> int:
        return round(self.burst * SECOND)

    def take(self, count: float, now: Nanos) -> bool:
        """Take so many when they are there; take nothing otherwise."""
        if not self.has(count, now):
            return False
        self._level -= round(count * SECOND)
        return True

    def has(self, count: float, now: Nanos) -> bool:
        """Say whether so many could be taken."""
        self._refill(now)
        return self._level >= round(count * SECOND)

    def _refill(self, now: Nanos) -> None:
        elapsed = now - self._as_of
        if elapsed > 0:
            self._level = min(self._full, self._level + elapsed * self._rate // SECOND)
            self._as_of = now

"""Sweep guard: a side that was filled many times within seconds goes, and comes back slowly.

Rules
  1. The `fills`-th fill of a side within WINDOW takes the side away at once, for PULL.
  2. From then on its sizes grow from nothing to full over `recovery`; another sweep begins anew.
  3. A fill counts once, by tid.
"""

from collections import deque
from typing import Final

from common.messages import Fill
from common.units import SECOND, Nanos, Side

WINDOW: Final = Nanos(2 * SECOND)
PULL: Final = Nanos(10 * SECOND)  # a cascade's first leg


class SweepGuard:
    """One coin's."""

    def __init__(self, fills: int, recovery: Nanos) -> None:
        self._recovery = recovery
        self._fills: dict[Side, deque[tuple[Nanos, int]]] = {side: deque(maxlen=fills) for side in Side}
        self._swept_at: dict[Side, Nanos] = {}

    def hear(self, fill: Fill, now: Nanos) -> None:
        seen = self._fills[fill.side]
        if any(tid == fill.tid for _, tid in seen):
            return
        seen.append((now, fill.tid))
        if len(seen) == seen.maxlen and now - seen[0][0] < WINDOW:
            self._swept_at[fill.side] = now

    def pulls(self, side: Side, now: Nanos) -> bool:
        swept_at = self._swept_at.get(side)
        return swept_at is not None and now - swept_at < PULL

    def size_factor(self, side: Side, now: Nanos) -> float:
        """Rule 2; 1 where nothing happened."""
        swept_at = self._swept_at.get(side)
        if swept_at is None:
            return 1.0
        return max(0.0, min(1.0, (now - swept_at - PULL) / self._recovery))

"""Momentum guard: a price that runs takes the quotes in its way, so these are pulled before that.

Rules
  1. The mid is compared with what it was 0.5 s and 1 s ago. A move beyond `threshold` times sigma x sqrt(window) pulls
     the side that would be run over: asks when it rises, bids when it falls.
  2. A pull lasts HOLD_MS after the last such move, by venue time.
  3. sigma is the one before the move, floored where the caller floors it: the move itself must not excuse itself.
  4. A move over a silence longer than GAP_MS_MAX is none: what was 1 s ago is not known.
  5. Late, NaN, and not positive input changes nothing and is counted. O(1) per price: at most one kept per STEP_MS.
"""

from collections import deque
from math import isfinite, sqrt
from typing import Final

from common.units import Millis

WINDOWS_MS: Final = (500, 1_000)
STEP_MS: Final = 20  # prices kept are at least so far apart: a block of the venue lasts 70 ms
HOLD_MS: Final = 1_000
GAP_MS_MAX: Final = 3_000
KEPT_MAX: Final = WINDOWS_MS[-1] // STEP_MS + 2


class MomentumGuard:
    """One coin's."""

    def __init__(self, *, threshold: float) -> None:
        self._threshold = threshold
        self._kept: deque[tuple[Millis, float]] = deque(maxlen=KEPT_MAX)
        self._last_ms: Millis | None = None
        self._rose_ms: Millis | None = None  # last move beyond the threshold, by direction
        self._fell_ms: Millis | None = None
        self.refused = 0

    def add(self, mid: float, sigma_per_sqrt_s: float, at_ms: Millis) -> None:
        """Take one mid, any unit, and sigma as a fraction."""
        sound = isfinite(mid) and isfinite(sigma_per_sqrt_s) and mid > 0 and sigma_per_sqrt_s > 0
        if not sound or (self._last_ms is not None and at_ms < self._last_ms):
            self.refused += 1
            return
        if self._last_ms is not None and at_ms - self._last_ms > GAP_MS_MAX:
            self._kept.clear()
        self._last_ms = at_ms
        for window_ms in WINDOWS_MS:
            before = self._before(at_ms - window_ms)
            if before is None:
                continue
            move = (mid / before - 1) / (sigma_per_sqrt_s * sqrt(window_ms / 1_000))
            if move >= self._threshold:
                self._rose_ms = at_ms
            elif move <= -self._threshold:
                self._fell_ms = at_ms
        if not self._kept or at_ms - self._kept[-1][0] >= STEP_MS:
            self._kept.append((at_ms, mid))

    def restart(self) -> None:
        """Compare nothing across this moment, after which stamps may be lower."""
        self._kept.clear()
        self._last_ms = self._rose_ms = self._fell_ms = None

    @property
    def pulls_asks(self) -> bool:
        return self._holds(self._rose_ms)

    @property
    def pulls_bids(self) -> bool:
        return self._holds(self._fell_ms)

    def _holds(self, since_ms: Millis | None) -> bool:
        return since_ms is not None and self._last_ms is not None and self._last_ms - since_ms < HOLD_MS

    def _before(self, at_ms: int) -> float | None:
        """Return the mid as it was at `at_ms`: the last one not later; the oldest kept when none is."""
        for kept_ms, mid in reversed(self._kept):
            if kept_ms <= at_ms:
                return mid
        return self._kept[0][1] if self._kept else None

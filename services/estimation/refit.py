"""When the cascade detector's processes are fitted anew: once a minute, in slices.

Rules
  1. A fit begins FIT_EVERY after the last one began, and works SLICE_EVENTS at a time: less than 1 ms.
  2. Slices are SLICE_EVERY apart, so that whatever arrives meanwhile is handled first.
"""

from typing import Final

from common.units import MILLISECOND, SECOND, Nanos
from services.estimation.cascade import CascadeDetector
from services.estimation.hawkes_fit import HawkesFit

FIT_EVERY: Final = Nanos(60 * SECOND)
SLICE_EVERY: Final = Nanos(20 * MILLISECOND)
SLICE_EVENTS: Final = 500  # half a microsecond each


class Refit:
    """Of one coin's detector."""

    def __init__(self, detector: CascadeDetector) -> None:
        self._detector = detector
        self._fits: tuple[HawkesFit, ...] = ()
        self._begin_at = Nanos(0)
        self.due: Nanos | None = None  # the next slice

    def begin(self, now: Nanos) -> None:
        """Start where it is time to; cheap when it is not."""
        if self.due is not None or now < self._begin_at:
            return
        self._begin_at = Nanos(now + FIT_EVERY)
        self._fits = self._detector.fits()
        if any(not fit.done for fit in self._fits):
            self.due = Nanos(now + SLICE_EVERY)

    def work(self, now: Nanos) -> None:
        """Do one slice where one is due."""
        if self.due is None or now < self.due:
            return
        running = [fit for fit in self._fits if not fit.done]
        if running:
            running[0].advance(SLICE_EVENTS)
            self.due = Nanos(now + SLICE_EVERY)
            return
        self._detector.adopt(self._fits)
        self._fits = ()
        self.due = None

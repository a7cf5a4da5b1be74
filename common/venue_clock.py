"""What time it is at the venue, by its own stamps; the local wall clock plays no part.

Every stamp was true when it was made, so stamp minus arrival is a lower bound of the difference between venue
time and our monotonic clock, too low by the way it travelled. The best of many bounds is the estimate.

Rules
  1. The estimate is the highest lower bound of two windows of 30 s; older ones are forgotten, so that clocks may drift.
     Stamps with a resolution of 1 ms make it; it is never ahead of the venue by more than the clocks' drift.
  2. HTTP dates (whole seconds) bound the estimate and never refine it: they replace stamps that are absent, or that
     contradict them by more than 2 s.
  3. Uncertainty is the resolution of the evidence in use, plus drift since the newest of it, plus any contradiction.
  4. Without evidence for two windows the time is unknown: None.
"""

from dataclasses import dataclass, field
from typing import Final

from common.messages.venue import VenueTime
from common.units import MILLISECOND, SECOND, Millis, Nanos

WINDOW: Final = Nanos(30 * SECOND)
DATE_RESOLUTION_MS: Final = 1_000
DATE_SLACK_MS: Final = 2_000  # a web server's date may lag its second, and need not agree with the chain to the ms
NEVER: Final = Nanos(1 << 63)  # some centuries
DRIFT_PER_S_MS: Final = 1  # far more than quartz does; in favour of fresh evidence


@dataclass(slots=True)
class _HighestBound:
    """The highest of the values added during this window and the one before."""

    _opened: Nanos | None = None
    _newest: Nanos = Nanos(0)
    _current: int | None = None
    _previous: int | None = None
    _best: int | None = None  # of both

    def add(self, bound: int, now: Nanos) -> None:
        self._turn(now)
        if self._opened is None:
            self._opened = now
        self._newest = now
        self._current = bound if self._current is None else max(self._current, bound)
        self._best = self._current if self._previous is None else max(self._current, self._previous)

    def value(self, now: Nanos) -> int | None:
        self._turn(now)
        return self._best

    @property
    def holds_until(self) -> Nanos:
        """Return when the value may change without another being added."""
        return NEVER if self._opened is None else Nanos(self._opened + WINDOW)

    def drift_ms(self, now: Nanos) -> int:
        """Return how far the clocks may have drifted apart since the newest value."""
        return (now - self._newest) // SECOND * DRIFT_PER_S_MS

    def _turn(self, now: Nanos) -> None:
        """Start the next window when this one is over; after a longer silence forget both."""
        while self._opened is not None and now - self._opened >= WINDOW:
            self._best = self._previous = self._current
            self._current = None
            self._opened = Nanos(self._opened + WINDOW) if self._previous is not None else None


@dataclass(slots=True)
class VenueClock:
    """Ask it only with times at or after the last observation's."""

    _stamps: _HighestBound = field(default_factory=_HighestBound)
    _dates: _HighestBound = field(default_factory=_HighestBound)
    _offset: int | None = None  # venue time minus ours, ns, as it was worked out last
    _holds_until: Nanos | None = None  # every message asks for the time, and few change the answer

    def observe(self, found: VenueTime, now: Nanos) -> None:
        """Take a stamp that arrived at `now`."""
        evidence = self._stamps if found.resolution_ms < DATE_RESOLUTION_MS else self._dates
        evidence.add(found.venue_ms * MILLISECOND - now, now)
        self._holds_until = None

    def venue_now(self, now: Nanos) -> Millis | None:
        """Return venue time, most likely a little too low; None when unknown."""
        if self._holds_until is None or now >= self._holds_until:
            self._work_out(now)
        return None if self._offset is None else Millis((now + self._offset) // MILLISECOND)

    def uncertainty_ms(self, now: Nanos) -> int | None:
        """Return how far off `venue_now` may be by all evidence; None when it is unknown (rules 3 and 4)."""
        stamp, date = self._stamps.value(now), self._dates.value(now)
        if stamp is None:
            return None if date is None else DATE_RESOLUTION_MS + self._dates.drift_ms(now)
        if date is None or not _contradict(stamp, date):
            return 1 + self._stamps.drift_ms(now)
        return DATE_RESOLUTION_MS + self._dates.drift_ms(now) + abs(stamp - date) // MILLISECOND

    def reached_at(self, venue_ms: Millis, now: Nanos) -> Nanos | None:
        """Return when it will be so late at the venue, by the estimate of now."""
        known = self.venue_now(now)
        return None if known is None or self._offset is None else Nanos(venue_ms * MILLISECOND - self._offset)

    def changes_at(self, now: Nanos) -> Nanos | None:
        """Return when the estimate may change without more evidence."""
        self.venue_now(now)
        return self._holds_until

    def _work_out(self, now: Nanos) -> None:
        stamp, date = self._stamps.value(now), self._dates.value(now)
        contradicted = stamp is not None and date is not None and _contradict(stamp, date)
        self._offset = date if stamp is None or contradicted else stamp
        self._holds_until = min(self._stamps.holds_until, self._dates.holds_until)


def _contradict(stamp: int, date: int) -> bool:
    slack = DATE_SLACK_MS * MILLISECOND
    return not date - slack <= stamp <= date + DATE_RESOLUTION_MS * MILLISECOND + slack

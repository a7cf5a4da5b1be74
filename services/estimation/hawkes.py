"""A self-exciting process in constant time: each event raises the chance of the next, and fades.

intensity(t) = mu + alpha * sum of mark_j exp(-beta (t - t_j)), 1/s. The sum obeys S <- S exp(-beta dt) + mark, so an
event costs one exp() for it and one for the slow means, whatever came before (Hawkes 1971; Ogata 1981).

Rules
  1. A mark is the event's size over the mean size before it, frozen at the event, at most MARK_MAX.
  2. The branching ratio alpha E[mark] / beta, the events that one event begets, is refused above 0.95.
  3. mu = event rate x (1 - branching ratio): the average rate alone would count the begotten ones twice.
  4. Questions change nothing: any times not before the last event, repeated or in any order, give equal values.
  5. An older event, and one whose size or time is not positive and finite, changes nothing and is counted.
  6. alpha and beta come from a fit made elsewhere (hawkes_fit.py) over the last EVENTS_KEPT events at most.
"""

from collections import deque
from itertools import islice
from math import exp, expm1, inf, isfinite
from typing import Final

import msgspec

from services.estimation.forgetting import Forgetting, Rate
from services.estimation.hawkes_fit import HawkesFit, Mark

BRANCHING_MAX: Final = 0.95  # beyond it the process all but explodes, and its means say nothing
MARK_MAX: Final = 4.0  # one huge event is one event: it must not look like a cascade by itself
EVENTS_KEPT: Final = 5_000  # for the fit: more would only blur what is true now
MU_MIN: Final = 1e-6  # per s: a stream that fell silent keeps a baseline to divide by
PRIOR_S: Final = 60.0  # unless said otherwise


class Intensity(msgspec.Struct, frozen=True, kw_only=True):
    """The process at one moment."""

    per_s: float  # expected events per second, right then
    baseline_per_s: float  # mu: those that no other event begot
    ratio: float  # per_s / baseline_per_s
    branching: float  # events that one event begets
    effective_samples: float


class IncrementalHawkes:
    """One stream of events; times in seconds on any clock that does not run backwards."""

    def __init__(
        self,
        *,
        mu: float,
        alpha: float,
        beta: float,
        half_life_s: float = inf,
        mu_min: float = MU_MIN,
        prior_s: float = PRIOR_S,
    ) -> None:
        """Start from these, 1/s, as good as `prior_s` of watching.

        mu then follows the event rate by this half-life, and stays where it is when that is infinite.
        """
        _check(mu, alpha, beta)
        self.alpha, self.beta = alpha, beta
        self._mean_mark = 1.0  # sizes over their mean
        self._mu = mu if half_life_s == inf else None
        self._mu_min = mu_min
        self._rate = Rate(half_life_s, prior=mu / (1 - alpha / beta), prior_s=prior_s)
        self._size = Forgetting(half_life_s)
        self._excitement = 0.0  # sum of faded marks, at the last event
        self.last_s: float | None = None
        self._events: deque[Mark] = deque(maxlen=EVENTS_KEPT)
        self.recorded = 0
        self.refused = 0

    # --- what happens ------------------------------------------------------------------------------

    def record_event(self, at_s: float, size: float = 1.0) -> bool:
        """Take one event; say whether it was taken (rule 5)."""
        if not (isfinite(at_s) and isfinite(size) and size > 0) or (self.last_s is not None and at_s < self.last_s):
            self.refused += 1
            return False
        dt_s = 0.0 if self.last_s is None else at_s - self.last_s
        mean = self._size.mean
        mark = min(size / mean, MARK_MAX) if mean > 0 else 1.0
        if dt_s > 0:
            self._excitement *= exp(-self.beta * dt_s)
            self._size.fade(dt_s)
            self._rate.watch(dt_s)
        self._excitement += mark
        self._size.add(size)
        self._rate.add()
        self.last_s = at_s
        self._events.append((at_s, mark))
        self.recorded += 1
        return True

    def restart(self) -> None:
        """Times may go back from here; what was learnt stays, the time between is not counted."""
        self.last_s = None
        self._events.clear()

    def fit(self) -> HawkesFit:
        """Begin a fit over the events kept; its slices are the caller's to run, and the result is for `adopt`."""
        return HawkesFit(self._events, alpha=self.alpha, beta=self.beta, recorded=self.recorded)

    def adopt(self, fit: HawkesFit) -> bool:
        """Take a finished fit's alpha and beta; refuse a branching ratio that explodes (rule 2)."""
        if not fit.found or fit.alpha * fit.mean_mark / fit.beta > BRANCHING_MAX:
            return False
        self.alpha, self.beta, self._mean_mark = fit.alpha, fit.beta, fit.mean_mark
        excitement, at_s = fit.excitement, fit.last_s
        newer = min(self.recorded - fit.recorded, len(self._events))
        for event_s, mark in islice(self._events, len(self._events) - newer, None):
            excitement = excitement * exp(-self.beta * (event_s - at_s)) + mark
            at_s = event_s
        self._excitement = excitement
        return True

    # --- what is asked -----------------------------------------------------------------------------

    @property
    def effective_samples(self) -> float:
        return self._rate.effective_samples

    @property
    def branching(self) -> float:
        """Return alpha E[mark] / beta."""
        return self.alpha * self._mean_mark / self.beta

    def mu(self, at_s: float) -> float:
        """Return the baseline intensity, 1/s (rule 3)."""
        if self._mu is not None:
            return self._mu
        return max(self._mu_min, self._rate.per_s(self._dt(at_s)) * (1 - self.branching))

    def excitement(self, at_s: float) -> float:
        """Return the sum of faded marks."""
        return self._excitement * exp(-self.beta * self._dt(at_s))

    def intensity(self, at_s: float) -> float:
        """Return expected events per second at `at_s`, which must not lie before the last event."""
        return self.mu(at_s) + self.alpha * self.excitement(at_s)

    def intensity_ratio(self, at_s: float) -> float:
        """Return the intensity over its baseline: 1 when nothing excites it."""
        return self.intensity(at_s) / self.mu(at_s)

    def expected_count(self, at_s: float, horizon_s: float) -> float:
        """Return the expected number of events in the next `horizon_s`, those begotten meanwhile included."""
        mu, excess = self.mu(at_s), self.alpha * self.excitement(at_s)
        freed = self.beta * (1 - self.branching)  # how fast the mean intensity settles
        settled = mu * self.beta / freed
        return settled * horizon_s + (mu + excess - settled) * -expm1(-freed * horizon_s) / freed

    def intensity_snapshot(self, at_s: float) -> Intensity:
        mu, per_s = self.mu(at_s), self.intensity(at_s)
        return Intensity(
            per_s=per_s,
            baseline_per_s=mu,
            ratio=per_s / mu,
            branching=self.branching,
            effective_samples=self.effective_samples,
        )

    def _dt(self, at_s: float) -> float:
        return 0.0 if self.last_s is None else max(0.0, at_s - self.last_s)


def _check(mu: float, alpha: float, beta: float) -> None:
    if not all(isfinite(value) and value > 0 for value in (mu, alpha, beta)):
        raise ValueError(f"mu {mu}, alpha {alpha} and beta {beta} must be positive and finite")
    if alpha / beta > BRANCHING_MAX:
        raise ValueError(
            f"a branching ratio of {alpha / beta:.3g} explodes; alpha / beta must be {BRANCHING_MAX} at most"
        )

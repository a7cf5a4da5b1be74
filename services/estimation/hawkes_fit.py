"""Maximum likelihood of a Hawkes process's alpha and beta, in slices that quoting can afford.

log L = sum log(intensity at each event) - integral of the intensity; with the recursion of hawkes.py it and its
gradient cost one pass over the events (Ozaki 1979). mu is tied to the event rate, mu = N / T (1 - branching).

Rules
  1. `advance(events)` works on so many events and returns; nothing else takes time.
  2. Each pass scores one point (log alpha, log beta); the step is Newton's with the outer product of the gradients for
     the curvature (Berndt, Hall, Hall and Hausman 1974), bounded, and halved where the likelihood fell.
  3. Points with a branching ratio above BRANCHING_FIT_MAX or beta outside its bounds are not looked at.
  4. It ends when a step moves nothing, or after PASSES_MAX; too few events find nothing.
"""

from collections.abc import Iterable
from math import exp, hypot, isfinite, log
from typing import Final, TypeAlias

Mark: TypeAlias = tuple[float, float]  # when, in seconds; how large, in mean sizes

EVENTS_MIN: Final = 200  # of fewer, alpha and beta scatter by half their value
PASSES_MAX: Final = 60
BRANCHING_FIT_MAX: Final = 0.94
BETA_MIN: Final = 1e-3  # per s: a quarter of an hour of memory is a trend, not a burst
BETA_MAX: Final = 1e3  # a millisecond is the resolution of the stamps
STEP_MAX: Final = 0.7  # of a logarithm: a factor of two
STEP_MIN: Final = 1e-4


class HawkesFit:
    """One estimation over a copy of the last events; done when `done`, good when `found`."""

    def __init__(self, events: Iterable[Mark], *, alpha: float, beta: float, recorded: int = 0) -> None:
        """Start from alpha and beta; `recorded` counts the events of the stream until now, for whoever adopts this."""
        self._events = tuple(events)
        self.recorded = recorded
        self.mean_mark = sum(mark for _, mark in self._events) / max(1, len(self._events))
        self.last_s = self._events[-1][0] if self._events else 0.0
        span_s = self.last_s - self._events[0][0] if self._events else 0.0
        self._event_rate = len(self._events) / span_s if span_s > 0 else 0.0
        self.alpha, self.beta = alpha, beta  # the best point so far
        self.excitement = 0.0  # sum of faded marks at the last event, under the best point
        self.found = False
        self._next = 0  # event of the running pass
        self.done = len(self._events) < EVENTS_MIN or not span_s > 0
        self._best = float("-inf")
        self._step = (0.0, 0.0)  # from the best point to the one being scored
        self._passes = 0
        self._point = (alpha, beta)
        self._keep_inside()
        self._begin()

    @property
    def branching(self) -> float:
        return self.alpha * self.mean_mark / self.beta

    def advance(self, events: int) -> None:
        """Rule 1."""
        if self.done:
            return
        end = min(self._next + events, len(self._events))
        self._score(self._next, end)
        self._next = end
        if end == len(self._events):
            self._finish_pass()

    # --- one pass ----------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._next = 0
        self._logs = self._slope_alpha = self._slope_beta = 0.0
        self._aa = self._ab = self._bb = 0.0
        self._sum = self._sum_beta = 0.0  # faded marks and their derivative by beta, at the last event
        self._last_s = self._events[0][0] if self._events else 0.0

    def _score(self, start: int, end: int) -> None:
        """Add the events of this slice: log-intensities, their gradient, and its outer products."""
        alpha, beta = self._point
        rate, mean = self._event_rate, self.mean_mark
        mu = rate * (1 - alpha * mean / beta)
        mu_alpha, mu_beta = -rate * mean / beta, rate * alpha * mean / (beta * beta)
        faded, faded_beta, last_s = self._sum, self._sum_beta, self._last_s
        for at_s, mark in self._events[start:end]:
            dt_s = at_s - last_s
            kept = exp(-beta * dt_s)
            faded_beta = kept * (faded_beta - dt_s * faded)
            faded *= kept
            per_s = mu + alpha * faded
            by_alpha = (mu_alpha + faded) * alpha / per_s
            by_beta = (mu_beta + alpha * faded_beta) * beta / per_s
            self._logs += log(per_s)
            self._slope_alpha += by_alpha
            self._slope_beta += by_beta
            self._aa += by_alpha * by_alpha
            self._ab += by_alpha * by_beta
            self._bb += by_beta * by_beta
            faded += mark
            last_s = at_s
        self._sum, self._sum_beta, self._last_s = faded, faded_beta, last_s

    def _finish_pass(self) -> None:
        """Keep the point if it is better, and choose the next one (rule 2)."""
        alpha, beta = self._point
        # The integral of the intensity: with mu tied to the rate, N less what the last events have yet to beget.
        likelihood = self._logs - len(self._events) + alpha / beta * self._sum
        self._passes += 1
        if isfinite(likelihood) and likelihood > self._best:
            gained = likelihood - self._best
            self._best = likelihood
            self.alpha, self.beta, self.excitement = alpha, beta, self._sum
            self.found = True
            owed = alpha / beta
            gradient = (
                self._slope_alpha + owed * self._sum,
                self._slope_beta + owed * (beta * self._sum_beta - self._sum),
            )
            self._step = self._newton(gradient)
            if gained < STEP_MIN and self._passes > 1:
                self.done = True
        else:
            self._step = (self._step[0] / 2, self._step[1] / 2)
        self.done |= hypot(*self._step) < STEP_MIN or self._passes >= PASSES_MAX
        if not self.done:
            self._point = (self.alpha * exp(self._step[0]), self.beta * exp(self._step[1]))
            self._keep_inside()
            self._begin()

    def _newton(self, gradient: tuple[float, float]) -> tuple[float, float]:
        ridge = 1e-9 * (self._aa + self._bb) + 1e-12
        aa, bb, ab = self._aa + ridge, self._bb + ridge, self._ab
        determinant = aa * bb - ab * ab
        step = (
            (bb * gradient[0] - ab * gradient[1]) / determinant,
            (aa * gradient[1] - ab * gradient[0]) / determinant,
        )
        length = hypot(*step)
        return step if length <= STEP_MAX else (step[0] * STEP_MAX / length, step[1] * STEP_MAX / length)

    def _keep_inside(self) -> None:
        """Rule 3."""
        alpha, beta = self._point
        beta = min(max(beta, BETA_MIN), BETA_MAX)
        if alpha * self.mean_mark > BRANCHING_FIT_MAX * beta:
            alpha = BRANCHING_FIT_MAX * beta / self.mean_mark
        self._point = (alpha, beta)

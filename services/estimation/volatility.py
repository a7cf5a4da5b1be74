"""Volatility from a 1 s grid, with and without jumps, forgetting by half-lives of clock time.

Realised variance takes jumps in, bipower variation does not: a jump is multiplied with an ordinary neighbour
(Barndorff-Nielsen and Shephard, Power and bipower variation with stochastic volatility and jumps, 2004).
Every number here is a fraction per sqrt(second), or its square per second. O(1) time and memory per price.
"""

from math import exp, log, pi, sqrt
from typing import Final

import msgspec

from common.units import Millis

GRID_S: Final = 1.0  # shorter intervals measure the bounce between bid and ask, not the price
PRICE_MIN: Final = 1e-100  # the ratio of two prices within these is neither 0 nor infinite
PRICE_MAX: Final = 1e100  # same
GAP_STEPS_MAX: Final = 3  # a return over a longer silence says nothing of the seconds within
PRIOR_SAMPLES: Final = 10.0  # the configured prior weighs as much as ten seconds of market
# sd of sqrt(bipower) is 0.81 / sqrt(samples) of its value: half the root of its asymptotic variance 2.61 sigma^4.
RELATIVE_NOISE: Final = 0.81
NOISES_MAX: Final = 2.0  # a burst counts once the fast estimate exceeds the slow one by so many of its own sd


class Volatilities(msgspec.Struct, frozen=True, kw_only=True):
    """What is believed now; fractions per sqrt(second)."""

    clean: float  # jumps removed
    total: float  # jumps included
    jump_ratio: float  # realised over bipower variance; about 1 without jumps
    effective_samples: float  # (sum w)^2 / sum w^2 of the slow estimate
    confidence: float  # 0..1, the share of the market in it, the rest being the prior's
    warm: bool


class Forgetting:
    """A mean with exponential forgetting by clock time."""

    def __init__(self, half_life_s: float) -> None:
        self._rate = log(2) / half_life_s
        self._sum = 0.0
        self._weight = 0.0
        self._squares = 0.0

    def fade(self, dt_s: float) -> None:
        kept = exp(-self._rate * dt_s)
        self._sum *= kept
        self._weight *= kept
        self._squares *= kept * kept

    def add(self, value: float) -> None:
        self._sum += value
        self._weight += 1.0
        self._squares += 1.0

    @property
    def mean(self) -> float:
        return self._sum / self._weight if self._weight > 0 else 0.0

    @property
    def effective_samples(self) -> float:
        """Return (sum w)^2 / sum w^2, and less while nothing is added.

        Silence leaves that ratio as it is, but not twice the sum of weights, which equals it in the steady state.
        """
        if self._squares <= 0:
            return 0.0
        return min(self._weight * self._weight / self._squares, 2 * self._weight)


class Variances:
    """Realised and bipower variance per second under one half-life."""

    def __init__(self, half_life_s: float) -> None:
        self.realised = Forgetting(half_life_s)
        self.bipower = Forgetting(half_life_s)

    def fade(self, dt_s: float) -> None:
        self.realised.fade(dt_s)
        self.bipower.fade(dt_s)

    def add(self, scaled: float, previous: float | None) -> None:
        """Take |r| / sqrt(dt) of this return, and of the one right before it."""
        self.realised.add(scaled * scaled)
        if previous is not None:
            self.bipower.add(pi / 2 * scaled * previous)

    @property
    def burst_floor(self) -> tuple[float, float]:
        """Return what both variances are at least, allowing for their own noise."""
        samples = self.bipower.effective_samples
        share = max(0.0, 1 - NOISES_MAX * RELATIVE_NOISE / sqrt(samples)) ** 2 if samples > 0 else 0.0
        return self.realised.mean * share, self.bipower.mean * share


class Volatility:
    """One coin's volatility from prices and their venue times."""

    def __init__(self, *, half_life_s: float, fast_half_life_s: float, prior: float, warm_up_ms: int) -> None:
        self._slow = Variances(half_life_s)
        self._fast = Variances(fast_half_life_s)
        self._half_life_s = half_life_s
        self._prior = prior * prior
        self._warm_up_s = warm_up_ms / 1_000
        self._sampled_s = 0.0
        self._price: float | None = None  # of the last sample; None when the next one starts anew
        self._at_ms: Millis | None = None
        self._previous: float | None = None  # |r| / sqrt(dt) of the last return
        self.refused = 0

    def add(self, price: float, at_ms: Millis) -> None:
        """Take one price, any unit; at most one a grid step becomes a sample. Nonsense and late ones are counted."""
        if not PRICE_MIN <= price <= PRICE_MAX or (self._price is not None and at_ms < (self._at_ms or 0)):
            self.refused += 1
            return
        dt_s = GRID_S if self._at_ms is None else (at_ms - self._at_ms) / 1_000
        if self._price is not None and dt_s < GRID_S:
            return
        self._fade(max(0.0, dt_s))
        if self._price is None or dt_s > GAP_STEPS_MAX * GRID_S:
            self._previous = None
        else:
            self._sample(abs(log(price / self._price)) / sqrt(dt_s), dt_s)
        self._price, self._at_ms = price, at_ms

    def restart(self) -> None:
        """Join no return across this moment: what came before may be wrong. What was learnt stays."""
        self._price = None
        self._previous = None

    def volatilities(self) -> Volatilities:
        realised, bipower = self._slow.realised.mean, self._slow.bipower.mean
        fast_realised, fast_bipower = self._fast.burst_floor
        samples = self._slow.bipower.effective_samples
        confidence = samples / (samples + PRIOR_SAMPLES)
        return Volatilities(
            clean=sqrt(self._with_prior(max(bipower, fast_bipower), confidence)),
            total=sqrt(self._with_prior(max(realised, fast_realised), confidence)),
            jump_ratio=realised / bipower if bipower > 0 else 1.0,
            effective_samples=samples,
            confidence=confidence,
            warm=self._sampled_s >= self._warm_up_s,
        )

    def _with_prior(self, variance: float, confidence: float) -> float:
        return confidence * variance + (1 - confidence) * self._prior

    def _sample(self, scaled: float, dt_s: float) -> None:
        self._slow.add(scaled, self._previous)
        self._fast.add(scaled, self._previous)
        self._previous = scaled
        self._sampled_s += dt_s

    def _fade(self, dt_s: float) -> None:
        self._slow.fade(dt_s)
        self._fast.fade(dt_s)
        if dt_s > self._half_life_s:  # most of what was learnt is forgotten: earn it again
            self._sampled_s = 0.0

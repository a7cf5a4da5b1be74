"""Volatility on a 1 s grid at three half-lives, with and without jumps, and the regime that it makes.

Realised variance takes jumps in; bipower variation does not, a jump is multiplied with an ordinary neighbour
(Barndorff-Nielsen and Shephard 2004); the median of three neighbours stands even frequent jumps (Andersen, Dobrev and
Schaumburg 2012). Every number is a fraction per sqrt(second), or its square per second. O(1) per price.

Rules
  1. At most one price a grid step becomes a sample. A return over more than three steps is dropped, and no product
     or median joins what lies before and after it.
  2. What is believed is the middle half-life, mixed with the configured prior by effective samples; a burst counts at
     once, when the fast half-life exceeds the middle one beyond its own noise.
  3. Warm after `warm_up_ms` of samples; a silence longer than the middle half-life has it earned again.
  4. The regime is left only a tenth beyond the bound where it was entered: noise at a bound flips nothing.
  5. NaN, infinities, zero, negative and late prices change nothing and are counted.
"""

from math import exp, log, pi, sqrt
from typing import Final

import msgspec

from common.messages import Regime
from common.units import Millis
from services.estimation.forgetting import decay, effective

GRID_S: Final = 1.0  # shorter intervals measure the bounce between bid and ask, not the price
PRICE_MIN: Final = 1e-100  # the ratio of two prices within these is neither 0 nor infinite
PRICE_MAX: Final = 1e100  # same
GAP_STEPS_MAX: Final = 3  # a return over a longer silence says nothing of the seconds within
PRIOR_SAMPLES: Final = 10.0  # the configured prior weighs as much as ten seconds of market
# sd of sqrt(bipower) is 0.81 / sqrt(samples) of its value: half the root of its asymptotic variance 2.61 sigma^4.
RELATIVE_NOISE: Final = 0.81
NOISES_MAX: Final = 2.0  # a burst counts once the fast estimate exceeds the middle one by so many of its own sd
BIPOWER: Final = pi / 2  # E|z| squared, inverted
MEDIAN: Final = pi / (6 - 4 * sqrt(3) + pi)  # E[median of three |z|, squared], inverted
# Regimes: sigma now over the slow one, and realised over bipower variance, from which each is entered.
REGIMES: Final = (Regime.CALM, Regime.NORMAL, Regime.VOLATILE, Regime.EXTREME)
# Quiet recordings lie within 0.7 and 1.6. A burst moves the slow one as well, so the ratio never exceeds about 3.2.
SIGMA_RATIOS: Final = (0.7, 1.5, 2.2)
# No lack of jumps makes a market calm. Quiet seconds without a trade lower bipower variation most: on quiet recordings
# the ratio has a median of 2 and a 95th percentile of 5.
JUMP_RATIOS: Final = (0.0, 7.0, 14.0)
HYSTERESIS: Final = 1.1


class Volatilities(msgspec.Struct, frozen=True, kw_only=True):
    """What is believed now; fractions per sqrt(second)."""

    clean: float  # jumps removed
    total: float  # jumps included
    median: float  # frequent jumps removed too
    fast: float  # clean, fast half-life alone
    slow: float  # clean, slow half-life alone
    jump_ratio: float  # realised over bipower variance; about 1 without jumps
    regime: Regime
    effective_samples: float  # of the middle half-life
    confidence: float  # 0..1, the share of the market in it, the rest being the prior's
    warm: bool


class Variances:
    """Realised, bipower and median variance per second under one half-life."""

    __slots__ = ("_bipower", "_median", "_pairs", "_rate", "_realised", "_samples", "_squares", "_triples")

    def __init__(self, half_life_s: float) -> None:
        self._rate = decay(half_life_s)
        self._realised = self._bipower = self._median = 0.0
        self._samples = self._pairs = self._triples = 0.0  # weights
        self._squares = 0.0  # of the pairs' weights

    def fade(self, dt_s: float) -> None:
        kept = exp(-self._rate * dt_s)
        self._realised *= kept
        self._samples *= kept
        self._bipower *= kept
        self._pairs *= kept
        self._median *= kept
        self._triples *= kept
        self._squares *= kept * kept

    def add(self, scaled: float, last: float | None, before: float | None) -> None:
        """Take |r| / sqrt(dt) of this return, and of the two right before it."""
        self._realised += scaled * scaled
        self._samples += 1.0
        if last is None:
            return
        self._bipower += scaled * last
        self._pairs += 1.0
        self._squares += 1.0
        if before is None:
            return
        low, high = (scaled, last) if scaled < last else (last, scaled)
        middle = low if before < low else min(before, high)
        self._median += middle * middle
        self._triples += 1.0

    @property
    def realised(self) -> float:
        return self._realised / self._samples if self._samples > 0 else 0.0

    @property
    def bipower(self) -> float:
        return BIPOWER * self._bipower / self._pairs if self._pairs > 0 else 0.0

    @property
    def median(self) -> float:
        return MEDIAN * self._median / self._triples if self._triples > 0 else self.bipower

    @property
    def effective_samples(self) -> float:
        return effective(self._pairs, self._squares)

    @property
    def certain_share(self) -> float:
        """Return the share of these variances that their own noise leaves sure."""
        samples = self.effective_samples
        return max(0.0, 1 - NOISES_MAX * RELATIVE_NOISE / sqrt(samples)) ** 2 if samples > 0 else 0.0


class Volatility:
    """One coin's volatility from prices and their venue times."""

    def __init__(
        self, *, half_life_s: float, fast_half_life_s: float, slow_half_life_s: float, prior: float, warm_up_ms: int
    ) -> None:
        self._middle = Variances(half_life_s)
        self._fast = Variances(fast_half_life_s)
        self._slow = Variances(slow_half_life_s)
        self._half_life_s = half_life_s
        self._prior = prior * prior
        self._warm_up_s = warm_up_ms / 1_000
        self._sampled_s = 0.0
        self._price: float | None = None  # of the last sample; None when the next one starts anew
        self._at_ms: Millis | None = None
        self._last: float | None = None  # |r| / sqrt(dt) of the last return
        self._before: float | None = None  # and of the one before it
        self._regime = Regime.NORMAL
        self._beliefs: Volatilities | None = None  # made once a sample
        self.refused = 0

    def add(self, price: float, at_ms: Millis) -> tuple[float, float] | None:
        """Take one price, any unit; return the log return and its seconds where it became a sample of the grid."""
        if not PRICE_MIN <= price <= PRICE_MAX or (self._price is not None and at_ms < (self._at_ms or 0)):
            self.refused += 1
            return None
        dt_s = GRID_S if self._at_ms is None else (at_ms - self._at_ms) / 1_000
        if self._price is not None and dt_s < GRID_S:
            return None
        self._fade(max(0.0, dt_s))
        sample = None
        if self._price is None or dt_s > GAP_STEPS_MAX * GRID_S:
            self._last = self._before = None
        else:
            change = log(price / self._price)
            self._sample(abs(change) / sqrt(dt_s), dt_s)
            sample = (change, dt_s)
        self._price, self._at_ms = price, at_ms
        return sample

    def restart(self) -> None:
        """Join no return across this moment: what came before may be wrong. What was learnt stays."""
        self._price = self._last = self._before = None

    def volatilities(self) -> Volatilities:
        if self._beliefs is None:
            self._beliefs = self._believe()
        return self._beliefs

    def _believe(self) -> Volatilities:
        middle, fast, slow = self._middle, self._fast, self._slow
        share = fast.certain_share
        samples = middle.effective_samples
        bipower = middle.bipower
        return Volatilities(
            clean=self._believed(max(bipower, fast.bipower * share), samples),
            total=self._believed(max(middle.realised, fast.realised * share), samples),
            median=self._believed(middle.median, samples),
            fast=self._believed(fast.bipower, fast.effective_samples),
            slow=self._believed(slow.bipower, slow.effective_samples),
            jump_ratio=middle.realised / bipower if bipower > 0 else 1.0,
            regime=self._regime,
            effective_samples=samples,
            confidence=samples / (samples + PRIOR_SAMPLES),
            warm=self._sampled_s >= self._warm_up_s,
        )

    def _believed(self, variance: float, samples: float) -> float:
        confidence = samples / (samples + PRIOR_SAMPLES)
        return sqrt(confidence * variance + (1 - confidence) * self._prior)

    def _sample(self, scaled: float, dt_s: float) -> None:
        for variances in (self._middle, self._fast, self._slow):
            variances.add(scaled, self._last, self._before)
        self._before, self._last = self._last, scaled
        self._sampled_s += dt_s
        self._regime = self._next_regime()

    def _next_regime(self) -> Regime:
        slow, bipower = self._slow.bipower, self._middle.bipower
        if slow <= 0 or bipower <= 0 or self._sampled_s < self._warm_up_s:
            return self._regime
        now = max(bipower, self._fast.bipower * self._fast.certain_share)
        return regime(self._regime, sqrt(now / slow), self._middle.realised / bipower)

    def _fade(self, dt_s: float) -> None:
        self._beliefs = None
        for variances in (self._middle, self._fast, self._slow):
            variances.fade(dt_s)
        if dt_s > self._half_life_s:  # most of what was learnt is forgotten: earn it again
            self._sampled_s = 0.0


def regime(last: Regime, sigma_ratio: float, jump_ratio: float) -> Regime:
    """Rule 4: bounds above the last regime are a tenth higher, those below it a tenth lower."""
    rank = REGIMES.index(last)
    reached = 0
    for number, (sigma, jump) in enumerate(zip(SIGMA_RATIOS, JUMP_RATIOS, strict=True)):
        slack = HYSTERESIS if number >= rank else 1 / HYSTERESIS
        if sigma_ratio >= sigma * slack or (jump > 0 and jump_ratio >= jump * slack):
            reached = number + 1
    return REGIMES[reached]

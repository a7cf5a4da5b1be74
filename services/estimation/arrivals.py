"""Arrivals: how often a market order of one side reaches a depth, lambda(depth) = A exp(-k depth).

A market order reaches at least the touch, and most go no deeper, so depth is not exponential from zero: it is shifted
to the depth where we quote and censored where we do not look. Depths are bps of the mid, k per bp, A per second.

Rules
  1. An order enters from d0 = max(`from_bps`, half the mean spread) on; one that goes to `to_bps` or deeper counts as
     one that has not ended there.
  2. k = (a0 + n) / (b0 + n x mean), mean being what entrants went beyond d0 per entrant that ended, n the effective
     number of those: Gamma(a0 + n, b0 + n x mean), with a 95 % interval.
  3. A = (entrants per second watched) x exp(k d0).
  4. Time is watched while the market is seen; a gap longer than GAP_S_MAX is not.
  5. Warm when WARM_SAMPLES effective orders have ended; confidence is their share against the prior's.
  6. NaN, infinities and negative depths or times change nothing and are counted. O(1) per order.
"""

from math import exp, isfinite
from typing import Final

from common.messages import ArrivalSide
from services.estimation.forgetting import Forgetting, Rate, gamma_interval

PRIOR_SAMPLES: Final = 4.0  # a0: the prior k is as good as four orders
PRIOR_S: Final = 30.0  # and the prior rate as half a minute
GAP_S_MAX: Final = 5.0  # the book is re-sent twice a second: a longer silence is a gap in what we see
WARM_SAMPLES: Final = 20.0  # k is within a quarter of its value then


class Arrivals:
    """The market orders of one taker side of one coin."""

    def __init__(
        self, *, from_bps: float, to_bps: float, half_life_s: float, k_prior_per_bps: float, a_prior_per_s: float
    ) -> None:
        self._from_bps = from_bps
        self._to_bps = to_bps
        self._k_prior = k_prior_per_bps
        self._beyond = Forgetting(half_life_s)  # of each entrant: bps beyond d0, at most to `to_bps`
        self._ended = Forgetting(half_life_s)  # one for each entrant that went no deeper than `to_bps`
        self._half_spread = Forgetting(half_life_s)  # bps, over the time watched
        self._rate = Rate(half_life_s, prior=a_prior_per_s * exp(-k_prior_per_bps * from_bps), prior_s=PRIOR_S)
        self.refused = 0

    def watch(self, dt_s: float, half_spread_bps: float) -> None:
        """Let `dt_s` pass with this market on view."""
        if not (isfinite(dt_s) and isfinite(half_spread_bps) and dt_s >= 0 and half_spread_bps >= 0):
            self.refused += 1
            return
        for mean in (self._beyond, self._ended, self._half_spread):
            mean.fade(dt_s)
        if dt_s <= GAP_S_MAX:
            self._rate.watch(dt_s)
            self._half_spread.add(half_spread_bps, dt_s)

    def add(self, depth_bps: float) -> None:
        """Take the deepest price that one market order reached, from the mid before it."""
        if not (isfinite(depth_bps) and depth_bps >= 0):
            self.refused += 1
            return
        entry = self._entry_bps
        if not entry <= depth_bps or entry >= self._to_bps:
            return
        self._rate.add()
        self._beyond.add(min(depth_bps, self._to_bps) - entry)
        if depth_bps < self._to_bps:
            self._ended.add(1.0)

    # --- what is believed ----------------------------------------------------------------------------

    @property
    def k_per_bps(self) -> float:
        shape, rate = self._posterior()
        return shape / rate

    @property
    def a_per_s(self) -> float:
        return self._rate.per_s() * exp(self.k_per_bps * self._entry_bps)

    def rate_per_s(self, depth_bps: float) -> float:
        """Return how often orders reach this depth."""
        return self.a_per_s * exp(-self.k_per_bps * depth_bps)

    def belief(self) -> ArrivalSide:
        low, high = gamma_interval(*self._posterior())
        samples = self._ended.effective_samples
        return ArrivalSide(
            a_per_s=self.a_per_s,
            k_per_bps=self.k_per_bps,
            k_low_per_bps=low,
            k_high_per_bps=high,
            effective_samples=samples,
            confidence=samples / (samples + PRIOR_SAMPLES),
            warm=samples >= WARM_SAMPLES,
        )

    @property
    def _entry_bps(self) -> float:
        return max(self._from_bps, self._half_spread.mean)

    def _posterior(self) -> tuple[float, float]:
        """Return shape and rate of the Gamma distribution of k (rule 2)."""
        ended, samples = self._ended.weight, self._ended.effective_samples
        per_entrant = samples / ended if ended > 0 else 1.0
        return PRIOR_SAMPLES + samples, PRIOR_SAMPLES / self._k_prior + self._beyond.total * per_entrant

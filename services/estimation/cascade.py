"""Liquidation cascades: forced selling that begets forced selling, seen by its traces.

The venue publishes no liquidations, so each side has a Hawkes process of bursts: market orders that swept several
levels at once, weighing by their notional. What makes a cascade of them is that they come from one side, far above
their baseline, while open interest falls and the mark leaves the oracle: forced closing does both, eager opening
neither. Our own liquidations come flagged in fills, and are certain.

Rules
  1. ratio = intensity of the stronger side over its baseline, which is at least BASELINE_MIN; one burst is no cascade.
  2. severity, 0..1 = log(ratio) / log(RATIO_FULL) x one-sidedness x (0.6 + 0.4 x corroboration). Corroboration, 0..1,
     is the largest of the fall of open interest, the divergence of the mark to the same side, and own liquidations.
  3. should_pull from `pull_at` on, released below half of it; it names the side that would be run over.
  4. size_factor = 1 - severity: sizes shrink long before quotes are pulled.
  5. Without bursts it fades by the process's own memory. Nonsense changes nothing and is counted. O(1) per event.
"""

from math import exp, isfinite, log
from typing import Final

import msgspec

from common.messages import AssetContext
from common.units import MICROS_PER_USD, Micros, Side
from services.estimation.forgetting import decay
from services.estimation.hawkes import IncrementalHawkes
from services.estimation.hawkes_fit import HawkesFit

LEVELS_MIN: Final = 5  # distinct prices that a burst sweeps: nine in ten market orders take the touch alone
BASELINE_MIN: Final = 0.1  # per s: a burst every 10 s is an ordinary market
# Where the process starts until a fit knows better: half of a burst's children come within seconds.
ALPHA: Final = 0.2
BETA: Final = 0.5
HALF_LIFE_S: Final = 1_800.0  # of the baseline: a cascade of minutes must not become the new normal
PRIOR_S: Final = 1_800.0  # nor may one of the first minutes: the baseline starts as if watched for so long
RATIO_FULL: Final = 40.0  # four bursts a second where one in 10 s is usual
UNCORROBORATED: Final = 0.6  # of the severity stands on bursts alone
INTEREST_HALF_LIFE_S: Final = 60.0  # open interest is compared with what it was about a minute ago
INTEREST_FALL_FULL: Final = 0.01  # a hundredth of all positions closed within that: in cascades it is several
DIVERGENCE_FULL_BPS: Final = 20.0  # of the mark from the oracle; a basis of 5 is ordinary
CERTAIN_HALF_LIFE_S: Final = 10.0  # an own liquidation corroborates for so long
RELEASE_SHARE: Final = 0.5  # of `pull_at`


class Cascade(msgspec.Struct, frozen=True, kw_only=True):
    """What is believed now."""

    side: Side  # the takers': SELL runs over bids
    ratio: float
    severity: float
    size_factor: float
    should_pull: bool
    effective_samples: float  # bursts of that side


class CascadeDetector:
    """One coin's; times in seconds of venue time for bursts, and never backwards."""

    def __init__(self, *, pull_at: float) -> None:
        self._pull_at = pull_at
        self._sides = {
            side: IncrementalHawkes(
                mu=BASELINE_MIN, alpha=ALPHA, beta=BETA, half_life_s=HALF_LIFE_S, mu_min=BASELINE_MIN, prior_s=PRIOR_S
            )
            for side in Side
        }
        self._interest: float | None = None  # faded mean of the open interest, coin
        self._interest_at_s = 0.0
        self._fall = 0.0  # share of the open interest that closed
        self._divergence_bps = 0.0  # mark over oracle
        self._certain_at_s: float | None = None
        self._pulling = False
        self.refused = 0

    # --- input -------------------------------------------------------------------------------------

    def burst(self, side: Side, notional: Micros, at_s: float) -> None:
        """Take one market order that swept LEVELS_MIN levels or more."""
        if not self._sides[side].record_event(at_s, notional / MICROS_PER_USD):
            self.refused += 1

    def liquidation(self, side: Side, notional: Micros, at_s: float) -> None:
        """Take a liquidation that is certain: one of our own."""
        if self._sides[side].record_event(at_s, notional / MICROS_PER_USD):
            self._certain_at_s = at_s
        else:
            self.refused += 1

    def context(self, context: AssetContext, at_s: float) -> None:
        """Take open interest, mark and oracle; what is absent says nothing."""
        if context.mark > 0 and context.oracle > 0:
            self._divergence_bps = (context.mark / context.oracle - 1) * 10_000
        else:
            self.refused += 1
        interest = context.open_interest
        if interest is None:
            return
        if not (isfinite(interest) and interest > 0) or at_s < self._interest_at_s:
            self.refused += 1
            return
        if self._interest is None:
            self._interest = interest
        share = 1 - exp(-decay(INTEREST_HALF_LIFE_S) * (at_s - self._interest_at_s))
        self._interest += share * (interest - self._interest)
        self._interest_at_s = at_s
        self._fall = max(0.0, 1 - interest / self._interest)

    def restart(self) -> None:
        """Times may go back from here."""
        for process in self._sides.values():
            process.restart()
        self._interest_at_s = 0.0
        self._certain_at_s = None

    # --- what is believed --------------------------------------------------------------------------

    def belief(self, at_s: float) -> Cascade:
        """Return the state at `at_s`; the pull's memory is the only thing that this moves."""
        excess = {side: self._excess(side, at_s) for side in Side}
        side = max(Side, key=lambda one: excess[one])
        ratio = self._sides[side].intensity_ratio(self._not_before(side, at_s))
        severity = self._severity(side, ratio, excess, at_s)
        self._pulling = severity >= (self._pull_at * RELEASE_SHARE if self._pulling else self._pull_at)
        return Cascade(
            side=side,
            ratio=ratio,
            severity=severity,
            size_factor=1 - severity,
            should_pull=self._pulling,
            effective_samples=self._sides[side].effective_samples,
        )

    def fits(self) -> tuple[HawkesFit, ...]:
        """Begin one fit a side."""
        return tuple(self._sides[side].fit() for side in Side)

    def adopt(self, fits: tuple[HawkesFit, ...]) -> None:
        for side, fit in zip(Side, fits, strict=True):
            self._sides[side].adopt(fit)

    def _severity(self, side: Side, ratio: float, excess: dict[Side, float], at_s: float) -> float:
        both = sum(excess.values())
        if both <= 0:
            return 0.0
        one_sided = 2 * excess[side] / both - 1
        evidence = UNCORROBORATED + (1 - UNCORROBORATED) * self._corroboration(side, at_s)
        return min(1.0, log(max(1.0, ratio)) / log(RATIO_FULL)) * one_sided * evidence

    def _corroboration(self, side: Side, at_s: float) -> float:
        certain = 0.0
        if self._certain_at_s is not None:
            certain = exp(-decay(CERTAIN_HALF_LIFE_S) * max(0.0, at_s - self._certain_at_s))
        fall = self._fall / INTEREST_FALL_FULL
        divergence = side.sign * self._divergence_bps / DIVERGENCE_FULL_BPS
        return min(1.0, max(certain, fall, divergence))

    def _excess(self, side: Side, at_s: float) -> float:
        """Return the intensity above the baseline, 1/s."""
        process = self._sides[side]
        return process.alpha * process.excitement(self._not_before(side, at_s))

    def _not_before(self, side: Side, at_s: float) -> float:
        last_s = self._sides[side].last_s
        return at_s if last_s is None else max(at_s, last_s)

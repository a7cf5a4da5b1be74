"""Liquidation cascades: forced selling that begets forced selling, seen by its traces.

The venue publishes no liquidations, so two signs lead. Sweeps: each side has a Hawkes process of bursts, market orders
that swept several levels at once, weighing by their notional. The run: how far the price has left its best of the last
seconds. Forced closing besides takes open interest with it and pulls the mark from the oracle: eager opening does
neither. Our own liquidations come flagged in fills, and are certain.

Rules
  1. ratio = intensity of a side over its baseline, which is at least BASELINE_MIN; one burst is no cascade.
     sweeps, 0..1 = log(ratio) / log(RATIO_FULL) x one-sidedness.
  2. run, 0..1 = the move within RUN_S against its full size, which grows with the slow volatility: a market that is
     always wild is not run over by it.
  3. severity, 0..1 = the larger of both, each x (0.6 + 0.4 x corroboration). That is the largest of the divergence of
     the mark to the same side and own liquidations; of a run also of sweeps and the fall of open interest, which says
     something from INTEREST_MIN_USD on: what is closed in a price that stands still was not forced.
  4. should_pull from `pull_at` on, until HOLD_S after severity was last half of it; it names the side that would be
     run over. The other side takes over once it trips itself.
  5. size_factor = 1 - severity: sizes shrink long before quotes are pulled.
  6. It fades by the processes' own memory and RUN_S. Nonsense changes nothing and is counted. O(1) per event.
"""

from math import exp, isfinite, log, sqrt
from typing import Final

import msgspec

from common.messages import AssetContext
from common.price_units import BPS
from common.units import MICROS_PER_USD, Micros, Side
from services.estimation.forgetting import decay
from services.estimation.hawkes import IncrementalHawkes
from services.estimation.hawkes_fit import HawkesFit
from services.estimation.recent import Recent

LEVELS_MIN: Final = 5  # distinct prices that a burst sweeps: nine in ten market orders take the touch alone
BASELINE_MIN: Final = 0.1  # per s: a burst every 10 s is an ordinary market
# Where the process starts until a fit knows better: half of a burst's children come within seconds.
ALPHA: Final = 0.2
BETA: Final = 0.5
HALF_LIFE_S: Final = 1_800.0  # of the baseline: a cascade of minutes must not become the new normal
PRIOR_S: Final = 1_800.0  # nor may one of the first minutes: the baseline starts as if watched for so long
RATIO_FULL: Final = 40.0  # four bursts a second where one in 10 s is usual
UNCORROBORATED: Final = 0.6  # of the severity stands on one sign alone
RUN_S: Final = 10.0  # a price is compared with its best of so long
RUN_FULL_BPS: Final = 80.0  # at least
RUN_FULL_SIGMAS: Final = 12.0  # slow sigma over RUN_S: what a wild market does is no run
INTEREST_S: Final = 60.0  # open interest is compared with its highest of so long
INTEREST_MIN_USD: Final = 1_000_000.0  # less of it moves with single traders, and says nothing
INTEREST_FALL_FULL: Final = 0.01  # a hundredth of all positions closed within that: in cascades it is several
DIVERGENCE_FULL_BPS: Final = 20.0  # of the mark from the oracle; a basis of 5 is ordinary
CERTAIN_HALF_LIFE_S: Final = 10.0  # an own liquidation corroborates for so long
RELEASE_SHARE: Final = 0.5  # of `pull_at`
HOLD_S: Final = 10.0  # a pull outlives its reason by so long: the next leg comes within seconds


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

    def __init__(self, *, pull_at: float, usd_per_tick: float) -> None:
        self._pull_at = pull_at
        self._usd_per_tick = usd_per_tick  # of one coin
        self._sides = {
            side: IncrementalHawkes(
                mu=BASELINE_MIN, alpha=ALPHA, beta=BETA, half_life_s=HALF_LIFE_S, mu_min=BASELINE_MIN, prior_s=PRIOR_S
            )
            for side in Side
        }
        self._mids = Recent(RUN_S)
        self._mid = 0.0
        self._run_full = RUN_FULL_BPS
        self._interests = Recent(INTEREST_S)
        self._interest: float | None = None  # the last, coin
        self._interest_at_s = 0.0
        self._divergence_bps = 0.0  # mark over oracle
        self._certain_at_s: float | None = None
        self._pulled: Side | None = None
        self._reason_at_s = 0.0  # when there was a reason to pull, last
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

    def price(self, mid: float, sigma_per_sqrt_s: float, at_s: float) -> None:
        """Take one mid, any unit, and the slow sigma before it."""
        if not (isfinite(mid) and isfinite(sigma_per_sqrt_s) and mid > 0 and sigma_per_sqrt_s >= 0):
            self.refused += 1
            return
        self._mids.add(mid, at_s)
        self._mid = mid
        self._run_full = max(RUN_FULL_BPS, RUN_FULL_SIGMAS * sigma_per_sqrt_s * sqrt(RUN_S) * BPS)

    def context(self, context: AssetContext, at_s: float) -> None:
        """Take open interest, mark and oracle; what is absent says nothing."""
        if context.mark > 0 and context.oracle > 0:
            self._divergence_bps = (context.mark / context.oracle - 1) * BPS
        else:
            self.refused += 1
        interest = context.open_interest
        if interest is None:
            return
        if not (isfinite(interest) and interest > 0) or at_s < self._interest_at_s:
            self.refused += 1
            return
        self._interest, self._interest_at_s = interest, at_s
        if interest * context.mark * self._usd_per_tick >= INTEREST_MIN_USD:
            self._interests.add(interest, at_s)

    def restart(self) -> None:
        """Times may go back from here."""
        for process in self._sides.values():
            process.restart()
        self._mids.clear()
        self._interests.clear()
        self._interest_at_s = self._reason_at_s = 0.0
        self._certain_at_s = self._pulled = None

    # --- what is believed --------------------------------------------------------------------------

    def belief(self, at_s: float) -> Cascade:
        """Return the state at `at_s`; the pull's memory is the only thing that this moves."""
        excess = {side: self._excess(side, at_s) for side in Side}
        severities = {side: self._severity(side, excess, at_s) for side in Side}
        side = max(Side, key=lambda one: (severities[one], excess[one]))
        self._remember(side, severities[side], at_s)
        side = self._pulled or side
        return Cascade(
            side=side,
            ratio=self._ratio(side, at_s),
            severity=severities[side],
            size_factor=1 - severities[side],
            should_pull=self._pulled is not None,
            effective_samples=self._sides[side].effective_samples,
        )

    def fits(self) -> tuple[HawkesFit, ...]:
        """Begin one fit a side."""
        return tuple(self._sides[side].fit() for side in Side)

    def adopt(self, fits: tuple[HawkesFit, ...]) -> None:
        for side, fit in zip(Side, fits, strict=True):
            self._sides[side].adopt(fit)

    def _remember(self, worst: Side, severity: float, at_s: float) -> None:
        """Rule 4."""
        if severity >= self._pull_at * (RELEASE_SHARE if worst is self._pulled else 1):
            self._pulled, self._reason_at_s = worst, at_s
        elif self._pulled is not None and at_s - self._reason_at_s >= HOLD_S:
            self._pulled = None

    def _severity(self, side: Side, excess: dict[Side, float], at_s: float) -> float:
        """Rule 3."""
        sweeps, run, others = self._sweeps(side, excess, at_s), self._run(side, at_s), self._others(side, at_s)
        closing = self._fall(at_s) / INTEREST_FALL_FULL
        return max(_with(sweeps, others), _with(run, max(sweeps, others, closing)))

    def _ratio(self, side: Side, at_s: float) -> float:
        return self._sides[side].intensity_ratio(self._not_before(side, at_s))

    def _sweeps(self, side: Side, excess: dict[Side, float], at_s: float) -> float:
        both = sum(excess.values())
        if both <= 0:
            return 0.0
        ratio = self._ratio(side, at_s)
        return min(1.0, log(max(1.0, ratio)) / log(RATIO_FULL)) * max(0.0, 2 * excess[side] / both - 1)

    def _run(self, side: Side, at_s: float) -> float:
        seen = self._mids.range(at_s)
        if seen is None:
            return 0.0
        move = self._mid / seen[0] - 1 if side is Side.BUY else 1 - self._mid / seen[1]
        return min(1.0, move * BPS / self._run_full)

    def _others(self, side: Side, at_s: float) -> float:
        certain = 0.0
        if self._certain_at_s is not None:
            certain = exp(-decay(CERTAIN_HALF_LIFE_S) * max(0.0, at_s - self._certain_at_s))
        return max(certain, side.sign * self._divergence_bps / DIVERGENCE_FULL_BPS)

    def _fall(self, at_s: float) -> float:
        seen = self._interests.range(at_s)
        return 0.0 if seen is None or self._interest is None else max(0.0, 1 - self._interest / seen[1])

    def _excess(self, side: Side, at_s: float) -> float:
        """Return the intensity above the baseline, 1/s."""
        process = self._sides[side]
        return process.alpha * process.excitement(self._not_before(side, at_s))

    def _not_before(self, side: Side, at_s: float) -> float:
        last_s = self._sides[side].last_s
        return at_s if last_s is None else max(at_s, last_s)


def _with(sign: float, corroboration: float) -> float:
    """Return what a sign makes with the strongest of the others."""
    return sign * (UNCORROBORATED + (1 - UNCORROBORATED) * max(0.0, min(1.0, corroboration)))

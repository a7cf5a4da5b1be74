"""The leader: how far our price will follow what another venue's price has done already.

The logarithm of both prices differs by a distance that drifts for hours (funding, quote currency). What it differs by
beyond its own slow mean is a move that our venue has not followed yet, or noise; which of the two, the past says.

Rules
  1. Everything lives on our clock of reception: a head start counts as far as it reaches us.
  2. Once a STEP_S the deviation at its start is held against our own move since. Their slope, less its standard error,
     between 0 and 1, is the share that is believed: a leader that leads nobody tilts nothing.
  3. Deviations beyond +-max_tilt count as just that, here and in the tilt: one lie cannot outweigh a day.
  4. The tilt is weight x share x deviation. It is 0 until STEPS_MIN effective steps were seen, while either price is
     missing or the leader's is older than `stale`, and while the deviation is absurd.
  5. A deviation beyond ABSURD_BPS teaches nothing; when it lasts for ABSURD_S, all is learned anew at the new distance.
  6. Late, crossed, NaN, infinite and not positive prices change nothing and are counted. O(1) per price.
"""

from math import isfinite, log, sqrt
from typing import Final

import msgspec

from common.price_units import BPS
from common.units import SECOND, Nanos
from services.estimation.forgetting import Forgetting

STEP_S: Final = 0.5  # venues that lead do so by 50 to 500 ms
GAP_S_MAX: Final = 1.5  # a longer step is none: what happened in it is not known
STEPS_MIN: Final = 30.0  # a quarter of a minute
STEPS_PRIOR: Final = 10.0  # a confidence of one half
ABSURD_BPS: Final = 100.0
ABSURD_S: Final = 60.0


class LeaderBelief(msgspec.Struct, frozen=True, kw_only=True):
    """As LeaderEstimate has it."""

    tilt_bps: float
    error_bps: float
    deviation_bps: float
    followed: float
    effective_samples: float
    confidence: float
    warm: bool


class Start(msgspec.Struct, frozen=True):
    """Of a step."""

    at: Nanos
    own: float  # logarithm
    deviation: float  # bps, within +-max_tilt
    tilt: float  # bps, which the step is to prove


class LeaderFollower:
    """One coin's."""

    def __init__(self, *, max_tilt_bps: float, weight: float, stale: Nanos, half_life_s: float) -> None:
        self._max_tilt_bps = max_tilt_bps
        self._weight = weight
        self.stale = stale
        self._half_life_s = half_life_s
        self._own: float | None = None  # logarithms
        self._leader: float | None = None
        self._at = Nanos(0)  # newest reception of either
        self.leader_at: Nanos | None = None
        self.refused = 0
        self._learn_anew()

    def _learn_anew(self) -> None:
        self._distance = Forgetting(self._half_life_s)
        self._squares = Forgetting(self._half_life_s)  # of deviations
        self._products = Forgetting(self._half_life_s)  # of deviations and moves
        self._errors = Forgetting(self._half_life_s)  # squares of what the tilt did not foresee
        self._start: Start | None = None
        self._learned_at: Nanos | None = None
        self._absurd_since: Nanos | None = None

    # --- prices ------------------------------------------------------------------------------------

    def on_leader(self, bid: float, ask: float, at: Nanos) -> None:
        """Take the leader's best prices, any currency."""
        late = self.leader_at is not None and at < self.leader_at
        if late or not (isfinite(ask) and 0 < bid < ask):  # NaN is less than nothing
            self.refused += 1
            return
        self.leader_at = at
        self._leader = (log(bid) + log(ask)) / 2
        self._learn(at)

    def on_own(self, fair: float, at: Nanos) -> None:
        """Take our fair price, any unit."""
        if not (isfinite(fair) and fair > 0):
            self.refused += 1
            return
        self._own = log(fair)
        self._learn(at)

    def restart(self) -> None:
        """Our price is not known any more; what was learned stays."""
        self._own = self._start = None

    # --- belief ------------------------------------------------------------------------------------

    @property
    def stale_at(self) -> Nanos | None:
        """Return when the leader's price will be too old."""
        return None if self.leader_at is None else Nanos(self.leader_at + self.stale)

    def belief(self, now: Nanos) -> LeaderBelief:
        deviation = self._deviation(now)
        samples = self._squares.effective_samples
        followed, warm = self._followed(), deviation is not None and samples >= STEPS_MIN
        return LeaderBelief(
            tilt_bps=self._weight * followed * self._bounded(deviation) if warm and deviation is not None else 0.0,
            error_bps=sqrt(self._errors.mean),
            deviation_bps=deviation or 0.0,
            followed=followed,
            effective_samples=samples,
            confidence=samples / (samples + STEPS_PRIOR),
            warm=warm,
        )

    def _deviation(self, now: Nanos) -> float | None:
        """Return what we have not followed, bps; None where that is not known, or absurd."""
        due = self.stale_at
        if self._own is None or self._leader is None or due is None or now >= due or self._distance.weight <= 0:
            return None
        deviation = (self._leader - self._own - self._distance.mean) * BPS
        return deviation if abs(deviation) <= ABSURD_BPS else None

    def _bounded(self, deviation: float) -> float:
        return max(-self._max_tilt_bps, min(self._max_tilt_bps, deviation))

    def _followed(self) -> float:
        """Apply rule 2."""
        squares, samples = self._squares.mean, self._squares.effective_samples
        if squares <= 0 or samples <= 0:
            return 0.0
        error = sqrt(self._errors.mean / (squares * samples))
        return max(0.0, min(1.0, self._products.mean / squares - error))

    # --- learning ----------------------------------------------------------------------------------

    def _learn(self, at: Nanos) -> None:
        """End a step where one is over, and begin the next."""
        self._at = max(self._at, at)
        start, due = self._start, self.stale_at
        if self._own is None or self._leader is None or due is None or self._at >= due:
            self._start = None
            return
        if start is not None and self._at - start.at < STEP_S * SECOND:
            return
        if self._is_absurd():
            return
        self._fade()
        if start is not None and self._at - start.at <= GAP_S_MAX * SECOND:
            move = (self._own - start.own) * BPS
            self._squares.add(start.deviation**2)
            self._products.add(start.deviation * move)
            self._errors.add((move - start.tilt) ** 2)
        self._distance.add(self._leader - self._own)
        belief = self.belief(self._at)
        self._start = Start(self._at, self._own, self._bounded(belief.deviation_bps), belief.tilt_bps)

    def _fade(self) -> None:
        dt_s = 0.0 if self._learned_at is None else (self._at - self._learned_at) / SECOND
        self._learned_at = self._at
        for mean in (self._distance, self._squares, self._products, self._errors):
            mean.fade(dt_s)

    def _is_absurd(self) -> bool:
        """Apply rule 5."""
        if self._distance.weight <= 0 or self._deviation(self._at) is not None:
            self._absurd_since = None
            return False
        self._start = None
        if self._absurd_since is None:
            self._absurd_since = self._at
        if self._at - self._absurd_since < ABSURD_S * SECOND:
            return True
        self._learn_anew()
        return False

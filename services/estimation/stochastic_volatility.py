"""Stochastic volatility: level, speed, variance and leverage of a variance that wanders (Heston).

dV = kappa_v (theta - V) dt + xi sqrt(V) dW, correlated with the returns by rho. V is seen as the realised variance per
second of windows that do not overlap; an average that forgets would give its own half-life back as kappa_v. Realised
variance is a noisy measure of V; the noise of two windows is independent, so autocovariances hold none of it.

Rules
  1. theta is the mean of V. With c1 > c2 > 0, the autocovariances at lags 1 and 2 windows of D seconds:
     kappa_v = ln(c1 / c2) / D, Var(V) = c1^2 / c2, xi = sqrt(2 kappa_v Var(V) / theta).
  2. rho = cov(r_i, V_(i+1) - V_(i-1)) / (sd(r) xi sqrt(theta D)), r_i being the return over window i; within -1..1.
  3. Ready means that c2 exceeds its noise under constant volatility: all guards are relative to theta.
  4. A gap ends the window unused, and no lag joins what lies before and after it.
  5. O(1) per return. Returns that are not finite, and times that are not positive, change nothing and are counted.
"""

from math import expm1, isfinite, log, sqrt
from typing import Final

from services.estimation.forgetting import Comoments

# Under constant volatility c2 scatters by Var(V) / sqrt(n): beyond 4.5 of these lies one in 300,000.
NOISES_MIN: Final = 4.5
WINDOWS_MIN: Final = 30.0  # of fewer windows no lag is worth a division


class StochasticVolatility:
    """One coin's; fed with the log returns of the grid."""

    def __init__(self, *, window_s: float, half_life_s: float) -> None:
        self._window_s = window_s
        self._variance = Comoments(half_life_s)  # V with itself
        self._lag_1 = Comoments(half_life_s)
        self._lag_2 = Comoments(half_life_s)
        self._returns = Comoments(half_life_s)  # r with itself
        self._leverage = Comoments(half_life_s)  # r_i with V_(i+1) - V_(i-1)
        self._sum = self._squares = self._elapsed_s = 0.0  # of the open window
        self._last: tuple[float, float] | None = None  # (V, r) of the last whole window
        self._before: float | None = None  # V of the one before it
        self.refused = 0

    def add(self, change: float, dt_s: float) -> None:
        """Take one log return over `dt_s` seconds."""
        if not (isfinite(change) and isfinite(dt_s) and dt_s > 0):
            self.refused += 1
            return
        self._sum += change
        self._squares += change * change
        self._elapsed_s += dt_s
        if self._elapsed_s >= self._window_s:
            self._close(self._squares / self._elapsed_s, self._sum, self._elapsed_s)
            self._sum = self._squares = self._elapsed_s = 0.0

    def restart(self) -> None:
        """Rule 4."""
        self._sum = self._squares = self._elapsed_s = 0.0
        self._last = self._before = None

    # --- what was learnt ---------------------------------------------------------------------------

    @property
    def theta(self) -> float:
        """Mean variance, fraction^2 per second."""
        return self._variance.mean_x

    @property
    def variance_of_variance(self) -> float:
        """Variance of V, its measurement's noise removed, (fraction^2 per second)^2; 0 unless ready."""
        return self._lag_1.covariance**2 / self._lag_2.covariance if self.is_ready() else 0.0

    @property
    def kappa_v(self) -> float:
        """Speed of return to theta, 1/s; 0 unless ready."""
        return log(self._lag_1.covariance / self._lag_2.covariance) / self._window_s if self.is_ready() else 0.0

    @property
    def xi(self) -> float:
        """Volatility of variance, fraction per s; 0 unless ready."""
        return sqrt(2 * self.kappa_v * self.variance_of_variance / self.theta) if self.is_ready() else 0.0

    @property
    def rho(self) -> float:
        """Correlation of returns and changes of variance; 0 unless ready."""
        scale = sqrt(max(0.0, self._returns.covariance)) * self.xi * sqrt(self.theta * self._window_s)
        return max(-1.0, min(1.0, self._leverage.covariance / scale)) if scale > 0 else 0.0

    @property
    def effective_samples(self) -> float:
        return self._lag_2.effective_samples

    def is_ready(self) -> bool:
        """Rule 3."""
        c1, c2, samples = self._lag_1.covariance, self._lag_2.covariance, self._lag_2.effective_samples
        if samples < WINDOWS_MIN or self.theta <= 0:
            return False
        return c1 > c2 > NOISES_MIN * self._variance.covariance / sqrt(samples)

    def expected_variance(self, variance: float, horizon_s: float) -> float:
        """Return the mean variance per second over the next `horizon_s`, from `variance` now; theta's pull included."""
        pull = self.kappa_v * horizon_s
        if not pull > 0:
            return variance
        return self.theta + (variance - self.theta) * -expm1(-pull) / pull

    # --- one window --------------------------------------------------------------------------------

    def _close(self, variance: float, change: float, dt_s: float) -> None:
        self._variance.add(variance, variance, dt_s)
        self._returns.add(change, change, dt_s)
        if self._last is not None:
            last, last_change = self._last
            self._lag_1.add(last, variance, dt_s)
            if self._before is not None:
                self._lag_2.add(self._before, variance, dt_s)
                self._leverage.add(last_change, variance - self._before, dt_s)
            self._before = last
        self._last = (variance, change)

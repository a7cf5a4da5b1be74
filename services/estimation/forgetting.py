"""Means, moments and rates that forget exponentially by clock time: what estimators are made of.

Rules
  1. After one half-life a sample weighs half; the half-life is in seconds, gaps enter as they are.
  2. Effective samples are (sum w)^2 / sum w^2, and less while nothing is added: silence leaves that ratio as it is,
     but not twice the sum of weights, which equals it in the steady state.
  3. Moments are central, in Welford's form: squares of large numbers are never subtracted from each other.
"""

from math import exp, expm1, log, sqrt
from typing import Final

Z_95: Final = 1.959964  # of the normal distribution: 95 % lie within so many standard deviations


def decay(half_life_s: float) -> float:
    """Return the rate of forgetting, 1/s."""
    return log(2) / half_life_s


class Forgetting:
    """A mean."""

    __slots__ = ("_rate", "_squares", "_sum", "_weight")

    def __init__(self, half_life_s: float) -> None:
        self._rate = decay(half_life_s)
        self._sum = 0.0
        self._weight = 0.0
        self._squares = 0.0

    def fade(self, dt_s: float) -> None:
        kept = exp(-self._rate * dt_s)
        self._sum *= kept
        self._weight *= kept
        self._squares *= kept * kept

    def add(self, value: float, weight: float = 1.0) -> None:
        self._sum += value * weight
        self._weight += weight
        self._squares += weight * weight

    @property
    def total(self) -> float:
        """Return the sum of faded values."""
        return self._sum

    @property
    def weight(self) -> float:
        """Return the sum of weights."""
        return self._weight

    @property
    def mean(self) -> float:
        return self._sum / self._weight if self._weight > 0 else 0.0

    @property
    def effective_samples(self) -> float:
        return effective(self._weight, self._squares)


class Comoments:
    """Means and covariance of pairs; with equal halves, mean and variance of one number."""

    __slots__ = ("_co", "_rate", "_squares", "_weight", "mean_x", "mean_y")

    def __init__(self, half_life_s: float) -> None:
        self._rate = decay(half_life_s)
        self._weight = 0.0
        self._squares = 0.0
        self._co = 0.0
        self.mean_x = 0.0
        self.mean_y = 0.0

    def add(self, x: float, y: float, dt_s: float) -> None:
        """Take a pair, `dt_s` after the last one."""
        kept = exp(-self._rate * dt_s)
        self._weight = self._weight * kept + 1.0
        self._squares = self._squares * kept * kept + 1.0
        off = x - self.mean_x
        self.mean_x += off / self._weight
        self.mean_y += (y - self.mean_y) / self._weight
        self._co = self._co * kept + off * (y - self.mean_y)

    @property
    def covariance(self) -> float:
        return self._co / self._weight if self._weight > 0 else 0.0

    @property
    def effective_samples(self) -> float:
        return effective(self._weight, self._squares)


class Rate:
    """Something per second: counts or amounts over the time that was watched, both forgotten alike.

    A prior rate is as good as `prior_s` seconds of watching, and is forgotten like them.
    """

    __slots__ = ("_amount", "_rate", "_squares", "_watched_s", "_weight")

    def __init__(self, half_life_s: float, *, prior: float = 0.0, prior_s: float = 0.0) -> None:
        self._rate = decay(half_life_s)
        self._amount = prior * prior_s
        self._watched_s = prior_s
        self._weight = 0.0
        self._squares = 0.0

    def watch(self, dt_s: float) -> None:
        """Let time pass without an event."""
        kept = exp(-self._rate * dt_s)
        self._amount *= kept
        self._weight *= kept
        self._squares *= kept * kept
        self._watched_s = self._watched_s * kept + self._seen(dt_s)

    def add(self, amount: float = 1.0) -> None:
        self._amount += amount
        self._weight += 1.0
        self._squares += 1.0

    def per_s(self, dt_s: float = 0.0) -> float:
        """Return the rate as it will be after `dt_s` more without an event; changes nothing."""
        kept = exp(-self._rate * dt_s)
        watched = self._watched_s * kept + self._seen(dt_s)
        return self._amount * kept / watched if watched > 0 else 0.0

    @property
    def watched_s(self) -> float:
        return self._watched_s

    @property
    def effective_samples(self) -> float:
        return effective(self._weight, self._squares)

    def _seen(self, dt_s: float) -> float:
        """Return what `dt_s` seconds weigh, the first of them being forgotten a little already."""
        return -expm1(-self._rate * dt_s) / self._rate if self._rate > 0 else dt_s


def effective(weight: float, squares: float) -> float:
    """Rule 2."""
    return min(weight * weight / squares, 2 * weight) if squares > 0 else 0.0


def gamma_interval(shape: float, rate: float) -> tuple[float, float]:
    """Return where 95 % of a Gamma distribution lie, by Wilson and Hilferty's cube (good to 2 % from shape 4 on)."""
    middle, width = 1 - 1 / (9 * shape), Z_95 / (3 * sqrt(shape))
    return shape / rate * max(0.0, middle - width) ** 3, shape / rate * (middle + width) ** 3

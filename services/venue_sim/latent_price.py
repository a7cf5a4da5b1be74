"""The true price of one coin, which nobody can read: a random walk with regimes and jumps.

Log-price: Brownian motion whose volatility switches between three regimes at random, and a jump now and then. The
generator is passed in, so equal seeds give equal days.
"""

from math import exp, sqrt
from random import Random
from typing import Final

import msgspec

BPS: Final = 1e-4


class Regime(msgspec.Struct, frozen=True, kw_only=True):
    """Volatility is a multiple of the coin's own; a regime lasts for an exponential time."""

    name: str
    multiple: float
    seconds_mean: float


REGIMES: Final = (
    Regime(name="calm", multiple=0.6, seconds_mean=180.0),
    Regime(name="normal", multiple=1.0, seconds_mean=180.0),
    Regime(name="volatile", multiple=2.0, seconds_mean=45.0),
)
SIGMA_PER_SQRT_S: Final = 0.5 * BPS  # about 1.5 % a day: a quiet day of a large coin
JUMPS_PER_S: Final = 1 / 600
JUMP_BPS: Final = (6.0, 15.0)  # size, drawn evenly between; up and down alike


class LatentPrice:
    """One path, in ticks (between grid points)."""

    def __init__(self, start_ticks: float, chance: Random) -> None:
        self._chance = chance
        self._regime = REGIMES[1]
        self.ticks = start_ticks
        self.jumps = 0

    @property
    def regime(self) -> Regime:
        return self._regime

    @property
    def sigma_per_sqrt_s(self) -> float:
        """Return the volatility of this moment, jumps apart."""
        return SIGMA_PER_SQRT_S * self._regime.multiple

    def step(self, dt_s: float) -> None:
        """Let the price live for so many seconds."""
        chance = self._chance
        if chance.random() < 1 - exp(-dt_s / self._regime.seconds_mean):
            self._regime = chance.choice([regime for regime in REGIMES if regime is not self._regime])
        move = chance.gauss(0.0, self.sigma_per_sqrt_s * sqrt(dt_s))
        if chance.random() < 1 - exp(-JUMPS_PER_S * dt_s):
            move += chance.choice((-1, 1)) * chance.uniform(*JUMP_BPS) * BPS
            self.jumps += 1
        self.ticks *= exp(move)


def average_variance_per_s() -> float:
    """Return the long-run variance of log-returns per second, jumps included: what realised variance tends to.

    A regime is left for either of the others alike, so each is visited equally often and weighs by its duration.
    """
    seconds = sum(regime.seconds_mean for regime in REGIMES)
    diffusion = sum((SIGMA_PER_SQRT_S * regime.multiple) ** 2 * regime.seconds_mean for regime in REGIMES) / seconds
    low, high = JUMP_BPS
    jump = (low * low + low * high + high * high) / 3 * BPS * BPS
    return diffusion + JUMPS_PER_S * jump

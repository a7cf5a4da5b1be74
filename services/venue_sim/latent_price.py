"""The true price of one coin, which nobody can read: a random walk with regimes and jumps.

Log-price: Brownian motion whose volatility switches between three regimes at random, and a jump now and then. The
generator is passed in, so equal seeds give equal days.
"""

from math import exp, sqrt
from random import Random
from typing import Final

import msgspec

from services.venue_sim.scenarios import ORDINARY, Conduct

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
        self.regime = REGIMES[1]
        self.ticks = start_ticks
        self.variance = 0.0  # of log-returns, integrated since the start; drift apart
        self.jumps = 0

    def sigma_per_sqrt_s(self, conduct: Conduct = ORDINARY) -> float:
        """Return the volatility of this moment, jumps apart."""
        return SIGMA_PER_SQRT_S * self.regime.multiple * conduct.volatility

    def step(self, dt_s: float, conduct: Conduct = ORDINARY) -> float:
        """Let the price live for so many seconds; return the jump in it, in bps, 0 for none."""
        chance = self._chance
        if chance.random() < 1 - exp(-dt_s / self.regime.seconds_mean):
            self.regime = chance.choice([regime for regime in REGIMES if regime is not self.regime])
        sigma, jump_bps = self.sigma_per_sqrt_s(conduct), 0.0
        move = chance.gauss(0.0, sigma * sqrt(dt_s))
        if chance.random() < 1 - exp(-JUMPS_PER_S * conduct.jumps * dt_s):
            jump_bps = chance.choice((-1, 1)) * chance.uniform(*JUMP_BPS)
            self.jumps += 1
        self.variance += sigma * sigma * dt_s + (jump_bps * BPS) ** 2
        self.shift(move / BPS + jump_bps + conduct.drift_bps_per_s * dt_s)
        return jump_bps

    def shift(self, bps: float) -> None:
        """Move by what somebody did to the world."""
        self.ticks *= exp(bps * BPS)


def average_variance_per_s(conduct: Conduct = ORDINARY) -> float:
    """Return the long-run variance of log-returns per second, jumps included: what realised variance tends to.

    A regime is left for either of the others alike, so each is visited equally often and weighs by its duration.
    """
    seconds = sum(regime.seconds_mean for regime in REGIMES)
    sigma = SIGMA_PER_SQRT_S * conduct.volatility
    diffusion = sum((sigma * regime.multiple) ** 2 * regime.seconds_mean for regime in REGIMES) / seconds
    low, high = JUMP_BPS
    jump = (low * low + low * high + high * high) / 3 * BPS * BPS
    return diffusion + JUMPS_PER_S * conduct.jumps * jump

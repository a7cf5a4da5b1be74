"""Takers of one coin: when they come, on which side, how deep they reach, how much they want.

Arrivals excite each other (Hawkes process with an exponential kernel), so they come in bursts, mostly of one side.
A share of them knows the true price before the makers do and trades towards it; the others are noise.
"""

from math import exp, inf, log
from random import Random
from typing import Final

import msgspec

from common.units import Side
from services.venue_sim.scenarios import ORDINARY, Conduct

BASE_RATE_PER_S: Final = 0.8  # arrivals that nobody excited, at trade_rate 1
BRANCHING: Final = 0.5  # children of each arrival; 1 would explode
DECAY_PER_S: Final = 1.0
INFORMED_SHARE: Final = 0.15
SAME_SIDE_SHARE: Final = 0.6  # a noise taker follows the one before with this chance, or draws a side anew
TOUCH_SHARE: Final = 0.6  # market orders that go no deeper than the best price
DEPTH_BPS_MEAN: Final = 4.0  # of the others: exponential, measured from the mid
DEPTH_BPS_MAX: Final = 12.0  # makers rest further out, so that the book is never swept empty
USD_MEDIAN: Final = 1_500.0
USD_SPREAD: Final = 1.2  # sd of the logarithm: one in forty is ten times the median
ARRIVALS_MAX: Final = 64  # per step: a burst, or a step after a long pause, stays cheap


class Taker(msgspec.Struct, frozen=True, kw_only=True):
    """One market order to come."""

    side: Side | None  # None: whichever way the true price lies
    depth_bps: float  # 0: the touch alone
    usd: float


class OrderFlow:
    """The arrivals of one coin."""

    def __init__(self, chance: Random, trade_rate: float) -> None:
        self._chance = chance
        self._trade_rate = trade_rate
        self._excited = 0.0
        self._last_side = Side.BUY

    def base_rate_per_s(self, conduct: Conduct = ORDINARY) -> float:
        """Return the rate of arrivals that nobody excited."""
        return BASE_RATE_PER_S * self._trade_rate * conduct.arrivals

    def rate_per_s(self, conduct: Conduct = ORDINARY) -> float:
        """Return the intensity of this moment."""
        return self.base_rate_per_s(conduct) + self._excited

    def average_rate_per_s(self, conduct: Conduct = ORDINARY) -> float:
        return self.base_rate_per_s(conduct) / (1 - BRANCHING)

    def arrivals(self, dt_s: float, conduct: Conduct = ORDINARY) -> list[Taker]:
        """Return who comes within so many seconds (Ogata's thinning: the intensity only falls between arrivals)."""
        chance, left, takers = self._chance, dt_s, list[Taker]()
        while len(takers) < ARRIVALS_MAX:
            bound = self.rate_per_s(conduct)
            wait = chance.expovariate(bound) if bound > 0 else inf
            if wait >= left:
                break
            left -= wait
            self._excited *= exp(-DECAY_PER_S * wait)
            if chance.random() * bound < self.rate_per_s(conduct):
                self._excited += BRANCHING * DECAY_PER_S
                takers.append(self._taker(conduct))
        else:
            left = 0.0
        self._excited *= exp(-DECAY_PER_S * left)
        return takers

    def _taker(self, conduct: Conduct) -> Taker:
        chance = self._chance
        usd = exp(chance.gauss(log(USD_MEDIAN), USD_SPREAD))
        if chance.random() < INFORMED_SHARE:
            return Taker(side=None, depth_bps=0.0, usd=usd)
        if chance.random() >= SAME_SIDE_SHARE:
            self._last_side = Side.BUY if chance.random() < conduct.buy_share else Side.SELL
        depth = 0.0 if chance.random() < TOUCH_SHARE else min(DEPTH_BPS_MAX, chance.expovariate(1 / DEPTH_BPS_MEAN))
        return Taker(side=self._last_side, depth_bps=depth, usd=usd)

"""Traders who run after the public mid: they buy what has risen and sell what has fallen."""

from math import exp, log
from random import Random
from typing import Final

from common.units import Side
from services.venue_sim.order_flow import Taker

FAST_S: Final = 5.0
SLOW_S: Final = 30.0
TREND_BPS_MIN: Final = 4.0  # between both averages: twice what an ordinary half minute brings
TREND_BPS_FULL: Final = 14.0  # from here on they come as often as they ever do
RATE_PER_S: Final = 1.0  # at most
USD_MEDIAN: Final = 3_000.0
USD_SPREAD: Final = 0.8  # sd of the logarithm


class Momentum:
    """All of one coin."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._fast = self._slow = 0.0

    def step(self, mid: float, dt_s: float) -> Taker | None:
        """Return who comes in this step."""
        if not self._slow:
            self._fast = self._slow = mid
        self._fast += (mid - self._fast) * (1 - exp(-dt_s / FAST_S))
        self._slow += (mid - self._slow) * (1 - exp(-dt_s / SLOW_S))
        trend_bps = (self._fast / self._slow - 1) * 10_000
        eager = min(1.0, (abs(trend_bps) - TREND_BPS_MIN) / (TREND_BPS_FULL - TREND_BPS_MIN))
        if eager <= 0 or self._chance.random() >= 1 - exp(-RATE_PER_S * eager * dt_s):
            return None
        usd = exp(self._chance.gauss(log(USD_MEDIAN), USD_SPREAD))
        return Taker(side=Side.BUY if trend_bps > 0 else Side.SELL, depth_bps=0.0, usd=usd)

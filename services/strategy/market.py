"""The market that is quoted against, and what is believed of it at this moment."""

from math import isfinite
from typing import Final

import msgspec

from common.price_units import BPS
from common.units import Side, Ticks

SIGMA_MAX: Final = 1.0  # per sqrt(second): all of the price within a second is no volatility but a fault


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """Market orders that come as deep as d bps from the mid, per second: a_per_s x exp(-k_per_bps x d)."""

    a_per_s: float
    k_per_bps: float
    confidence: float = 1.0  # 0..1; 0 while these are the configuration's


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """One coin's; every number in it is finite, as `is_sane` and services/strategy/beliefs.py see to."""

    bid: Ticks
    ask: Ticks
    fair_ticks: float
    sigma_per_sqrt_s: float  # jumps removed
    confidence: float  # 0..1: how much of sigma is the market's, the rest being the prior's
    jump_ratio: float = 1.0  # variance with jumps over variance without
    sigma_fast_per_sqrt_s: float = 0.0  # of the last seconds
    sigma_ahead_per_sqrt_s: float = 0.0  # expected over the next minute; zero where that is not known
    arrivals: dict[Side, Arrival] = {}  # by our side that they fill
    adverse_bps: dict[Side, float] = {}  # what fills of ours on this side have lost afterwards
    vpin: float = 0.0  # 0..1
    imbalance: float = 0.0  # of order flow, mean sizes of the touch, positive upwards
    funding_per_hour: float = 0.0  # what longs pay, fraction
    funding_due_s: float = 0.0
    leader_bps: float = 0.0  # by which the fair price is about to follow another venue, bounded

    @property
    def mid_ticks(self) -> float:
        return (self.bid + self.ask) / 2

    @property
    def sigma_bps(self) -> float:
        """Return what the half-spread has to carry per sqrt(second): the wilder of now and the next minute."""
        return max(self.sigma_per_sqrt_s, self.sigma_ahead_per_sqrt_s) * BPS

    def is_sane(self, gap_max_bps: float) -> bool:
        """Say whether the estimate is positive, finite, a share where it is one, and near this market's mid."""
        if not (isfinite(self.fair_ticks) and self.fair_ticks > 0 and 0 < self.sigma_per_sqrt_s <= SIGMA_MAX):
            return False
        if not 0 <= self.confidence <= 1 or not isfinite(self.jump_ratio):
            return False
        return abs(self.fair_ticks - self.mid_ticks) <= gap_max_bps / BPS * self.mid_ticks

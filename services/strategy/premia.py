"""From a model's distances to the half-spread that is quoted: premia, bounds, leanings. Pure.

Rules
  1. Everything is basis points of the fair price, is added, never multiplied, and is published under its name.
  2. Each effect has one owner: fees, markouts, latency, jumps, one-sided flow, cold estimators, risk's Widen.
  3. The sum is bounded once, at the end; the upper bound gives way to what is measured as cost: fee, adverse
     selection, latency and jumps.
  4. Funding, flow and the leader's tilt move both sides as the inventory does, each bounded: no spread changes.
"""

from math import exp, isfinite, sqrt, tanh
from typing import Final

import msgspec

from common.price_units import BPS
from common.sections import Strategy
from common.units import MILLISECOND, SECOND, Side
from services.strategy.market import Market
from services.strategy.models.interface import Distances

JUMP_RATIO_MAX: Final = 100.0  # beyond it the monitors of jumps have pulled long ago
VPIN_USUAL: Final = 0.5  # of a market in which both sides trade; what is above is charged


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """bps: named parts of each side's half-spread, and of what moves both sides, positive upwards."""

    parts: dict[Side, dict[str, float]]
    shifts: dict[str, float]
    half_spread: dict[Side, float]  # the sum of its parts
    shift: float  # the sum of the shifts
    cost: dict[Side, float]  # fee and adverse selection, which a level has to earn first

    @property
    def is_finite(self) -> bool:
        return all(isfinite(number) for number in (self.shift, *self.half_spread.values()))


def shape(chosen: Strategy, market: Market, distances: Distances, *, widen: bool) -> Shape:
    """Rules 1 to 4; a model whose numbers are none gives a shape that is not finite."""
    latency = latency_bps(chosen, market)
    jump = chosen.jump_multiple * _jumps_bps(market)
    vpin = chosen.vpin_premium_bps * max(0.0, market.vpin - VPIN_USUAL) / (1 - VPIN_USUAL)
    parts, half_spread, cost = {}, {}, {}
    for side in Side:
        adverse = market.adverse_bps.get(side, 0.0)
        certainty = min(market.confidence, market.arrivals[side].confidence)
        own = {
            **distances.parts[side],
            "fee": chosen.maker_fee_bps,
            "adverse": adverse,
            "latency": latency,
            "jump": jump,
            "vpin": vpin,
            "cold": chosen.cold_premium_bps * (1 - certainty),
            "widen": chosen.widen_premium_bps if widen else 0.0,
        }
        wanted = sum(own.values())
        cost[side] = chosen.maker_fee_bps + adverse
        most = max(chosen.half_spread_max_bps, cost[side] + latency + jump)
        bounded = max(chosen.half_spread_min_bps, min(wanted, most)) if isfinite(wanted) else wanted
        own["bounds"] = bounded - wanted
        parts[side], half_spread[side] = own, bounded
    shifts = {
        "skew": distances.skew,
        "funding": funding_bps(chosen, market, min(half_spread.values())),
        "flow": chosen.flow_tilt_bps * tanh(market.imbalance),
        "leader": market.leader_bps,
    }
    return Shape(parts=parts, shifts=shifts, half_spread=half_spread, shift=sum(shifts.values()), cost=cost)


def latency_bps(chosen: Strategy, market: Market) -> float:
    """Return how far the price usually runs before we can answer, at the volatility of the last seconds."""
    sigma = max(market.sigma_per_sqrt_s, market.sigma_fast_per_sqrt_s)
    return sigma * sqrt(chosen.latency_ms * MILLISECOND / SECOND) * BPS


def funding_bps(chosen: Strategy, market: Market, most: float) -> float:
    """Return the lean towards the side that is paid: the next payment, the nearer the more, at most a half-spread."""
    if chosen.funding_hold_s == 0:
        return 0.0
    due = market.funding_per_hour * BPS * exp(-market.funding_due_s / chosen.funding_hold_s)
    return -max(-most, min(most, due))


def _jumps_bps(market: Market) -> float:
    """Return the volatility that jumps add over a second."""
    return market.sigma_per_sqrt_s * (sqrt(max(1.0, min(market.jump_ratio, JUMP_RATIO_MAX))) - 1) * BPS

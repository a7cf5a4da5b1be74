"""Symmetric: a fixed half-spread and some volatility, as a baseline. It knows nothing of arrivals.

half-spread = half_spread_bps + volatility_multiple sigma sqrt(horizon_s)
skew = -full_inventory_shift half-spreads at the position limit, linear
"""

from math import sqrt

from common.units import Side
from services.strategy.models.interface import Distances, Setup, View


def quote(view: View, setup: Setup) -> Distances:
    chosen = setup.chosen
    volatility = chosen.volatility_multiple * view.market.sigma_bps * sqrt(chosen.horizon_s)
    parts = {"base": chosen.half_spread_bps, "volatility": volatility}
    return Distances(
        parts={side: dict(parts) for side in Side},
        skew=-chosen.full_inventory_shift * sum(parts.values()) * view.inventory,
    )

"""Avellaneda and Stoikov (2008): a finite horizon T, which here never comes nearer.

  half-spread = gamma sigma^2 T / 2 + ln(1 + gamma/k) / gamma     skew = -gamma sigma^2 T for each order held

T is `strategy.horizon_s`; gamma is solved once per configuration, as in glft.py.
"""

from functools import lru_cache
from math import log1p

from common.units import Side
from services.strategy.models.interface import Distances, Setup, View, solve_gamma


def quote(view: View, setup: Setup) -> Distances:
    gamma = gamma_of(setup)
    lean = gamma * view.market.sigma_bps**2 * setup.chosen.horizon_s
    parts = {
        side: {"arrival": log1p(gamma / view.market.arrivals[side].k_per_bps) / gamma, "inventory": lean / 2}
        for side in Side
    }
    return Distances(parts=parts, skew=-lean * setup.orders_at_limit * view.inventory)


def gamma_of(setup: Setup) -> float:
    """Return the risk aversion of this configuration, per bps and order."""
    return _solved(
        setup.sigma_bps**2 * setup.chosen.horizon_s,
        setup.arrival.k_per_bps,
        setup.orders_at_limit,
        setup.chosen.full_inventory_shift,
    )


@lru_cache(maxsize=64)  # one entry a coin, and some for tests
def _solved(variance_bps2: float, k_per_bps: float, orders: float, shift: float) -> float:
    def shift_of(gamma: float) -> float:
        lean = gamma * variance_bps2
        return lean * orders / (lean / 2 + log1p(gamma / k_per_bps) / gamma)

    return solve_gamma(shift_of, shift)

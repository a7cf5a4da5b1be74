"""GLFT: the stationary solution of Gueant, Lehalle and Fernandez-Tapia (Gueant 2017).

With arrivals A exp(-k d), volatility sigma and risk aversion gamma, for orders of one unit:
  c1 = ln(1 + gamma/k) / gamma        c2 = sqrt(gamma / (2 A k) * (1 + gamma/k)^(k/gamma + 1))
  half-spread = c1 + sigma c2 / 2     skew = -sigma c2 for each unit held

Rules
  1. gamma is solved once per configuration: at the reference volatility and arrivals the quotes have moved by
     `full_inventory_shift` half-spreads at the position limit. It is then held; live sigma, A and k act by the formula.
  2. Each side's half-spread takes its own arrivals; the skew, which both sides share, takes the mean of both.
"""

from functools import lru_cache
from math import exp, log1p, sqrt

from common.units import Side
from services.strategy.market import Arrival
from services.strategy.models.interface import Distances, Setup, View, solve_gamma


def quote(view: View, setup: Setup) -> Distances:
    gamma, sigma, arrivals = gamma_of(setup), view.market.sigma_bps, view.market.arrivals
    parts = {}
    lean = 0.0
    for side in Side:
        arrival = arrivals[side]
        own, inventory = c1(gamma, arrival), sigma * c2(gamma, arrival)
        parts[side] = {"arrival": own, "inventory": inventory / 2}
        lean += inventory / 2
    return Distances(parts=parts, skew=-lean * setup.orders_at_limit * view.inventory)


def c1(gamma: float, arrival: Arrival) -> float:
    return log1p(gamma / arrival.k_per_bps) / gamma


def c2(gamma: float, arrival: Arrival) -> float:
    k = arrival.k_per_bps
    return sqrt(gamma / (2 * arrival.a_per_s * k) * exp((k / gamma + 1) * log1p(gamma / k)))


def gamma_of(setup: Setup) -> float:
    """Return the risk aversion of this configuration, per bps and order."""
    return _solved(
        setup.sigma_bps,
        setup.arrival.a_per_s,
        setup.arrival.k_per_bps,
        setup.orders_at_limit,
        setup.chosen.full_inventory_shift,
    )


@lru_cache(maxsize=64)  # one entry a coin, and some for tests
def _solved(sigma_bps: float, a_per_s: float, k_per_bps: float, orders: float, shift: float) -> float:
    arrival = Arrival(a_per_s=a_per_s, k_per_bps=k_per_bps)

    def shift_of(gamma: float) -> float:
        lean = sigma_bps * c2(gamma, arrival)
        return lean * orders / (c1(gamma, arrival) + lean / 2)

    return solve_gamma(shift_of, shift)

"""What a strategy is: a pure function from a `View` of the market to `Distances` from the fair price.

All prices are in bps of the fair price and inventory is in orders of `order_usd`, so that one configuration means the
same for every coin and at every price: the formulas hold in any price unit that k, sigma and gamma share.
"""

from collections.abc import Callable
from math import sqrt
from typing import Final, Protocol

import msgspec

from common.config import Settings
from common.price_units import BPS
from common.sections import Strategy
from common.units import Side
from services.strategy.market import Arrival, Market

GAMMA_MIN: Final = 1e-12  # per bps and order; outside of these no configuration makes sense
GAMMA_MAX: Final = 1e12
STEPS: Final = 100  # of bisection on a logarithmic scale: to the last digit


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What does not change while a process lives."""

    chosen: Strategy
    orders_at_limit: float  # max_position_usd / order_usd
    sigma_bps: float  # reference volatility per sqrt(second), and reference arrivals
    arrival: Arrival

    @classmethod
    def of(cls, settings: Settings, coin: str) -> "Setup":
        priors, limits = settings.estimation, settings.coins[coin]
        return cls(
            chosen=settings.strategy,
            orders_at_limit=limits.max_position_usd / limits.order_usd,
            sigma_bps=priors.sigma_prior_per_sqrt_s * BPS,
            arrival=Arrival(
                a_per_s=priors.arrival_a_prior_per_s, k_per_bps=priors.arrival_k_prior_per_bps, confidence=0.0
            ),
        )


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What may change with every message."""

    market: Market
    inventory: float  # signed share of the position limit that is in force, -1..1


class Distances(msgspec.Struct, frozen=True, kw_only=True):
    """bps: the named parts of each side's half-spread, which add up, and the shift of both sides, positive upwards."""

    parts: dict[Side, dict[str, float]]
    skew: float


class Model(Protocol):
    """A strategy; it may be called at any time, for any coin, in any order."""

    def __call__(self, view: View, setup: Setup) -> Distances: ...


def solve_gamma(shift_of: Callable[[float], float], wanted: float) -> float:
    """Return the risk aversion for which a growing `shift_of` is `wanted`."""
    low, high = GAMMA_MIN, GAMMA_MAX
    for _ in range(STEPS):
        middle = sqrt(low * high)
        if shift_of(middle) < wanted:
            low = middle
        else:
            high = middle
    return sqrt(low * high)

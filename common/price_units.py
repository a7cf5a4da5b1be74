"""Between basis points and price units: the one place where depths, k and sigma change unit.

Any price unit serves (ticks, USD), as long as the mid is in it too.
"""

from typing import Final

BPS: Final = 10_000


def depth_bps(price: float, mid: float) -> float:
    """Return how far a price lies above the mid, in bps of it; negative below."""
    return (price / mid - 1) * BPS


def k_per_price(k_per_bps: float, mid: float) -> float:
    """Return the decay of the arrival intensity per price unit."""
    return k_per_bps * BPS / mid


def sigma_price(sigma_per_sqrt_s: float, mid: float) -> float:
    """Return volatility in price units per sqrt(second) from a fraction per sqrt(second)."""
    return sigma_per_sqrt_s * mid

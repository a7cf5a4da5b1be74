"""What we trade: one perpetual's grid, and which prices and sizes the venue takes.

Venue rules (prices): at most five significant figures and at most 6 - size_decimals decimals; whole
numbers are always allowed. Sizes: a multiple of 10^-size_decimals. Orders: at least 10 USD.
"""

from decimal import Decimal
from functools import cache
from math import ceil, floor
from typing import Final

import msgspec

from common.units import MICROS_PER_USD, Lots, Micros, Side, Ticks

PRICE_DECIMALS_MAX: Final = 6  # perpetuals; spot has 8
SIGNIFICANT_FIGURES_MAX: Final = 5
NOTIONAL_MIN: Final = Micros(10 * MICROS_PER_USD)


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """One coin of the venue's universe."""

    coin: str
    asset: int  # index in the venue's universe; what orders name
    size_decimals: int
    leverage_max: int = 50

    @property
    def price_decimals(self) -> int:
        return PRICE_DECIMALS_MAX - self.size_decimals

    # --- exact conversions; raise ValueError when the value is off the grid ---

    def ticks(self, price: Decimal | str) -> Ticks:
        return Ticks(_whole(Decimal(price), self.price_decimals, self.coin, "price"))

    def lots(self, size: Decimal | str) -> Lots:
        return Lots(_whole(Decimal(size), self.size_decimals, self.coin, "size"))

    def price(self, ticks: Ticks | int) -> Decimal:
        return Decimal(ticks).scaleb(-self.price_decimals)

    def size(self, lots: Lots | int) -> Decimal:
        return Decimal(lots).scaleb(-self.size_decimals)

    # --- the edge between floats and the grid; the rounding is in the name ---

    def ticks_nearest(self, price: Decimal | float) -> Ticks:
        return Ticks(round(Decimal(price).scaleb(self.price_decimals)))

    def lots_floor(self, size: Decimal | float) -> Lots:
        return Lots(floor(Decimal(size).scaleb(self.size_decimals)))

    # --- the venue's price rule ---

    def step(self, ticks: Ticks | int) -> int:
        """Return the distance in ticks between legal prices near `ticks`: 5 significant figures, whole USD always."""
        return _step(len(str(abs(ticks))), self.price_decimals)

    def is_legal(self, ticks: Ticks | int) -> bool:
        return ticks > 0 and ticks % self.step(ticks) == 0

    def legal_floor(self, ticks: float) -> Ticks:
        """Return the highest legal price at or below `ticks` (which may be between grid points)."""
        whole = floor(ticks)
        return Ticks(whole - whole % self.step(whole))

    def legal_ceil(self, ticks: float) -> Ticks:
        """Return the lowest legal price at or above `ticks` (which may be between grid points)."""
        whole = ceil(ticks)
        return Ticks(whole + -whole % self.step(whole))

    def legal_outward(self, side: Side, ticks: float) -> Ticks:
        """Round away from the market: bids down, asks up."""
        return self.legal_floor(ticks) if side is Side.BUY else self.legal_ceil(ticks)


def notional(ticks: Ticks | int, lots: Lots | int) -> Micros:
    """Return price times size, exactly (see common/units.py)."""
    return Micros(ticks * abs(lots))


def _whole(value: Decimal, decimals: int, coin: str, name: str) -> int:
    scaled = value.scaleb(decimals)
    if not scaled.is_finite() or (whole := int(scaled)) != scaled:
        raise ValueError(f"{coin} {name} {value} is not a multiple of 1e-{decimals}")
    return whole


@cache  # digits of a price and decimals of a coin are few
def _step(digits: int, price_decimals: int) -> int:
    return int(min(10 ** max(0, digits - SIGNIFICANT_FIGURES_MAX), 10**price_decimals))

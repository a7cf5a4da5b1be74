"""Where to quote and how much: a ladder around the fair price, moved against the inventory. Pure.

Distances are basis points of the fair price; a price is fair x (1 + (skew -+ half-spread -+ level x step) / 10,000).
Premia are added, never multiplied, and each is published. Floats end in `ladder`: prices are rounded outward
(bids down, asks up) to prices that the venue takes, sizes down to whole lots.
"""

from enum import StrEnum
from math import ceil, isfinite, sqrt
from typing import Final

import msgspec

from common.config import Coin, Strategy
from common.instrument import NOTIONAL_MIN, Instrument
from common.messages import QuoteLevel
from common.units import MICROS_PER_USD, Lots, Micros, Side, Ticks

BPS: Final = 10_000
# The venue values an order at its own price: 5 % above its minimum survives rounding and a reprice.
NOTIONAL_WANTED: Final = Micros(NOTIONAL_MIN * 105 // 100)


class Reason(StrEnum):
    """Why a side is not quoted: exactly one, the first that applies."""

    STOPPING = "stopping"
    NO_POSTURE = "no_posture"  # never heard
    POSTURE_UNHEARD = "posture_unheard"  # for `liveness.posture_unheard` units
    HALTED = "halted"
    PULL_QUOTES = "pull_quotes"
    NO_MARKET = "no_market"  # no book, estimate or feed health was ever heard
    FEED_NOT_FRESH = "feed_not_fresh"  # market_data says so
    STALE_BOOK = "stale_book"  # older than `liveness.book_feed` units
    STALE_ESTIMATE = "stale_estimate"
    WARMING_UP = "warming_up"  # the estimators have not seen `estimation.warm_up_ms` of this market yet
    ONE_SIDED_BOOK = "one_sided_book"
    BAD_ESTIMATE = "bad_estimate"  # not positive and finite, or further from the mid than `risk.reference_gap_bps`
    NO_EXPOSURE = "no_exposure"  # position never heard, or risk's exposure not for `liveness.posture_unheard` units
    POSITION_UNPROVEN = "position_unproven"
    REDUCE_ONLY = "reduce_only"  # this side would add
    FLAT = "flat"  # only reducing is allowed and there is nothing to reduce
    NO_HEADROOM = "no_headroom"  # the limits leave less than the venue's smallest order
    BELOW_MINIMUM = "below_minimum"  # max_order_usd is less than the venue's smallest order
    OUTSIDE_BAND = "outside_band"  # so wide that risk's price band would refuse it


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """The touch that is quoted against, and what is believed of it."""

    bid: Ticks
    ask: Ticks
    fair_ticks: float
    sigma_per_sqrt_s: float
    confidence: float  # 0..1: how much of sigma is the market's, the rest being the prior's

    @property
    def mid_ticks(self) -> float:
        return (self.bid + self.ask) / 2

    def is_sane(self, gap_max_bps: float) -> bool:
        """Say whether the estimate is positive, finite, a share where it is one, and near this market's mid."""
        if not all(isfinite(number) and number > 0 for number in (self.fair_ticks, self.sigma_per_sqrt_s)):
            return False
        if not 0 <= self.confidence <= 1:
            return False
        return abs(self.fair_ticks - self.mid_ticks) <= gap_max_bps / BPS * self.mid_ticks


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """Distances in bps: the parts of the half-spread by name, and the skew, positive upwards."""

    parts: dict[str, float]
    skew: float

    @property
    def half_spread(self) -> float:
        return sum(self.parts.values())


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """What one side may hold, all levels together."""

    lots: Lots
    reduce_only: bool = False
    largest: Lots = Lots(1 << 62)  # of one order
    whole: bool = False  # it is the whole position, which the venue lets us close however small it is


def shape(strategy: Strategy, market: Market, inventory: float, *, widen: bool) -> Shape:
    """Return distances for an inventory given as a signed share of the position limit.

    The skew is linear and therefore zero only when the inventory is; at the limit, and beyond, it is
    `full_inventory_shift` half-spreads.
    """
    parts = {
        "base": strategy.half_spread_bps,
        "volatility": strategy.volatility_multiple * market.sigma_per_sqrt_s * sqrt(strategy.horizon_s) * BPS,
        "cold": strategy.cold_premium_bps * (1 - market.confidence),
        "widen": strategy.widen_premium_bps if widen else 0.0,
    }
    share = max(-1.0, min(1.0, inventory))
    return Shape(parts=parts, skew=-strategy.full_inventory_shift * sum(parts.values()) * share)


def quote_ticks(side: Side, market: Market, shape: Shape, level_step_bps: float, level: int) -> float:
    """Return the price of one level before rounding and without regard to the touch."""
    distance = shape.half_spread + level * level_step_bps
    return market.fair_ticks * (1 + (shape.skew - side.sign * distance) / BPS)


def ladder(
    side: Side,
    market: Market,
    shape: Shape,
    *,
    instrument: Instrument,
    coin: Coin,
    strategy: Strategy,
    band_bps: float,
    allowance: Allowance,
) -> tuple[QuoteLevel, ...] | Reason:
    """Return one side's levels, innermost first, or why there is none."""
    prices = _prices(side, market, shape, strategy, instrument)
    band = band_bps / BPS * market.mid_ticks
    near = [ticks for ticks in prices if ticks > 0 and abs(ticks - market.mid_ticks) <= band]
    if not near:
        return Reason.OUTSIDE_BAND
    levels: dict[Ticks, int] = {}
    left = int(allowance.lots)
    for ticks in near:
        most = min(_lots_floor(coin.max_order_usd, ticks), allowance.largest) - levels.get(ticks, 0)
        least = _lots_wanted(ticks)
        if allowance.whole and not levels:
            least = min(least, left)
        lots = min(max(_lots_floor(coin.order_usd, ticks), least), most, left)
        if lots < least or lots <= 0:
            continue
        levels[ticks] = levels.get(ticks, 0) + lots
        left -= lots
    if levels:
        return tuple(
            QuoteLevel(ticks=ticks, lots=Lots(lots), reduce_only=allowance.reduce_only)
            for ticks, lots in levels.items()
        )
    return (
        Reason.BELOW_MINIMUM if _lots_floor(coin.max_order_usd, near[0]) < _lots_wanted(near[0]) else Reason.NO_HEADROOM
    )


def components(
    market: Market, shape: Shape, bids: tuple[QuoteLevel, ...], asks: tuple[QuoteLevel, ...]
) -> dict[str, float]:
    """Say how the innermost prices came about: price = fair x (1 + (skew + its side's parts) / 10,000).

    "rounding" is what the legal grid and the touch (post-only) have changed.
    """
    said = {"skew": shape.skew + 0.0}  # adding zero turns a minus zero into one that people read without a sign
    for name, side, levels in (("bid", Side.BUY, bids), ("ask", Side.SELL, asks)):
        if not levels:
            continue
        for part, bps in shape.parts.items():
            said[f"{name}.{part}"] = -side.sign * bps + 0.0
        quoted = (levels[0].ticks / market.fair_ticks - 1) * BPS
        said[f"{name}.rounding"] = quoted - shape.skew + side.sign * shape.half_spread
    return said


def _prices(side: Side, market: Market, shape: Shape, strategy: Strategy, instrument: Instrument) -> list[Ticks]:
    """Return legal prices, innermost first, each at least one legal step on our side of the other side's best."""
    limit = instrument.legal_floor(market.ask - 1) if side is Side.BUY else instrument.legal_ceil(market.bid + 1)
    prices = []
    for level in range(strategy.levels):
        raw = quote_ticks(side, market, shape, strategy.level_step_bps, level)
        if not isfinite(raw) or raw <= 0:
            continue
        legal = instrument.legal_outward(side, raw)
        prices.append(min(legal, limit) if side is Side.BUY else max(legal, limit))
    return prices


def _lots_wanted(ticks: Ticks) -> int:
    """Return the fewest lots that are worth NOTIONAL_WANTED at this price."""
    return ceil(NOTIONAL_WANTED / ticks)


def _lots_floor(usd: float, ticks: Ticks) -> int:
    return int(usd * MICROS_PER_USD / ticks)

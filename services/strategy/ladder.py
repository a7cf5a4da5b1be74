"""One side's orders: where each level lies and how much it shows, within the limits. Pure.

Rules
  1. The first level lies one half-spread from the shifted fair price, each next one `level_ratio` times as far.
  2. Sizes follow expected profit, lambda(depth) x (depth - adverse selection - fee): the best level has `order_usd`,
     a level that earns nothing has none. Where even the best earns nothing the first is quoted alone: the way out.
  3. Prices are rounded outward (bids down, asks up) to what the venue takes, and stay one legal step on our side of
     the other side's best: orders are post-only. Levels that meet at one price are one order.
  4. No order is larger than `max_order_usd`, than risk allows, or than DEPTH_SHARE_MAX of what this side of the book
     shows. All together are at most the allowance.
  5. A level below the venue's minimum is left out; where none would be left the first is raised to it.
"""

from math import ceil, exp, isfinite
from typing import Final

import msgspec

from common.config import Coin
from common.instrument import NOTIONAL_MIN, Instrument
from common.messages import QuoteLevel
from common.price_units import BPS
from common.sections import Strategy
from common.units import MICROS_PER_USD, Lots, Micros, Side, Ticks
from services.strategy.market import Market
from services.strategy.premia import Shape
from services.strategy.reasons import Reason

# The venue values an order at its own price: 5 % above its minimum survives rounding and a reprice.
NOTIONAL_WANTED: Final = Micros(NOTIONAL_MIN * 105 // 100)
DEPTH_SHARE_MAX: Final = 0.3  # more than that would be the market
UNLIMITED: Final = Lots(1 << 62)


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """What one side may hold, all levels together."""

    lots: Lots
    reduce_only: bool = False
    largest: Lots = UNLIMITED  # of one order, by risk's word
    visible: Lots = UNLIMITED  # what this side of the book shows
    factor: float = 1.0  # of all sizes
    whole: bool = False  # it is the whole position, which the venue lets us close however small it is


class Grid(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration says of one coin's ladder."""

    instrument: Instrument
    coin: Coin
    strategy: Strategy
    band_bps: float


class Rung(msgspec.Struct, frozen=True):
    """One level before sizes are whole lots."""

    ticks: Ticks
    weight: float  # 0..1


def ladder(
    side: Side, market: Market, shape: Shape, grid: Grid, allowance: Allowance
) -> tuple[QuoteLevel, ...] | Reason:
    """Return one side's levels, innermost first, or why there is none."""
    rungs = _rungs(side, market, shape, grid)
    if not rungs:
        return Reason.OUTSIDE_BAND
    cap = int(min(allowance.largest, DEPTH_SHARE_MAX * allowance.visible))
    usd = grid.coin.order_usd * allowance.factor
    levels: dict[Ticks, int] = {}
    left = int(allowance.lots)
    for rung in rungs:
        most = min(_lots_floor(grid.coin.max_order_usd, rung.ticks), cap) - levels.get(rung.ticks, 0)
        lots = min(_lots_floor(usd * rung.weight, rung.ticks), most, left)
        if lots < (1 if rung.ticks in levels else _lots_wanted(rung.ticks)):
            continue
        levels[rung.ticks] = levels.get(rung.ticks, 0) + lots
        left -= lots
    if not levels:
        only = _smallest(rungs[0].ticks, min(cap, _lots_floor(grid.coin.max_order_usd, rungs[0].ticks)), allowance)
        if only == 0:
            return _refusal(rungs[0].ticks, grid.coin, allowance)
        levels[rungs[0].ticks] = only
    return tuple(
        QuoteLevel(ticks=ticks, lots=Lots(lots), reduce_only=allowance.reduce_only) for ticks, lots in levels.items()
    )


def quote_ticks(side: Side, market: Market, shape: Shape, depth_bps: float) -> float:
    """Return the price of one level before rounding and without regard to the touch."""
    return market.fair_ticks * (1 + (shape.shift - side.sign * depth_bps) / BPS)


def components(
    market: Market, shape: Shape, bids: tuple[QuoteLevel, ...], asks: tuple[QuoteLevel, ...]
) -> dict[str, float]:
    """Say how the innermost prices came about: price = fair x (1 + (shifts + its side's parts) / 10,000).

    "rounding" is what the legal grid and the touch (post-only) have changed.
    """
    said = {name: bps + 0.0 for name, bps in shape.shifts.items()}  # adding zero turns a minus zero into a plain one
    for name, side, levels in (("bid", Side.BUY, bids), ("ask", Side.SELL, asks)):
        if not levels:
            continue
        for part, bps in shape.parts[side].items():
            said[f"{name}.{part}"] = -side.sign * bps + 0.0
        quoted = (levels[0].ticks / market.fair_ticks - 1) * BPS
        said[f"{name}.rounding"] = quoted - shape.shift + side.sign * shape.half_spread[side]
    return said


def _rungs(side: Side, market: Market, shape: Shape, grid: Grid) -> list[Rung]:
    """Rules 1 to 3, within risk's price band."""
    instrument, first = grid.instrument, shape.half_spread[side]
    limit = instrument.legal_floor(market.ask - 1) if side is Side.BUY else instrument.legal_ceil(market.bid + 1)
    band = grid.band_bps / BPS * market.mid_ticks
    k_per_bps = market.arrivals[side].k_per_bps
    rungs = []
    for level in range(grid.strategy.levels):
        depth = first * grid.strategy.level_ratio**level
        raw = quote_ticks(side, market, shape, depth)
        if not isfinite(raw) or raw <= 0:
            continue
        legal = instrument.legal_outward(side, raw)
        ticks = min(legal, limit) if side is Side.BUY else max(legal, limit)
        if ticks > 0 and abs(ticks - market.mid_ticks) <= band:
            profit = exp(-k_per_bps * (depth - first)) * max(0.0, depth - shape.cost[side])
            rungs.append(Rung(ticks, profit))
    best = max((rung.weight for rung in rungs), default=0.0)
    if best <= 0:
        return [Rung(rung.ticks, 1.0) for rung in rungs[:1]]
    return [Rung(rung.ticks, rung.weight / best) for rung in rungs]


def _smallest(ticks: Ticks, most: int, allowance: Allowance) -> int:
    """Rule 5: the least that the venue takes, or the whole rest of a position; 0 where neither fits."""
    wanted = _lots_wanted(ticks)
    if allowance.whole and allowance.lots < wanted:
        return max(0, min(allowance.lots, most))
    return wanted if wanted <= min(most, allowance.lots) else 0


def _refusal(ticks: Ticks, coin: Coin, allowance: Allowance) -> Reason:
    wanted = _lots_wanted(ticks)
    if _lots_floor(coin.max_order_usd, ticks) < wanted:
        return Reason.BELOW_MINIMUM
    if DEPTH_SHARE_MAX * allowance.visible < wanted <= min(allowance.lots, allowance.largest):
        return Reason.THIN_BOOK
    return Reason.NO_HEADROOM


def _lots_wanted(ticks: Ticks) -> int:
    """Return the fewest lots that are worth NOTIONAL_WANTED at this price."""
    return ceil(NOTIONAL_WANTED / ticks)


def _lots_floor(usd: float, ticks: Ticks) -> int:
    return int(usd * MICROS_PER_USD / ticks)

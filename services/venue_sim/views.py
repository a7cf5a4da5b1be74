"""What may be read of the exchange between blocks: the results of `Exchange.info` (see info.py)."""

from decimal import Decimal

import msgspec

from common.units import Lots, Micros, Millis, Side, Ticks
from services.venue_sim.api import OrderView


class Level(msgspec.Struct, frozen=True):
    ticks: Ticks
    lots: Lots
    orders: int


class BookView(msgspec.Struct, frozen=True, kw_only=True):
    """`time_ms` is the time of the last block."""

    coin: str
    time_ms: Millis
    bids: tuple[Level, ...]  # best first
    asks: tuple[Level, ...]


class OrderRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What orderStatus and historicalOrders say."""

    order: OrderView
    status: str
    status_ms: Millis


class PositionView(msgspec.Struct, frozen=True, kw_only=True):
    """Never flat. Ratios and prices are display values: Decimal, six decimals or more."""

    coin: str
    lots: Lots  # signed
    entry_price: Decimal
    value: Micros  # |position| at mark
    unrealized_pnl: Micros
    return_on_equity: Decimal
    liquidation_price: Decimal | None
    margin_used: Micros
    leverage: int
    is_cross: bool
    isolated_raw: Micros | None  # leverage.rawUsd of an isolated position
    leverage_max: int
    funding_all_time: Micros  # the wire's cumFunding counts what was paid as positive; so does this
    funding_since_open: Micros
    funding_since_change: Micros


class MarginSummary(msgspec.Struct, frozen=True, kw_only=True):
    account_value: Micros
    notional: Micros  # wire totalNtlPos
    raw_usd: Micros
    margin_used: Micros


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """clearinghouseState; an unknown user has zeros."""

    user: str
    time_ms: Millis
    total: MarginSummary
    cross: MarginSummary
    cross_maintenance: Micros
    withdrawable: Micros
    positions: tuple[PositionView, ...]


class AssetContext(msgspec.Struct, frozen=True, kw_only=True):
    """activeAssetCtx; None where the book has no such price."""

    coin: str
    funding: Decimal  # predicted hourly rate
    open_interest: Lots
    previous_day_ticks: Ticks  # price 24 h ago, or the oldest known
    day_notional: Micros
    day_lots: Lots
    premium: Decimal | None
    oracle_ticks: Ticks
    mark_ticks: Ticks
    mid_half_ticks: int | None  # bid + ask: twice the mid
    impact_ticks: tuple[Decimal, Decimal] | None  # bid, ask; average prices, in ticks


class FundingRate(msgspec.Struct, frozen=True, kw_only=True):
    """One hour of fundingHistory."""

    coin: str
    rate: Decimal
    premium: Decimal
    time_ms: Millis


class RateLimit(msgspec.Struct, frozen=True, kw_only=True):
    """userRateLimit."""

    volume: Micros
    used: int
    cap: int
    reserved: int = 0  # bought beforehand, used first


class FeeRates(msgspec.Struct, frozen=True, kw_only=True):
    """Share of notional in millionths; negative is a rebate. Default: tier 0."""

    maker_ppm: int = 150
    taker_ppm: int = 450


class DailyVolume(msgspec.Struct, frozen=True, kw_only=True):
    """What an account, and everybody, traded on one UTC day (counted from the epoch)."""

    day: int
    taker: Micros
    maker: Micros
    exchange: Micros


class Leverage(msgspec.Struct, frozen=True):
    value: int
    is_cross: bool


class ActiveAsset(msgspec.Struct, frozen=True, kw_only=True):
    """activeAssetData."""

    leverage: Leverage
    mark_ticks: Ticks
    max_lots: tuple[Lots, Lots]  # buy, sell
    available: tuple[Micros, Micros]  # buy, sell


class AgentView(msgspec.Struct, frozen=True, kw_only=True):
    name: str  # empty: the unnamed one, which extraAgents does not list
    address: str
    valid_until: Millis


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """userRole: user, missing, or agent or subAccount of `master`."""

    role: str
    master: str = ""


class TopOfBook(msgspec.Struct, frozen=True, kw_only=True):
    coin: str
    time_ms: Millis
    bid: Level | None
    ask: Level | None

    def best(self, side: Side) -> Level | None:
        return self.bid if side is Side.BUY else self.ask

"""What the exchange is configured with: its coins and the switchable rules of the venue."""

from decimal import Decimal
from typing import Final

import msgspec

from common.config import FillModel
from common.instrument import Instrument
from common.units import MICROS_PER_USD, Micros, Ticks

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS

BATCH_MAX: Final = 200  # orders, cancels or modifies in one action
ORDERS_REMEMBERED_MAX: Final = 2_000  # finished orders per account that orderStatus still knows
FILLS_REMEMBERED_MAX: Final = 10_000  # per account
RECORDS_REMEMBERED_MAX: Final = 10_000  # fundings, ledger entries per account; funding hours per coin
OPEN_ORDERS_MIN: Final = 1_000  # allowed from the start
OPEN_ORDERS_MAX: Final = 5_000  # however large the volume
OPEN_ORDER_VOLUME: Final = Micros(5_000_000 * MICROS_PER_USD)  # one more open order for each

FEE_ACCOUNT: Final = "0x" + "fe" * 20  # receives every fee, pays every rebate
FUNDING_ACCOUNT: Final = "0x" + "fd" * 20  # holds what rounding leaves of funding
LIQUIDATOR: Final = "0x" + "1d" * 20  # takes over what the book could not liquidate
TAPE_ACCOUNT: Final = "0x" + "7a" * 20  # everyone behind a recorded book
BRIDGE_ACCOUNT: Final = "0x" + "b1" * 20  # holds what was withdrawn
SERVICE_ACCOUNTS: Final = (FEE_ACCOUNT, FUNDING_ACCOUNT, LIQUIDATOR, TAPE_ACCOUNT, BRIDGE_ACCOUNT)


class MarginTier(msgspec.Struct, frozen=True):
    """From `above` of notional on, the part above it may use `leverage_max` at most."""

    above: Micros
    leverage_max: int


class CoinRules(msgspec.Struct, frozen=True, kw_only=True):
    """One perpetual. Without `tiers` there is one, of the instrument's leverage_max."""

    instrument: Instrument
    oracle_ticks: Ticks  # first oracle price
    tiers: tuple[MarginTier, ...] = ()
    impact_notional: Micros = Micros(6_000 * MICROS_PER_USD)  # the venue: 20,000 USD for BTC and ETH
    external: bool = False  # its book is a recording: ExternalBook and ExternalTrade

    @property
    def margin_tiers(self) -> tuple[MarginTier, ...]:
        return self.tiers or (MarginTier(Micros(0), self.instrument.leverage_max),)


class ExchangeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The whole exchange; the defaults are the venue's rules, made friendly to new accounts."""

    coins: tuple[CoinRules, ...]  # order = asset ids
    internal: tuple[str, ...] = ()  # addresses of the market's own participants
    equity: Micros = Micros(100_000 * MICROS_PER_USD)  # what an account gets when it is first seen
    price_band_percent: int = 95  # orders further than this from mark are refused; some venue texts say 80
    schedule_cancel_volume: Micros = Micros(0)  # the venue asks for 1,000,000 USD; 0 lets everyone
    request_buffer: int = 10_000  # address budget before any volume
    mark_interval_ms: int = 3_000  # mark moves at most this often
    partial_fill_rests: bool = True  # a Gtc that filled in part answers resting; False: filled
    interest: Decimal = Decimal("0.0001")  # per 8 hours
    fill_model: FillModel = FillModel.PESSIMISTIC  # of recorded books
    funding_interval_ms: int = HOUR_MS  # shorter: each payment is still that of an hour
    open_interest_max: Micros = Micros(0)  # of each coin at mark; 0: none
    quotes_noted: bool = False  # the market's own orders are in every block's story

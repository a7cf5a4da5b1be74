"""What a block did that no client hears of: the witness log needs it to be complete."""

from decimal import Decimal
from typing import TypeAlias

import msgspec

from common.units import Lots, Micros, Side, Ticks


class QuoteNote(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An order of the market's own participants rests, changes or, with 0 lots, is gone."""

    coin: str
    oid: int
    side: Side
    ticks: Ticks
    lots: Lots


class PriceNote(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Mark or oracle moved."""

    coin: str
    mark_ticks: Ticks
    oracle_ticks: Ticks


class RateNote(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Every position of the coin pays this funding now."""

    coin: str
    rate: Decimal
    oracle_ticks: Ticks


class FeesNote(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An account trades at these rates from now on."""

    user: str
    maker_ppm: int
    taker_ppm: int


class TransferNote(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A position of the market's own participants was closed without a trade."""

    user: str
    coin: str
    side: Side
    ticks: Ticks
    lots: Lots
    start_position: Lots
    direction: str
    closed_pnl: Micros
    oid: int
    tid: int


Note: TypeAlias = QuoteNote | PriceNote | RateNote | FeesNote | TransferNote

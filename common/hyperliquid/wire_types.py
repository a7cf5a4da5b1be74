"""The venue's JSON objects with the venue's names, and their exact conversion into ours.

Rules
  1. Unknown fields are ignored, missing and mistyped ones refused: the venue adds fields without notice.
  2. Prices and sizes are on the coin's grid, or the object is malformed; mark, oracle and the price of a trigger
     order are rounded to the nearest tick.
  3. Numbers are finite and small enough for every later product to be exact.
"""

from decimal import Decimal
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from common.errors import AbsurdNumber, PeerFault
from common.instrument import Instrument
from common.messages.orders import Fill
from common.messages.venue import FundingPayment, VenueOrder
from common.units import Lots, Millis, Side, Ticks

DIGITS_MAX: Final = 12  # before the decimal point: no price, size or balance reaches a million million

COLLATERAL: Final = "USDC"  # of every perpetual of the first exchange; fees are charged in it

Time: TypeAlias = Annotated[int, Meta(ge=0, lt=1 << 53)]  # ms since the epoch, exact in every JSON reader
Id: TypeAlias = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
Cloid: TypeAlias = Annotated[str, Meta(pattern="^0x[0-9a-fA-F]{32}$")]
SideLetter: TypeAlias = Literal["A", "B"]

SIDES: Final = {"B": Side.BUY, "A": Side.SELL}


class Level(msgspec.Struct, frozen=True, gc=False):
    px: Decimal
    sz: Decimal


class Order(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """Same in openOrders, frontendOpenOrders, orderStatus and orderUpdates; the last two lack some fields."""

    coin: str
    side: SideLetter
    limit_px: Decimal
    sz: Decimal
    orig_sz: Decimal
    oid: Id
    timestamp: Time
    cloid: Cloid | None = None
    reduce_only: bool | None = None
    is_trigger: bool | None = None


class UserFill(msgspec.Struct, frozen=True, rename="camel", gc=False):
    coin: str
    side: SideLetter
    px: Decimal
    sz: Decimal
    time: Time
    start_position: Decimal
    closed_pnl: Decimal
    oid: Id
    tid: Id
    crossed: bool
    fee: Decimal
    fee_token: str
    cloid: Cloid | None = None
    liquidation: msgspec.Raw = msgspec.Raw(b"null")


class Funding(msgspec.Struct, frozen=True, gc=False):
    coin: str
    usdc: Decimal


class StampedFunding(Funding, frozen=True, gc=False):
    """Same, as the streams have it."""

    time: Time


# --- into our units; PeerFault names what is wrong -------------------------------------------------


def finite(value: Decimal, name: str) -> Decimal:
    """Refuse NaN, infinities and numbers that could blow up whatever they are multiplied with."""
    if not value.is_finite() or value.adjusted() >= DIGITS_MAX:
        raise AbsurdNumber(f"{name} {value} is out of range")
    return value


def ticks(instrument: Instrument, price: Decimal) -> Ticks:
    """Convert a price exactly; positive."""
    finite(price, "price")
    try:
        found = instrument.ticks(price)
    except ValueError as error:
        raise PeerFault(str(error)) from error
    if found <= 0:
        raise PeerFault(f"{instrument.coin} price {price} is not positive")
    return found


def ticks_nearest(instrument: Instrument, price: Decimal) -> Ticks:
    """Convert a reference price, which need not be on the grid; positive."""
    found = instrument.ticks_nearest(finite(price, "price"))
    if found <= 0:
        raise PeerFault(f"{instrument.coin} price {price} is not positive")
    return found


def lots(instrument: Instrument, size: Decimal) -> Lots:
    """Convert a signed size exactly."""
    finite(size, "size")
    try:
        return instrument.lots(size)
    except ValueError as error:
        raise PeerFault(str(error)) from error


def lots_positive(instrument: Instrument, size: Decimal) -> Lots:
    found = lots(instrument, size)
    if found <= 0:
        raise PeerFault(f"{instrument.coin} size {size} is not positive")
    return found


def lots_unsigned(instrument: Instrument, size: Decimal) -> Lots:
    found = lots(instrument, size)
    if found < 0:
        raise PeerFault(f"{instrument.coin} size {size} is negative")
    return found


def venue_order(order: Order, instrument: Instrument) -> VenueOrder:
    price = ticks_nearest if order.is_trigger else ticks
    return VenueOrder(
        coin=order.coin,
        oid=order.oid,
        cloid=_lower(order.cloid),
        side=SIDES[order.side],
        ticks=price(instrument, order.limit_px),
        lots=lots_unsigned(instrument, order.sz),
        original_lots=lots_unsigned(instrument, order.orig_sz),
        placed_ms=Millis(order.timestamp),
        reduce_only=bool(order.reduce_only),
    )


def fill(found: UserFill, instrument: Instrument) -> Fill:
    if found.fee_token != COLLATERAL:
        raise PeerFault(f"{found.coin} fill {found.tid}: fee in {found.fee_token}, not in {COLLATERAL}")
    return Fill(
        coin=found.coin,
        side=SIDES[found.side],
        ticks=ticks(instrument, found.px),
        lots=lots_positive(instrument, found.sz),
        venue_ms=Millis(found.time),
        tid=found.tid,
        oid=found.oid,
        cloid=_lower(found.cloid),
        start_position=lots(instrument, found.start_position),
        fee=finite(found.fee, "fee"),
        closed_pnl=finite(found.closed_pnl, "closedPnl"),
        crossed=found.crossed,
        # The fills of both parties are marked. Our orders have cloids; that by which the venue closes us has none.
        liquidation=found.cloid is None and bytes(found.liquidation) != b"null",
    )


def funding_payment(found: Funding, time: int) -> FundingPayment:
    return FundingPayment(coin=found.coin, usd=finite(found.usdc, "usdc"), venue_ms=Millis(time))


def _lower(cloid: str | None) -> str | None:
    return None if cloid is None else cloid.lower()

"""What `mm orders` and `mm fills` show, from the venue's list or order_management's journal. Pure.

Rules
  1. The venue's list is proof. The journal alone is none: what it says may still fill is marked unproven.
  2. A fill is listed once, by (time, coin, tid), however often it was recorded.
  3. A coin that is configured no more has no grid: its price and size are null.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from common.instrument import Instrument
from common.messages import Fill, FillRecord, IntentRecord, Message, OrderIntent, OrderState, TransitionRecord
from common.messages.venue import VenueOrder
from common.units import Lots, Ticks
from services.cli.status import plain

OVER: Final = frozenset(
    {
        OrderState.INTENT,  # nobody has signed it yet
        OrderState.VETOED,
        OrderState.FILLED,
        OrderState.FILLED_IMMEDIATELY,
        OrderState.REJECTED,
        OrderState.CANCELLED,
    }
)


class OrderLine(msgspec.Struct, frozen=True, kw_only=True):
    """One order that rests, or may; size is what remains, in coins."""

    coin: str
    side: str
    px: str | None
    sz: str | None
    cloid: str | None
    oid: int | None
    reduce_only: bool
    ours: bool
    state: str
    unproven: bool


class FillLine(msgspec.Struct, frozen=True, kw_only=True):
    """One trade of ours, as the venue told it; size in coins, money in USD."""

    time_ms: int
    coin: str
    side: str
    px: str | None
    sz: str | None
    fee: str
    closed_pnl: str
    crossed: bool
    liquidation: bool
    tid: int
    oid: int
    cloid: str | None


def venue_lines(orders: Iterable[VenueOrder], instruments: Mapping[str, Instrument], *, ours: bool) -> list[OrderLine]:
    """List what the venue says rests."""
    lines = []
    for order in orders:
        px, sz = _amounts(instruments, order.coin, order.ticks, order.lots)
        lines.append(
            OrderLine(
                coin=order.coin,
                side=order.side.value,
                px=px,
                sz=sz,
                cloid=order.cloid,
                oid=order.oid,
                reduce_only=order.reduce_only,
                ours=ours,
                state=OrderState.RESTING.value,
                unproven=False,
            )
        )
    return lines


class _Order(msgspec.Struct):
    """One order while its records are read."""

    intent: OrderIntent
    state: OrderState = OrderState.INTENT
    oid: int | None = None
    filled: int = 0  # lots, by its transitions
    traded: int = 0  # lots, by its fills


def journal_lines(rows: Iterable[Message], instruments: Mapping[str, Instrument]) -> list[OrderLine]:
    """List what the journal says may still fill (rule 1)."""
    orders: dict[str, _Order] = {}
    for row in rows:
        match row:
            case IntentRecord(order=intent):
                orders[intent.cloid] = _Order(intent)
            case TransitionRecord() if found := orders.get(row.cloid):
                found.state = row.state
                found.oid = found.oid if row.oid is None else row.oid
                found.filled = max(found.filled, row.filled)
            case FillRecord(fill=fill) if found := orders.get(fill.cloid or ""):
                found.traded += fill.lots
            case _:
                pass  # boots and findings say nothing of orders
    return [_line(found, instruments) for found in orders.values() if found.state not in OVER]


def fill_lines(rows: Iterable[Message], instruments: Mapping[str, Instrument]) -> list[FillLine]:
    """List the recorded fills in the order of their venue time."""
    fills: dict[tuple[int, str, int], Fill] = {}
    for row in rows:
        if isinstance(row, FillRecord):
            fills.setdefault((row.fill.venue_ms, row.fill.coin, row.fill.tid), row.fill)
    lines = []
    for _, fill in sorted(fills.items()):
        px, sz = _amounts(instruments, fill.coin, fill.ticks, fill.lots)
        lines.append(
            FillLine(
                time_ms=fill.venue_ms,
                coin=fill.coin,
                side=fill.side.value,
                px=px,
                sz=sz,
                fee=plain(fill.fee),
                closed_pnl=plain(fill.closed_pnl),
                crossed=fill.crossed,
                liquidation=fill.liquidation,
                tid=fill.tid,
                oid=fill.oid,
                cloid=fill.cloid,
            )
        )
    return lines


def _line(found: _Order, instruments: Mapping[str, Instrument]) -> OrderLine:
    intent = found.intent
    left = Lots(intent.lots - min(intent.lots, max(found.filled, found.traded)))
    px, sz = _amounts(instruments, intent.coin, intent.ticks, left)
    return OrderLine(
        coin=intent.coin,
        side=intent.side.value,
        px=px,
        sz=sz,
        cloid=intent.cloid,
        oid=found.oid,
        reduce_only=intent.reduce_only,
        ours=True,
        state=found.state.value,
        unproven=True,
    )


def _amounts(
    instruments: Mapping[str, Instrument], coin: str, ticks: Ticks, lots: Lots
) -> tuple[str | None, str | None]:
    instrument = instruments.get(coin)
    if instrument is None:
        return None, None
    return plain(instrument.price(ticks)), plain(instrument.size(lots))

"""Short builders of our own orders, fills and positions."""

from decimal import Decimal

from common.messages import Fill, LiveOrder, LiveOrders, OrderState, Position
from common.units import Lots, Millis, Side, Ticks


def fill(
    ms: int, tid: int, *, side: Side = Side.BUY, ticks: int = 1_000_000, lots: int = 10, cloid: str | None = "0xa"
) -> Fill:
    return Fill(
        coin="BTC",
        side=side,
        ticks=Ticks(ticks),
        lots=Lots(lots),
        venue_ms=Millis(ms),
        tid=tid,
        oid=1,
        cloid=cloid,
        start_position=Lots(0),
        fee=Decimal(0),
        closed_pnl=Decimal(0),
        crossed=False,
    )


def order(
    cloid: str,
    ticks: int = 1_000_000,
    *,
    side: Side = Side.BUY,
    oid: int | None = None,
    state: OrderState = OrderState.SENT,
) -> LiveOrder:
    return LiveOrder(
        cloid=cloid,
        oid=oid,
        side=side,
        ticks=Ticks(ticks),
        lots=Lots(10),
        reduce_only=False,
        state=state,
    )


def listed(*orders: LiveOrder) -> LiveOrders:
    return LiveOrders(coin="BTC", orders=orders)


def position(
    lots: int, *, fees: Decimal | int = 0, funding: Decimal | int = 0, proven: bool = True, fills: int = 0
) -> Position:
    return Position(
        coin="BTC",
        lots=Lots(lots),
        entry=None,
        realized_pnl=Decimal(0),
        fees=Decimal(fees),
        funding=Decimal(funding),
        fills=fills,
        as_of_ms=Millis(0),
        proven=proven,
    )

"""A small venue that tells the truth, kept apart from what order_management hears of it.

Blocks are instants: every change has a venue millisecond of its own, and a read sees all changes until its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count

import msgspec

from common.instrument import Instrument
from common.messages import Fill, OrderUpdates, StreamFills
from common.messages.orders import ModifyIntent, OrderIntent
from common.messages.venue import (
    AccountQuery,
    ActionStatus,
    CapacityQuery,
    FillsQuery,
    FundingPayment,
    FundingQuery,
    MetaQuery,
    OpenOrdersQuery,
    OrderStatusQuery,
    OrderUpdate,
    Posted,
    Query,
    RateLimitQuery,
    TransfersQuery,
    UserRoleQuery,
    VenueAccount,
    VenueFills,
    VenueFundings,
    VenueMeta,
    VenueOpenOrders,
    VenueOrder,
    VenueOrderStatus,
    VenuePosition,
    VenueRateLimit,
    VenueTransfers,
    VenueUserRole,
)
from common.units import MILLISECOND, Lots, Millis, Nanos, Side
from services.order_management.core import VenueAnswer
from tests.services.order_management.parts import BASE_MS


class Body(msgspec.Struct, frozen=True):
    """What model risk signs; without orders and modifies it is a noop."""

    nonce: int
    expires_ms: int
    orders: tuple[OrderIntent, ...] = ()
    modifies: tuple[ModifyIntent, ...] = ()

    @property
    def new(self) -> tuple[OrderIntent, ...]:
        """What it would place, whatever it takes away."""
        return self.orders + tuple(modify.order for modify in self.modifies)


@dataclass
class Resting:
    """One order as the venue knows it."""

    order: OrderIntent
    oid: int
    left: int
    status: str = "open"
    status_ms: int = 0

    def listed(self) -> VenueOrder:
        return VenueOrder(
            coin=self.order.coin,
            oid=self.oid,
            cloid=self.order.cloid or None,
            side=self.order.side,
            ticks=self.order.ticks,
            lots=Lots(self.left),
            original_lots=self.order.lots,
            placed_ms=Millis(self.status_ms),
            reduce_only=self.order.reduce_only,
        )


@dataclass
class ModelVenue:
    """Orders, fills and positions; what it says on the streams is taken from `updates` and `fills_told`."""

    instruments: dict[str, Instrument]
    orders: dict[int, Resting] = field(default_factory=dict)
    by_cloid: dict[str, int] = field(default_factory=dict)
    nonces: set[int] = field(default_factory=set)
    position: dict[str, int] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    updates: list[OrderUpdates] = field(default_factory=list)
    fills_told: list[StreamFills] = field(default_factory=list)
    paid: list[FundingPayment] = field(default_factory=list)
    placed_twice: list[str] = field(default_factory=list)
    new_leg_first: bool = False  # which leg of a modify orderUpdates tell first
    cash: Decimal = Decimal(100_000)
    equity: Decimal = Decimal(100_000)  # as it is stated; 0 with no positions is no account
    ms: int = BASE_MS
    oids: Iterator[int] = field(default_factory=lambda: count(1_000))
    tids: Iterator[int] = field(default_factory=lambda: count(1))
    now: Nanos = Nanos(0)

    def at(self, now: Nanos) -> None:
        self.now = now
        self.ms = max(self.ms, BASE_MS + now // MILLISECOND)

    def _change(self) -> int:
        self.ms += 1
        return self.ms

    # --- actions -------------------------------------------------------------------------------------

    def receive(self, post_id: int, raw: bytes, *, refuse: bool = False) -> Posted:
        """Execute signed bytes; `refuse` makes the venue reject every order of them."""
        body = msgspec.json.decode(raw, type=Body)
        if self.ms > body.expires_ms:
            return Posted(post_id=post_id, error="Action already expired")
        if body.nonce in self.nonces:
            return Posted(post_id=post_id, error=f"Invalid nonce: duplicate nonce {body.nonce}")
        self.nonces.add(body.nonce)
        placed = tuple(self._place(order, refuse=refuse) for order in body.orders)
        return Posted(
            post_id=post_id, statuses=placed + tuple(self._modify(one, refuse=refuse) for one in body.modifies)
        )

    def _modify(self, modify: ModifyIntent, *, refuse: bool) -> ActionStatus:
        """Cancel and place: without the first there is no second, with it the second may still be refused."""
        if self.cancel(modify.old_cloid) != "success":
            return ActionStatus(kind="error", text="Cannot modify canceled or filled order")
        cancelled = self.updates.pop()
        status = self._place(modify.order, refuse=refuse)
        self.updates.insert(len(self.updates) - (not self.new_leg_first), cancelled)
        if status.kind == "error":
            return ActionStatus(kind="error", text=f"Error placing new order during modify: {status.text}")
        return status

    def _place(self, order: OrderIntent, *, refuse: bool) -> ActionStatus:
        if order.cloid and order.cloid in self.by_cloid:
            self.placed_twice.append(order.cloid)
        oid = next(self.oids)
        status = "badAloPxRejected" if refuse else "open"
        resting = Resting(order, oid, order.lots, status, self._change())
        self.orders[oid] = resting
        self.by_cloid[order.cloid] = oid
        self._tell(resting)
        if refuse:
            return ActionStatus(kind="error", text="Post only order would have immediately matched")
        return ActionStatus(kind="resting", oid=oid)

    def place_foreign(self, order: OrderIntent) -> None:
        self._place(order, refuse=False)

    def rests(self, cloid: str) -> bool:
        return cloid in self.by_cloid and self.orders[self.by_cloid[cloid]].status == "open"

    def cancel(self, cloid: str) -> str:
        if not self.rests(cloid):
            return "Order was never placed, already canceled, or filled."
        self.end(self.by_cloid[cloid], "canceled")
        return "success"

    def end(self, oid: int, status: str) -> None:
        resting = self.orders[oid]
        resting.status, resting.status_ms = status, self._change()
        self._tell(resting)

    def fill(self, oid: int, lots: int) -> None:
        resting = self.orders[oid]
        order, ms = resting.order, self._change()
        start = self.position.get(order.coin, 0)
        self.position[order.coin] = start + order.side.sign * lots
        resting.left -= lots
        resting.status_ms = ms
        resting.status = "open" if resting.left else "filled"
        fill = Fill(
            coin=order.coin,
            side=order.side,
            ticks=order.ticks,
            lots=Lots(lots),
            venue_ms=Millis(ms),
            tid=next(self.tids),
            oid=oid,
            cloid=order.cloid or None,
            start_position=Lots(start),
            fee=Decimal("0.01"),
            closed_pnl=Decimal(0),
            crossed=False,
        )
        instrument = self.instruments[order.coin]
        self.cash -= instrument.size(order.side.sign * lots) * instrument.price(order.ticks) + fill.fee
        self.fills.append(fill)
        self.fills_told.append(StreamFills(fills=(fill,), snapshot=False, received_at=self.now))
        self._tell(resting)

    def _tell(self, resting: Resting) -> None:
        update = OrderUpdate(order=resting.listed(), status=resting.status, status_ms=Millis(resting.status_ms))
        self.updates.append(OrderUpdates(updates=(update,), received_at=self.now))

    # --- truth ---------------------------------------------------------------------------------------

    def open(self) -> list[Resting]:
        return [resting for resting in self.orders.values() if resting.status == "open"]

    def pending(self, coin: str, side: Side) -> int:
        mine = (r for r in self.open() if r.order.cloid and r.order.coin == coin and r.order.side is side)
        return sum(resting.left for resting in mine)

    # --- reads ---------------------------------------------------------------------------------------

    def answer(self, query_id: int, query: Query, asked_at: Nanos) -> VenueAnswer | VenueRateLimit:
        match query:
            case OpenOrdersQuery():
                listed = tuple(resting.listed() for resting in self.open())
                return VenueOpenOrders(query_id=query_id, orders=listed, asked_at=asked_at)
            case OrderStatusQuery(cloid):
                return self._status(query_id, cloid, asked_at)
            case FillsQuery(since_ms):
                found = tuple(fill for fill in self.fills if fill.venue_ms >= since_ms)
                return VenueFills(query_id=query_id, fills=found, asked_at=asked_at)
            case AccountQuery():
                return self._account(query_id, asked_at)
            case FundingQuery():
                return VenueFundings(query_id=query_id, payments=tuple(self.paid))
            case TransfersQuery():
                return VenueTransfers(query_id=query_id, transfers=(), asked_at=asked_at)
            case UserRoleQuery():
                return VenueUserRole(query_id=query_id, role="user", master="")
            case RateLimitQuery():
                return VenueRateLimit(query_id=query_id, used=0, cap=10_000)
            case CapacityQuery():
                raise AssertionError("order_management asks for no capacity")
            case MetaQuery():
                return VenueMeta(query_id=query_id, universe=tuple(self.instruments.values()))

    def _status(self, query_id: int, cloid: str, asked_at: Nanos) -> VenueOrderStatus:
        oid = self.by_cloid.get(cloid)
        resting = self.orders[oid] if oid is not None else None
        return VenueOrderStatus(
            query_id=query_id,
            cloid=cloid,
            status=resting.status if resting else "unknownOid",
            order=resting.listed() if resting else None,
            status_ms=Millis(resting.status_ms if resting else 0),
            asked_at=asked_at,
        )

    def _account(self, query_id: int, asked_at: Nanos) -> VenueAccount:
        positions = tuple(
            VenuePosition(
                coin=coin,
                lots=Lots(lots),
                entry=Decimal(100),
                unrealized_pnl=Decimal(0),
                leverage=10,
                is_cross=True,
            )
            for coin, lots in self.position.items()
            if lots
        )
        return VenueAccount(
            query_id=query_id,
            venue_ms=Millis(self.ms),
            equity=self.equity,
            margin_used=Decimal(0),
            withdrawable=self.equity,
            positions=positions,
            asked_at=asked_at,
            raw_usd=self.cash,
        )

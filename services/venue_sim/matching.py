"""Price-time priority: resting orders of one coin, every change O(log n) or better.

A side keeps its prices in sorted chunks, so a new price costs a bisection and a short move however many there are;
a level keeps its orders in a linked dictionary, so a cancel costs O(1) and the first order is always at hand.
"""

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from common.units import Lots, Millis, Side, Ticks
from services.venue_sim.api import LiquidationMark, OrderView, Tif, Trigger
from services.venue_sim.other_actions import Builder

if TYPE_CHECKING:
    from services.venue_sim.account import Account

CHUNK_MAX: Final = 256  # prices per chunk: a move of 2 KB at most, and few chunks


class Order(msgspec.Struct, kw_only=True, eq=False):
    """One order while it lives. Trigger orders and waiting children are not in a book."""

    oid: int
    account: "Account"
    cloid: str | None
    coin: str
    side: Side
    ticks: int
    lots: int  # remaining
    original_lots: int
    placed_ms: int
    tif: Tif
    reduce_only: bool = False
    trigger: Trigger | None = None
    builder: Builder | None = None
    is_position_tpsl: bool = False
    is_resting: bool = False  # in the book
    weight: int = 1  # how many orders it stands for in a level's count
    parent: "Order | None" = None  # waits for this one's fill
    children: "list[Order]" = msgspec.field(default_factory=list)
    group: "list[Order]" = msgspec.field(default_factory=list)  # trigger orders that cancel each other
    liquidation: LiquidationMark | None = None

    def view(self) -> OrderView:
        return OrderView(
            user=self.account.user,
            oid=self.oid,
            cloid=self.cloid,
            coin=self.coin,
            side=self.side,
            ticks=Ticks(self.ticks),
            lots=Lots(self.lots),
            original_lots=Lots(self.original_lots),
            placed_ms=Millis(self.placed_ms),
            tif=None if self.trigger is not None else self.tif,
            reduce_only=self.reduce_only,
            trigger=self.trigger,
            is_position_tpsl=self.is_position_tpsl,
            children=tuple(child.view() for child in self.children),
        )


class Queue:
    """The orders at one price, oldest first."""

    __slots__ = ("count", "lots", "orders", "ticks")

    def __init__(self, ticks: int) -> None:
        self.ticks = ticks
        self.lots = 0
        self.count = 0
        self.orders: OrderedDict[int, Order] = OrderedDict()

    @property
    def first(self) -> Order:
        return next(iter(self.orders.values()))


class Prices:
    """A sorted set of keys; the largest is the best."""

    __slots__ = ("_chunks", "_largest")

    def __init__(self) -> None:
        self._chunks: list[list[int]] = []
        self._largest: list[int] = []  # of each chunk

    def add(self, key: int) -> None:
        if not self._chunks:
            self._chunks.append([key])
            self._largest.append(key)
            return
        place = min(bisect_left(self._largest, key), len(self._chunks) - 1)
        chunk = self._chunks[place]
        insort(chunk, key)
        if len(chunk) > CHUNK_MAX:
            half = len(chunk) // 2
            self._chunks[place : place + 1] = [chunk[:half], chunk[half:]]
            self._largest[place : place + 1] = [chunk[half - 1], chunk[-1]]
        else:
            self._largest[place] = chunk[-1]

    def remove(self, key: int) -> None:
        """The key must be there."""
        place = bisect_left(self._largest, key)
        chunk = self._chunks[place]
        del chunk[bisect_left(chunk, key)]
        if chunk:
            self._largest[place] = chunk[-1]
        else:
            del self._chunks[place], self._largest[place]

    @property
    def best(self) -> int | None:
        return self._largest[-1] if self._largest else None

    def __iter__(self) -> Iterator[int]:
        """Best first."""
        for chunk in reversed(self._chunks):
            yield from reversed(chunk)


class BookSide:
    """All bids or all asks."""

    def __init__(self, side: Side) -> None:
        self._sign = side.sign  # a key is a price that grows towards the market's other side
        self._prices = Prices()
        self._queues: dict[int, Queue] = {}

    def best(self) -> Queue | None:
        key = self._prices.best
        return None if key is None else self._queues[key]

    def reach(self, limit: int) -> Queue | None:
        """Return the best queue that a taker with this limit price can trade with."""
        key = self._prices.best
        return None if key is None or key < limit * self._sign else self._queues[key]

    def at(self, ticks: int) -> Queue | None:
        return self._queues.get(ticks * self._sign)

    def add(self, order: Order, *, first: bool = False) -> None:
        """Queue an order at its price: last, or first where the market says so."""
        key = order.ticks * self._sign
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = Queue(order.ticks)
            self._prices.add(key)
        queue.orders[order.oid] = order
        if first:
            queue.orders.move_to_end(order.oid, last=False)
        queue.lots += order.lots
        queue.count += order.weight

    def remove(self, order: Order) -> None:
        key = order.ticks * self._sign
        queue = self._queues[key]
        del queue.orders[order.oid]
        queue.lots -= order.lots
        queue.count -= order.weight
        if not queue.orders:
            del self._queues[key]
            self._prices.remove(key)

    def resize(self, order: Order, lots: int) -> None:
        """Set the remaining size in place; the order keeps its turn. Zero is a removal."""
        if lots == 0:
            self.remove(order)
        else:
            self._queues[order.ticks * self._sign].lots += lots - order.lots
        order.lots = lots

    def reweigh(self, order: Order, lots: int, weight: int) -> None:
        """Set size and count of an order that stands for others, in place."""
        self._queues[order.ticks * self._sign].count += weight - order.weight
        order.weight = weight
        self.resize(order, lots)

    def __iter__(self) -> Iterator[Queue]:
        """Best first."""
        return (self._queues[key] for key in self._prices)


class Book:
    """Both sides of one coin."""

    def __init__(self) -> None:
        self.bids = BookSide(Side.BUY)
        self.asks = BookSide(Side.SELL)

    def own(self, side: Side) -> BookSide:
        """Return where orders of this side rest."""
        return self.bids if side is Side.BUY else self.asks

    def other(self, side: Side) -> BookSide:
        """Return what orders of this side trade with."""
        return self.asks if side is Side.BUY else self.bids

    def bbo(self) -> tuple[int | None, int | None]:
        bid, ask = self.bids.best(), self.asks.best()
        return None if bid is None else bid.ticks, None if ask is None else ask.ticks

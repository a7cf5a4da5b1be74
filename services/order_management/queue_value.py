"""Where our orders stand: the volume that has to trade before each of them is filled. Pure.

Rules
  1. What is ahead of an order is the visible book at its price when it was asked for; trades at its price take from
     it, a trade beyond its price takes all of it, and the visible book without us caps it.
  2. Kept, an order waits for everything at better prices and for what is ahead of it. Replaced, it waits for everything
     at the new price and better. Its place is worth keeping when replacing saves less than `SAVING_MIN` of that.
  3. Without a book, or at prices beyond it, nothing is known and no place is worth anything.
"""

from typing import Final

from common.messages import Book, QuoteLevel, Trade
from common.units import Lots, Side, Ticks
from services.order_management.order_store import OrderStore
from services.order_management.tracked_order import TrackedOrder

SAVING_MIN: Final = 0.25  # of the volume before the fill; the estimate itself is not better than that


class Queue:
    """The last book of each coin; what is ahead of an order is kept in the order."""

    def __init__(self, store: OrderStore) -> None:
        self._store = store
        self._books: dict[str, Book] = {}

    def hear(self, message: Book | Trade) -> None:
        if isinstance(message, Book):
            self._books[message.coin] = message
            for order in self._store.of_coin(message.coin):
                self._cap(order)
            return
        side = message.side.opposite
        for order in self._store.side(message.coin, side):
            beyond = (order.price - message.ticks) * side.sign
            if beyond > 0:
                order.queue_ahead = Lots(0)
            elif beyond == 0 and order.queue_ahead is not None:
                order.queue_ahead = Lots(max(0, order.queue_ahead - message.lots))

    def ahead(self, coin: str, side: Side, price: Ticks) -> Lots | None:
        """Return what is visible at a price; None where the book does not reach."""
        levels = self._levels(coin, side)
        if not levels or (levels[-1][0] - price) * side.sign > 0:
            return None
        return Lots(sum(lots for ticks, lots in levels if ticks == price))

    def worth_keeping(self, order: TrackedOrder, level: QuoteLevel) -> bool:
        """Rule 2."""
        if order.queue_ahead is None or self.ahead(order.coin, order.side, order.price) is None:
            return False
        sign, levels = order.side.sign, self._levels(order.coin, order.side)
        kept = order.queue_ahead + sum(lots for ticks, lots in levels if (ticks - order.price) * sign > 0)
        replaced = sum(lots for ticks, lots in levels if (ticks - level.ticks) * sign >= 0)
        return kept - replaced < SAVING_MIN * kept or kept == 0

    def _cap(self, order: TrackedOrder) -> None:
        visible = self.ahead(order.coin, order.side, order.price)
        if visible is not None and order.queue_ahead is not None and visible >= order.remaining():
            order.queue_ahead = Lots(min(order.queue_ahead, visible - order.remaining()))

    def _levels(self, coin: str, side: Side) -> tuple[tuple[Ticks, Lots], ...]:
        book = self._books.get(coin)
        if book is None:
            return ()
        return book.bids if side is Side.BUY else book.asks

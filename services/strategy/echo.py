"""Whether a book is more than our own orders: when all others leave, what is left is no market.

Rules
  1. A side of the newest whole book is alive when some shown level holds more than our own orders at that price.
  2. What we sent but the venue has not shown yet counts as ours too; a fill that the book has not shown yet makes a
     side look alive for a moment, until the next book.
"""

from common.messages import Book, LiveOrders
from common.units import Side, Ticks


class Echo:
    """One coin's newest book beside our own orders."""

    def __init__(self) -> None:
        self._book: Book | None = None
        self._ours: dict[tuple[Side, Ticks], int] = {}

    def on_book(self, book: Book) -> None:
        self._book = book

    def on_orders(self, live: LiveOrders) -> None:
        self._ours = {}
        for order in live.orders:
            place = (order.side, order.ticks)
            self._ours[place] = self._ours.get(place, 0) + order.lots

    def is_all(self) -> bool:
        """Say whether one side at least is ours alone, or empty; False before the first book."""
        book = self._book
        if book is None:
            return False
        sides = ((Side.BUY, book.bids), (Side.SELL, book.asks))
        return not all(any(lots > self._ours.get((side, ticks), 0) for ticks, lots in levels) for side, levels in sides)

"""The touch: best bid and ask of one coin, from whichever of the two streams spoke last in venue time.

`TopOfBook` comes with every change and may be silent for long; `Book` is re-sent about twice a second. Who wants
the newest prices listens to both and keeps the newest.
"""

from typing import Self

import msgspec

from common.messages import Book, TopOfBook
from common.units import Lots, Millis, Nanos, Ticks


class Touch(msgspec.Struct, frozen=True, kw_only=True):
    """A two-sided market, or a side that is empty."""

    venue_ms: Millis
    bid: tuple[Ticks, Lots] | None
    ask: tuple[Ticks, Lots] | None
    received_at: Nanos

    @classmethod
    def of(cls, message: Book | TopOfBook) -> Self:
        if isinstance(message, TopOfBook):
            bid, ask = message.bid, message.ask
        else:
            bid = message.bids[0] if message.bids else None
            ask = message.asks[0] if message.asks else None
        return cls(venue_ms=message.venue_ms, bid=bid, ask=ask, received_at=message.received_at)

    def is_older_than(self, other: "Touch | None") -> bool:
        return other is not None and self.venue_ms < other.venue_ms

    def is_priced_as(self, other: "Touch | None") -> bool:
        """Say whether both have the same best prices, whatever stands there."""
        if other is None:
            return False
        sides = ((self.bid, other.bid), (self.ask, other.ask))
        return all(one is other or (one and other and one[0] == other[0]) for one, other in sides)

    @property
    def two_sided(self) -> bool:
        """Say whether both sides exist, with positive prices and sizes, and are not crossed or locked."""
        if self.bid is None or self.ask is None:
            return False
        return 0 < self.bid[0] < self.ask[0] and self.bid[1] > 0 and self.ask[1] > 0

    @property
    def mid_ticks(self) -> float | None:
        """Return the middle of both sides, in ticks; None unless two-sided."""
        if self.bid is None or self.ask is None or not self.two_sided:
            return None
        return (self.bid[0] + self.ask[0]) / 2

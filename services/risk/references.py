"""Risk's own price references of one coin: mark and oracle, and the mid of its own book feed.

Rules
  1. Mark and oracle count while their AssetContext is no older than `reference_age_ms`, measured from reception.
  2. The mid counts while the feed of full books is live: the venue re-sends a book about every 0.54 s, also when
     nothing changed, so one no older than `mid_age_ms` proves the feed. A quiet best bid and offer proves nothing.
  3. The mid comes from the newest venue time of either feed; an older message never replaces a newer one.
  4. A crossed, empty or non-positive book is no mid: the feed then counts as stale until a sound one arrives.
  5. A book that is older than `mid_age_ms` by the venue's clock was held up on its way: it is no news.
  6. Mid and mark further apart than `reference_gap_bps` are no references at all.
  7. A price lies inside the bands when it is within `price_band_bps` of mark, of oracle and of mid, both ends allowed.
"""

from decimal import Decimal
from math import floor
from typing import Final

import msgspec

from common.config import Risk as RiskSettings
from common.messages import AssetContext, Book, TopOfBook
from common.units import MILLISECOND, Millis, Nanos, Ticks

PPM: Final = 1_000_000
PPM_PER_BPS: Final = 100


def ppm_floor(bps: float) -> int:
    """Return basis points as whole parts per million, rounded towards the stricter limit."""
    return floor(Decimal(str(bps)) * PPM_PER_BPS)


class References(msgspec.Struct, frozen=True, kw_only=True):
    """What prices are judged by at one moment. `mid_twice` is bid + ask: a mid may lie between two ticks."""

    mark: Ticks
    oracle: Ticks
    mid_twice: int

    @property
    def dearest(self) -> Ticks:
        """The highest reference, rounded up: a position is worth at most this."""
        return Ticks(max(self.mark, self.oracle, -(-self.mid_twice // 2)))

    def gap_exceeds(self, ppm: int) -> bool:
        """Say whether mid and mark are no references (rule 6)."""
        return abs(self.mid_twice - 2 * self.mark) * PPM > ppm * 2 * self.mark

    def inside(self, ticks: Ticks | int, ppm: int) -> bool:
        """Say whether a price lies in every band (rule 7)."""
        doubled = 2 * ticks
        return all(
            abs(doubled - reference) * PPM <= ppm * reference
            for reference in (2 * self.mark, 2 * self.oracle, self.mid_twice)
        )


class ReferenceFeed:
    """Collects one coin's messages and says what they are worth now."""

    def __init__(self, settings: RiskSettings) -> None:
        self._context_age = settings.reference_age_ms * MILLISECOND
        self._mid_age_ms = settings.mid_age_ms
        self._gap_ppm = ppm_floor(settings.reference_gap_bps)
        self._context: AssetContext | None = None
        self._mid_twice: int | None = None
        self._mid_ms = Millis(-1)
        self._book_at: Nanos | None = None
        self._gap = False  # between the last ones (rule 6)
        self.last: References | None = None  # the newest sound ones, however old

    def on_context(self, context: AssetContext) -> None:
        """Take mark and oracle; zero or negative ones are none."""
        sound = context.mark > 0 and context.oracle > 0
        self._context = context if sound else None
        self._remember()

    def on_book(self, book: Book, venue_now: Millis | None) -> bool:
        """Take a full book: it proves the feed (rule 2). Returns whether it is sound news."""
        if self._held_up(book.venue_ms, venue_now):
            return False
        bid = book.bids[0][0] if book.bids else None
        ask = book.asks[0][0] if book.asks else None
        sound = self._take(bid, ask, book.venue_ms)
        if sound:
            self._book_at = book.received_at
        return sound

    def on_top(self, top: TopOfBook, venue_now: Millis | None) -> bool:
        """Take a best bid and offer: it moves the mid and proves nothing about the feed."""
        if self._held_up(top.venue_ms, venue_now):
            return False
        bid = top.bid[0] if top.bid else None
        ask = top.ask[0] if top.ask else None
        return self._take(bid, ask, top.venue_ms)

    def forget(self) -> None:
        """The socket is gone: nothing of it counts until it speaks again."""
        self._context = None
        self._mid_twice = None
        self._book_at = None

    def now(self, now: Nanos) -> References | None:
        """Return the references that count now; None while one is missing, stale or contradicted."""
        return None if self.fault(now) else self.last

    def ages(self, now: Nanos) -> tuple[Nanos | None, Nanos | None]:
        """Return the ages of mark and oracle, and of the last sound full book."""
        mark = None if self._context is None else Nanos(now - self._context.received_at)
        return mark, None if self._book_at is None else Nanos(now - self._book_at)

    def stale(self, now: Nanos) -> tuple[bool, bool]:
        """Say of mark and oracle, and of the books, whether they are too old or were never heard."""
        mark_at, book_at = self.stale_at
        return mark_at is None or now >= mark_at, book_at is None or now >= book_at

    @property
    def stale_at(self) -> tuple[Nanos | None, Nanos | None]:
        """Say when mark and oracle, and the books, will be too old; None of what was never heard."""
        mark = None if self._context is None else Nanos(self._context.received_at + self._context_age + 1)
        return mark, None if self._book_at is None else Nanos(self._book_at + self._mid_age_ms * MILLISECOND + 1)

    def fault(self, now: Nanos) -> str:
        """Say what keeps prices from being judged: "" when nothing does."""
        if self._context is None or now - self._context.received_at > self._context_age:
            return "no fresh mark"
        if self._mid_twice is None or self._book_at is None or now - self._book_at > self._mid_age_ms * MILLISECOND:
            return "no live book"
        if self.last is None or self._gap:
            return "mid and mark too far apart"
        return ""

    def _held_up(self, venue_ms: Millis, venue_now: Millis | None) -> bool:
        """Rule 5."""
        return venue_now is not None and venue_now - venue_ms > self._mid_age_ms

    def _take(self, bid: Ticks | None, ask: Ticks | None, venue_ms: Millis) -> bool:
        if venue_ms < self._mid_ms:
            return False
        self._mid_ms = venue_ms
        if bid is None or ask is None or not 0 < bid < ask:
            self._mid_twice = None
            return False
        if self._mid_twice != bid + ask:
            self._mid_twice = bid + ask
            self._remember()
        return True

    def _remember(self) -> None:
        if self._context is not None and self._mid_twice is not None:
            found = References(mark=self._context.mark, oracle=self._context.oracle, mid_twice=self._mid_twice)
            if found != self.last:
                self.last, self._gap = found, found.gap_exceeds(self._gap_ppm)

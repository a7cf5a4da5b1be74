"""Plays a recorded market into the exchange at its own pace, shifted in time to now.

Prices are the recorded ones; only time is moved. Our orders queue behind what the recording shows (tape_book.py).

Rules
  1. `speed` multiplies the pace. An event is fed in the first block at or after its time, a trade before the book that
     it changed.
  2. At the end the recording begins anew when `loop` is set (prices jump back). Otherwise its books are withdrawn and
     trading in its coins is halted, for a book that nobody is behind must not look alive; that is said once.
  3. A book of which the recording says nothing for SILENCE_MS_MAX of its time is withdrawn until it is shown again: the
     recorder was cut off, and nobody knows what stood there.
  4. Oracle is derived from the recorded mid, every 3 s, and mark follows from it: recordings have neither. Nor have
     they open interest and funding; what the venue shows of those is its own clients' doing.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from common.instrument import Instrument
from common.units import Side, Ticks
from services.venue_sim.api import ExternalBook, ExternalTrade, OracleUpdate, TradingHalt
from services.venue_sim.core import Exchange
from services.venue_sim.recordings import BookSeen, Event, LeaderSeen, Levels, Recording, Say, TouchSeen, TradeSeen
from services.venue_sim.truth import Truth

ORACLE_INTERVAL_MS: Final = 3_000
SILENCE_MS_MAX: Final = 10_000  # the quietest hour on record has steps of 3 s, outages last 18 s and more
EVENTS_PER_STEP_MAX: Final = 5_000  # a high speed must not stop the venue's clock; the rest is fed with the next block


class RecordedBook(msgspec.Struct):
    """The book as recorded so far: the last whole one, with the touches seen since."""

    bids: Levels = ()
    asks: Levels = ()
    changed: bool = False  # since it was last fed
    seen_ms: int = 0  # recorded time of the last word about it

    @property
    def mid_ticks(self) -> Ticks | None:
        return Ticks((self.bids[0].ticks + self.asks[0].ticks) // 2) if self.bids and self.asks else None

    def show(self, book: BookSeen) -> None:
        self.bids, self.asks, self.changed, self.seen_ms = book.bids, book.asks, True, book.at_ms

    def withdraw(self) -> None:
        self.bids, self.asks, self.changed = (), (), bool(self.bids or self.asks)

    def touch(self, seen: TouchSeen) -> None:
        """Put a new best price on one side; what it passes, on either side, is gone."""
        self.changed, self.seen_ms = True, seen.at_ms
        own, other, level = self.bids, self.asks, seen.level
        if seen.side is Side.SELL:
            own, other = other, own
        if level is None:
            own = ()
        else:
            sign = seen.side.sign
            own = (level, *(kept for kept in own if (kept.ticks - level.ticks) * sign < 0))
            other = tuple(kept for kept in other if (kept.ticks - level.ticks) * sign > 0)
        self.bids, self.asks = (own, other) if seen.side is Side.BUY else (other, own)


class TapeMarket:
    """One recording in play. Its coins need `external=True` and `first_oracles()` in their CoinRules."""

    def __init__(
        self,
        path: Path,
        instruments: tuple[Instrument, ...],
        *,
        speed: float,
        loop: bool,
        say: Say,
        skip_s: float = 0.0,
    ) -> None:
        """ConfigFault when the path holds no readable book of each coin."""
        self._recording = Recording(path, instruments, say, skip_s=skip_s)
        self._first = self._recording.first_books()
        self._instruments = {instrument.coin: instrument for instrument in instruments}
        self._speed = speed
        self._loop = loop
        self._say = say
        self._books = {coin: RecordedBook() for coin in self._instruments}
        self._events: Iterator[Event] = iter(())
        self._next: Event | None = None
        self._began_ms: int | None = None  # venue time at which the recording began
        self._from_ms = min(book.at_ms for book in self._first.values())  # recorded time of its beginning
        self._leads: dict[str, float] = {}  # of the leader, since they were last taken
        self._oracle_at_ms = 0
        self.ended = False

    def first_oracles(self) -> dict[str, Ticks]:
        """Return each coin's first recorded mid, for the exchange's configuration."""
        return {
            coin: Ticks((book.bids[0].ticks + book.asks[0].ticks) // 2) for coin, book in sorted(self._first.items())
        }

    def step(self, exchange: Exchange, now_ms: int) -> None:
        """Feed what is due in the block of this venue time; call it right before `exchange.step`."""
        if self._began_ms is None:
            self._rewind(now_ms)
        if self._next is None and not self.ended:
            self._end(exchange, now_ms)
        for _ in range(EVENTS_PER_STEP_MAX):
            if self._next is None or self._due_ms(self._next) > now_ms:
                break
            self._take(exchange, self._next)
            self._next = next(self._events, None)
        for coin, book in self._books.items():
            if self._recorded_ms(now_ms) - book.seen_ms > SILENCE_MS_MAX:
                book.withdraw()
            self._show(exchange, coin)
        if now_ms >= self._oracle_at_ms and not self.ended:
            self._oracle_at_ms = now_ms + ORACLE_INTERVAL_MS
            for coin, book in self._books.items():
                if book.mid_ticks is not None:
                    exchange.feed(OracleUpdate(coin=coin, ticks=book.mid_ticks))

    def take_leads(self) -> dict[str, float]:
        taken, self._leads = self._leads, {}
        return taken

    def truths(self, now_ms: int) -> tuple[Truth, ...]:  # noqa: ARG002  # the protocol of all markets
        """Return nothing: what was true behind a recording nobody knows."""
        return ()

    # --- time --------------------------------------------------------------------------------------

    def _due_ms(self, event: Event) -> float:
        assert self._began_ms is not None
        return self._began_ms + (event.at_ms - self._from_ms) / self._speed

    def _recorded_ms(self, now_ms: int) -> float:
        assert self._began_ms is not None
        return self._from_ms + (now_ms - self._began_ms) * self._speed

    def _rewind(self, now_ms: int) -> None:
        self._began_ms = now_ms
        self._events = self._recording.events()
        self._next = next(self._events, None)

    def _end(self, exchange: Exchange, now_ms: int) -> None:
        """Apply rule 2."""
        if self._loop:
            self._say(f"{self._recording.path}: the recording begins anew")
            self._rewind(now_ms)
            return
        self.ended = True
        for coin, book in self._books.items():
            book.withdraw()
            exchange.feed(TradingHalt(coin, halted=True))
        self._say(f"{self._recording.path}: the recording has ended; its books are withdrawn, trading is halted")

    # --- events ------------------------------------------------------------------------------------

    def _take(self, exchange: Exchange, event: Event) -> None:
        book = self._books[event.coin]
        match event:
            case BookSeen():
                book.show(event)
            case TouchSeen():
                if book.bids or book.asks:  # before the first whole book a touch stands for nothing
                    book.touch(event)
            case LeaderSeen():
                self._leads[event.coin] = event.ticks
            case TradeSeen():
                if book.bids or book.asks:  # the first are replays from before the recording
                    self._show(exchange, event.coin)
                    exchange.feed(ExternalTrade(event.coin, event.side, event.ticks, event.lots))

    def _show(self, exchange: Exchange, coin: str) -> None:
        book = self._books[coin]
        if book.changed:
            book.changed = False
            exchange.feed(ExternalBook(coin, book.bids, book.asks))

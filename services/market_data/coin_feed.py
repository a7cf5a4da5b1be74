"""What the venue's public streams said of one coin: which messages are good, and how old they are.

Nothing on these streams is numbered, so order is judged by the venue's own stamps, stream by stream.
"""

from enum import Enum
from itertools import pairwise
from typing import Final

from common.messages import AssetContext, Book, TopOfBook, Trade
from common.units import Lots, Millis, Nanos, Ticks

# The venue replays up to about 120 old trades after each subscribe; this is minutes of a busy coin.
TRADES_REMEMBERED_MAX: Final = 2_048
# So many refusals in a row mean that the stream is broken (or its last stamp was absurd), not one message.
REFUSALS_IN_A_ROW_MAX: Final = 20

Streamed = Book | TopOfBook | Trade | AssetContext


class Verdict(Enum):
    """What becomes of one message."""

    GOOD = "published"
    DUPLICATE = "dropped, we have it"
    REFUSED = "dropped, it cannot be true"


class CoinFeed:
    """Judges one coin's messages; remembers stamps, ages and counts, and nothing of the prices."""

    def __init__(self) -> None:
        self.book_at: Nanos | None = None  # reception of the last good book
        self.context_at: Nanos | None = None
        self.two_sided = False
        self.duplicates = 0
        self.refused = 0
        self._stamps: dict[type[Streamed], Millis] = {}
        self._refusals: dict[type[Streamed], int] = {}
        self._trades: dict[tuple[Millis, int], None] = {}  # oldest first

    def judge(self, message: Streamed, now: Nanos) -> Verdict:
        """Say whether the message may be published, and remember what it proves."""
        verdict = self._verdict(message)
        match verdict:
            case Verdict.GOOD:
                self._remember(message, now)
            case Verdict.DUPLICATE:
                self.duplicates += 1
            case Verdict.REFUSED:
                self.refused += 1
                self._refusals[type(message)] = self._refusals.get(type(message), 0) + 1
        return verdict

    @property
    def broken(self) -> bool:
        """Say whether one of the streams has said nothing but nonsense for too long."""
        return any(count >= REFUSALS_IN_A_ROW_MAX for count in self._refusals.values())

    def forget_order(self) -> None:
        """Start anew with stamps: the next socket may begin anywhere. Trades stay remembered, they are replayed."""
        self._stamps.clear()
        self._refusals.clear()

    def _verdict(self, message: Streamed) -> Verdict:
        match message:
            case Book() | TopOfBook():
                good = _is_sane(message) and message.venue_ms >= self._stamps.get(type(message), 0)
            case Trade():
                if (message.venue_ms, message.tid) in self._trades:
                    return Verdict.DUPLICATE
                good = message.ticks > 0 and message.lots > 0 and message.venue_ms >= self._stamps.get(Trade, 0)
            case AssetContext():
                good = message.mark > 0 and message.oracle > 0
        return Verdict.GOOD if good else Verdict.REFUSED

    def _remember(self, message: Streamed, now: Nanos) -> None:
        self._refusals[type(message)] = 0
        received_at = min(message.received_at, now)
        match message:
            case Book():
                self._stamps[Book] = message.venue_ms
                self.book_at = received_at
                self.two_sided = bool(message.bids and message.asks)
            case TopOfBook():
                self._stamps[TopOfBook] = message.venue_ms
            case Trade():
                self._stamps[Trade] = message.venue_ms
                self._trades[message.venue_ms, message.tid] = None
                if len(self._trades) > TRADES_REMEMBERED_MAX:
                    del self._trades[next(iter(self._trades))]
            case AssetContext():
                self.context_at = received_at


def _is_sane(message: Book | TopOfBook) -> bool:
    """Say whether prices and sizes are positive, sorted, and bid and ask neither crossed nor locked."""
    if isinstance(message, Book):
        bids, asks = message.bids, message.asks
    else:
        bids, asks = _side(message.bid), _side(message.ask)
    if any(ticks <= 0 or lots <= 0 for ticks, lots in (*bids, *asks)):
        return False
    if any(better <= worse for (better, _), (worse, _) in pairwise(bids)):
        return False
    if any(better >= worse for (better, _), (worse, _) in pairwise(asks)):
        return False
    return not (bids and asks) or bids[0][0] < asks[0][0]


def _side(best: tuple[Ticks, Lots] | None) -> tuple[tuple[Ticks, Lots], ...]:
    return () if best is None else (best,)

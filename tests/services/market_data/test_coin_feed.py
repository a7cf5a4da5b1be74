"""One coin's messages: which are good, with both sides of every limit."""

import msgspec
import pytest

from common.messages import Book
from common.units import Lots, Ticks
from services.market_data.coin_feed import (
    REFUSALS_IN_A_ROW_MAX,
    TRADES_REMEMBERED_MAX,
    CoinFeed,
    Streamed,
    Verdict,
)
from tests.market import ASK, BID, at, book, context, top, trade

GOOD, DUPLICATE, REFUSED = Verdict.GOOD, Verdict.DUPLICATE, Verdict.REFUSED


def ladder(bids: list[int], asks: list[int]) -> Book:
    """Build a book with these prices, one lot each."""
    return msgspec.structs.replace(
        book(1),
        bids=tuple((Ticks(ticks), Lots(1)) for ticks in bids),
        asks=tuple((Ticks(ticks), Lots(1)) for ticks in asks),
    )


@pytest.mark.parametrize(
    ("message", "verdict"),
    [
        (book(1), GOOD),
        (book(1, ask=BID + 1), GOOD),
        (book(1, ask=BID), REFUSED),  # locked
        (book(1, ask=BID - 1), REFUSED),  # crossed
        (book(1, bid=0), REFUSED),
        (book(1, lots=0), REFUSED),
        (ladder([10, 9], [11, 12]), GOOD),
        (ladder([10, 10], [11]), REFUSED),
        (ladder([9, 10], [11]), REFUSED),
        (ladder([10], [12, 11]), REFUSED),
        (ladder([10, 0], [11]), REFUSED),
        (ladder([10], []), GOOD),  # a side may be empty: true, and the reader must know
        (ladder([], []), GOOD),
        (top(1), GOOD),
        (top(1, ask=BID), REFUSED),
        (top(1, ask=None), GOOD),
        (top(1, bid=None, ask=0), REFUSED),
        (top(1, bid_lots=0), REFUSED),
        (trade(1, 1), GOOD),
        (trade(1, 1, ticks=0), REFUSED),
        (trade(1, 1, lots=0), REFUSED),
        (context(1), GOOD),
        (context(1, mark=0), REFUSED),
        (context(1, oracle=-1), REFUSED),
    ],
)
def test_what_can_be_true(message: Streamed, verdict: Verdict) -> None:
    """Each message alone: good, or counted as refused."""
    feed = CoinFeed()
    assert feed.judge(message, at(1)) is verdict
    assert feed.refused == (verdict is REFUSED)


def test_older_than_its_stream_is_refused() -> None:
    """An equal stamp is allowed, an older one is not, and each stream has its own order."""
    feed = CoinFeed()
    assert feed.judge(book(5), at(5)) is GOOD
    assert feed.judge(book(5.1, venue_ms=5_000), at(5.1)) is GOOD
    assert feed.judge(book(5.2, venue_ms=4_999), at(5.2)) is REFUSED
    assert feed.judge(top(5.2, venue_ms=4_999), at(5.2)) is GOOD
    assert feed.judge(top(5.3, venue_ms=4_998), at(5.3)) is REFUSED
    assert feed.judge(trade(5.3, 2, venue_ms=10), at(5.3)) is GOOD
    assert feed.judge(trade(5.3, 3, venue_ms=9), at(5.3)) is REFUSED
    feed.forget_order()
    assert feed.judge(book(6, venue_ms=1), at(6)) is GOOD


def test_trades_count_once() -> None:
    """A trade is known by time and id, also after the order was forgotten; memory is bounded."""
    feed = CoinFeed()
    for tid in range(TRADES_REMEMBERED_MAX):
        assert feed.judge(trade(1, tid), at(1)) is GOOD
    assert feed.judge(trade(2, 0), at(2)) is GOOD  # another time is another trade; it pushes out the oldest
    feed.forget_order()
    assert feed.judge(trade(1, 1), at(2)) is DUPLICATE
    assert feed.judge(trade(1, 0), at(2)) is GOOD
    assert (feed.duplicates, feed.refused) == (1, 0)


def test_a_run_of_refusals_breaks_a_stream() -> None:
    """One good message ends the run; other streams do not."""
    feed = CoinFeed()
    for _ in range(REFUSALS_IN_A_ROW_MAX - 1):
        feed.judge(book(1, ask=BID), at(1))
    feed.judge(top(1), at(1))
    assert not feed.broken
    feed.judge(book(1), at(1))
    for _ in range(REFUSALS_IN_A_ROW_MAX):
        assert not feed.broken
        feed.judge(book(1, ask=BID), at(1))
    assert feed.broken
    feed.forget_order()
    assert not feed.broken


def test_reception_in_the_future_is_now() -> None:
    """Ages come from the shell's stamp, but never from one that lies ahead."""
    feed = CoinFeed()
    feed.judge(book(9), at(5))
    feed.judge(context(4), at(5))
    assert (feed.book_at, feed.context_at) == (at(5), at(4))


def test_refused_messages_prove_no_life() -> None:
    """A crossed book or an absurd context leaves ages as they were."""
    feed = CoinFeed()
    feed.judge(book(1), at(1))
    feed.judge(book(2, ask=BID), at(2))
    feed.judge(context(2, mark=0), at(2))
    assert feed.book_at == at(1)
    assert feed.context_at is None
    assert feed.two_sided
    feed.judge(ladder([BID], []), at(3))
    assert not feed.two_sided
    assert ASK > BID

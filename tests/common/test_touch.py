"""The touch: what both streams say of best bid and ask."""

import msgspec
import pytest

from common.messages import Book, TopOfBook
from common.touch import Touch
from common.units import Lots, Ticks
from tests.market import ASK, BID, book, top


@pytest.mark.parametrize("message", [book(1), top(1)])
def test_both_streams_give_one_touch(message: Book | TopOfBook) -> None:
    """A book and a top of book of the same moment say the same."""
    touch = Touch.of(message)
    assert touch == Touch(
        venue_ms=message.venue_ms,
        bid=(Ticks(BID), Lots(100_000)),
        ask=(Ticks(ASK), Lots(100_000)),
        received_at=message.received_at,
    )
    assert touch.two_sided
    assert touch.mid_ticks == BID + 5


@pytest.mark.parametrize(
    "message",
    [
        top(1, bid=None),
        top(1, ask=None),
        top(1, ask=BID),
        top(1, ask=BID - 1),
        top(1, bid=0),
        top(1, bid_lots=0),
        top(1, ask_lots=-1),
        msgspec.structs.replace(book(1), bids=()),
        msgspec.structs.replace(book(1), asks=()),
    ],
)
def test_no_market_has_no_mid(message: Book | TopOfBook) -> None:
    """One-sided, crossed, locked, empty price, empty size."""
    touch = Touch.of(message)
    assert not touch.two_sided
    assert touch.mid_ticks is None


def test_age_is_venue_time() -> None:
    """Equal stamps are not older; nothing is older than nothing."""
    touch = Touch.of(top(2))
    assert touch.is_older_than(Touch.of(top(2.001)))
    assert not touch.is_older_than(Touch.of(book(2)))
    assert not touch.is_older_than(None)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (top(2, bid_lots=7), True),
        (book(2), True),
        (top(1, bid=BID - 1), False),
        (top(1, ask=ASK + 1), False),
        (top(1, bid=None), False),
        (top(1, ask=None), False),
    ],
)
def test_prices_are_compared_without_sizes(other: Book | TopOfBook, *, same: bool) -> None:
    """Of both sides; an empty side is priced as an empty one alone, and nothing as nothing known."""
    touch, found = Touch.of(top(1)), Touch.of(other)
    assert touch.is_priced_as(found) is found.is_priced_as(touch) is same
    assert found.is_priced_as(found)
    assert not touch.is_priced_as(None)

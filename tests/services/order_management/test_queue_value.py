"""The volume that has to trade before an order of ours is filled."""

import pytest

from common.messages import Book, QuoteLevel, Trade
from common.messages.orders import OrderState as S
from common.units import Lots, Millis, Nanos, Side, Ticks
from services.order_management.desk import Desk
from services.order_management.queue_value import Queue
from services.order_management.tracked_order import TrackedOrder
from tests.services.order_management.parts import desk, level, tracked

BIDS = ((999_100, 40), (999_050, 60), (999_000, 800), (998_900, 10))


def book(bids: tuple[tuple[int, int], ...] = BIDS) -> Book:
    return Book(
        coin="BTC",
        venue_ms=Millis(1),
        bids=tuple((Ticks(ticks), Lots(lots)) for ticks, lots in bids),
        asks=((Ticks(1_001_000), Lots(70)),),
        received_at=Nanos(1),
    )


def trade(ticks: int, lots: int, side: Side = Side.SELL) -> Trade:
    return Trade(
        coin="BTC", venue_ms=Millis(1), side=side, ticks=Ticks(ticks), lots=Lots(lots), tid=1, received_at=Nanos(1)
    )


def queued(ahead: int | None = 300, *, heard: bool = True) -> tuple[Queue, TrackedOrder, Desk]:
    """A bid of 500 lots at 999,000 with 300 ahead, in a book that shows it."""
    place = desk()
    order = tracked(place, state=S.RESTING, oid=77, queue_ahead=None if ahead is None else Lots(ahead))
    queue = Queue(place.store)
    if heard:
        queue.hear(book())
    return queue, order, place


@pytest.mark.parametrize(("ticks", "ahead"), [(999_000, 800), (999_060, 0), (998_900, 10), (998_899, None)])
def test_ahead_of_a_new_order(ticks: int, ahead: int | None) -> None:
    """Rules 1 and 3: what the book shows at its price; beyond the last price of the book nothing is known."""
    queue, _, _ = queued()
    assert queue.ahead("BTC", Side.BUY, Ticks(ticks)) == ahead
    assert queue.ahead("ETH", Side.BUY, Ticks(ticks)) is None


@pytest.mark.parametrize(
    ("told", "ahead"),
    [
        (trade(999_000, 100), 200),
        (trade(999_000, 301), 0),
        (trade(999_010, 100), 300),
        (trade(998_990, 1), 0),
        (trade(999_000, 100, Side.BUY), 300),
    ],
)
def test_trades_shorten_the_queue(told: Trade, ahead: int) -> None:
    """Rule 1: sellers at its price take what stands before it, beyond it everything; other trades nothing."""
    queue, order, _ = queued()
    queue.hear(told)
    assert order.queue_ahead == ahead


def test_an_unknown_queue_stays_unknown() -> None:
    """Rule 3: a trade at its price takes from nothing, one beyond it proves that nobody stands before us."""
    queue, order, _ = queued(None)
    queue.hear(trade(999_000, 100))
    assert order.queue_ahead is None
    queue.hear(trade(998_990, 1))
    assert order.queue_ahead == 0


@pytest.mark.parametrize(("visible", "ahead"), [(801, 300), (750, 250), (500, 0), (499, 300)])
def test_the_book_caps_the_queue(visible: int, ahead: int) -> None:
    """Rule 1: what is shown without us; a book that does not even show us is older than our order."""
    queue, order, _ = queued()
    queue.hear(book(((999_000, visible), (998_000, 1))))
    assert order.queue_ahead == ahead


@pytest.mark.parametrize(("ahead", "worth"), [(0, True), (33, True), (34, False), (None, False)])
def test_worth_of_a_place(ahead: int | None, worth: bool) -> None:
    """Rule 2: kept 100 + ahead, replaced 100 at 999,050: less than a quarter saved is not worth the queue."""
    queue, order, _ = queued(ahead)
    order.queue_ahead = None if ahead is None else Lots(ahead)
    wanted: QuoteLevel = level(999_050)
    assert queue.worth_keeping(order, wanted) is worth


def test_unknown_places_are_worth_nothing() -> None:
    """Rule 3: without a book; in front of everybody a place is kept."""
    for ahead in (300, 0):
        queue, order, _ = queued(ahead, heard=False)
        assert not queue.worth_keeping(order, level(999_050))
    queue, order, _ = queued()
    queue.hear(book(((999_000, 500), (998_000, 1))))
    assert queue.worth_keeping(order, level(999_050))

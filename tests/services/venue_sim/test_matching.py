"""The book's own structure: sorted prices, queues, and a cost that does not grow with depth."""

from hypothesis import given
from hypothesis import strategies as st

from services.venue_sim.account import Account
from services.venue_sim.api import Tif
from services.venue_sim.matching import CHUNK_MAX, Book, Order, Prices
from tests.services.venue_sim.stage import BUY, SELL

NOBODY = Account("0x0", internal=True, request_buffer=0)


def order(oid: int, ticks: int, lots: int = 10, *, weight: int = 1) -> Order:
    return Order(
        oid=oid,
        account=NOBODY,
        cloid=None,
        coin="BTC",
        side=BUY,
        ticks=ticks,
        lots=lots,
        original_lots=lots,
        placed_ms=0,
        tif=Tif.GTC,
        weight=weight,
    )


@given(keys=st.lists(st.integers(-50, 50)))
def test_prices_are_a_sorted_set(keys: list[int]) -> None:
    """Adding and removing keys in any order keeps them sorted, the largest first."""
    prices, model = Prices(), set[int]()
    for key in keys:
        if key in model:
            prices.remove(key)
        else:
            prices.add(key)
        model ^= {key}
        assert list(prices) == sorted(model, reverse=True)
        assert prices.best == max(model, default=None)


def test_prices_split_and_vanish() -> None:
    """More keys than a chunk holds are split; removed in any order, nothing remains."""
    prices = Prices()
    keys = [key * 7919 % 10_007 for key in range(20 * CHUNK_MAX)]
    for key in keys:
        prices.add(key)
    assert list(prices) == sorted(keys, reverse=True)
    assert max(len(chunk) for chunk in prices._chunks) <= CHUNK_MAX
    for key in keys:
        prices.remove(key)
    assert (list(prices), prices.best, prices._chunks) == ([], None, [])


def test_a_queue_sums_its_orders() -> None:
    """Lots and counts follow adds, resizes and removals; `first` jumps the queue."""
    side = Book().bids
    first, second, third = order(1, 100), order(2, 100, weight=3), order(3, 100)
    side.add(first)
    side.add(second)
    side.add(third, first=True)
    queue = side.at(100)
    assert queue is not None
    assert (queue.lots, queue.count, queue.first) == (30, 5, third)
    side.resize(second, 4)
    assert (queue.lots, second.lots) == (24, 4)
    side.remove(first)
    side.resize(second, 0)
    assert (queue.lots, queue.count) == (10, 1)
    side.remove(third)
    assert side.at(100) is None
    assert side.best() is None


def test_reach_is_the_takers_limit() -> None:
    """A level is in reach at its price, not a tick before; bids reach upwards, asks downwards."""
    book = Book()
    book.bids.add(order(1, 100))
    book.asks.add(order(2, 110))
    assert book.bbo() == (100, 110)
    assert [book.own(BUY).reach(limit) is not None for limit in (101, 100, 99)] == [False, True, True]
    assert [book.other(BUY).reach(limit) is not None for limit in (109, 110, 111)] == [False, True, True]
    assert book.own(SELL) is book.asks

"""A book that only we stand in is no market."""

from hypothesis import given
from hypothesis import strategies as st

from common.messages import Book, LiveOrder, LiveOrders, OrderState
from common.units import Lots, Millis, Nanos, Side, Ticks
from services.strategy.echo import Echo

Levels = tuple[tuple[int, int], ...]


def book(bids: Levels, asks: Levels) -> Book:
    return Book(
        coin="BTC",
        venue_ms=Millis(1),
        bids=tuple((Ticks(ticks), Lots(lots)) for ticks, lots in bids),
        asks=tuple((Ticks(ticks), Lots(lots)) for ticks, lots in asks),
        received_at=Nanos(0),
    )


def ours(*orders: tuple[Side, int, int]) -> LiveOrders:
    return LiveOrders(
        coin="BTC",
        orders=tuple(
            LiveOrder(
                cloid=f"{number}",
                oid=number,
                side=side,
                ticks=Ticks(ticks),
                lots=Lots(lots),
                reduce_only=False,
                state=OrderState.RESTING,
            )
            for number, (side, ticks, lots) in enumerate(orders)
        ),
    )


def echo(shown: Book, live: LiveOrders) -> bool:
    seen = Echo()
    seen.on_orders(live)
    seen.on_book(shown)
    return seen.is_all()


def test_nothing_is_claimed_before_the_first_book() -> None:
    """Other reasons speak then."""
    assert not Echo().is_all()


def test_one_lot_of_somebody_else_is_a_market() -> None:
    """Both sides of the limit: our size exactly, and one lot more."""
    live = ours((Side.BUY, 99, 5), (Side.SELL, 101, 5))
    assert echo(book(((99, 5),), ((101, 5),)), live)
    assert echo(book(((99, 6),), ((101, 5),)), live)  # one side is not enough
    assert not echo(book(((99, 6),), ((101, 6),)), live)


def test_a_deeper_level_of_others_is_a_market_too() -> None:
    """Being alone at the touch is what a market maker is paid for."""
    live = ours((Side.BUY, 99, 5), (Side.SELL, 101, 5))
    assert not echo(book(((99, 5), (98, 1)), ((101, 5), (102, 1))), live)


def test_our_levels_add_up_and_sides_do_not_mix() -> None:
    """Two orders at one price are both ours; a sale at the price of a bid hides nothing."""
    live = ours((Side.BUY, 99, 5), (Side.BUY, 99, 2), (Side.SELL, 99, 100), (Side.SELL, 101, 1))
    assert echo(book(((99, 7),), ((101, 9),)), live)
    assert not echo(book(((99, 8),), ((101, 9),)), live)


def test_an_empty_side_is_no_market() -> None:
    """Whoever else is on the other one."""
    assert echo(book((), ((101, 9),)), ours())


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 9)), min_size=1, max_size=5))
def test_without_orders_of_ours_a_two_sided_book_is_a_market(levels: list[tuple[int, int]]) -> None:
    """Whatever it looks like."""
    bids = tuple((50 - ticks, lots) for ticks, lots in levels)
    asks = tuple((50 + ticks, lots) for ticks, lots in levels)
    assert not echo(book(bids, asks), ours())

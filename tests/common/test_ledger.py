"""The ledger's rules: fills in any order and number give the one true position and its money."""

from decimal import Decimal
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from common.instrument import Instrument
from common.ledger import FILL_KEYS_MAX, RECENT_MAX, RECENT_MS, FillKey, Ledger, SeenKeys, chained
from common.messages import Fill
from common.messages.venue import FundingPayment
from common.units import Lots, Millis, Side, Ticks

BTC: Final = Instrument(coin="BTC", asset=0, size_decimals=5)  # one tick 0.1 USD, one lot 0.00001 BTC
ONE: Final = 100_000  # lots of one BTC
OPENED_MS: Final = 1_000


def fill(
    lots: int, *, price: int = 100, at_ms: int = 2_000, tid: int = 1, start: int = 0, fee: str = "0", pnl: str = "0"
) -> Fill:
    """A trade of so many signed lots at a price in USD."""
    return Fill(
        coin="BTC",
        side=Side.BUY if lots > 0 else Side.SELL,
        ticks=Ticks(price * 10),
        lots=Lots(abs(lots)),
        venue_ms=Millis(at_ms),
        tid=tid,
        oid=1,
        cloid=None,
        start_position=Lots(start),
        fee=Decimal(fee),
        closed_pnl=Decimal(pnl),
        crossed=False,
    )


def payment(usd: str, at_ms: int, coin: str = "BTC") -> FundingPayment:
    return FundingPayment(coin=coin, usd=Decimal(usd), venue_ms=Millis(at_ms))


def opened(lots: int = 0, entry: str | None = None) -> Ledger:
    ledger = Ledger({"BTC": BTC})
    ledger.open("BTC", Lots(lots), None if entry is None else Decimal(entry), Millis(OPENED_MS))
    return ledger


def test_a_fill_counts_once() -> None:
    """Rule 1: by time, coin and tid; one tid at another time is another fill."""
    ledger = opened()
    assert ledger.count(fill(5))
    assert not ledger.count(fill(5))
    assert ledger.count(fill(5, at_ms=2_001))
    assert ledger.lots("BTC") == 10
    assert ledger.coins["BTC"].fills == 2


def test_keys_of_a_checkpoint_are_counted_already() -> None:
    """Rule 1: also after a restart, for fills and for funding."""
    first = opened()
    first.count(fill(5))
    first.fund(payment("1.5", 2_000))
    second = Ledger({"BTC": BTC})
    second.restore(first.coins["BTC"].record("carried over"))
    second.remember(*first.keys())
    assert not second.count(fill(5))
    assert not second.fund(payment("1.5", 2_000))
    assert second.coins["BTC"].record("") == first.coins["BTC"].record("")


def test_the_oldest_key_is_forgotten_at_the_limit() -> None:
    """Rule 1: memory is bounded where the venue cannot send an older fill any more."""
    seen: SeenKeys[FillKey] = SeenKeys(2)
    keys = [(Millis(n), "BTC", n) for n in range(3)]
    assert [seen.add(key) for key in (*keys[:2], keys[0])] == [True, True, False]
    assert seen.add(keys[2])
    assert [key in seen for key in keys] == [False, True, True]
    assert FILL_KEYS_MAX > 10_000, "what the venue serves"


def test_a_fill_inside_the_anchor_is_money_only() -> None:
    """Rule 2: the venue's word of that moment holds its lots already; its own profit is taken."""
    ledger = opened()
    ledger.coins["BTC"].adopt(Lots(7), Decimal(100), Millis(3_000))
    ledger.count(fill(-2, at_ms=3_000, fee="0.5", pnl="12"))
    books = ledger.coins["BTC"]
    assert (books.lots, books.realized_pnl, books.fees) == (7, Decimal(12), Decimal("0.5"))
    ledger.count(fill(-2, at_ms=3_001))
    assert books.lots == 5


def test_adopting_replays_what_came_later() -> None:
    """Rule 2: position is the adopted lots plus later fills; what was earned stays as it was."""
    ledger = opened()
    for n, at_ms in enumerate((2_000, 3_000, 4_000)):
        ledger.count(fill(ONE, at_ms=at_ms, tid=n, price=100 + 10 * n))
    ledger.count(fill(-ONE, at_ms=5_000, tid=9, price=150))
    books = ledger.coins["BTC"]
    earned = books.realized_pnl
    books.adopt(Lots(10 * ONE), Decimal(90), Millis(3_000))
    assert books.lots == 10 * ONE
    assert books.realized_pnl == earned == 40
    assert books.entry == (10 * 90 + Decimal(120)) / 11


@pytest.mark.parametrize(("at_ms", "counted"), [(OPENED_MS - 1, False), (OPENED_MS, False), (OPENED_MS + 1, True)])
def test_nothing_from_before_the_books_counts(at_ms: int, counted: bool) -> None:
    """Rule 3: neither fills nor funding."""
    ledger = opened()
    assert ledger.count(fill(1, at_ms=at_ms)) is counted
    assert ledger.fund(payment("1", at_ms)) is counted


def test_coins_without_books_count_nothing() -> None:
    """Rule 3: not even remembered, so that it counts once the books are open; unconfigured rows are left out."""
    ledger = Ledger({"BTC": BTC})
    assert not ledger.count(fill(1))
    assert not ledger.fund(payment("1", 2_000))
    assert ledger.lots("BTC") == 0
    ledger.open("BTC", Lots(0), None, Millis(OPENED_MS))
    assert ledger.count(fill(1))
    ledger.restore(replace(ledger.coins["BTC"].record("x"), coin="DOGE"))
    assert list(ledger.coins) == ["BTC"]


@given(st.permutations([fill(3, start=0, tid=9), fill(-5, start=3, tid=4), fill(1, start=-2, tid=7)]))
def test_one_millisecond_is_taken_by_the_chain(fills: list[Fill]) -> None:
    """Rule 4: start positions chain, whatever the tids and the order of arrival."""
    assert [one.tid for one in chained(fills)] == [9, 4, 7]


def test_time_comes_before_the_chain() -> None:
    """Rule 4: chains are within a millisecond; one that is broken keeps the order of tids."""
    later, broken = fill(1, at_ms=3_000, start=50), fill(1, start=90, tid=2)
    assert chained([later, broken, fill(1, start=0, tid=1)]) == [fill(1, start=0, tid=1), broken, later]


@pytest.mark.parametrize(
    ("trades", "entry", "realized"),
    [
        ([(ONE, 100), (ONE, 110)], "105", "0"),
        ([(ONE, 100), (-ONE, 110)], None, "10"),
        ([(-ONE, 100), (ONE, 110)], None, "-10"),
        ([(2 * ONE, 100), (-ONE, 110)], "100", "10"),
        ([(ONE, 100), (-3 * ONE, 110)], "110", "10"),
        ([(-ONE, 100), (3 * ONE, 90)], "90", "10"),
    ],
)
def test_profit_is_against_the_average_entry(trades: list[tuple[int, int]], entry: str | None, realized: str) -> None:
    """Rule 5: adding averages, closing realises, turning begins anew at the price of the turn."""
    ledger = opened()
    for n, (lots, price) in enumerate(trades):
        ledger.count(fill(lots, price=price, tid=n))
    books = ledger.coins["BTC"]
    assert books.entry == (None if entry is None else Decimal(entry))
    assert books.realized_pnl == Decimal(realized)


def test_fees_and_funding_stand_apart() -> None:
    """Rule 5: a rebate is negative, funding received is positive, neither moves the profit; each payment once."""
    ledger = opened()
    ledger.count(fill(ONE, fee="-0.25"))
    assert ledger.fund(payment("1.5", 2_000))
    assert not ledger.fund(payment("1.5", 2_000))
    assert ledger.fund(payment("-0.5", 3_000))
    row = ledger.coins["BTC"].record("test")
    assert (row.realized_pnl, row.fees, row.funding, row.reason) == (Decimal(0), Decimal("-0.25"), Decimal(1), "test")


def test_the_position_of_a_moment_ago() -> None:
    """Fills after the moment are not yet in it; beyond five minutes nothing is remembered."""
    ledger = opened(lots=10)
    ledger.count(fill(1, at_ms=2_000, tid=1))
    ledger.count(fill(2, at_ms=3_000, tid=2))
    books = ledger.coins["BTC"]
    assert [books.position_at(Millis(at_ms)) for at_ms in (1_999, 2_000, 2_999, 3_000)] == [10, 11, 11, 13]
    ledger.count(fill(4, at_ms=2_000 + RECENT_MS, tid=3))
    assert len(books.recent) == 3
    ledger.count(fill(4, at_ms=2_001 + RECENT_MS, tid=4))
    assert len(books.recent) == 3


def test_recent_trades_have_a_limit() -> None:
    """A burst forgets its own beginning; the position itself stays exact."""
    ledger = opened()
    for tid in range(RECENT_MAX + 1):
        ledger.count(fill(1, tid=tid))
    assert len(ledger.coins["BTC"].recent) == RECENT_MAX
    assert ledger.lots("BTC") == RECENT_MAX + 1


TRADES: Final = st.lists(
    st.builds(
        fill,
        st.integers(-5, 5).filter(bool),
        price=st.integers(90, 110),
        at_ms=st.integers(OPENED_MS + 1, OPENED_MS + 50),
        tid=st.integers(0, 10_000),
    ),
    max_size=20,
    unique_by=lambda one: (one.venue_ms, one.tid),
)


@given(TRADES, st.data())
def test_order_and_repetition_change_nothing(trades: list[Fill], data: st.DataObject) -> None:
    """Rules 1 and 5: lots, fees and total profit at any price are those of the trades, however they arrive."""
    ledger = opened()
    for one in data.draw(st.permutations(trades + trades[::2])):
        ledger.count(one)
    books = ledger.coins["BTC"]
    cash = sum((-one.side.sign * BTC.size(one.lots) * BTC.price(one.ticks) for one in trades), Decimal(0))
    assert books.lots == sum(one.side.sign * one.lots for one in trades)
    assert books.fills == len(trades)
    held = BTC.size(books.lots)
    total = books.realized_pnl + (0 if books.entry is None else held * (Decimal(100) - books.entry))
    assert abs(total - (cash + held * 100)) < Decimal("1e-15")


@given(TRADES, st.data(), st.integers(OPENED_MS, OPENED_MS + 60))
def test_what_was_earned_at_a_moment_is_the_cash_until_then(trades: list[Fill], data: st.DataObject, at: int) -> None:
    """Rule 5: whatever came later is left out, with its fees; payments count like fills."""
    ledger = opened()
    for one in data.draw(st.permutations([replace(one, fee=Decimal("0.01")) for one in trades])):
        ledger.count(one)
    ledger.fund(payment("0.5", OPENED_MS + 25))
    until = [one for one in trades if one.venue_ms <= at]
    cash = sum((-one.side.sign * BTC.size(one.lots) * BTC.price(one.ticks) for one in until), Decimal(0))
    cash += Decimal("0.5") * (at >= OPENED_MS + 25) - Decimal("0.01") * len(until)
    assert abs(ledger.earned_at(Millis(at)) - cash) < Decimal("1e-15")
    assert ledger.booked_from == min([OPENED_MS + 25, *(one.venue_ms for one in trades)])

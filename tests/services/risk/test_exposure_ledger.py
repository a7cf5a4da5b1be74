"""The ledger: each way in which an order stops counting, and never less than the truth."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.messages import DecisionRecord, OrderIntent, VenueAccount, VenueOpenOrders, VenueOrderStatus
from common.messages.venue import OrderUpdate, VenueOrder, VenuePosition
from common.units import Lots, Millis, Nanos, Side, Ticks
from services.risk.activity import Activity
from services.risk.decisions import Decisions
from services.risk.exposure_ledger import ExposureLedger, Finding
from tests.services.risk.scene import SETTINGS, TAG, ask, bid, fill_of, venue_order

MARGIN_MS = 2_000
EXPIRES = Millis(10_000)


class Books:
    """A ledger with its decisions, and shorthands for what the venue says."""

    def __init__(self) -> None:
        self.decisions = Decisions(MARGIN_MS)
        self.activity = {coin: Activity(SETTINGS.monitors) for coin in ("BTC", "ETH")}
        self.ledger = ExposureLedger(self.activity, TAG, self.decisions, MARGIN_MS)

    def sign(self, *orders: OrderIntent, nonce: int = 1, now: int = 0) -> None:
        for order in orders:
            self.ledger.reserve(order, EXPIRES, Nanos(now))
        record = DecisionRecord(
            approval_id=1,
            asker="order_management",
            epoch=1,
            nonce=nonce,
            expires_after=EXPIRES,
            orders=orders,
            vetoes=(),
            tag="quote",
        )
        self.decisions.add(record)

    def update(self, order: OrderIntent, status: str, *, left: int, at_ms: int = 100, now: int = 1) -> list[Finding]:
        shown = venue_order(order, 9, left=left)
        return self.ledger.on_update(OrderUpdate(order=shown, status=status, status_ms=Millis(at_ms)), Nanos(now))

    def account(self, lots: int, at_ms: int, *, asked: int = 0, now: int = 1) -> None:
        held = VenuePosition(
            coin="BTC", lots=Lots(lots), entry=None, unrealized_pnl=Decimal(0), leverage=1, is_cross=True
        )
        state = VenueAccount(
            query_id=0,
            venue_ms=Millis(at_ms),
            equity=Decimal(0),
            margin_used=Decimal(0),
            withdrawable=Decimal(0),
            positions=(held,),
            asked_at=Nanos(asked),
        )
        self.ledger.on_account(state, Nanos(now))

    def listed(self, *orders: VenueOrder, asked: int, now: int) -> list[Finding]:
        return self.ledger.on_open_orders(VenueOpenOrders(query_id=0, orders=orders, asked_at=Nanos(asked)), Nanos(now))

    def unknown(self, order: OrderIntent, asked: int) -> None:
        answer = VenueOrderStatus(
            query_id=0, cloid=order.cloid, status="unknownOid", order=None, status_ms=Millis(0), asked_at=Nanos(asked)
        )
        self.ledger.on_status(answer, Nanos(asked))

    bids = property(lambda self: self.ledger.pending("BTC")[0])


def test_an_order_counts_in_full_from_the_decision_on() -> None:
    """Rule 1: no signature, no answer, no time makes it less."""
    books = Books()
    books.sign(bid(1, lots=10), ask(2, lots=4))
    books.ledger.on_venue_time(Millis(10**9), Nanos(5))
    assert books.ledger.pending("BTC") == (10, 4)
    assert books.ledger.worst("BTC") == (10, -4)
    assert books.ledger.live_count == 2


def test_fills_move_from_pending_to_position() -> None:
    """Rule 2: the worst case stays, whichever arrives first, update or fill."""
    books = Books()
    books.account(0, 50)
    books.sign(bid(1, lots=10))
    books.ledger.on_fill(fill_of(bid(1), 4, 100, 1), Nanos(1))
    assert (books.bids, books.ledger.worst("BTC")[0]) == (6, 10)
    books.update(bid(1, lots=10), "open", left=6)
    assert (books.bids, books.ledger.worst("BTC")[0]) == (6, 10)


def test_a_fill_counts_once() -> None:
    """Rule 6: the same fill from stream, snapshot and query."""
    books = Books()
    books.account(0, 50)
    books.sign(bid(1, lots=10))
    for _ in range(3):
        books.ledger.on_fill(fill_of(bid(1), 4, 100, 1), Nanos(1))
    assert (books.bids, books.ledger.position("BTC").by_snapshot) == (6, 4)


def test_cancelled_counts_what_it_filled_until_the_fill_is_heard() -> None:
    """Rule 3: cancelled with 6 left of 10 means 4 filled; they are pending until the fill comes."""
    books = Books()
    books.account(0, 50)
    books.sign(bid(1, lots=10))
    books.update(bid(1, lots=10), "canceled", left=6)
    assert books.bids == 4
    books.ledger.on_fill(fill_of(bid(1), 4, 90, 1), Nanos(2))
    assert (books.bids, books.ledger.worst("BTC")[0], books.ledger.live_count) == (0, 4, 0)


@pytest.mark.parametrize(("at_ms", "pending"), [(100, 4), (101, 0)])
def test_an_account_state_later_than_the_end_holds_its_fills(at_ms: int, pending: int) -> None:
    """Rule 3: a state of the same millisecond proves nothing, a later one does."""
    books = Books()
    books.sign(bid(1, lots=10))
    books.update(bid(1, lots=10), "canceled", left=6, at_ms=100)
    books.account(4, at_ms)
    assert books.bids == pending


@pytest.mark.parametrize(
    ("status", "gone"),
    [
        ("filled", True),
        ("canceled", True),
        ("scheduledCancel", True),
        ("selfTradeCanceled", True),
        ("badAloPxRejected", True),
        ("neverHeardOfCanceled", True),
        ("open", False),
        ("triggered", False),
        ("somethingElse", False),
    ],
)
def test_which_statuses_mean_gone(status: str, gone: bool) -> None:
    """Rules 2 and 3: by the venue's table and by suffix; a string never seen counts on and is asked for."""
    books = Books()
    books.sign(bid(1, lots=10))
    books.update(bid(1, lots=10), status, left=10)
    assert books.bids == (0 if gone else 10)
    assert bool(books.ledger.unproven()) is (status == "somethingElse")


def test_never_shown_needs_expiry_margin_and_two_answers() -> None:
    """Rule 4: each of the three alone is not enough."""
    books = Books()
    order = bid(1, lots=10)
    books.sign(order)
    books.unknown(order, 1)
    books.unknown(order, 2)
    books.ledger.on_venue_time(Millis(EXPIRES + MARGIN_MS), Nanos(3))
    assert books.ledger.unproven() == []
    books.ledger.on_venue_time(Millis(EXPIRES + MARGIN_MS + 1), Nanos(4))
    assert [entry.order for entry in books.ledger.unproven()] == [order]
    books.unknown(order, 3)  # asked before the expiry was seen to have passed
    books.unknown(order, 4)
    assert books.bids == 10
    books.unknown(order, 5)
    assert books.bids == 0


def test_shown_once_is_never_guessed_away() -> None:
    """Rule 4: missing in a list it is asked for; unknown twice it still counts until an account state holds it."""
    books = Books()
    order = bid(1, lots=10)
    books.sign(order, now=1)
    books.update(order, "open", left=10, now=2)
    books.listed(asked=1, now=3)
    assert books.ledger.unproven() == []
    books.listed(asked=3, now=4)
    assert [entry.order for entry in books.ledger.unproven()] == [order]
    books.ledger.on_venue_time(Millis(10**9), Nanos(5))
    books.unknown(order, 6)
    books.unknown(order, 7)
    assert books.bids == 10
    books.account(0, 200)
    assert books.bids == 0


def test_a_modify_counts_old_and_new() -> None:
    """Rule 5: both in full until the old one is proven gone."""
    books = Books()
    books.sign(bid(1, lots=10), nonce=1)
    books.update(bid(1, lots=10), "open", left=10)
    books.sign(bid(2, lots=12), nonce=2)
    assert books.bids == 22
    books.update(bid(1, lots=10), "canceled", left=10)
    assert books.bids == 12


def test_retracting_is_for_what_was_never_shown() -> None:
    """Rule 1: no signature, or a burnt nonce; the venue's own word is stronger."""
    books = Books()
    books.sign(bid(1, lots=10), bid(2, lots=7))
    books.update(bid(2, lots=7), "open", left=7)
    books.ledger.retract((bid(1), bid(2), bid(3)), Nanos(2), "burnt")
    assert books.bids == 7


def test_what_the_venue_lists_again_counts_again() -> None:
    """Rule 2: an order that was believed gone and is in a later list is back; an earlier list proves nothing."""
    books = Books()
    order = bid(1, lots=10)
    books.sign(order)
    books.ledger.retract((order,), Nanos(5), "burnt")
    books.listed(venue_order(order, 9), asked=5, now=6)
    assert books.bids == 0
    assert books.listed(venue_order(order, 9), asked=6, now=7) == []
    assert books.bids == 10


def test_an_order_opened_late_counts_again() -> None:
    """Rule 2: "open" after "never arrived" is believed; "open" from before its end is not."""
    books = Books()
    order = bid(1, lots=10)
    books.sign(order)
    books.update(order, "canceled", left=10, at_ms=100)
    books.update(order, "open", left=10, at_ms=100)
    assert books.bids == 0
    books.update(order, "open", left=10, at_ms=101)
    assert books.bids == 10


def test_orders_of_an_earlier_life_are_adopted() -> None:
    """Rule 7: counted at original size; what filled before is believed once an account state came after the list."""
    books = Books()
    order = bid(1, lots=10)
    assert books.listed(venue_order(order, 9, left=6), asked=1, now=2) == []
    assert books.bids == 10
    books.account(4, 50, asked=1, now=3)
    assert books.bids == 10
    books.account(4, 60, asked=2, now=4)
    assert books.bids == 6
    books.ledger.on_fill(fill_of(order, 4, 40, 1), Nanos(5))  # an old one, read again
    assert books.bids == 6
    books.ledger.on_fill(fill_of(order, 1, 70, 2), Nanos(6))
    assert (books.bids, books.ledger.worst("BTC")[0]) == (5, 10)


def test_orders_that_nobody_approved_are_fatal_and_count() -> None:
    """Rule 7: from the begin of the memory on; before it they are only counted."""
    books = Books()
    books.decisions.begin_at(Millis(50))
    old, new = venue_order(bid(1), 1, placed_ms=49), venue_order(bid(2), 2, placed_ms=50)
    found = books.listed(old, new, asked=1, now=2)
    assert [(item.kind, item.fatal) for item in found] == [("unapproved order", True)]
    assert "0000000200" in found[0].evidence
    assert books.bids == 1_600
    assert books.listed(old, new, asked=3, now=4) == []


def test_fills_that_nobody_approved_are_fatal() -> None:
    """Rule 7: a fill in our name without an approval; one without a name is a stranger's."""
    books = Books()
    books.decisions.begin_at(Millis(50))
    books.account(0, 10)
    (crime,) = books.ledger.on_fill(fill_of(bid(1), 5, 60, 1), Nanos(1))
    (foreign,) = books.ledger.on_fill(fill_of(bid(1), 5, 61, 2, named=False), Nanos(1))
    assert (crime.kind, crime.fatal, foreign.kind, foreign.fatal) == ("unapproved fill", True, "foreign fill", False)
    assert books.ledger.position("BTC").by_snapshot == 10


def test_fills_of_an_order_from_before_this_memory_are_no_crime() -> None:
    """Rule 7: the order was judged when it was listed; what it fills later is not judged again."""
    books = Books()
    books.decisions.begin_at(Millis(50))
    books.listed(venue_order(bid(1), 1, placed_ms=49), asked=1, now=2)
    assert books.ledger.on_fill(fill_of(bid(1), 5, 60, 1), Nanos(3)) == []


def test_fills_without_a_name_are_ours_by_their_oid() -> None:
    """Rule 6: older fills have no cloid; the update named the oid before."""
    books = Books()
    books.account(0, 50)
    books.sign(bid(1, lots=10))
    books.update(bid(1, lots=10), "open", left=10)
    assert books.ledger.on_fill(fill_of(bid(1), 4, 100, 9, named=False), Nanos(2)) == []
    assert books.bids == 6


def test_strangers_orders_count() -> None:
    """Rule 7: they count in the worst case until the list misses them, they fill, or end."""
    books = Books()
    books.account(0, 50)
    stranger = venue_order(OrderIntent(cloid="", coin="BTC", side=Side.SELL, ticks=Ticks(1), lots=Lots(10)), 5)
    (found,) = books.listed(stranger, asked=1, now=1)
    assert (found.kind, found.fatal) == ("foreign order", False)
    assert books.listed(stranger, asked=2, now=2) == []
    assert books.ledger.worst("BTC") == (0, -10)
    sale = fill_of(ask(1), 4, 100, 5, named=False)
    books.ledger.on_fill(sale, Nanos(3))
    assert books.ledger.worst("BTC") == (-4, -10)
    books.listed(asked=4, now=4)
    assert books.ledger.worst("BTC") == (-4, -4)
    books.ledger.on_update(OrderUpdate(order=stranger, status="open", status_ms=Millis(1)), Nanos(5))
    assert books.ledger.worst("BTC") == (-4, -14)
    books.ledger.on_update(OrderUpdate(order=stranger, status="canceled", status_ms=Millis(2)), Nanos(6))
    assert books.ledger.worst("BTC") == (-4, -4)


def test_coins_that_are_not_configured_are_left_alone() -> None:
    """The account may hold anything; we count what we trade."""
    books = Books()
    other = OrderIntent(cloid="", coin="SOL", side=Side.BUY, ticks=Ticks(1), lots=Lots(3))
    assert books.listed(venue_order(other, 5), asked=1, now=1) == []
    assert books.ledger.on_fill(fill_of(other, 3, 1, 1), Nanos(1)) == []


def test_best_prices_and_reducing_leaves_leave_one_order_out() -> None:
    """What the gate asks about crossing and reducing; the order to be replaced does not count."""
    books = Books()
    books.sign(bid(1, ticks=599_000), bid(2, ticks=598_000), ask(3, lots=5, reduce_only=True), ask(4, ticks=601_000))
    assert books.ledger.best("BTC", None) == (599_000, 600_100)
    assert books.ledger.best("BTC", bid(1).cloid) == (598_000, 600_100)
    assert books.ledger.reducing("BTC", Side.SELL, None) == 5
    assert books.ledger.reducing("BTC", Side.SELL, ask(3).cloid) == 0
    assert books.ledger.reducing("BTC", Side.BUY, None) == 0


# --- never below the truth -----------------------------------------------------------------------------


Mail = list[Callable[[], object]]


class Truth:
    """A small exchange: what really rests and what is really held, and every message it would send."""

    def __init__(self) -> None:
        self.at_ms = 100
        self.left: dict[int, int] = {}
        self.orders: dict[int, OrderIntent] = {}
        self.held = 0
        self.tid = 0

    def worst(self) -> tuple[int, int]:
        signed = [(self.orders[key].side.sign, left) for key, left in self.left.items()]
        return self.held + sum(n for s, n in signed if s > 0), self.held - sum(n for s, n in signed if s < 0)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_never_below_the_truth(data: st.DataObject) -> None:
    """Rules 1 to 6: whatever happens at the venue, and in whatever order its messages come, the worst case holds it."""
    books, truth = Books(), Truth()
    mail: Mail = []
    books.account(0, 1)
    for step in range(data.draw(st.integers(1, 40))):
        truth.at_ms += 1
        kind = data.draw(
            st.sampled_from(["sign", "fill", "cancel", "account", "list", "deliver", "deliver", "deliver"])
        )
        resting = [key for key, left in truth.left.items() if left > 0]
        if kind == "sign" and len(truth.orders) < 8:
            lots = data.draw(st.integers(1, 20))
            order = bid(step + 1, lots=lots) if data.draw(st.booleans()) else ask(step + 1, lots=lots)
            truth.orders[step], truth.left[step] = order, order.lots
            books.sign(order, nonce=step + 1, now=step)
            mail.append(partial(books.update, order, "open", left=order.lots, at_ms=truth.at_ms))
        elif kind == "fill" and resting:
            key = data.draw(st.sampled_from(resting))
            order, lots = truth.orders[key], data.draw(st.integers(1, truth.left[key]))
            truth.tid += 1
            truth.left[key] -= lots
            truth.held += order.side.sign * lots
            fill = fill_of(order, lots, truth.at_ms, truth.tid)
            mail += [partial(books.ledger.on_fill, fill, Nanos(step))] * data.draw(st.integers(1, 2))
            if not truth.left[key]:
                mail.append(partial(books.update, order, "filled", left=0, at_ms=truth.at_ms))
        elif kind == "cancel" and resting:
            key = data.draw(st.sampled_from(resting))
            order, left = truth.orders[key], truth.left[key]
            truth.left[key] = 0
            mail.append(partial(books.update, order, "canceled", left=left, at_ms=truth.at_ms))
        elif kind == "account":
            mail.append(partial(books.account, truth.held, truth.at_ms, asked=step, now=step))
        elif kind == "list":
            shown = [venue_order(truth.orders[key], key, left=truth.left[key]) for key in resting]
            mail.append(partial(books.listed, *shown, asked=step, now=step))
        elif kind == "deliver" and mail:
            mail.pop(data.draw(st.integers(0, len(mail) - 1)))()
        highest, lowest = books.ledger.worst("BTC")
        assert highest >= truth.worst()[0]
        assert lowest <= truth.worst()[1]
    for late in mail:
        late()
    truth.at_ms += 1
    books.account(truth.held, truth.at_ms, asked=1_000, now=1_000)
    assert books.ledger.position("BTC").by_snapshot == truth.held
    highest, lowest = books.ledger.worst("BTC")
    assert highest >= truth.worst()[0]
    assert lowest <= truth.worst()[1]

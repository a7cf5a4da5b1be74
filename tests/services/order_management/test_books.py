"""Our books against the venue's account."""

from decimal import Decimal

import pytest

from common.messages import FindingRecord, FundingRecord, LedgerRecord, VenueAccount, VenueUserRole
from common.messages.venue import FundingPayment, VenuePosition
from common.units import Lots, Millis, Nanos
from services.order_management.books import Books
from services.order_management.desk import Desk
from tests.services.order_management.parts import ACCOUNT, desk, fill, rows, seconds, tracked

T = seconds(10)


def account(lots: int, *, ms: int = 100, equity: int = 1_000) -> VenueAccount:
    held = VenuePosition(
        coin="BTC", lots=Lots(lots), entry=Decimal(5), unrealized_pnl=Decimal(0), leverage=5, is_cross=True
    )
    return VenueAccount(
        query_id=1,
        venue_ms=Millis(ms),
        equity=Decimal(equity),
        margin_used=Decimal(0),
        withdrawable=Decimal(0),
        positions=(held,) if lots else (),
        asked_at=T,
    )


def empty_desk() -> Desk:
    plain = desk()
    plain.ledger.coins.clear()
    return plain


@pytest.mark.parametrize(("lots", "findings"), [(0, []), (30, ["position adopted"])])
def test_books_open_with_the_venues_word(lots: int, findings: list[str]) -> None:
    """Rule 1: flat is silent, a position that we did not know is a finding; both are written down."""
    books = Books(place := empty_desk())
    assert (books.opened, books.unproven("BTC"), books.position("BTC", proven=True)) == (False, "books not open", None)
    agrees, effects = books.on_account(account(lots), T)
    assert (agrees, books.opened, place.ledger.lots("BTC")) == (True, True, lots)
    assert [row.kind for row in rows(effects, FindingRecord)] == findings
    assert [row.coin for row in rows(effects, LedgerRecord)] == ["BTC", "ETH"]


def test_missing_fills_leave_the_coin_unproven() -> None:
    """An order that is gone without all of its fills: its coin is not quoted, whatever the account says; others are."""
    books = Books(place := desk())
    books.on_account(account(0), T)
    order = tracked(place)
    assert books.unproven("BTC") == ""
    order.fills_missing = True
    assert (books.unproven("BTC"), books.unproven("ETH")) == ("fills missing", "")
    position = books.position("BTC", proven=True)
    assert position is not None
    assert not position.proven


def test_compared_at_the_venues_time() -> None:
    """Rule 2: a fill after the snapshot does not make it wrong, and one at its moment belongs to it."""
    books = Books(place := desk())
    place.ledger.count(fill(tracked(place), 200, ms=100))
    place.ledger.count(fill(tracked(place), 50, tid=2, ms=101))
    assert books.on_account(account(200, ms=100), T) == (True, [])
    assert books.on_account(account(250, ms=101), T) == (True, [])
    position = books.position("BTC", proven=True)
    assert position is not None
    assert (position.lots, position.as_of_ms, position.proven, position.drift) == (250, 101, True, 0)


def test_the_drift_is_published() -> None:
    """Rule 2: ours minus the venue's at its time, at once and until they agree."""
    books = Books(place := desk())
    place.ledger.count(fill(tracked(place), 200, ms=100))
    for theirs, drift in ((150, 50), (260, -60), (200, 0)):
        place.store.changed.clear()
        books.on_account(account(theirs, ms=100), T)
        position = books.position("BTC", proven=True)
        assert position is not None
        assert (position.drift, "BTC" in place.store.changed) == (drift, True)


def test_a_difference_that_lasts() -> None:
    """Rule 3: fills are read at once; at the limit it is a finding, told once, until both agree again."""
    books = Books(place := desk())
    assert books.on_account(account(7), T) == (False, [])
    assert place.queries.pending("fills")
    limit = Nanos(T + place.settings.risk.reconcile_breach_ms * 1_000_000)
    assert books.on_account(account(7), Nanos(limit - 1)) == (False, [])
    assert books.unproven("BTC") == ""
    _, effects = books.on_account(account(7), limit)
    assert [row.kind for row in rows(effects, FindingRecord)] == ["position differs"]
    assert books.unproven("BTC") == "position: ours 0, venue 7 at 100"
    assert books.on_account(account(7), Nanos(limit + 1)) == (False, [])
    assert place.ledger.lots("BTC") == 0, "nothing is corrected while we run"
    place.ledger.count(fill(tracked(place), 7, ms=90))
    assert books.on_account(account(7), limit)[0]
    assert books.unproven("BTC") == ""


def test_a_short_difference_starts_over() -> None:
    """Rule 3: two differences with an agreement between them do not add up."""
    books = Books(place := desk())
    books.on_account(account(7), T)
    books.on_account(account(0), T)
    limit = Nanos(T + place.settings.risk.reconcile_breach_ms * 1_000_000)
    assert books.on_account(account(7), limit) == (False, [])


def test_adoption() -> None:
    """Rule 4: the venue's lots, also when it is flat, plus our later fills, with a finding and a row."""
    books = Books(place := desk())
    place.ledger.count(fill(tracked(place), 20, ms=50))
    place.ledger.count(fill(tracked(place), 5, tid=2, ms=200))
    books.on_account(account(0, ms=100), T)
    effects = books.adopt(account(0, ms=100))
    assert [row.kind for row in rows(effects, FindingRecord)] == ["position adopted"]
    (row,) = rows(effects, LedgerRecord)
    assert (row.coin, row.lots, row.anchor_ms) == ("BTC", 5, 100)
    assert books.on_account(account(5, ms=300), T)[0]


def test_an_account_of_nobody() -> None:
    """Rule 5: no equity and no positions is told once, changes no position, and proves nothing."""
    books = Books(desk())
    _, effects = books.on_account(account(0, equity=0), T)
    assert [row.kind for row in rows(effects, FindingRecord)] == ["account without equity"]
    assert books.on_account(account(0, equity=0), T) == (False, [])
    assert books.unproven("BTC")
    assert books.on_account(account(0), T) == (True, [])
    assert books.unproven("BTC") == ""
    assert books.on_account(account(7, equity=0), T)[0] is False, "a position without equity is compared"


@pytest.mark.parametrize(
    ("role", "master", "told"),
    [
        ("agent", "0xmaster", f"{ACCOUNT} is an agent of 0xmaster: that address belongs into venue.account"),
        ("missing", "", f"the venue does not know {ACCOUNT}: fund it, or correct venue.account"),
        ("user", "", f"{ACCOUNT} is a user without equity"),
        ("subAccount", "0xmaster", f"{ACCOUNT} is a subAccount without equity, of 0xmaster"),
    ],
)
def test_the_venue_is_asked_who_that_is(role: str, master: str, told: str) -> None:
    """Rule 5: once for each doubt, and the answer tells a person what to do."""
    books = Books(place := desk())
    books.on_account(account(0), T)
    assert not place.queries.pending("role")
    books.on_account(account(0, equity=0), T)
    assert place.queries.pending("role")
    (row,) = rows(books.on_role(VenueUserRole(query_id=1, role=role, master=master)), FindingRecord)
    assert (row.kind, row.evidence, books.stranger) == ("account without equity", told, told)
    books.on_account(account(0), T)
    assert books.stranger == ""


def test_funding_is_recorded_once() -> None:
    """Stream and query tell the same payment; it is one row."""
    books = Books(desk())
    payment = FundingPayment(coin="BTC", usd=Decimal("0.5"), venue_ms=Millis(60))
    assert len(rows(books.on_fundings((payment, payment)), FundingRecord)) == 1
    assert books.on_fundings((payment,)) == []


def test_exposure_statement() -> None:
    """The published worst case is position plus bids, and position minus asks."""
    books = Books(place := desk())
    tracked(place)
    place.ledger.count(fill(tracked(desk()), 30, ms=10))
    said = books.exposure("BTC")
    assert (said.pending_bid, said.pending_ask, said.net_pending_change) == (500, 0, 500)
    assert (said.worst_case_max_position, said.worst_case_min_position) == (530, 30)
    assert said.resting_bid_notional == 500 * 999_000

"""Equity against everything that may change it."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from common.messages import FindingRecord, VenueAccount, VenueTransfers
from common.messages.venue import FundingPayment, Transfer
from common.units import SECOND, Millis, Nanos
from services.order_management.desk import Desk
from services.order_management.ledger_identity import READ_AGAIN, WINDOW_MS, LedgerIdentity
from tests.services.order_management.parts import desk, fill, rows, seconds, tracked

T = seconds(10)
BOUGHT = Decimal("-499.51")  # 500 lots of a hundred-thousandth at 99,900 USD, and a cent of fee


def account(cash: str | Decimal, ms: int, *, equity: str = "1000") -> VenueAccount:
    return VenueAccount(
        query_id=1,
        venue_ms=Millis(ms),
        equity=Decimal(equity),
        margin_used=Decimal(0),
        withdrawable=Decimal(0),
        positions=(),
        asked_at=T,
        raw_usd=Decimal(cash),
    )


def begun() -> tuple[Desk, LedgerIdentity]:
    """The older state is of 1,000 ms, with 1,000 USD."""
    identity = LedgerIdentity(place := desk())
    assert identity.on_account(account("1000", 1_000), T, agrees=True) == []
    return place, identity


def residual(identity: LedgerIdentity) -> Decimal:
    assert identity.statement is not None
    return identity.statement.residual


def test_fills_fees_and_funding_explain_everything() -> None:
    """Rule 2: what a fill cost, its fee and a payment; nothing is asked and nothing is found."""
    place, identity = begun()
    place.ledger.count(fill(tracked(place), 500, ms=1_500))
    place.ledger.fund(FundingPayment(coin="BTC", usd=Decimal("-0.25"), venue_ms=Millis(1_600)))
    assert identity.on_account(account(1_000 + BOUGHT - Decimal("0.25"), 2_000, equity="999"), T, agrees=True) == []
    assert residual(identity) == 0
    said = identity.statement
    assert said is not None
    assert (said.fees, said.funding) == (Decimal("0.01"), Decimal("-0.25"))
    assert said.realized_pnl == 0
    assert said.unrealized_pnl == 999 - (1_000 + BOUGHT - Decimal("0.25")) - Decimal("499.5")
    assert not place.queries.pending("transfers")


def test_what_came_after_the_state_is_left_out() -> None:
    """Rule 1: a fill of after that moment, and one of that moment."""
    place, identity = begun()
    place.ledger.count(fill(tracked(place), 500, ms=2_001))
    identity.on_account(account("1000", 2_000), T, agrees=True)
    assert residual(identity) == 0
    identity.on_account(account(1_000 + BOUGHT, 2_001), T, agrees=True)
    assert residual(identity) == 0


@pytest.mark.parametrize(
    ("off", "asked"), [("0.000001", False), ("-0.000001", False), ("0.0000011", True), ("-0.0000011", True)]
)
def test_to_a_micro_usd(off: str, asked: bool) -> None:
    """Rule 3: the tolerance itself is allowed; beyond it fills, funding and transfers are read at once."""
    place, identity = begun()
    identity.on_account(account(1_000 + Decimal(off), 2_000), T, agrees=True)
    assert [place.queries.pending(kind) for kind in ("fills", "fundings", "transfers")] == [asked] * 3


def test_a_difference_that_lasts_is_a_finding_once() -> None:
    """Rule 3: with both sides of the sum as evidence; explained and gone again, a new one is told anew."""
    place, identity = begun()
    limit = Nanos(T + place.settings.risk.reconcile_breach_ms * 1_000_000)
    assert identity.on_account(account("1005", 2_000), T, agrees=True) == []
    assert identity.on_account(account("1005", 3_000), Nanos(limit - 1), agrees=True) == []
    (row,) = rows(identity.on_account(account("1005", 4_000), limit, agrees=True), FindingRecord)
    assert row.kind == "ledger identity"
    assert row.evidence == (
        "from 1000 to 4000 the venue's cash changed by 5, our books by 0, transfers 0: 5 unexplained"
    )
    assert identity.on_account(account("1005", 5_000), Nanos(limit + SECOND), agrees=True) == []
    identity.on_account(account("1000", 6_000), Nanos(limit + SECOND), agrees=True)
    again = Nanos(limit + SECOND)
    assert identity.on_account(account("1005", 7_000), again, agrees=True) == []
    later = Nanos(again + limit - T)
    assert len(rows(identity.on_account(account("1005", 8_000), later, agrees=True), FindingRecord)) == 1


def test_it_is_read_again_while_it_lasts() -> None:
    """Rule 3: every 30 s, for all three reads weigh a lot."""
    place, identity = begun()
    identity.on_account(account("1005", 2_000), T, agrees=True)
    place.queries.take(T, place.new_id)
    for later, again in ((READ_AGAIN - 1, False), (READ_AGAIN, True)):
        identity.on_account(account("1005", 3_000), Nanos(T + later), agrees=True)
        assert ("transfers" in place.queries._wanted) is again


def test_a_new_difference_is_read_at_once() -> None:
    """Rule 3: however little time has passed since the last one was read, and explained."""
    place, identity = begun()
    identity.on_account(account("1005", 2_000), T, agrees=True)
    place.queries.take(T, place.new_id)
    identity.on_account(account("1000", 3_000), T, agrees=True)
    identity.on_account(account("1005", 4_000), Nanos(T + SECOND), agrees=True)
    assert "transfers" in place.queries._wanted


def test_a_transfer_of_after_the_state_explains_nothing_yet() -> None:
    """Rule 1: it is in the venue's cash only later."""
    _, identity = begun()
    moved = (Transfer(kind="deposit", usd=Decimal(7), venue_ms=Millis(2_001)),)
    identity.on_transfers(VenueTransfers(query_id=1, transfers=moved, asked_at=T))
    identity.on_account(account("1000", 2_000), T, agrees=True)
    assert residual(identity) == 0
    identity.on_account(account("1007", 2_001), T, agrees=True)
    assert residual(identity) == 0


def test_transfers_explain() -> None:
    """Rule 3: heard twice they count once; those of before the older state count nothing."""
    place, identity = begun()
    identity.on_account(account("1005", 2_000), T, agrees=True)
    moved = (
        Transfer(kind="deposit", usd=Decimal(7), venue_ms=Millis(1_500)),
        Transfer(kind="withdraw", usd=Decimal(-2), venue_ms=Millis(1_900)),
        Transfer(kind="deposit", usd=Decimal(100), venue_ms=Millis(1_000)),
    )
    for _ in range(2):
        assert identity.on_transfers(VenueTransfers(query_id=1, transfers=moved, asked_at=T)) == []
    identity.on_account(account("1005", 1_000 + WINDOW_MS), T, agrees=True)
    assert residual(identity) == 0
    identity.on_account(account("1005", 2_000 + WINDOW_MS), T, agrees=True)
    said = identity.statement
    assert said is not None
    assert said.residual == 0
    assert said.transfers == 5
    assert said.since_ms == 1_000 + WINDOW_MS
    assert not place.counts


@pytest.mark.parametrize(("ms", "since"), [(999 + WINDOW_MS, 1_000), (1_000 + WINDOW_MS, 1_000 + WINDOW_MS)])
def test_the_older_state_is_replaced_every_minute(ms: int, since: int) -> None:
    """Rule 1: at the minute itself, not a moment before."""
    _, identity = begun()
    identity.on_account(account("1000", ms), T, agrees=True)
    identity.on_account(account("1000", ms + 1), T, agrees=True)
    assert identity.statement is not None
    assert identity.statement.since_ms == since


def test_late_news_begin_anew() -> None:
    """Rule 4: the older state knew a fill that we had not heard; so it is with a position that was adopted."""
    place, identity = begun()
    place.ledger.count(fill(tracked(place), 500, ms=1_000))
    identity.on_account(account("1000", 2_000), T, agrees=True)
    assert residual(identity) == 0
    identity.on_account(account("1005", 2_100), T, agrees=True)
    assert residual(identity) == 5, "it begins anew once only"
    place.ledger.adopt("BTC", place.ledger.lots("BTC"), Decimal(5), Millis(2_500))
    identity.on_account(account("1000", 3_000), T, agrees=True)
    assert residual(identity) == 0
    assert not place.counts


def test_what_cannot_be_compared_is_not() -> None:
    """Rule 1: positions that differ, an account without its cash, and an answer that is older than the last."""
    place, identity = begun()
    said = identity.statement
    assert identity.on_account(account("77", 2_000), T, agrees=False) == []
    assert identity.on_account(replace(account("77", 2_000), raw_usd=None), T, agrees=True) == []
    assert identity.on_account(account("77", 999), T, agrees=True) == []
    assert identity.statement is said
    assert not place.queries.pending("transfers")

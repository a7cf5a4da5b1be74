"""What a new process reads from the journal of an old one."""

from decimal import Decimal

import pytest

from common.messages import (
    BootRecord,
    CheckpointRecord,
    FillRecord,
    FindingRecord,
    FundingRecord,
    IntentRecord,
    LedgerRecord,
    Message,
    TransitionRecord,
    decode,
    encode,
)
from common.messages.orders import ComparedState
from common.messages.orders import OrderState as S
from common.units import Lots, Millis
from services.order_management.desk import Desk
from services.order_management.order_store import RETIRED_MAX
from services.order_management.rebuild import Rebuilding, checkpoint
from tests.services.order_management.parts import BASE_MS, desk, fill, intent, rows, seconds, tracked

NOW = seconds(5)
USD = Decimal(1)
OPENED = LedgerRecord(
    coin="BTC",
    lots=Lots(10),
    entry=Decimal(90_000),
    realized_pnl=Decimal(1),
    fees=Decimal(0),
    funding=Decimal(0),
    fills=0,
    opened_ms=Millis(1),
    anchor_ms=Millis(1),
    reason="opened",
)


def sent(number: int, state: S = S.SENT, oid: int | None = None) -> TransitionRecord:
    return TransitionRecord(
        cloid=intent(number).cloid,
        state=state,
        evidence="test",
        oid=oid,
        nonce=number,
        expires_after=Millis(BASE_MS),
        approval_id=number,
    )


def rebuilt(*story: Message) -> tuple[Desk, list[Message]]:
    """A desk after these rows, and what its process writes first."""
    place = desk()
    place.ledger.coins.clear()
    reading = Rebuilding(place)
    reading.read(story)
    effects = reading.finish(NOW)
    assert reading.any_rows is bool(story)
    return place, rows(effects, Message)


def written(number: int) -> IntentRecord:
    return IntentRecord(order=intent(number), mid_ticks=1.5)


def test_nothing() -> None:
    """Without rows there is nothing: no books, no orders."""
    place, words = rebuilt()
    assert (place.ledger.coins, place.store.open, words) == ({}, {}, [])


def test_an_intent_without_sent_was_never_posted() -> None:
    """Rule 1: vetoed, and it counts for nothing."""
    place, words = rebuilt(BootRecord(epoch=1), OPENED, written(1))
    assert [row.state for row in words if isinstance(row, TransitionRecord)] == [S.VETOED]
    assert place.store.exposure["BTC"].pending_exposure() == (0, 0)


@pytest.mark.parametrize("state", [S.SENT, S.RESTING, S.PARTIALLY_FILLED, S.CANCEL_PENDING, S.CANCEL_CONFIRMED])
def test_what_had_not_ended_is_unknown(state: S) -> None:
    """Rule 2: it counts in full, keeps nonce, expiry and oid, and is asked about at once."""
    place, words = rebuilt(OPENED, written(1), sent(1, state, oid=7))
    (order,) = place.store.open.values()
    assert (order.state, order.oid, order.nonce, order.expires_after, order.mid_ticks) == (
        S.UNKNOWN,
        7,
        1,
        BASE_MS,
        1.5,
    )
    assert place.store.exposure["BTC"].pending_exposure() == (500, 0)
    assert place.queries.pending(f"status {order.cloid}")
    assert place.store.find(None, 7) is order
    assert words == []


@pytest.mark.parametrize("state", [S.FILLED, S.CANCELLED, S.REJECTED, S.VETOED])
def test_what_had_ended_stays_ended(state: S) -> None:
    """Rule 2: it is only remembered, for late facts."""
    place, _ = rebuilt(OPENED, written(1), sent(1, state, oid=7))
    assert not place.store.open
    assert place.store.find(None, 7) is not None


def test_fills_are_counted_once_into_orders_and_books() -> None:
    """Rule 2: also where the fill names no cloid; filled whole is filled, whatever its last row said."""
    one, two = tracked(desk(), 1), tracked(desk(), 2)
    place, _ = rebuilt(
        OPENED,
        written(1),
        sent(1),
        written(2),
        sent(2, S.RESTING, oid=8),
        FillRecord(fill=fill(one, 200, tid=1, ms=50), source="stream"),
        FillRecord(fill=fill(one, 200, tid=1, ms=50), source="stream"),
        FillRecord(fill=fill(two, 500, tid=2, oid=8, by_cloid=False, ms=60), source="query"),
        FundingRecord(coin="BTC", usd=Decimal(3), venue_ms=Millis(70)),
        FindingRecord(kind="x", coin="", evidence=""),
    )
    (order,) = place.store.open.values()
    assert (order.cloid, order.filled, order.oid) == (one.cloid, 200, 77)
    filled = place.store.find(two.cloid, None)
    assert filled is not None
    assert filled.state is S.FILLED
    assert (place.ledger.lots("BTC"), place.cursor_ms) == (710, 60)
    assert place.ledger.coins["BTC"].funding == Decimal(3)


def test_rows_of_an_order_nobody_placed() -> None:
    """Rule 2: an adopted order has no intent; it will be listed and adopted again."""
    place, words = rebuilt(OPENED, sent(1, S.RESTING, oid=7))
    assert (place.store.open, words) == ({}, [])


def test_memory_of_ended_orders_is_bounded() -> None:
    """Rule 2: the newest are kept."""
    story = [row for number in range(RETIRED_MAX + 1) for row in (written(number), sent(number, S.CANCELLED))]
    place, _ = rebuilt(OPENED, *story)
    assert len(place.store.retired) == RETIRED_MAX
    assert intent(0).cloid not in place.store.retired


def test_a_checkpoint_stands_for_all_rows_before() -> None:
    """Rule 3: from the checkpoint on, or from the very beginning: the same desk, byte for byte."""
    one = tracked(desk(), 1)
    before: list[Message] = [
        BootRecord(epoch=1),
        OPENED,
        written(1),
        sent(1, S.RESTING, oid=7),
        FillRecord(fill=fill(one, 200, tid=1, oid=7, ms=50), source="stream"),
        written(2),
        sent(2, S.CANCELLED),
    ]
    place, _ = rebuilt(*before)
    place.compared, place.ledger.booked_from = ComparedState(venue_ms=Millis(49), cash=USD, earned=USD), Millis(50)
    row = checkpoint(place)
    assert row.compared == place.compared
    assert decode("CheckpointRecord", encode(row)) == row
    after: list[Message] = [
        FillRecord(fill=fill(one, 200, tid=1, oid=7, ms=50), source="snapshot"),
        FillRecord(fill=fill(one, 100, tid=2, oid=7, by_cloid=False, ms=51), source="stream"),
        written(3),
        sent(3),
    ]
    short, _ = rebuilt(row, *after)
    whole, _ = rebuilt(*before, row, *after)
    assert checkpoint(short) == checkpoint(whole)
    assert short.store.retired == whole.store.retired
    (order, _) = short.store.open.values()
    assert (order.filled, order.fill_count(), order.oid, short.cursor_ms) == (300, 2, 7, 51)
    assert short.ledger.lots("BTC") == 310
    again, _ = rebuilt(checkpoint(short))
    assert isinstance(checkpoint(again), CheckpointRecord)
    assert checkpoint(again) == checkpoint(short)


@pytest.mark.parametrize(("booked", "kept"), [(None, True), (50, True), (49, False)])
def test_a_checkpoint_keeps_what_is_explained(booked: int | None, kept: bool) -> None:
    """Rule 3: the state that equity is compared with, unless a fill of before it came later; other books end it."""
    place, _ = rebuilt(OPENED)
    place.compared = ComparedState(venue_ms=Millis(49), cash=USD, earned=USD)
    place.ledger.booked_from = None if booked is None else Millis(booked)
    row = checkpoint(place)
    assert rebuilt(row)[0].explained() == (place.compared if kept else None)
    assert rebuilt(row, OPENED)[0].explained() is None

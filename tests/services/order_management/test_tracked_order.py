"""One tracked order: its arithmetic."""

from decimal import Decimal

import pytest

from common.messages import OrderState
from common.messages.orders import Cancel, LiveOrder
from common.units import Lots, Millis, Side, Ticks
from services.order_management.lifecycle import FINAL, MAY_STILL_FILL
from services.order_management.tracked_order import TrackedOrder
from tests.services.order_management.parts import cloid, intent, seconds


def order(size: int = 10, **fields: object) -> TrackedOrder:
    plain = TrackedOrder(
        cloid=cloid(1), coin="BTC", side=Side.BUY, price=Ticks(1_000), size=Lots(size), placed_at=seconds(1)
    )
    for name, value in fields.items():
        setattr(plain, name, value)
    return plain


def test_tracked_order_with_cloid() -> None:
    """An order is known by its cloid alone, as an intent without oid, fills or age."""
    fresh = order()
    assert (fresh.cloid, fresh.oid, fresh.state) == (cloid(1), None, OrderState.INTENT)
    assert (fresh.remaining(), fresh.is_filled(), fresh.fill_count()) == (10, False, 0)
    assert fresh.cancel() == Cancel(coin="BTC", cloid=cloid(1), oid=None)


def test_tracked_order_average_fill_price() -> None:
    """None at nothing filled; then value over size, between ticks where need be."""
    one = order()
    assert one.average_fill_price() is None
    one.record_fill_with_price(1, Lots(2), Ticks(1_000), seconds(2))
    one.record_fill_with_price(2, Lots(2), Ticks(1_001), seconds(2))
    assert one.average_fill_price() == Decimal("1000.5")
    assert (one.filled, one.fill_value, one.fill_tids) == (4, 4_002, {1, 2})


def test_tracked_order_last_fill_at() -> None:
    """None before the first fill; a repeated one and one from the journal do not move it."""
    one = order()
    assert one.last_fill_at is None
    assert one.time_since_last_fill(seconds(5)) is None
    assert one.record_fill_with_price(1, Lots(1), Ticks(1_000), seconds(2))
    assert not one.record_fill_with_price(1, Lots(1), Ticks(1_000), seconds(3))
    assert one.record_fill_with_price(2, Lots(1), Ticks(1_000))
    assert one.last_fill_at == seconds(2)
    assert one.time_since_last_fill(seconds(5)) == seconds(3)


def test_tracked_order_fill_count() -> None:
    """Unique fills, however often each is told."""
    one = order()
    for tid in (1, 1, 2, 2, 3):
        one.record_fill_with_price(tid, Lots(1), Ticks(1_000), seconds(2))
    assert (one.fill_count(), one.filled) == (3, 3)


def test_tracked_order_age() -> None:
    """Since it was placed."""
    assert order().age(seconds(4)) == seconds(3)


def test_remaining_never_below_zero() -> None:
    """A venue that fills more than we asked for leaves nothing, not less."""
    one = order()
    one.record_fill_with_price(1, Lots(9), Ticks(1_000))
    assert (one.remaining(), one.is_filled()) == (1, False)
    one.record_fill_with_price(2, Lots(2), Ticks(1_000))
    assert (one.remaining(), one.is_filled()) == (0, True)


@pytest.mark.parametrize("state", OrderState)
def test_what_may_still_fill(state: OrderState) -> None:
    """Leaves count exactly in the states that may still fill; a cancel overtaken by its last fill does not."""
    open_order, done = order(state=state), order(state=state, filled=Lots(10))
    assert open_order.terminal == (state in FINAL)
    assert open_order.pending() == (10 if state in MAY_STILL_FILL else 0)
    assert done.pending() == 0
    assert done.terminal == (state in FINAL or state is OrderState.FILLED_DURING_CANCEL)


def test_unacknowledged() -> None:
    """Sent with a nonce, and no venue fact: neither an intent nor an order with an oid."""
    sent = order(state=OrderState.SENT, nonce=5, expires_after=Millis(9))
    assert sent.unacknowledged
    assert not order(state=OrderState.SENT, nonce=5, oid=3).unacknowledged
    assert not order(state=OrderState.INTENT).unacknowledged
    assert not order(state=OrderState.REJECTED, nonce=5).unacknowledged


def test_complete() -> None:
    """Gone is complete at exactly the fills that the venue spoke of; without its word never."""
    assert not order(filled=Lots(10)).complete
    assert not order(gone_at=seconds(1)).complete
    assert not order(gone_at=seconds(1), gone_filled=Lots(4), filled=Lots(3)).complete
    assert order(gone_at=seconds(1), gone_filled=Lots(4), filled=Lots(4)).complete


def test_told_as_live_order_and_intent() -> None:
    """What is told of it is what rests; the intent is what was asked for."""
    one = order(state=OrderState.PARTIALLY_FILLED, filled=Lots(4), oid=7)
    assert one.live() == LiveOrder(
        cloid=cloid(1),
        oid=7,
        side=Side.BUY,
        ticks=Ticks(1_000),
        lots=Lots(6),
        reduce_only=False,
        state=OrderState.PARTIALLY_FILLED,
    )
    assert one.intent() == intent(1, ticks=1_000, lots=10)

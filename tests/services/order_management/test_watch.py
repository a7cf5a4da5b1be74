"""Orders whose time has come."""

from common.actor import Send
from common.messages import CancelRequest
from common.messages.orders import OrderState as S
from common.units import MILLISECOND, Lots, Nanos
from services.order_management.cancelling import Cancelling
from services.order_management.desk import Desk
from services.order_management.facts import VenueFacts
from services.order_management.watch import check_orders
from tests.services.order_management.parts import desk, seconds, tracked

T = seconds(1)


def watched() -> tuple[Desk, Cancelling]:
    place = desk()
    return place, Cancelling(place, VenueFacts(place))


def test_no_answer_is_doubt() -> None:
    """Rule 1: not a moment before its time, then Unknown and a question; still counted."""
    place, cancelling = watched()
    order = tracked(place, check_at=T)
    assert check_orders(place, cancelling, Nanos(T - 1)) == []
    assert len(check_orders(place, cancelling, T)) == 1
    assert (order.state, place.queries.pending(f"status {order.cloid}")) == (S.UNKNOWN, True)
    assert place.store.exposure["BTC"].pending_exposure() == (500, 0)
    assert order.check_at is not None
    assert order.check_at > T


def test_gone_without_fills_is_asked_for_again_and_again() -> None:
    """Rule 2: fills are read, and its status too where the venue did not say how much was filled."""
    place, cancelling = watched()
    order = tracked(place, state=S.CANCEL_CONFIRMED, gone_at=seconds(0), check_at=T)
    sized = tracked(place, 2, state=S.CANCEL_CONFIRMED, gone_at=seconds(0), gone_filled=Lots(100), check_at=T)
    assert check_orders(place, cancelling, T) == []
    assert place.queries.pending("fills")
    assert place.queries.pending(f"status {order.cloid}")
    assert not place.queries.pending(f"status {sized.cloid}")
    assert order.check_at == sized.check_at == T + place.late_fill_window


def test_cancels_are_repeated_together() -> None:
    """Rule 3: all that are due go in one request."""
    place, cancelling = watched()
    orders = [tracked(place, n, state=S.CANCEL_PENDING, cancel_asked_at=T, check_at=T) for n in range(3)]
    effects = check_orders(place, cancelling, T)
    (request,) = [e.message for e in effects if isinstance(e, Send) and isinstance(e.message, CancelRequest)]
    assert request.cancels == tuple(order.cancel() for order in orders)


def test_long_not_heard_of() -> None:
    """Rule 4: a resting order is asked about, and stays what it is."""
    place, cancelling = watched()
    stale = Nanos(place.settings.orders.stale_order_ms * MILLISECOND)
    order = tracked(place, state=S.RESTING, check_at=T, heard_at=T)
    name = f"status {order.cloid}"
    assert check_orders(place, cancelling, Nanos(T + stale - 1)) == []
    assert (place.queries.pending(name), order.check_at) == (False, T + stale)
    order.record_fill_with_price(1, Lots(100), order.price, Nanos(T + 5))
    assert check_orders(place, cancelling, Nanos(T + stale)) == []
    assert (place.queries.pending(name), order.check_at) == (False, T + stale + 5)
    assert check_orders(place, cancelling, Nanos(T + stale + 5)) == []
    assert (order.state, place.queries.pending(name)) == (S.RESTING, True)


def test_orphans() -> None:
    """Rule 5: listed once it is only counted, listed twice it is cancelled."""
    place, cancelling = watched()
    once = tracked(place, 1, state=S.RESTING, orphan=True, listings=1, check_at=T)
    twice = tracked(place, 2, state=S.RESTING, orphan=True, listings=2, check_at=T)
    check_orders(place, cancelling, T)
    assert (once.state, twice.state) == (S.RESTING, S.CANCEL_PENDING)

"""What is said to the others."""

from common.actor import Effect, Send
from common.messages import LiveOrders, OrderCounts, PendingExposure, Position, Reconciled
from common.messages.orders import OrderState as S
from common.units import Nanos
from services.order_management.books import Books
from services.order_management.cancelling import Cancelling
from services.order_management.desk import Desk
from services.order_management.facts import VenueFacts
from services.order_management.ledger_identity import LedgerIdentity
from services.order_management.recovery import Phase, Recovery
from services.order_management.statements import Statements
from tests.services.order_management.parts import desk, seconds, tracked

T = seconds(1)


def speaker() -> tuple[Desk, Recovery, Statements]:
    place = desk()
    books = Books(place)
    recovery = Recovery(place, books, Cancelling(place, VenueFacts(place)), any_rows=False, started_at=T)
    return place, recovery, Statements(place, books, LedgerIdentity(place), recovery, started_at=T)


def names(effects: list[Effect]) -> list[str]:
    return [type(effect.message).__name__ for effect in effects if isinstance(effect, Send)]


def test_everything_once_a_unit() -> None:
    """Full states of both coins, counts and recovery: at the unit itself, not a moment before."""
    place, _, statements = speaker()
    place.store.changed.clear()
    whole = ["Position", "PendingExposure", "LiveOrders"] * 2 + ["Reconciled", "OrderCounts"]
    assert names(statements.publish(T)) == whole
    unit = Nanos(T + place.settings.liveness.units(1))
    assert statements.due == unit
    assert statements.publish(Nanos(unit - 1)) == []
    assert names(statements.publish(unit)) == whole


def test_changes_at_once() -> None:
    """A change of one coin says that coin again, once; what rests and what may still fill are in it."""
    place, _, statements = speaker()
    statements.publish(T)
    order = tracked(place, state=S.RESTING)
    said = [effect.message for effect in statements.publish(T) if isinstance(effect, Send)]
    position, exposure, live = said
    assert isinstance(position, Position)
    assert isinstance(exposure, PendingExposure)
    assert isinstance(live, LiveOrders)
    assert (position.coin, position.proven) == ("BTC", False)
    assert exposure.pending_bid == 500
    assert live.orders == (order.live(),)
    assert statements.publish(T) == []


def test_the_end_of_recovery_is_said_at_once() -> None:
    """With it every position is proven; when it begins again they are not."""
    _, recovery, statements = speaker()
    statements.publish(T)
    for phase, done in ((Phase.DONE, True), (Phase.STREAM, False)):
        recovery.phase = phase
        said = [effect.message for effect in statements.publish(T) if isinstance(effect, Send)]
        assert [one.done for one in said if isinstance(one, Reconciled)] == [done]
        assert [one.proven for one in said if isinstance(one, Position)] == [done, done]


def test_counts() -> None:
    """Actions, findings, states reached, and what the table refused."""
    place, _, statements = speaker()
    place.finding("x", "", "")
    (counts,) = [e.message for e in statements.publish(T) if isinstance(e, Send) and isinstance(e.message, OrderCounts)]
    assert counts.counts == {"finding.x": 1, "open": 0, "refused_evidence": 0}

"""Venue messages as evidence."""

import pytest

from common.actor import Send
from common.hyperliquid.statuses import DOCUMENTED, StatusMeaning, meaning
from common.messages import Fill, FillRecord, FindingRecord, OrderState, VenueOpenOrders, VenueOrderStatus
from common.messages.orders import OrderState as S
from common.messages.venue import ActionStatus, VenueOrder
from common.units import Lots, Millis, Nanos, Side, Ticks
from services.order_management.desk import Desk
from services.order_management.facts import VenueFacts
from services.order_management.tracked_order import TrackedOrder
from tests.services.order_management.parts import desk, fill, listed, rows, seconds, stamp, tracked, update

T = seconds(10)


def status(order: TrackedOrder, word: str, *, asked_at: Nanos = T, known: bool = True) -> VenueOrderStatus:
    return VenueOrderStatus(
        query_id=1,
        cloid=order.cloid,
        status=word,
        order=listed(order) if known else None,
        status_ms=Millis(1),
        asked_at=asked_at,
    )


def wants(place: Desk, key: str) -> bool:
    return place.queries.pending(key)


def exposure(place: Desk) -> int:
    return place.store.exposure["BTC"].pending_exposure()[0]


# --- rule 1: fills ------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_cloid", [True, False])
def test_fill_before_the_acknowledgement(by_cloid: bool) -> None:
    """Rule 1: it counts, binds the oid, is recorded before it is told; the late acknowledgement changes nothing."""
    place = desk()
    facts, order = VenueFacts(place), tracked(place)
    if not by_cloid:
        place.store.learn_oid(order, 77)
    effects = facts.on_fill(fill(order, 200, by_cloid=by_cloid), "stream", T)
    assert rows(effects[:1], FillRecord)
    assert isinstance(effects[1], Send)
    assert (order.state, order.filled, order.oid) == (S.PARTIALLY_FILLED, 200, 77)
    assert facts.on_ack(order, ActionStatus(kind="resting", oid=77), T) == []
    assert (order.state, exposure(place), place.ledger.lots("BTC")) == (S.PARTIALLY_FILLED, 300, 200)


def test_fill_twice_counts_once() -> None:
    """Rule 1: stream and query tell the same fill; the second says nothing at all."""
    place = desk()
    facts, order = VenueFacts(place), tracked(place)
    facts.on_fill(fill(order, 200), "stream", T)
    assert facts.on_fill(fill(order, 200), "query", T) == []
    assert (order.filled, place.ledger.lots("BTC")) == (200, 200)


def test_filled_whole_before_any_word() -> None:
    """Rule 1: filled to the last lot before the acknowledgement is FilledImmediately, and ends there."""
    place = desk()
    facts, order = VenueFacts(place), tracked(place)
    facts.on_fill(fill(order, 499, 1), "stream", T)
    assert order.state is S.PARTIALLY_FILLED
    place = desk()
    facts, order = VenueFacts(place), tracked(place)
    facts.on_fill(fill(order, 500), "stream", T)
    assert (order.state, exposure(place), order.terminal) == (S.FILLED_IMMEDIATELY, 0, True)


def test_acknowledged_numbers_are_not_fills() -> None:
    """Rule 1: "filled" in an answer moves nothing; the fills that follow are not counted twice."""
    place = desk()
    facts, order = VenueFacts(place), tracked(place)
    facts.on_ack(order, ActionStatus(kind="filled", oid=77, lots=Lots(300)), T)
    assert (order.state, order.filled, exposure(place)) == (S.PARTIALLY_FILLED, 0, 500)
    assert wants(place, f"status {order.cloid}")
    facts.on_fill(fill(order, 300), "stream", T)
    assert (order.filled, exposure(place)) == (300, 200)


def test_late_fill_of_an_ended_order() -> None:
    """Rule 1: after any time it enters position and ledger, with a finding; the order stays ended."""
    place = desk()
    facts, order = VenueFacts(place), tracked(place, state=S.RESTING, oid=77)
    facts.on_updates(update(listed(order), "canceled"), T)
    assert (order.state, exposure(place)) == (S.CANCELLED, 0)
    effects = facts.on_fill(fill(order, 100), "stream", seconds(9_999))
    assert [row.kind for row in rows(effects, FindingRecord)] == ["fill after the end"]
    assert (place.ledger.lots("BTC"), exposure(place), order.state) == (100, 0, S.CANCELLED)


# --- rule 2: how orders end ------------------------------------------------------------------------------


def test_cancelled_with_all_fills_ends() -> None:
    """Rule 2: 500 asked, 200 filled and here, gone with 300 left: nothing is missing."""
    place = desk()
    facts, order = VenueFacts(place), tracked(place, state=S.RESTING)
    facts.on_fill(fill(order, 200), "stream", T)
    facts.on_updates(update(listed(order, left=300), "canceled"), T)
    assert (order.state, exposure(place)) == (S.CANCELLED, 0)


def test_cancelled_before_its_fills_waits_for_them() -> None:
    """Rule 2: the update came first: it counts at its worst until the last of the missing fills is here."""
    place = desk()
    facts, order = VenueFacts(place), tracked(place, state=S.CANCEL_PENDING)
    facts.on_updates(update(listed(order, left=300), "canceled"), T)
    assert (order.state, exposure(place)) == (S.CANCEL_CONFIRMED, 500)
    facts.on_fill(fill(order, 199, 1), "stream", T)
    assert (order.state, exposure(place)) == (S.CANCEL_CONFIRMED, 301)
    facts.on_fill(fill(order, 1, 2), "stream", T)
    assert (order.state, exposure(place)) == (S.CANCELLED, 0)


def test_cancel_success_alone_does_not_end() -> None:
    """Rule 2: without sizes nobody knows whether fills are missing: the venue's own update ends it."""
    place = desk()
    facts, order = VenueFacts(place), tracked(place, state=S.CANCEL_PENDING)
    facts.on_gone(order, None, "cancel success", T)
    assert (order.state, exposure(place)) == (S.CANCEL_CONFIRMED, 500)
    facts.on_updates(update(listed(order), "canceled"), T)
    assert (order.state, exposure(place)) == (S.CANCELLED, 0)


def test_filled_during_cancel_keeps_its_leaves() -> None:
    """Rule 2: a partial fill while the cancel is on its way ends nothing; the rest may still fill."""
    place = desk()
    facts, order = VenueFacts(place), tracked(place, state=S.CANCEL_PENDING, oid=77)
    facts.on_fill(fill(order, 200), "stream", T)
    assert (order.state, exposure(place), order.terminal) == (S.FILLED_DURING_CANCEL, 300, False)
    facts.on_updates(update(listed(order, left=300), "canceled"), T)
    assert (order.state, exposure(place)) == (S.CANCELLED, 0)


def test_filled_update_waits_for_fills() -> None:
    """Rule 2: "filled" without its fills is not the end; with the last fill it is, as an ordinary fill."""
    place = desk()
    facts, order = VenueFacts(place), tracked(place, state=S.RESTING)
    facts.on_updates(update(listed(order, left=0), "filled"), T)
    assert (order.state, exposure(place)) == (S.PARTIALLY_FILLED, 500)
    facts.on_updates(update(listed(order), "open"), T)
    assert order.check_at == T + place.late_fill_window, "old news do not put off the search for its fills"
    facts.on_fill(fill(order, 500), "stream", T)
    assert (order.state, exposure(place)) == (S.FILLED, 0)


@pytest.mark.parametrize(
    ("kind", "state"), [("reduce only", S.CANCELLED), ("orphan", S.CANCELLED), ("plain", S.CANCEL_CONFIRMED)]
)
def test_sizes_that_cannot_tell(kind: str, state: OrderState) -> None:
    """Rule 2: a shrunk reduce-only order seems to miss fills: a read after the window ends it; else it is a finding."""
    place = desk()
    facts = VenueFacts(place)
    order = tracked(place, state=S.RESTING, reduce_only=kind == "reduce only", orphan=kind == "orphan")
    facts.on_updates(update(listed(order, left=100), "reduceOnlyCanceled"), T)
    assert order.state is S.CANCEL_CONFIRMED
    early = Nanos(T + place.late_fill_window - 1)
    assert facts.on_fills_read(early, early) == []
    assert order.state is S.CANCEL_CONFIRMED
    late = Nanos(T + place.late_fill_window)
    effects = facts.on_fills_read(late, late)
    assert order.state is state
    assert [row.kind for row in rows(effects, FindingRecord)] == (["fills missing"] if kind == "plain" else [])
    assert rows(facts.on_fills_read(late, late), FindingRecord) == [], "told once"


def test_missing_fills_are_read_from_the_beginning() -> None:
    """Rule 2: the cursor is not believed any more when fills are missing."""
    place = desk()
    place.cursor_ms = Millis(10**12)
    facts, order = VenueFacts(place), tracked(place, state=S.RESTING)
    facts.on_updates(update(listed(order, left=100), "canceled"), T)
    facts.on_fills_read(seconds(100), seconds(100))
    assert place.cursor_ms == place.ledger.coins["BTC"].opened_ms


def test_open_after_gone_is_old_news() -> None:
    """Rule 2: an answer from before the cancel does not bring the order back, nor does a repeated "open"."""
    place = desk()
    facts, order = VenueFacts(place), tracked(place, state=S.CANCEL_PENDING)
    facts.on_gone(order, None, "cancel success", T)
    facts.on_status(status(order, "open"), T)
    facts.on_updates(update(listed(order), "open"), T)
    assert (order.state, order.gone_at) == (S.CANCEL_CONFIRMED, T)


# --- rule 3: doubt -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", [*DOCUMENTED, "somethingNew", "newCanceled", "newRejected", ""])
@pytest.mark.parametrize(
    "state",
    [S.SENT, S.UNKNOWN, S.RESTING, S.PARTIALLY_FILLED, S.MODIFY_PENDING, S.CANCEL_PENDING, S.CANCEL_CONFIRMED],
)
def test_every_status_string(word: str, state: OrderState) -> None:
    """Rule 3: known and unknown strings in every state: no exception, and never an end without proof."""
    place = desk()
    facts, order = VenueFacts(place), tracked(place, state=state)
    facts.on_updates(update(listed(order, left=400), word), T)
    assert not order.terminal or meaning(word) is StatusMeaning.REJECTED
    if meaning(word) is StatusMeaning.UNKNOWN:
        assert exposure(place) == 500
        assert wants(place, f"status {order.cloid}")


def test_answers_to_an_order() -> None:
    """Rule 3: resting rests, an error of an order nobody saw is a rejection, anything else is doubt."""
    for answer, state in (
        (ActionStatus(kind="resting", oid=77), S.RESTING),
        (ActionStatus(kind="error", text="Post only order would have immediately matched"), S.REJECTED),
        (ActionStatus(kind="waiting"), S.UNKNOWN),
        (ActionStatus(kind="success"), S.UNKNOWN),
    ):
        place = desk()
        facts, order = VenueFacts(place), tracked(place)
        facts.on_ack(order, answer, T)
        assert order.state is state
        assert place.store.find(None, 77) is (order if answer.oid else None)
    place = desk()
    facts, order = VenueFacts(place), tracked(place, state=S.RESTING, oid=77)
    facts.on_ack(order, ActionStatus(kind="error", text="duplicate"), T)
    assert order.state is S.UNKNOWN, "an error about an order that was seen is doubt"


def test_rejection_of_what_was_filled() -> None:
    """Rule 3: fills say that it lived; all that a rejection proves then is that it does not rest."""
    place = desk()
    facts, order = VenueFacts(place), tracked(place)
    facts.on_fill(fill(order, 100), "stream", T)
    facts.on_updates(update(listed(order), "rejected"), T)
    assert (order.state, order.gone_at, exposure(place)) == (S.CANCEL_CONFIRMED, T, 400)


# --- rule 4: no such order -----------------------------------------------------------------------------------


def test_never_arrived_needs_two_denials_after_expiry() -> None:
    """Rule 4: asked before expiry plus margin by venue time it counts for nothing; then twice, not once."""
    place = desk()
    facts, order = VenueFacts(place), tracked(place)
    stamp(place, T)
    at_limit, past = seconds(4), Nanos(seconds(4) + 2_000_000)  # expiry 2 s + margin 2 s; venue time in whole ms
    for _ in range(3):
        facts.on_status(status(order, "unknownOid", asked_at=at_limit, known=False), T)
    assert (order.state, exposure(place)) == (S.UNKNOWN, 500)
    facts.on_status(status(order, "unknownOid", asked_at=past, known=False), T)
    assert order.state is S.UNKNOWN
    facts.on_status(status(order, "unknownOid", asked_at=past, known=False), T)
    assert (order.state, exposure(place)) == (S.REJECTED, 0)


def test_without_venue_time_nothing_is_proven() -> None:
    """Rule 4: an unknown venue clock proves no expiry, however often the venue knows nothing."""
    place = desk()
    facts, order = VenueFacts(place), tracked(place)
    for _ in range(5):
        facts.on_status(status(order, "unknownOid", asked_at=seconds(3_000), known=False), seconds(3_000))
    assert (order.state, exposure(place)) == (S.UNKNOWN, 500)


def test_denials_must_follow_each_other() -> None:
    """Rule 4: a sight of it between two denials starts over."""
    place = desk()
    facts, order = VenueFacts(place), tracked(place)
    stamp(place, T)
    facts.on_status(status(order, "unknownOid", known=False), T)
    facts.on_status(status(order, "open"), T)
    facts.on_status(status(order, "unknownOid", known=False), T)
    assert (order.state, exposure(place)) == (S.UNKNOWN, 500)


def test_a_sight_between_denials_starts_over() -> None:
    """Rule 4: denied, twice not listed, then seen: one more denial is the first again."""
    place = desk()
    facts, order = VenueFacts(place), tracked(place, state=S.RESTING, oid=77, heard_at=seconds(1))
    stamp(place, T)
    facts.on_status(status(order, "unknownOid", known=False), T)
    for query_id in (1, 2):
        facts.on_open_orders(VenueOpenOrders(query_id=query_id, orders=(), asked_at=T), T)
    facts.on_status(status(order, "open"), T)
    facts.on_status(status(order, "unknownOid", known=False), T)
    assert (order.state, order.gone_at) == (S.UNKNOWN, None)


def test_an_order_that_arrived_is_not_denied_away() -> None:
    """Rule 4: two denials and one list prove nothing of a resting order; with the second list it is gone, not ended."""
    place = desk()
    facts, order = VenueFacts(place), tracked(place, state=S.RESTING, oid=77, heard_at=seconds(1))
    stamp(place, T)
    for _ in range(2):
        facts.on_status(status(order, "unknownOid", known=False), T)
    facts.on_open_orders(VenueOpenOrders(query_id=1, orders=(), asked_at=T), T)
    facts.on_status(status(order, "unknownOid", known=False), T)
    assert order.state is S.UNKNOWN
    facts.on_open_orders(VenueOpenOrders(query_id=2, orders=(), asked_at=T), T)
    facts.on_status(status(order, "unknownOid", known=False), T)
    assert (order.state, exposure(place)) == (S.CANCEL_CONFIRMED, 500)


def test_absence_from_a_list_is_only_asked_about() -> None:
    """Rule 4: not listed: a question, no change; heard of within the list's lag: not even that."""
    place = desk()
    facts = VenueFacts(place)
    old = tracked(place, 1, state=S.RESTING, oid=77, heard_at=seconds(1))
    young = tracked(place, 2, state=S.RESTING, oid=78, heard_at=seconds(9.5))
    facts.on_open_orders(VenueOpenOrders(query_id=1, orders=(), asked_at=T), T)
    assert (old.state, young.state) == (S.RESTING, S.RESTING)
    assert wants(place, f"status {old.cloid}")
    assert not wants(place, f"status {young.cloid}")


# --- rules 5, 6, 7: strangers and contradictions ---------------------------------------------------------------


def test_orphan_counts_at_once_and_is_cancelled_after_two_lists() -> None:
    """Rule 5: the first sight counts the whole size, the second is a finding and a cancel."""
    place, other = desk(), desk()
    facts = VenueFacts(place)
    unknown = listed(tracked(other, 99), left=100)
    first = facts.on_open_orders(VenueOpenOrders(query_id=1, orders=(unknown,), asked_at=T), T)
    assert (exposure(place), first) == (500, [])
    assert wants(place, "open")
    later = seconds(12)
    facts.on_open_orders(VenueOpenOrders(query_id=2, orders=(unknown,), asked_at=later), later)
    effects = facts.on_open_orders(VenueOpenOrders(query_id=3, orders=(unknown,), asked_at=later), later)
    orphan = place.store.open[unknown.cloid or ""]
    assert orphan.orphan
    assert orphan.check_at == later
    assert [row.kind for row in rows(effects, FindingRecord)] == ["orphan"]


def test_listed_after_its_end() -> None:
    """Rule 6: a list from before the end, or within its lag, is old; a later one is a finding and doubt."""
    place = desk()
    facts, order = VenueFacts(place), tracked(place, state=S.RESTING)
    facts.on_updates(update(listed(order), "canceled"), T)
    within = Nanos(T + seconds(1))
    facts.on_open_orders(VenueOpenOrders(query_id=1, orders=(listed(order),), asked_at=within), within)
    assert (order.state, exposure(place)) == (S.CANCELLED, 0)
    after = Nanos(within + 1)
    effects = facts.on_open_orders(VenueOpenOrders(query_id=2, orders=(listed(order),), asked_at=after), after)
    assert [row.kind for row in rows(effects, FindingRecord)] == ["order that had ended"]
    assert exposure(place) == 500
    assert wants(place, f"status {order.cloid}")


@pytest.mark.parametrize("state", [S.VETOED, S.REJECTED, S.INTENT])
def test_fill_of_what_was_never_sent(state: OrderState) -> None:
    """Rule 6: the fill counts, the order counts again, and a person is told."""
    place = desk()
    facts, order = VenueFacts(place), tracked(place, state=state)
    effects = facts.on_fill(fill(order, 100), "stream", T)
    assert [row.kind for row in rows(effects, FindingRecord)] == ["order that had ended"]
    assert (order.state, exposure(place), place.ledger.lots("BTC")) == (S.PARTIALLY_FILLED, 400, 100)


def test_two_oids_for_one_cloid() -> None:
    """Rule 6: the second is a finding and changes nothing."""
    place = desk()
    facts, order = VenueFacts(place), tracked(place, state=S.RESTING, oid=1)
    effects = facts.on_updates(update(listed(order, oid=2), "canceled"), T)
    assert [row.kind for row in rows(effects, FindingRecord)] == ["two oids for one cloid"]
    assert order.state is S.RESTING


def test_foreign_orders_and_fills() -> None:
    """Rule 7: counted while listed, reported once, gone when they are gone; foreign fills move the position."""
    place = desk()
    facts = VenueFacts(place)
    manual = VenueOrder(
        coin="BTC",
        oid=5,
        cloid=None,
        side=Side.BUY,
        ticks=Ticks(990_000),
        lots=Lots(70),
        original_lots=Lots(70),
        placed_ms=Millis(0),
    )
    effects = facts.on_updates(update(manual, "open"), T)
    assert [row.kind for row in rows(effects, FindingRecord)] == ["foreign order"]
    assert exposure(place) == 70
    again = facts.on_open_orders(VenueOpenOrders(query_id=1, orders=(manual,), asked_at=T), T)
    assert (again, exposure(place)) == ([], 70)
    facts.on_updates(update(manual, "canceled"), T)
    assert exposure(place) == 0
    told = facts.on_fill(fill(tracked(desk()), 30, by_cloid=False, oid=5), "stream", T)
    assert [row.kind for row in rows(told, FindingRecord)] == ["foreign fill"]
    assert any(isinstance(effect, Send) and isinstance(effect.message, Fill) for effect in told)
    assert place.ledger.lots("BTC") == 30

"""Stories of risk as a whole: start, approvals, silence, stop; tests/services/risk/scene.py plays the rest."""

import msgspec
import pytest

from common.actor import Record
from common.messages import (
    Approval,
    Approved,
    DecisionRecord,
    Exposure,
    HaltDirectory,
    MalformedVenueData,
    NoopRequest,
    NoopSigned,
    PendingExposure,
    Posture,
    PostureLevel,
    RiskCounts,
    SendFailed,
    ServiceState,
    Stopping,
    StreamDown,
    StreamFills,
    StreamUp,
    VenueMeta,
    VenueTime,
    Wake,
)
from common.messages.venue import CancelOrders, Noop, OrderStatusQuery, Place, UpdateLeverage
from common.units import SECOND, Lots, Micros, Nanos
from tests.services.risk.scene import SETTINGS, Scene, ask, bid, fill_of, venue_order


def codes(answer: Approval) -> set[str]:
    return {veto.code for veto in answer.vetoes}


# --- rule 1: start -------------------------------------------------------------------------------------


def test_nothing_is_approved_before_everything_was_read() -> None:
    """Rule 1: halt directory, link and reads one after the other; until then every request is vetoed."""
    scene = Scene()
    scene.wait(1)
    assert scene.state() is ServiceState.STARTING
    scene.send(scene.request(bid(1)))
    assert codes(scene.last(Approval)) == {"not_ready"}
    scene.send(HaltDirectory())
    assert scene.state() is ServiceState.RECONCILING
    assert scene.risk.detail == "no venue link"
    scene.send(StreamUp(connection=1))
    scene.wait(5)
    assert scene.state() is ServiceState.READY
    scene.send(scene.request(bid(2)))
    assert scene.last(Approval).approved == (bid(2).cloid,)


def test_without_a_journal_the_last_expiry_passes_first() -> None:
    """Rule 1: with the home lost something unknown may be on its way for order_expiry_ms + margin_ms."""
    scene = Scene()
    scene.send(HaltDirectory(), StreamUp(connection=1))
    scene.wait(3.75)
    assert scene.risk.detail == "orders of an earlier life may still arrive"
    scene.wait(0.5)
    assert scene.state() is ServiceState.READY


def test_an_earlier_life_is_burnt() -> None:
    """Rule 1: every unproven nonce of the journal is burnt with a noop of its own nonce; then ready."""
    first = Scene().ready()
    first.send(first.request(bid(1)))
    nonce = first.placed()[-1].nonce
    second = Scene(first.rows, epoch=8, now=Nanos(first.now + SECOND // 2))
    assert second.risk._facts.ledger.pending("BTC") == (800, 0)
    second.send(HaltDirectory(), StreamUp(connection=1))
    assert [sign.nonce for sign in second.signs if isinstance(sign.action, Noop)] == [nonce]
    second.wait(0.5)
    assert second.state() is ServiceState.READY
    assert second.risk._facts.ledger.pending("BTC") == (0, 0)


def test_a_nonce_that_was_used_proves_no_absence() -> None:
    """Rule 1: "duplicate nonce" settles the arrival; what arrived is asked for by cloid and counts meanwhile."""
    first = Scene().ready()
    order = bid(1)
    first.send(first.request(order))
    second = Scene(first.rows, epoch=8, now=Nanos(first.now + SECOND // 2))
    second.consumed.add(first.placed()[-1].nonce)
    second.statuses[order.cloid] = ("open", venue_order(order, 9, placed_ms=second.venue_ms))
    second.open[9] = venue_order(order, 9, placed_ms=second.venue_ms)
    second.send(HaltDirectory(), StreamUp(connection=1))
    second.wait(1)
    assert second.state() is ServiceState.READY
    assert second.risk._facts.ledger.pending("BTC") == (800, 0)
    assert second.latches == []


def test_a_used_nonce_is_followed_by_questions() -> None:
    """Rule 1: what it placed may have filled meanwhile, so each order is asked for by cloid at once."""
    first = Scene().ready()
    order = bid(1)
    first.send(first.request(order))
    second = Scene(first.rows, epoch=8, now=Nanos(first.now + SECOND // 2))
    second.consumed.add(first.placed()[-1].nonce)
    second.send(HaltDirectory(), StreamUp(connection=1))
    assert OrderStatusQuery(order.cloid) in [ask_.query for ask_ in second.asks]
    assert second.risk._facts.ledger.pending("BTC") == (800, 0)


def test_with_the_home_lost_old_orders_are_cancelled() -> None:
    """Rule 1: orders of ours from before this memory are no crime; they count, and are cancelled where they show."""
    scene = Scene()
    scene.open[4] = venue_order(bid(1, lots=33), 4, placed_ms=scene.venue_ms - 60_000)
    stamp = VenueTime(venue_ms=scene.venue_ms, resolution_ms=1)
    scene.send(HaltDirectory(), stamp, StreamUp(connection=1))
    cancels = [sign.action for sign in scene.signs if isinstance(sign.action, CancelOrders)]
    assert [cancel.cloid for cancel in cancels[0].cancels] == [bid(1).cloid]
    assert scene.risk._facts.ledger.pending("BTC") == (33, 0)
    assert scene.latches == []


def test_a_universe_that_contradicts_ends_the_process() -> None:
    """Rule 1: a wrong asset index would trade another coin."""
    scene = Scene()
    instrument = SETTINGS.instruments()["BTC"]
    scene.send(VenueMeta(query_id=999, universe=(instrument,)))
    assert scene.exits[0].code == 78
    assert "coins.ETH" in scene.exits[0].reason


def test_a_lost_link_closes_until_everything_was_read_again() -> None:
    """Rule 1: user streams do not replay, so a reconnect is a new start without the burning."""
    scene = Scene().ready()
    scene.send(StreamDown(connection=1, reason="closed"))
    assert scene.state() is ServiceState.RECONCILING
    assert scene.level() is PostureLevel.PULL_QUOTES
    scene.answering = False
    scene.send(StreamUp(connection=2))
    assert scene.risk.detail == "to be read: account, fills, orders"
    scene.answering = True
    scene.wait(6)
    assert scene.state() is ServiceState.READY


# --- rule 2: approvals ---------------------------------------------------------------------------------


def test_an_order_is_recorded_then_signed_then_answered() -> None:
    """Rule 2: the row is durable before the signature exists; nonce and expiry follow the venue's time."""
    scene = Scene().ready()
    before = len(scene.performed)
    request = scene.request(bid(1), ask(2))
    scene.send(request)
    record = next(e.row for e in scene.performed[before:] if isinstance(e, Record))
    assert isinstance(record, DecisionRecord)
    kinds = [type(effect).__name__ for effect in scene.performed[before:]]
    assert kinds[:2] == ["Record", "Sign"]
    sign = scene.placed()[-1]
    assert sign.action == Place((bid(1), ask(2)))
    assert (sign.nonce, sign.expires_after) == (record.nonce, record.expires_after)
    assert scene.venue_ms - 1 <= sign.nonce <= scene.venue_ms
    assert record.expires_after == pytest.approx(scene.venue_ms + 2_000, abs=1)
    answer = scene.told(Approval, "order_management")[-1]
    assert answer.request_id == request.request_id
    assert answer.body == b"signed"
    assert answer.approved == (bid(1).cloid, ask(2).cloid)
    assert scene.last(Approved).cloids == answer.approved
    assert scene.last(Exposure).coin == "BTC"
    assert (scene.last(Exposure).pending_bid, scene.last(Exposure).pending_ask) == (800, 800)


def test_nonces_only_grow() -> None:
    """Rule 2: two requests of one millisecond have two nonces."""
    scene = Scene().ready()
    scene.send(scene.request(bid(1)), scene.request(bid(2)))
    first, second = (sign.nonce for sign in scene.placed())
    assert second == first + 1


def test_reservations_of_one_batch_add_up() -> None:
    """Rule 2: each order is judged with everything before it counted: the limit fits twelve of these, not thirteen."""
    scene = Scene().ready()
    orders = [bid(number) for number in range(1, 14)]
    scene.send(scene.request(*orders))
    answer = scene.last(Approval)
    assert len(answer.approved) == 12
    assert [(veto.cloid, veto.code) for veto in answer.vetoes] == [(orders[12].cloid, "position")]


def test_all_vetoed_uses_no_nonce() -> None:
    """Rule 2: an empty answer goes out at once, nothing is recorded or signed."""
    scene = Scene().ready()
    rows, signs = len(scene.rows), len(scene.signs)
    scene.send(scene.request(bid(1, ticks=100_000)))
    answer = scene.last(Approval)
    assert (answer.body, answer.nonce, answer.approved) == (b"", 0, ())
    assert codes(answer) == {"price_band"}
    assert (len(scene.rows), len(scene.signs)) == (rows, signs)


def test_no_signature_is_a_veto_and_counts_no_longer() -> None:
    """Rule 2: SignFailed gives every order of the batch back."""
    scene = Scene().ready()
    scene.sign_reason = "second limit"
    scene.send(scene.request(bid(1)))
    assert codes(scene.last(Approval)) == {"signer"}
    assert scene.risk._facts.ledger.pending("BTC") == (0, 0)
    scene.sign_reason = ""
    scene.send(scene.request(bid(2)))
    assert scene.last(Approval).approved == (bid(2).cloid,)


@pytest.mark.parametrize(
    ("late", "lapsed", "epoch", "code"),
    [
        (0, SECOND, 500, ""),
        (-1, SECOND, 500, "late"),
        (SECOND, 1, 500, ""),
        (SECOND, 0, 500, "target_lapsed"),
        (SECOND, SECOND, 499, "old_epoch"),
        (SECOND, SECOND, 501, "not_reconciled"),
    ],
)
def test_requests_that_are_refused_whole(late: int, lapsed: int, epoch: int, code: str) -> None:
    """Rule 2: deadline, target and epoch, both sides of each."""
    scene = Scene().ready()
    order = bid(1)
    request = scene.request(order, epoch=epoch, deadline=Nanos(scene.now + late), valid_until=Nanos(scene.now + lapsed))
    scene.send(request)
    answer = scene.last(Approval)
    assert (answer.request_id, answer.epoch) == (request.request_id, epoch)
    assert codes(answer) == ({code} if code else set())


def test_a_frozen_process_judges_by_the_present() -> None:
    """Rule 2: what was fresh before the freeze is judged anew with the request itself."""
    scene = Scene().ready()
    scene.now = Nanos(scene.now + 3 * SECOND)
    scene.send(scene.request(bid(1)))
    assert codes(scene.last(Approval)) == {"posture"}


@pytest.mark.parametrize(("units", "kills"), [(3, True), (4, False)])
def test_a_long_sleep_of_our_own_kills_nobody(units: int, kills: bool) -> None:
    """Rule 3: a process that was stopped for minutes wakes up and hears its peers before it judges them."""
    scene = Scene().ready()
    scene.silent |= {"strategy"}
    scene.wait(29)
    scene.now = Nanos(scene.now + units * SECOND // 4)
    scene.send(Wake())
    scene.wait(0.5, alive=False)
    assert bool(scene.latches) is kills


def test_an_uncertain_venue_clock_approves_nothing() -> None:
    """Rule 2: without stamps for a minute venue time is unknown."""
    scene = Scene().ready()
    scene.stamped = False
    scene.wait(61)
    scene.send(scene.request(bid(1)))
    assert codes(scene.last(Approval)) == {"not_ready"}
    assert scene.risk.detail == "venue time unknown"


def test_order_management_s_worse_numbers_bind() -> None:
    """Rule 2: where two sources differ the worse one is used until it agrees again."""
    scene = Scene().ready()
    worse = PendingExposure(
        coin="BTC",
        pending_bid=Lots(9_900),
        pending_ask=Lots(0),
        net_pending_change=Lots(0),
        worst_case_max_position=Lots(9_900),
        worst_case_min_position=Lots(0),
        resting_bid_notional=Micros(0),
        resting_ask_notional=Micros(0),
    )
    scene.send(worse, scene.request(bid(1)))
    assert codes(scene.last(Approval)) == {"position"}
    assert scene.last(Exposure).headroom_bid < 800
    agreed = msgspec.structs.replace(worse, pending_bid=Lots(0), worst_case_max_position=Lots(0))
    scene.send(agreed)
    scene.send(scene.request(bid(2)))
    assert scene.last(Approval).approved == (bid(2).cloid,)


# --- rule 4: noops -------------------------------------------------------------------------------------


def test_noops_are_signed_for_own_nonces_only() -> None:
    """Rule 4: also while halted; refused for a nonce that no order was signed with, and past the deadline."""
    scene = Scene().ready()
    scene.send(scene.request(bid(1)))
    nonce = scene.placed()[-1].nonce
    scene.directory = HaltDirectory(readable=False)
    scene.send(scene.directory)
    later = Nanos(scene.now + SECOND)
    scene.send(NoopRequest(request_id=1, epoch=500, deadline=later, nonce=nonce))
    assert scene.told(NoopSigned, "order_management")[-1].body == b"signed"
    scene.send(NoopRequest(request_id=2, epoch=500, deadline=later, nonce=nonce + 77))
    assert scene.last(NoopSigned).body == b""
    scene.send(NoopRequest(request_id=3, epoch=500, deadline=Nanos(scene.now - 1), nonce=nonce))
    assert scene.last(NoopSigned).reason == "past its deadline"


# --- rule 5: leverage ----------------------------------------------------------------------------------


def test_leverage_is_set_once_where_flat() -> None:
    """Rule 5: not for the coin that is held, and never again."""
    scene = Scene()
    scene.positions["ETH"] = 10
    scene.ready().wait(5)
    assert [sign.action for sign in scene.signs if isinstance(sign.action, UpdateLeverage)] == [
        UpdateLeverage("BTC", 10)
    ]


# --- rule 6: silence -----------------------------------------------------------------------------------


def test_silent_order_management_is_swept() -> None:
    """Rule 6: after five units quotes are pulled and what rests is cancelled, once per hold-off."""
    scene = Scene().ready()
    order = bid(1)
    scene.send(scene.request(order))
    scene.update(order, 9, "open")
    scene.silent.add("order_management")
    signs = len(scene.signs)
    scene.wait(1)
    assert scene.signs[signs:] == []
    assert scene.level() is PostureLevel.NORMAL
    scene.wait(0.5)
    assert scene.level() is PostureLevel.PULL_QUOTES
    cancels = [sign.action for sign in scene.signs[signs:]]
    assert len(cancels) == 1
    assert isinstance(cancels[0], CancelOrders)
    assert [cancel.cloid for cancel in cancels[0].cancels] == [order.cloid]
    scene.wait(4.5)
    assert len(scene.signs[signs:]) == 1
    scene.wait(1)
    assert len(scene.signs[signs:]) == 2


# --- rule 7: stop --------------------------------------------------------------------------------------


def test_stopping_cancels_and_ends_when_nothing_rests() -> None:
    """Rule 7: the gate is closed at once, and the exit waits for an empty list."""
    scene = Scene().ready()
    order = bid(1)
    scene.send(scene.request(order))
    scene.update(order, 9, "open")
    scene.answering = False
    scene.send(Stopping(), scene.request(bid(2)))
    assert codes(scene.last(Approval)) == {"stopping"}
    assert isinstance(scene.signs[-1].action, CancelOrders)
    assert scene.exits == []
    scene.open.clear()
    scene.answering = True
    scene.wait(2)
    assert [(exit_.code, exit_.reason) for exit_ in scene.exits[:1]] == [(0, "stopped; no order of ours is open")]


def test_stopping_is_bounded() -> None:
    """Rule 7: a venue that does not answer holds nobody up for more than 5 s."""
    scene = Scene().ready()
    scene.answering = False
    scene.send(Stopping())
    scene.wait(4.75)
    assert scene.exits == []
    scene.wait(0.25)
    assert scene.exits[0].code == 0


# --- the rest ------------------------------------------------------------------------------------------


def test_everything_is_repeated_every_unit() -> None:
    """A lost message heals: posture, exposure and counts are said again without any change."""
    scene = Scene().ready()
    scene.sent.clear()
    scene.wait(1)
    assert len(scene.told(Posture)) == 4
    assert len(scene.told(Exposure)) == 8
    assert len(scene.told(RiskCounts)) == 4


def test_trouble_is_counted() -> None:
    """What could not be delivered or understood shows in the counts."""
    scene = Scene().ready()
    scene.send(
        SendFailed(to="order_management", kind="Approval", request_id=1, reason="gone"),
        MalformedVenueData(channel="bbo", reason="no price"),
    )
    scene.wait(1)
    assert scene.last(RiskCounts).findings == {"Approval not delivered": 1, "malformed venue data": 1}


def test_own_fills_move_position_and_exposure() -> None:
    """A fill on the own stream leaves the worst case as it is: what was pending is held now."""
    scene = Scene().ready()
    order = bid(1)
    scene.send(scene.request(order))
    scene.update(order, 9, "open")
    scene.wait(0.25)
    fill = fill_of(order, 300, scene.venue_ms, 1)
    scene.fills.append(fill)
    scene.positions["BTC"] = 300
    scene.send(StreamFills(fills=(fill,), snapshot=False, received_at=scene.now))
    told = [fact for fact in scene.told(Exposure) if fact.coin == "BTC"][-1]
    assert (told.position, told.pending_bid, told.worst_case_max_position) == (300, 500, 800)

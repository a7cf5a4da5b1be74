"""Stories of risk as a whole: start, approvals, stop; scene.py plays the rest."""

import msgspec
import pytest

from common.messages import (
    Approval,
    Exposure,
    HaltDirectory,
    MalformedVenueData,
    PendingExposure,
    RiskCounts,
    SendFailed,
    ServiceState,
    Stopping,
    StreamUp,
    Wake,
)
from common.messages.venue import CancelOrders, Noop, OrderStatusQuery, UpdateLeverage
from common.units import SECOND, Lots, Micros, Nanos
from tests.services.risk.scene import Scene, bid, codes, venue_order

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


# --- rule 2: approvals ---------------------------------------------------------------------------------


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


def test_trouble_is_counted() -> None:
    """What could not be delivered or understood shows in the counts."""
    scene = Scene().ready()
    scene.send(
        SendFailed(to="order_management", kind="Approval", request_id=1, reason="gone"),
        MalformedVenueData(channel="bbo", reason="no price"),
    )
    scene.wait(1)
    assert scene.last(RiskCounts).findings == {"Approval not delivered": 1, "malformed venue data": 1}

"""Risk's own eyes: reconnect, silence, and what must not rest."""

from typing import Any

import msgspec
import pytest

from common.messages import (
    HaltDirectory,
    PostureLevel,
    ServiceState,
    StreamDown,
    StreamUp,
    VenueTime,
)
from common.messages.venue import CancelOrders
from common.units import Side
from tests.services.risk.scene import AGENTS, Scene, ask, bid, venue_order


def test_a_lost_link_closes_until_everything_was_read_again() -> None:
    """Rule 2: user streams do not replay, so a reconnect is a new start without the burning."""
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


def test_with_the_home_lost_old_orders_are_cancelled() -> None:
    """Rule 3: orders of ours from before this memory are no crime; they count, and are cancelled where they show."""
    scene = Scene()
    scene.open[4] = venue_order(bid(1, lots=33), 4, placed_ms=scene.venue_ms - 60_000)
    stamp = VenueTime(venue_ms=scene.venue_ms, resolution_ms=1)
    scene.send(HaltDirectory(), stamp, StreamUp(connection=1))
    cancels = [sign.action for sign in scene.signs if isinstance(sign.action, CancelOrders)]
    assert [cancel.cloid for cancel in cancels[0].cancels] == [bid(1).cloid]
    assert scene.risk._facts.ledger.pending("BTC") == (33, 0)
    assert scene.latches == []


def test_a_silent_canceller_is_swept_for() -> None:
    """Rule 3: order_management's cancels are lost with it, so after eight units this key cancels what rests."""
    scene = Scene().ready()
    scene.send(scene.request(bid(1)))
    scene.update(bid(1), 9, "open")
    scene.silent.add("canceller")
    signs = len(scene.signs)
    scene.wait(1.75)
    assert scene.signs[signs:] == []
    scene.wait(0.5)
    assert scene.level() is PostureLevel.PULL_QUOTES
    (cancel,) = [sign.action for sign in scene.signs[signs:]]
    assert isinstance(cancel, CancelOrders)
    assert [one.cloid for one in cancel.cancels] == [bid(1).cloid]


def test_silent_order_management_is_swept() -> None:
    """Rule 3: after five units quotes are pulled and what rests is cancelled, once per hold-off."""
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


def test_a_revoked_agent_pulls_and_then_kills() -> None:
    """Rule 4: the canceller's key, which nobody would miss before it is needed."""
    scene = Scene().ready()
    scene.revoked.add(AGENTS["canceller"])
    pulled_before_killed = False
    for _ in range(250):
        scene.wait(0.5)
        if scene.latches:
            break
        pulled_before_killed |= scene.level() is PostureLevel.PULL_QUOTES
    assert [latch.cause for latch in scene.latches] == ["agent revoked"]
    assert pulled_before_killed
    assert AGENTS["canceller"] in scene.latches[0].evidence


def test_one_odd_word_about_an_agent_is_taken_back() -> None:
    """Rule 4: an info server that lags ends no day."""
    scene = Scene().ready()
    scene.revoked.add(AGENTS["risk"])
    for _ in range(250):
        scene.wait(0.5)
        if scene.level() is PostureLevel.PULL_QUOTES:
            break
    scene.revoked.clear()
    scene.wait(10)
    assert scene.latches == []
    assert scene.level() is PostureLevel.NORMAL


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        ({}, 0),
        ({"lots": 1, "original_lots": 799}, 0),
        ({"original_lots": 801}, 1),
        ({"ticks": 600_101}, 1),
        ({"side": Side.BUY}, 1),
        ({"reduce_only": False}, 1),
    ],
)
def test_an_order_that_is_listed_otherwise_than_approved_is_cancelled(shown: dict[str, Any], found: int) -> None:
    """Rule 5: smaller is what fills and the venue's own cap on reduce-only orders make of it."""
    scene = Scene()
    scene.positions["BTC"] = 5_000
    scene.ready()
    order = ask(1, reduce_only=True)
    scene.send(scene.request(order))
    scene.update(order, 9, "open")
    scene.open[9] = msgspec.structs.replace(scene.open[9], **({"reduce_only": True} | shown))
    signs = len(scene.signs)
    scene.wait(10)
    cancels = [sign.action for sign in scene.signs[signs:] if isinstance(sign.action, CancelOrders)]
    assert scene.risk._watch.findings["order altered"] == len(cancels) == found
    assert all(cancel.cloid == order.cloid for action in cancels for cancel in action.cancels)


def test_what_must_not_rest_is_cancelled_when_nobody_else_did() -> None:
    """Rule 6: quotes are pulled, and one order is still listed after four seconds; what went in time is no matter."""
    scene = Scene().ready()
    stays, goes = bid(1), bid(2)
    scene.send(scene.request(stays, goes))
    scene.update(stays, 9, "open")
    scene.update(goes, 10, "open")
    scene.silent.add("strategy")  # its target lapses
    scene.wait(2)
    assert scene.level() is PostureLevel.PULL_QUOTES
    scene.update(goes, 10, "canceled")
    signs = len(scene.signs)
    scene.wait(20)
    cancels = [sign.action for sign in scene.signs[signs:] if isinstance(sign.action, CancelOrders)]
    assert {cancel.cloid for action in cancels for cancel in action.cancels} == {stays.cloid}
    assert scene.risk._watch.findings["order overstays"] == len(cancels)


def test_what_may_rest_overstays_nothing() -> None:
    """Rule 6: a quote in a normal posture is listed for as long as it likes."""
    scene = Scene().ready()
    scene.send(scene.request(bid(1)))
    scene.update(bid(1), 9, "open")
    signs = len(scene.signs)
    scene.wait(30)
    assert scene.signs[signs:] == []

"""Rules of services/venue_sim/triggers.py, one story each."""

import pytest

from common.units import Lots, Side
from services.venue_sim.api import (
    Grouping,
    OracleUpdate,
    OrderSpec,
    PlaceOrders,
    Refused,
    Resting,
    Status,
    Tif,
    Tpsl,
    Trigger,
    Waiting,
)
from services.venue_sim.triggers import fires
from tests.services.venue_sim.stage import ALICE, BOB, BTC, BUY, SELL, Stage, order, refused


def exit_order(
    tpsl: Tpsl, price: str, size: str = "0.1", *, market: bool = True, limit: str | None = None
) -> OrderSpec:
    trigger = Trigger(ticks=BTC.ticks(price), is_market=market, tpsl=tpsl)
    return order(SELL, limit or price, size, Tif.GTC, reduce_only=True, trigger=trigger)


STOP = exit_order(Tpsl.STOP_LOSS, "95000")
PROFIT = exit_order(Tpsl.TAKE_PROFIT, "105000")


def long(stage: Stage, size: str = "0.1") -> None:
    stage.rest(BOB, order(SELL, "100000", size))
    stage.rest(ALICE, order(BUY, "100000", size))


def mark(stage: Stage, price: str) -> None:
    """Move the mark of a book without both sides: to the oracle."""
    stage.exchange.feed(OracleUpdate(coin="BTC", ticks=BTC.ticks(price)))
    stage.block(3_000)
    assert stage.info.mark("BTC") == BTC.ticks(price)


def group(stage: Stage, grouping: Grouping, *orders: OrderSpec) -> tuple[Status, ...]:
    number = stage.ask(ALICE, PlaceOrders(orders, grouping))
    stage.block()
    return stage.answer(number).statuses


@pytest.mark.parametrize(
    ("tpsl", "side", "below"),
    [
        (Tpsl.STOP_LOSS, SELL, True),
        (Tpsl.STOP_LOSS, BUY, False),
        (Tpsl.TAKE_PROFIT, SELL, False),
        (Tpsl.TAKE_PROFIT, BUY, True),
    ],
)
def test_when_it_fires(tpsl: Tpsl, side: Side, below: bool) -> None:
    """Rule 1: at its price and on its side of it."""
    trigger = Trigger(ticks=BTC.ticks("100"), is_market=True, tpsl=tpsl)
    assert [fires(trigger, side, price) for price in (999, 1_000, 1_001)] == [below, True, not below]


def test_one_that_would_fire_at_once_is_refused() -> None:
    """Rule 1: a stop above the mark is no stop; neither is one off the price grid."""
    stage = Stage()
    long(stage)
    assert refused(stage.one(ALICE, exit_order(Tpsl.STOP_LOSS, "100000"))) == "Invalid TP/SL price. asset=0"
    assert [status for _, status, _ in stage.told(ALICE)] == ["badTriggerPxRejected"]
    assert "tick size" in refused(stage.one(ALICE, exit_order(Tpsl.STOP_LOSS, "95000.5")))


def test_a_market_stop() -> None:
    """Rule 2: resting until mark arrives, then triggered and filled under the same oid."""
    stage = Stage()
    long(stage)
    status = stage.one(ALICE, STOP)
    assert isinstance(status, Resting)
    assert stage.bids() == stage.asks() == []
    stage.rest(BOB, order(BUY, "94000", "0.1"))
    mark(stage, "95000")
    assert stage.told(ALICE) == [(status.oid, "triggered", "0.1"), (status.oid, "filled", "0")]
    assert stage.position(ALICE) == "0"


def test_a_market_stop_stops_ten_percent_away() -> None:
    """Rule 2: nothing within 10 % of mark: the order ends without a trade."""
    stage = Stage()
    long(stage)
    status = stage.one(ALICE, STOP)
    assert isinstance(status, Resting)
    stage.rest(BOB, order(BUY, "85000", "0.1"))
    mark(stage, "95000")
    assert stage.told(ALICE)[-1] == (status.oid, "marketOrderNoLiquidityRejected", "0.1")
    assert stage.position(ALICE) == "0.1"


def test_a_limit_stop_rests() -> None:
    """Rule 2: a limit trigger becomes a Gtc at its own price, in the book and reduce-only."""
    stage = Stage()
    long(stage)
    (oid,) = stage.rest(ALICE, exit_order(Tpsl.STOP_LOSS, "95000", market=False, limit="94500"))
    mark(stage, "95000")
    assert stage.told(ALICE) == [(oid, "triggered", "0.1"), (oid, "open", "0.1")]
    assert stage.asks() == [("94500.0", "0.1")]
    stage.cancel(ALICE, oid)
    stage.block()
    assert stage.told(ALICE) == [(oid, "canceled", "0.1")]
    assert stage.asks() == []


def test_trigger_orders_can_be_cancelled() -> None:
    """A standalone trigger order is found by its oid and goes without having been in the book."""
    stage = Stage()
    (oid,) = stage.rest(ALICE, STOP)
    stage.cancel(ALICE, oid)
    stage.block()
    assert stage.told(ALICE) == [(oid, "canceled", "0.1")]
    mark(stage, "90000")
    assert stage.told(ALICE) == []


def test_siblings_go_together() -> None:
    """Rule 2: of a position's pair the one that fires cancels the other."""
    stage = Stage()
    long(stage)
    statuses = group(stage, Grouping.POSITION_TPSL, STOP, PROFIT)
    assert statuses == (Waiting("waitingForTrigger"),) * 2
    stop, profit = (view.oid for view in stage.info.open_orders(ALICE))
    stage.rest(BOB, order(BUY, "94000", "0.1"))
    mark(stage, "95000")
    assert [(oid, status) for oid, status, _ in stage.told(ALICE)] == [
        (stop, "triggered"),
        (profit, "siblingFilledCanceled"),
        (stop, "filled"),
    ]


def test_children_wait_for_their_parent() -> None:
    """Rule 3: a resting parent shows its children, its complete fill arms them."""
    stage = Stage()
    statuses = group(stage, Grouping.NORMAL_TPSL, order(BUY, "99000", "0.1"), STOP, PROFIT)
    assert isinstance(statuses[0], Resting)
    assert statuses[1:] == (Waiting("waitingForFill"),) * 2
    parent, *children = stage.info.open_orders(ALICE)
    assert [child.oid for child in parent.children] == [child.oid for child in children]
    mark(stage, "94000")
    assert stage.told(ALICE) == []
    mark(stage, "100000")
    stage.rest(BOB, order(SELL, "99000", "0.1"))
    stage.rest(BOB, order(BUY, "94500", "0.1"))
    mark(stage, "95000")
    assert stage.position(ALICE) == "0"


def test_children_of_a_filled_parent_are_armed_at_once() -> None:
    """Rule 3: the parent traded at placement, so they wait for their trigger only."""
    stage = Stage()
    stage.rest(BOB, order(SELL, "100000", "0.1"))
    statuses = group(stage, Grouping.NORMAL_TPSL, order(BUY, "100000", "0.1"), STOP)
    assert statuses[1] == Waiting("waitingForTrigger")


def test_cancelling_the_parent_cancels_the_children() -> None:
    """Rule 3: the parent first leaves nothing to cancel; the children first leave the parent."""
    stage = Stage()
    group(stage, Grouping.NORMAL_TPSL, order(BUY, "99000", "0.1"), STOP, PROFIT)
    oids = [view.oid for view in stage.info.open_orders(ALICE)]
    number = stage.cancel(ALICE, *oids)
    stage.block()
    assert [isinstance(status, Refused) for status in stage.answer(number).statuses] == [False, True, True]
    group(stage, Grouping.NORMAL_TPSL, order(BUY, "99000", "0.1"), STOP, PROFIT)
    oids = [view.oid for view in stage.info.open_orders(ALICE)]
    number = stage.cancel(ALICE, *reversed(oids))
    stage.block()
    assert not any(isinstance(status, Refused) for status in stage.answer(number).statuses)


def test_a_refused_parent_has_no_children() -> None:
    """Rule 3: the refusal answers for all of them."""
    stage = Stage()
    statuses = group(stage, Grouping.NORMAL_TPSL, order(BUY, "100000", "0.1", Tif.IOC), STOP)
    assert len(statuses) == 2
    assert all(isinstance(status, Refused) for status in statuses)
    assert stage.info.open_orders(ALICE) == ()


def test_position_tpsl_closes_everything() -> None:
    """Rule 4: without a size it sells what there is when it fires."""
    stage = Stage()
    long(stage, "0.1")
    sizeless = OrderSpec(
        coin="BTC",
        side=SELL,
        ticks=STOP.ticks,
        lots=Lots(0),
        tif=Tif.GTC,
        reduce_only=True,
        trigger=STOP.trigger,
    )
    group(stage, Grouping.POSITION_TPSL, sizeless)
    long(stage, "0.2")
    stage.rest(BOB, order(BUY, "94000", "1"))
    mark(stage, "95000")
    assert stage.position(ALICE) == "0"


def test_a_closed_position_needs_no_stop() -> None:
    """Rule 5: armed trigger orders are cancelled when the position reaches zero."""
    stage = Stage()
    long(stage)
    (oid,) = stage.rest(ALICE, STOP)
    stage.rest(BOB, order(BUY, "100000", "0.1"))
    stage.rest(ALICE, order(SELL, "100000", "0.1"))
    assert (oid, "reduceOnlyCanceled", "0.1") in stage.told(ALICE)

"""Rules of services/venue_sim/placing.py, one story each."""

import pytest

from common.units import Lots, Micros, Side
from services.venue_sim.api import (
    UNREPRESENTABLE_LOTS,
    UNREPRESENTABLE_TICKS,
    Filled,
    Grouping,
    OrderEvent,
    OrderSpec,
    PlaceOrders,
    Resting,
    Tif,
    Tpsl,
    Trigger,
    UpdateLeverage,
)
from services.venue_sim.rules import CoinRules, ExchangeConfig, MarginTier
from tests.services.venue_sim.stage import (
    ALICE,
    BOB,
    BTC,
    BUY,
    CAROL,
    ETH,
    MARKET,
    SELL,
    Stage,
    config,
    lots,
    order,
    refused,
)


def whole(stage: Stage, *orders: OrderSpec, grouping: Grouping = Grouping.NONE) -> str:
    """The one refusal of a payload."""
    number = stage.ask(ALICE, PlaceOrders(orders, grouping))
    stage.block()
    (status,) = stage.answer(number).statuses
    return refused(status)


STOP = Trigger(ticks=BTC.ticks("90000"), is_market=True, tpsl=Tpsl.STOP_LOSS)
GOOD = order(BUY, "99000", "0.01")


def test_empty_payload() -> None:
    """Rule 1: a payload without orders has one refusal."""
    assert whole(Stage()) == "Orders are empty."


@pytest.mark.parametrize(
    ("ticks", "size", "text"),
    [
        (UNREPRESENTABLE_TICKS, 1_000, "Order has invalid price."),
        (-5, 1_000, "Order has invalid price."),
        (990_000, UNREPRESENTABLE_LOTS, "Order has invalid size."),
        (990_000, 0, "Order has zero size."),
    ],
)
def test_numbers_off_the_grid_refuse_the_payload(ticks: int, size: int, text: str) -> None:
    """Rule 1: what the grid cannot hold is refused once for all orders, and no order gets an oid."""
    stage = Stage()
    bad = OrderSpec(coin="BTC", side=BUY, ticks=ticks, lots=Lots(size), tif=Tif.GTC)  # type: ignore[arg-type]  # off the grid on purpose
    assert whole(stage, GOOD, bad, GOOD) == text
    assert stage.info.open_orders(ALICE) == ()


def test_price_band_has_two_sides() -> None:
    """Rule 1: a price 95 % from mark is refused on either side, the next one inside is not."""
    stage = Stage()
    text = "Order price cannot be more than 95% away from the reference price"
    assert whole(stage, order(BUY, "5000", "0.01")) == text
    assert isinstance(stage.one(ALICE, order(BUY, "5001", "0.01")), Resting)
    assert whole(stage, order(SELL, "2000000", "0.00001")) == text
    assert isinstance(stage.one(ALICE, order(SELL, "1999900", "0.0001")), Resting)


def test_order_value_limit() -> None:
    """Rule 1: a market order above 30M USD (40x asset) is too large, a limit order may be ten times that."""
    stage = Stage()
    assert whole(stage, order(BUY, "100000", "300.00001", Tif.IOC)) == "Order value too large"
    assert refused(stage.one(ALICE, order(BUY, "100000", "300.00001"))).startswith("Insufficient margin")
    assert whole(stage, order(BUY, "100000", "3000.00001")) == "Order value too large"


def test_trigger_orders_must_reduce() -> None:
    """Rule 1: a trigger order that is not reduce-only refuses the payload."""
    stage = Stage()
    assert whole(stage, order(SELL, "90000", "0.01", trigger=STOP)) == "TP/SL orders must be reduce only."


def test_grouping_counts_triggers() -> None:
    """Rule 1: normalTpsl wants a parent and its triggers, positionTpsl triggers alone."""
    stage = Stage()
    child = order(SELL, "90000", "0.01", reduce_only=True, trigger=STOP)
    text = "Unexpected number of trigger orders"
    assert whole(stage, GOOD, grouping=Grouping.NORMAL_TPSL) == text
    assert whole(stage, GOOD, child, child, child, grouping=Grouping.NORMAL_TPSL) == text
    assert whole(stage, GOOD, grouping=Grouping.POSITION_TPSL) == text


def test_five_significant_figures() -> None:
    """Rule 2: six figures are refused order by order, with the asset and a memory of it."""
    stage = Stage()
    assert refused(stage.one(BOB, order(BUY, "1234.56", "0.1", coin=ETH))) == (
        "Price must be divisible by tick size. asset=1"
    )
    assert [status for _, status, _ in stage.told(BOB)] == ["tickRejected"]
    assert isinstance(stage.one(BOB, order(BUY, "1234.5", "0.1", coin=ETH)), Resting)
    assert isinstance(stage.one(BOB, order(BUY, "100001", "0.001")), Resting), "whole USD are always legal"


def test_ten_dollars() -> None:
    """Rule 3: 10 USD is enough, a cent less is not."""
    stage = Stage()
    assert isinstance(stage.one(ALICE, order(BUY, "50000", "0.0002")), Resting)
    assert refused(stage.one(ALICE, order(BUY, "50000", "0.00019"))) == (
        "Order must have minimum value of $10. asset=0"
    )
    assert [status for _, status, _ in stage.told(ALICE)] == ["minTradeNtlRejected"]


def small_long(stage: Stage) -> None:
    """Give Alice a position of 0.00015 BTC, worth 15 USD, bought from Bob."""
    stage.rest(BOB, order(SELL, "100000", "0.00015"))
    stage.rest(ALICE, order(BUY, "100000", "0.00015"))
    assert stage.position(ALICE) == "0.00015"


def test_ten_dollars_exempts_whole_closes() -> None:
    """Rule 3: below 10 USD only the exact position, or reduce-only for at least all of it, passes."""
    for size, reduce_only, ok in (
        ("0.00015", False, True),
        ("0.00015", True, True),
        ("0.00016", True, True),
        ("0.00014", False, False),
        ("0.00014", True, False),
        ("0.00016", False, False),
    ):
        stage = Stage()
        small_long(stage)
        stage.rest(BOB, order(BUY, "50000", "0.1"))
        status = stage.one(ALICE, order(SELL, "50000", size, Tif.IOC, reduce_only=reduce_only))
        assert isinstance(status, Filled) is ok, (size, reduce_only, status)


def test_reduce_only_without_position() -> None:
    """Rule 4: nothing to reduce, or the same side, is refused."""
    stage = Stage()
    text = "Reduce only order would increase position. asset=0"
    assert refused(stage.one(ALICE, order(SELL, "100000", "0.01", reduce_only=True))) == text
    small_long(stage)
    assert refused(stage.one(ALICE, order(BUY, "90000", "0.01", reduce_only=True))) == text
    assert [status for _, status, _ in stage.told(ALICE)] == ["reduceOnlyRejected"]


def test_reduce_only_is_shrunk() -> None:
    """Rule 4: it never exceeds the position; the original size stays what was asked for."""
    stage = Stage()
    small_long(stage)
    stage.rest(ALICE, order(SELL, "110000", "0.5", reduce_only=True))
    (view,) = stage.info.open_orders(ALICE)
    assert (view.lots, view.original_lots) == (lots("0.00015"), lots("0.5"))
    assert stage.asks() == [("110000.0", "0.00015")]


def test_margin_on_placement() -> None:
    """Rule 5: 100,000 USD at 20x carry orders of 2,000,000 USD, not one lot more; both sides do not add up."""
    stage = Stage()
    text = "Insufficient margin to place order. asset=0"
    assert refused(stage.one(ALICE, order(BUY, "100000", "20.00001"))) == text
    stage.rest(ALICE, order(BUY, "99999", "10"), order(SELL, "100001", "10"))
    stage.rest(ALICE, order(BUY, "99990", "10"))
    assert refused(stage.one(ALICE, order(BUY, "99990", "0.01"))) == text
    assert [status for _, status, _ in stage.told(ALICE)] == ["perpMarginRejected"]
    assert isinstance(stage.one(ALICE, order(SELL, "100010", "0.01")), Resting)


def test_margin_tier_limits_leverage() -> None:
    """Rule 5: a position that enters a tier of less leverage than chosen is refused."""
    tiers = (MarginTier(Micros(0), 40), MarginTier(Micros(50_000 * 1_000_000), 10))
    settings = ExchangeConfig(coins=(CoinRules(instrument=BTC, oracle_ticks=BTC.ticks("100000"), tiers=tiers),))
    stage = Stage(settings)
    assert refused(stage.one(ALICE, order(BUY, "99999", "0.5"))) == (
        "Order would cause position to exceed margin tier limit at current leverage asset=0"
    )
    assert isinstance(stage.one(ALICE, order(BUY, "99999", "0.49999")), Resting)
    stage.ask(ALICE, UpdateLeverage("BTC", is_cross=True, leverage=10))
    assert isinstance(stage.one(ALICE, order(BUY, "99999", "0.5")), Resting)


def test_post_only_refusal_names_the_bbo() -> None:
    """Rule 6: an Alo that would trade is refused with bid@ask, nothing rests, and the status is remembered."""
    stage = Stage()
    stage.rest(BOB, order(BUY, "99999", "0.01"), order(SELL, "100001", "0.01"))
    status = stage.one(ALICE, order(BUY, "100001", "0.01", Tif.ALO, cloid="0x" + "0" * 31 + "1"))
    assert refused(status) == "Post only order would have immediately matched, bbo was 99999@100001. asset=0"
    record = stage.info.order_status(ALICE, "0x" + "0" * 31 + "1")
    assert record is not None
    assert record.status == "badAloPxRejected"
    assert isinstance(stage.one(ALICE, order(BUY, "100000", "0.01", Tif.ALO)), Resting)


def test_ioc_takes_and_forgets_the_rest() -> None:
    """Rule 6: an Ioc reports what it traded; its remainder is gone, its status filled with that remainder."""
    stage = Stage()
    stage.rest(BOB, order(SELL, "100000", "0.01"), order(SELL, "100010", "0.01"))
    status = stage.one(ALICE, order(BUY, "100010", "0.03", Tif.IOC))
    assert isinstance(status, Filled)
    assert (status.lots, str(status.average_price)) == (lots("0.02"), "100005.000000")
    assert stage.told(ALICE) == [(status.oid, "filled", "0.01")]
    assert stage.bids() == []


@pytest.mark.parametrize("tif", [Tif.IOC, Tif.FRONTEND_MARKET])
def test_ioc_without_match(tif: Tif) -> None:
    """Rule 6: an Ioc that cannot trade is refused and remembered under a real oid."""
    stage = Stage()
    text = "Order could not immediately match against any resting orders. asset=0"
    assert refused(stage.one(ALICE, order(BUY, "100000", "0.03", tif))) == text
    (record,) = stage.info.historical_orders(ALICE)
    assert (record.status, record.order.tif) == ("iocCancelRejected", tif)


@pytest.mark.parametrize("rests", [True, False])
def test_gtc_trades_then_rests(rests: bool) -> None:
    """Rule 6: the answer to a Gtc filled in part is resting or filled, as configured; the rest is in the book."""
    stage = Stage(config(partial_fill_rests=rests))
    stage.rest(BOB, order(SELL, "100000", "0.01"))
    status = stage.one(ALICE, order(BUY, "100000", "0.03"))
    assert isinstance(status, Resting if rests else Filled)
    assert stage.told(ALICE) == [(status.oid, "open", "0.02")]
    assert stage.bids() == [("100000.0", "0.02")]


def test_post_only_after_an_upgrade() -> None:
    """Rule 7: until the given time everything but Alo is refused."""
    stage = Stage()
    stage.exchange.upgrade(stage.now + 200)
    text = "Only post-only orders allowed immediately after network upgrade"
    assert refused(stage.one(ALICE, order(BUY, "99000", "0.01"))) == text
    assert isinstance(stage.one(ALICE, order(BUY, "99000", "0.01", Tif.ALO)), Resting)
    assert isinstance(stage.one(ALICE, order(BUY, "99000", "0.01")), Resting)


def test_open_order_cap() -> None:
    """Rule 8: 1,000 open orders are allowed, one more is not; volume would allow it, but not reduce-only."""
    stage = Stage()
    batch = tuple(order(BUY, "50000", "0.0002") for _ in range(200))
    for _ in range(5):
        stage.rest(ALICE, *batch)
    assert len(stage.info.open_orders(ALICE)) == 1_000
    assert refused(stage.one(ALICE, order(BUY, "50000", "0.0002"))) == "Too many open orders."
    stage.exchange._floor.accounts[ALICE].budget.volume = Micros(5_000_000 * 1_000_000)
    stage.rest(ALICE, order(BUY, "50000", "0.0002"))
    assert refused(stage.one(ALICE, order(BUY, "50000", "0.0002"))) == "Too many open orders."


def test_cloid_is_unique_while_open() -> None:
    """Rule 8: the cloid of an open order is taken; after its end it may return, and names the newer order."""
    stage = Stage()
    cloid = "0x" + "c" * 32
    (first,) = stage.rest(ALICE, order(BUY, "99000", "0.01", cloid=cloid))
    assert refused(stage.one(ALICE, order(BUY, "99000", "0.01", cloid=cloid))) == "Order has duplicate cloid."
    stage.rest(BOB, order(BUY, "99000", "0.01", cloid=cloid))
    stage.cancel(ALICE, cloid)
    stage.block()
    (second,) = stage.rest(ALICE, order(BUY, "99000", "0.01", cloid=cloid))
    record = stage.info.order_status(ALICE, cloid)
    assert record is not None
    assert record.order.oid == second != first


def test_the_market_itself_has_no_limits_and_no_events() -> None:
    """Internal accounts need no nonce, margin or minimum; their orders are silent, their trades are printed."""
    stage = Stage()
    for _ in range(2):
        stage.ask(MARKET, PlaceOrders((order(SELL, "100000", "500"), order(BUY, "99000", "0.00001"))), nonce=0)
    stage.block()
    assert all(answer.ok for answer in stage.last.answers)
    assert stage.events(OrderEvent) == []
    assert isinstance(stage.one(CAROL, order(Side.BUY, "100000", "0.1", Tif.IOC)), Filled)
    assert stage.fills(MARKET) == []
    assert stage.position(MARKET) == "-0.1"

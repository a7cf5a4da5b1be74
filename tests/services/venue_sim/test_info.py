"""Queries: what services/venue_sim/info.py answers, and what the venue forgets."""

import pytest

from services.venue_sim.api import ApproveAgent, Tif
from services.venue_sim.rules import ORDERS_REMEMBERED_MAX
from services.venue_sim.views import FeeRates, Level
from tests.services.venue_sim.stage import ALICE, BOB, BTC, BUY, CAROL, ETH, SELL, Stage, lots, order

NOBODY = "0x" + "77" * 20
CLOID = "0x" + "c" * 32


def test_unknown_users_are_empty() -> None:
    """Zeros and empty lists, never an error; asking does not open an account."""
    stage = Stage()
    info = stage.info
    assert info.account(NOBODY).total.account_value == 0
    assert (info.open_orders(NOBODY), info.fills(NOBODY), info.historical_orders(NOBODY)) == ((), (), ())
    assert info.order_status(NOBODY, 1) is None
    assert (info.role(NOBODY).role, info.is_known(NOBODY)) == ("missing", False)
    assert info.rate_limit(NOBODY).cap == 10_000


def test_sight_funds_once() -> None:
    """The first sight opens the account with the configured equity, the second does nothing; agents get none."""
    stage = Stage()
    stage.exchange.sight(NOBODY)
    stage.exchange.sight(NOBODY)
    assert stage.info.account(NOBODY).withdrawable == 100_000_000_000
    assert [event.kind for event in stage.info.ledger(NOBODY)] == ["deposit"]
    agent = "0x" + "a9" * 20
    stage.ask(ALICE, ApproveAgent(agent))
    stage.block()
    stage.exchange.sight(agent)
    assert not stage.info.is_known(agent)
    assert [view.address for view in stage.info.agents(ALICE)] == [agent]


def test_book_levels_count_orders() -> None:
    """A level sums sizes and counts orders; depth cuts, no depth shows all."""
    stage = Stage()
    stage.rest(ALICE, order(BUY, "99000", "0.01"), order(BUY, "98000", "0.01"))
    stage.rest(BOB, order(BUY, "99000", "0.02"), order(SELL, "101000", "0.01"))
    top = Level(BTC.ticks("99000"), lots("0.03"), 2)
    assert stage.info.book("BTC", 1).bids == (top,)
    assert len(stage.info.book("BTC").bids) == 2
    view = stage.info.top("BTC")
    assert (view.bid, view.ask) == (top, Level(BTC.ticks("101000"), lots("0.01"), 1))
    assert view.best(BUY) == top
    assert stage.info.top("ETH").bid is None
    assert stage.info.context("BTC").mid_half_ticks == BTC.ticks("200000")


def test_orders_are_found_by_both_names() -> None:
    """Open or finished, by oid or cloid, for the owner alone."""
    stage = Stage()
    (oid,) = stage.rest(ALICE, order(BUY, "99000", "0.01", cloid=CLOID))
    for ref in (oid, CLOID):
        record = stage.info.order_status(ALICE, ref)
        assert record is not None
        assert (record.status, record.order.oid) == ("open", oid)
        assert stage.info.order_status(BOB, ref) is None
    stage.cancel(ALICE, oid)
    stage.block()
    for ref in (oid, CLOID):
        record = stage.info.order_status(ALICE, ref)
        assert record is not None
        assert (record.status, record.status_ms) == ("canceled", stage.now)


def test_the_venue_forgets_old_orders() -> None:
    """The 2,000 last finished orders are known, older ones are unknownOid by either name; fills stay."""
    stage = Stage()
    stage.rest(BOB, order(SELL, "100000", "0.01"))
    (first,) = stage.rest(ALICE, order(BUY, "100000", "0.01", cloid=CLOID))
    for _ in range(ORDERS_REMEMBERED_MAX // 200):
        assert stage.info.order_status(ALICE, CLOID) is not None
        stage.now_place(ALICE, *(order(BUY, "99000", "0.00001") for _ in range(200)))
    assert stage.info.order_status(ALICE, CLOID) is None
    assert stage.info.order_status(ALICE, first) is None
    assert len(stage.info.historical_orders(ALICE)) == ORDERS_REMEMBERED_MAX
    assert len(stage.info.fills(ALICE)) == 1


def test_historical_orders_are_newest_first() -> None:
    """The last to end or to be placed comes first; open orders are among them."""
    stage = Stage()
    old, one, two = stage.rest(ALICE, *(order(BUY, price, "0.01") for price in ("97000", "99000", "98000")))
    stage.cancel(ALICE, two, one)
    stage.block()
    (new,) = stage.rest(ALICE, order(BUY, "96000", "0.01"))
    found = [(record.order.oid, record.status) for record in stage.info.historical_orders(ALICE)]
    assert found == [(new, "open"), (one, "canceled"), (two, "canceled"), (old, "open")]


def test_fees_and_limits_of_a_user() -> None:
    """Tier 0 until told otherwise; volume raises the request cap by whole dollars."""
    stage = Stage()
    assert stage.info.fee_rates(ALICE) == FeeRates(maker_ppm=150, taker_ppm=450)
    stage.exchange.set_fees(CAROL, FeeRates(maker_ppm=0, taker_ppm=280))
    assert stage.info.fee_rates(CAROL).taker_ppm == 280
    stage.rest(BOB, order(SELL, "100000", "0.01"))
    stage.rest(ALICE, order(BUY, "100000", "0.01"))
    assert stage.info.rate_limit(ALICE).cap == 11_000
    assert stage.info.rate_limit(ALICE).volume == 1_000_000_000


def test_positions_are_shown_with_their_cost() -> None:
    """Entry price is cost over size; profit and return are against mark and margin at entry."""
    stage = Stage()
    stage.rest(BOB, order(SELL, "100000", "0.1"), order(SELL, "100200", "0.1"))
    stage.rest(ALICE, order(BUY, "100200", "0.2"))
    (position,) = stage.info.account(ALICE).positions
    assert str(position.entry_price) == "100100.00000000"
    assert (position.value, position.unrealized_pnl) == (20_000_000_000, -20_000_000)
    assert str(position.return_on_equity) == "-0.01998002"
    assert (position.leverage, position.is_cross, position.leverage_max) == (20, True, 40)
    (other,) = stage.info.account(BOB).positions
    assert other.unrealized_pnl == -position.unrealized_pnl


def test_coins_in_asset_order() -> None:
    """A coin's place is its asset id; unknown coins are a KeyError."""
    stage = Stage()
    assert stage.info.coins == ("BTC", "ETH")
    assert stage.info.instrument("ETH") == ETH
    with pytest.raises(KeyError):
        stage.info.book("DOGE")


def test_what_is_left_of_orders_with_a_cloid() -> None:
    """By cloid, less what was filled; orders without one and strangers have none."""
    stage = Stage()
    stage.rest(ALICE, order(BUY, "99990", "0.5", cloid=CLOID), order(BUY, "99980", "0.5"))
    stage.one(BOB, order(SELL, "99990", "0.2", Tif.IOC))
    assert stage.info.lots_left(ALICE) == {CLOID: lots("0.3")}
    assert stage.info.lots_left(CAROL) == {}

"""Rules of services/venue_sim/liquidation.py, one story each."""

from services.venue_sim.api import FillEvent, LiquidationEvent, OracleUpdate, UpdateLeverage
from services.venue_sim.liquidation import COOLDOWN_MS
from services.venue_sim.rules import LIQUIDATOR
from tests.services.venue_sim.stage import ALICE, BOB, BTC, BUY, MARKET, SELL, Stage, config, order

USD = 1_000_000


def leveraged(size: str, equity_usd: int) -> Stage:
    """Alice is long `size` at 100,000 with 40x and this equity, against the market."""
    stage = Stage(config(equity_usd=equity_usd))
    stage.ask(ALICE, UpdateLeverage("BTC", is_cross=True, leverage=40))
    stage.rest(MARKET, order(SELL, "100000", size))
    stage.rest(ALICE, order(BUY, "100000", size))
    assert stage.position(ALICE) == size
    return stage


def mark(stage: Stage, price: str, after_ms: int = 3_000) -> None:
    stage.exchange.feed(OracleUpdate(coin="BTC", ticks=BTC.ticks(price)))
    stage.block(after_ms)
    assert stage.info.mark("BTC") == BTC.ticks(price)


def test_covered_accounts_are_left_alone() -> None:
    """Rule 1: at maintenance exactly nothing happens, a tick lower everything does."""
    stage = leveraged("0.5", 2_000)
    (position,) = stage.info.account(ALICE).positions
    assert position.liquidation_price is not None
    ticks = int(position.liquidation_price * 10)
    mark(stage, f"{BTC.price(ticks + 1):f}")
    assert stage.events(LiquidationEvent) == []
    mark(stage, f"{BTC.price(ticks):f}")
    assert len(stage.events(LiquidationEvent)) == 1


def test_the_market_first() -> None:
    """Rules 2, 5: orders are cancelled, the position is sold to the book, what remains is the user's."""
    stage = leveraged("0.5", 2_000)
    (resting,) = stage.rest(ALICE, order(BUY, "90000", "0.0002"))
    stage.rest(MARKET, order(BUY, "97000", "1"))
    mark(stage, "97100")
    assert (resting, "liquidatedCanceled", "0.0002") in stage.told(ALICE)
    fills = [event for event in stage.events(FillEvent) if event.user == ALICE]
    assert [(event.direction, event.lots, event.crossed) for event in fills] == [("Close Long", 50_000, True)]
    assert fills[0].liquidation is not None
    assert (fills[0].liquidation.liquidated_user, fills[0].liquidation.method) == (ALICE, "market")
    assert fills[0].liquidation.mark_ticks == BTC.ticks("97100")
    view = stage.info.account(ALICE)
    assert view.positions == ()
    fees = 22_500_000 + 21_825_000
    assert view.total.account_value == 2_000 * USD - 1_500 * USD - fees
    (event,) = stage.events(LiquidationEvent)
    assert (event.user, event.liquidator, event.notional) == (ALICE, "", 48_550 * USD)


def test_both_sides_see_the_liquidation() -> None:
    """Rule 5: the counterparty's fill names the victim, too."""
    stage = leveraged("0.5", 2_000)
    stage.exchange._floor.accounts[BOB].cash += 100_000 * USD
    stage.rest(BOB, order(BUY, "97000", "1"))
    mark(stage, "97100")
    (fill,) = (event for event in stage.events(FillEvent) if event.user == BOB)
    assert fill.liquidation is not None
    assert (fill.liquidation.liquidated_user, fill.crossed) == (ALICE, False)


def test_a_fifth_of_a_large_position_first() -> None:
    """Rule 2: above 100,000 USD a fifth is sold; within 30 s of that all of it."""
    stage = leveraged("2", 6_000)
    stage.rest(MARKET, order(BUY, "97600", "0.4"))
    mark(stage, "98200")
    assert stage.position(ALICE) == "1.6"
    stage.rest(MARKET, order(BUY, "97500", "3"))
    mark(stage, "97900")
    assert stage.position(ALICE) == "0"


def test_after_the_cooldown_a_fifth_again() -> None:
    """Rule 2: 30 s later the next step is partial again."""
    stage = leveraged("2", 6_000)
    stage.rest(MARKET, order(BUY, "97900", "0.4"))
    mark(stage, "98200")
    assert stage.position(ALICE) == "1.6"
    mark(stage, "99000")
    assert stage.position(ALICE) == "1.6"
    stage.rest(MARKET, order(BUY, "97500", "3"))
    mark(stage, "97900", COOLDOWN_MS)
    assert stage.position(ALICE) == "1.28"


def test_the_liquidator_takes_what_the_book_does_not() -> None:
    """Rule 3: below two thirds of maintenance, position and cash change hands at mark; the account is empty."""
    stage = leveraged("0.5", 2_000)
    money = stage.info.total_money()
    mark(stage, "96700")
    fills = [event for event in stage.events(FillEvent) if event.user == ALICE]
    assert [(event.direction, event.fee, event.ticks) for event in fills] == [
        ("Liquidated Cross Long", 0, BTC.ticks("96700"))
    ]
    view = stage.info.account(ALICE)
    assert (view.positions, view.total.account_value) == ((), 0)
    assert stage.position(LIQUIDATOR) == "0.5"
    assert stage.info.account(LIQUIDATOR).total.account_value == 350 * USD - 22_500_000
    assert stage.events(LiquidationEvent)[0].liquidator == LIQUIDATOR
    assert stage.info.total_money() == money
    assert stage.info.context("BTC").open_interest == BTC.lots("0.5")


def test_between_the_two_lines_nobody_takes_it() -> None:
    """Rule 3: under maintenance but above two thirds of it, and no bids: the position stays."""
    stage = leveraged("0.5", 2_000)
    mark(stage, "97200")
    assert stage.position(ALICE) == "0.5"
    assert stage.info.account(LIQUIDATOR).positions == ()


def test_isolated_positions_fall_alone() -> None:
    """Rule 4: the cross account keeps its cash; the liquidator gets the position's margin only."""
    stage = Stage()
    stage.ask(ALICE, UpdateLeverage("BTC", is_cross=False, leverage=40))
    stage.rest(MARKET, order(SELL, "100000", "0.5"))
    stage.rest(ALICE, order(BUY, "100000", "0.5"))
    stage.rest(ALICE, order(BUY, "3000", "1", coin=stage.info.instrument("ETH")), order(BUY, "90000", "0.01"))
    mark(stage, "98300")
    assert stage.position(ALICE) == "0"
    view = stage.info.account(ALICE)
    assert view.total.account_value == 100_000 * USD - 1_250 * USD - 22_500_000
    assert [order.coin for order in stage.info.open_orders(ALICE)] == ["ETH"]
    assert stage.info.account(LIQUIDATOR).total.account_value == 400 * USD

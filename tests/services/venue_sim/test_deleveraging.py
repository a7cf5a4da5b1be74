"""Rules of services/venue_sim/deleveraging.py: the liquidator is never left with less than nothing."""

from services.venue_sim.api import FillEvent, OracleUpdate, UpdateLeverage
from services.venue_sim.notes import TransferNote
from services.venue_sim.rules import LIQUIDATOR
from tests.services.venue_sim.stage import ALICE, BOB, BTC, BUY, CAROL, MARKET, SELL, Stage, config, order

USD = 1_000_000


def crowd() -> Stage:
    """Alice is long 0.5 with 2,000 USD; Bob is short 0.1, Carol 0.1 from a better price, the market the rest."""
    stage = Stage(config(equity_usd=2_000), is_logged=True)
    stage.ask(ALICE, UpdateLeverage("BTC", is_cross=True, leverage=40))
    stage.rest(CAROL, order(SELL, "100100", "0.1"))
    stage.rest(BOB, order(SELL, "100000", "0.1"))
    stage.rest(MARKET, order(SELL, "100090", "0.3"))
    stage.rest(ALICE, order(BUY, "100100", "0.5"))
    assert stage.position(ALICE) == "0.5"
    return stage


def mark(stage: Stage, price: str) -> None:
    stage.exchange.feed(OracleUpdate(coin="BTC", ticks=BTC.ticks(price)))
    stage.block(3_000)
    assert stage.info.mark("BTC") == BTC.ticks(price)


def deleveraged(stage: Stage) -> list[tuple[str, int, int]]:
    """List user, price and size of what the liquidator closed, in order."""
    return [
        (each.user, each.ticks, each.lots)
        for each in stage.last.story
        if isinstance(each, FillEvent | TransferNote) and each.direction == "Auto-Deleveraging"
    ]


def test_covered_nobody_is_called() -> None:
    """Rule 1: the victim's remaining money covers the position, so the liquidator keeps it."""
    stage = crowd()
    mark(stage, "96800")
    assert stage.position(LIQUIDATOR) == "0.5"
    assert stage.info.account(LIQUIDATOR).total.account_value > 0
    assert deleveraged(stage) == []
    stage.verify()


def test_the_other_side_pays_in_turn() -> None:
    """Rules 1 to 4: the most profitable first, all at the price that makes the liquidator whole; then the market."""
    stage = crowd()
    money = stage.info.total_money()
    mark(stage, "95000")
    closed = deleveraged(stage)
    assert [(user, lots) for user, _, lots in closed] == [(CAROL, 10_000), (BOB, 10_000), (MARKET, 30_000)]
    assert {ticks for _, ticks, _ in closed} == {961_191}
    assert stage.position(LIQUIDATOR) == "0"
    left = stage.info.account(LIQUIDATOR).total.account_value
    assert 0 <= left < 50_000
    (fill,) = [each for each in stage.events(FillEvent) if each.user == BOB]
    assert (fill.fee, fill.side, fill.closed_pnl) == (0, BUY, (1_000_000 - 961_191) * 10_000)
    assert stage.position(BOB) == "0"
    assert stage.info.total_money() == money
    assert stage.info.context("BTC").open_interest == 0
    stage.verify()


def test_a_short_liquidator_sells_below_mark() -> None:
    """Rule 3, the other way round: whoever is long gets less than mark."""
    stage = Stage(config(equity_usd=2_000), is_logged=True)
    stage.ask(ALICE, UpdateLeverage("BTC", is_cross=True, leverage=40))
    stage.rest(MARKET, order(BUY, "100000", "0.5"))
    stage.rest(ALICE, order(SELL, "100000", "0.5"))
    mark(stage, "105000")
    ((user, ticks, lots),) = deleveraged(stage)
    assert (user, lots) == (MARKET, 50_000)
    assert ticks == 1_039_550
    stage.verify()


def test_exits_of_the_deleveraged_are_cancelled() -> None:
    """Rule 1: who has no position any more has no reduce-only orders either."""
    stage = crowd()
    stage.rest(CAROL, order(BUY, "90000", "0.1", reduce_only=True))
    stage.rest(MARKET, order(SELL, "110000", "0.001"))
    stage.cancel(CAROL)
    stage.block()
    assert len(stage.info.open_orders(CAROL)) == 1
    stage.exchange.floor.coins["BTC"].pricing.mark = BTC.ticks("95000")
    stage.exchange.floor.traded[ALICE] = stage.exchange.floor.accounts[ALICE]
    stage.block()
    assert stage.position(CAROL) == "0"
    assert stage.info.open_orders(CAROL) == ()

"""Rules of services/venue_sim/open_interest.py: 100,000 USD of BTC at 100,000 is the cap."""

import msgspec

from common.units import Micros
from services.venue_sim.api import OracleUpdate
from tests.services.venue_sim.stage import ALICE, BOB, BTC, BUY, CAROL, MARKET, SELL, Stage, config, order, refused

USD = 1_000_000


def capped(open_size: str) -> Stage:
    """Alice is long, Bob short, by this size."""
    stage = Stage(msgspec.structs.replace(config(), open_interest_max=Micros(100_000 * USD)), is_logged=True)
    stage.rest(BOB, order(SELL, "100000", open_size))
    stage.rest(ALICE, order(BUY, "100000", open_size))
    return stage


def status(stage: Stage, user: str) -> str:
    return stage.told(user)[-1][1]


def test_the_cap_is_told() -> None:
    """Rule 1: at the maximum, and not a lot below it."""
    assert capped("0.99999").info.capped() == ()
    assert capped("1").info.capped() == ("BTC",)
    assert Stage().info.capped() == ()


def test_no_larger_positions() -> None:
    """Rule 2: larger at or behind the oracle's price, larger beyond it, and turned round."""
    stage = capped("1")
    text = "Order would increase open interest while open interest is capped. asset=0"
    assert refused(stage.one(ALICE, order(BUY, "100000", "0.1"))) == text
    assert status(stage, ALICE) == "positionIncreaseAtOpenInterestCapRejected"
    assert refused(stage.one(CAROL, order(BUY, "100001", "0.1"))).startswith("Order rejected due to price more aggr")
    assert status(stage, CAROL) == "tooAggressiveAtOpenInterestCapRejected"
    assert refused(stage.one(ALICE, order(SELL, "100000", "1.1"))) == text
    assert status(stage, ALICE) == "positionFlipAtOpenInterestCapRejected"
    stage.verify()


def test_closing_is_free() -> None:
    """Rule 2: what makes a position smaller is taken, and after it there is room again."""
    stage = capped("1")
    stage.rest(BOB, order(BUY, "99990", "0.2"))
    stage.rest(ALICE, order(SELL, "99990", "0.2", reduce_only=True))
    assert stage.info.capped() == ()
    stage.rest(CAROL, order(BUY, "99990", "0.1"))


def test_not_all_at_once() -> None:
    """Rule 3: an order for more than the room that is left."""
    stage = capped("0.5")
    assert refused(stage.one(CAROL, order(BUY, "100000", "0.50001"))).startswith("Order would increase open interest t")
    assert status(stage, CAROL) == "openInterestIncreaseRejected"
    stage.rest(CAROL, order(BUY, "100000", "0.5"))


def test_resting_orders_expire() -> None:
    """Rule 4: an order that came to rest before, and would make its account's position larger now."""
    stage = capped("0.9")
    stage.rest(CAROL, order(BUY, "99000", "0.05"))
    stage.exchange.feed(OracleUpdate("BTC", BTC.ticks("120000")))
    stage.block(3_000)
    assert stage.info.capped() == ("BTC",)
    stage.rest(MARKET, order(SELL, "99000", "0.05"))
    assert status(stage, CAROL) == "openInterestCapCanceled"
    assert stage.position(CAROL) == "0"
    stage.verify()

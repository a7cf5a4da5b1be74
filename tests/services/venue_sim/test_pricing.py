"""Rules of services/venue_sim/pricing.py, and funding by it."""

from decimal import Decimal
from math import exp

from services.venue_sim.api import BookChange, FundingEvent, OracleUpdate
from services.venue_sim.pricing import Average
from services.venue_sim.rules import FUNDING_ACCOUNT, HOUR_MS
from tests.services.venue_sim.stage import ALICE, BOB, BTC, BUY, CAROL, MARKET, SELL, Stage, order

USD = 1_000_000


def test_average_is_weighted_by_time() -> None:
    """Rule 1: sums of sample times seconds, both fading."""
    average = Average(150)
    assert average.add(10, 3) == 10
    fade = exp(-3 / 150)
    assert average.add(20, 3) == (10 * 3 * fade + 20 * 3) / (3 * fade + 3)


def test_mark_moves_every_three_seconds() -> None:
    """Rule 1: not before 3 s have passed; an empty book marks at the oracle."""
    stage = Stage()
    stage.exchange.feed(OracleUpdate(coin="BTC", ticks=BTC.ticks("101000")))
    stage.block(2_999)
    assert stage.info.mark("BTC") == BTC.ticks("100000")
    stage.block(1)
    assert stage.info.mark("BTC") == BTC.ticks("101000")


def test_mark_is_a_median_of_three() -> None:
    """Rule 1: when the oracle jumps alone, the book's two inputs outvote oracle plus basis."""
    stage = Stage()
    stage.rest(MARKET, order(BUY, "99999", "1"), order(SELL, "100001", "1"))
    stage.block(3_000)
    assert stage.info.mark("BTC") == BTC.ticks("100000")
    stage.exchange.feed(OracleUpdate(coin="BTC", ticks=BTC.ticks("105000")))
    stage.block(3_000)
    assert stage.info.mark("BTC") == BTC.ticks("100000")


def test_premium_and_idle_funding() -> None:
    """Rules 2, 3: a book around the oracle has no premium, and funding is 0.00125 % an hour."""
    stage = Stage()
    assert stage.info.context("BTC").premium is None
    stage.rest(MARKET, order(BUY, "99990", "1"), order(SELL, "100010", "1"))
    context = stage.info.context("BTC")
    assert (context.premium, context.funding) == (Decimal(0), Decimal("0.0000125"))
    assert context.impact_ticks == (Decimal(999_900), Decimal(1_000_100))


def test_impact_prices_average_the_notional() -> None:
    """Rule 2: 6,000 USD are bought at the average price of what they reach; too thin a book has none."""
    stage = Stage()
    stage.rest(MARKET, order(BUY, "99000", "1"), order(SELL, "100000", "0.03"))
    assert stage.info.context("BTC").impact_ticks is None
    stage.rest(MARKET, order(SELL, "110000", "1"))
    impact = stage.info.context("BTC").impact_ticks
    assert impact is not None
    lots = Decimal("0.03") + Decimal(3_000) / 110_000
    assert abs(impact[1] / 10 - Decimal(6_000) / lots) < Decimal("1e-9")


def test_premium_counts_beyond_the_clamp() -> None:
    """Rule 3: at a premium of 1 % funding is (1 % - 0.05 %) / 8 an hour; at 60 % it stops at 4 %."""
    stage = Stage()
    stage.rest(MARKET, order(BUY, "101000", "1"), order(SELL, "101010", "1"))
    context = stage.info.context("BTC")
    assert context.premium == Decimal("0.01")
    assert context.funding == Decimal("0.0011875")
    stage.exchange.feed(OracleUpdate(coin="BTC", ticks=BTC.ticks("60000")))
    stage.block()
    assert stage.info.context("BTC").funding == Decimal("0.04")


def test_the_last_day() -> None:
    """Rule 4: volume and price of the last 24 hours; older minutes are forgotten."""
    stage = Stage()
    stage.rest(BOB, order(SELL, "100000", "0.2"))
    stage.rest(ALICE, order(BUY, "100000", "0.1"))
    stage.block(12 * HOUR_MS)
    stage.rest(CAROL, order(BUY, "100000", "0.1"))
    context = stage.info.context("BTC")
    assert (context.day_notional, context.day_lots) == (20_000 * USD, BTC.lots("0.2"))
    assert context.previous_day_ticks == BTC.ticks("100000")
    stage.block(12 * HOUR_MS)
    assert stage.info.context("BTC").day_notional == 10_000 * USD
    stage.block(24 * HOUR_MS)
    assert stage.info.context("BTC").day_notional == 0


def test_funding_on_the_hour() -> None:
    """Funding rule 1: at the first block of the hour longs pay shorts on the oracle price."""
    stage = Stage()
    stage.rest(BOB, order(SELL, "100000", "1"))
    stage.rest(ALICE, order(BUY, "100000", "1"))
    money = stage.info.total_money()
    to_hour = HOUR_MS - stage.now % HOUR_MS
    stage.exchange.feed(OracleUpdate(coin="BTC", ticks=BTC.ticks("100400")))
    stage.block(to_hour - 1)
    assert stage.events(FundingEvent) == []
    stage.block(1)
    paid = {event.user: (event.micros, event.rate) for event in stage.events(FundingEvent)}
    assert paid == {ALICE: (-1_255_000, Decimal("0.0000125")), BOB: (1_255_000, Decimal("0.0000125"))}
    assert stage.info.total_money() == money
    assert [hour.time_ms for hour in stage.info.funding_history("BTC")] == [stage.now]
    (position,) = stage.info.account(ALICE).positions
    assert position.funding_since_open == position.funding_all_time == 1_255_000
    stage.block(70)
    assert stage.events(FundingEvent) == []


def test_funding_rounds_down_into_its_pot() -> None:
    """Funding rule 2: both sides lose less than a micro-USD, the funding account keeps it."""
    stage = Stage()
    stage.rest(BOB, order(SELL, "100000", "0.00011"))
    stage.rest(ALICE, order(BUY, "100000", "0.00011"))
    money = stage.info.total_money()
    stage.block(HOUR_MS)
    assert {event.user: event.micros for event in stage.events(FundingEvent)} == {ALICE: -138, BOB: 137}
    assert stage.exchange._floor.accounts[FUNDING_ACCOUNT].cash == 1
    assert stage.info.total_money() == money


def test_hours_without_blocks_pay_nothing() -> None:
    """Funding rule 1: after a pause of three hours one payment is made."""
    stage = Stage()
    stage.rest(BOB, order(SELL, "100000", "1"))
    stage.rest(ALICE, order(BUY, "100000", "1"))
    stage.block(3 * HOUR_MS)
    assert len(stage.events(FundingEvent)) == 2
    stage.block(70)
    assert not any(isinstance(event, FundingEvent | BookChange) for event in stage.last.events)

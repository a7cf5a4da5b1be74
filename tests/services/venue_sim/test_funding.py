"""Funding: when it is paid, by whom, and where the rounding goes."""

import msgspec
import pytest

from services.venue_sim.api import FundingEvent, UpdateLeverage
from services.venue_sim.rules import FUNDING_ACCOUNT, HOUR_MS
from tests.services.venue_sim.stage import ALICE, BUY, CAROL, MARKET, SELL, START_MS, Stage, config, order

HOURLY_MICROS = 1_250_000  # 0.00125 % of 100,000 USD


def positions(interval_ms: int = HOUR_MS) -> Stage:
    """Alice and Carol are long, against the market; Carol's position is isolated."""
    settings = msgspec.structs.replace(config(), funding_interval_ms=interval_ms)
    stage = Stage(settings, is_logged=True)
    stage.ask(CAROL, UpdateLeverage("BTC", is_cross=False, leverage=10))
    stage.rest(MARKET, order(SELL, "100000", "1"))
    stage.rest(ALICE, order(BUY, "100000", "1"))
    return stage


def paid(stage: Stage) -> list[tuple[str, int]]:
    return [(event.user, event.micros) for event in stage.events(FundingEvent)]


@pytest.mark.parametrize("interval_ms", [HOUR_MS, 60_000])
def test_at_each_interval(interval_ms: int) -> None:
    """Rule 1: not a millisecond before the interval ends, then once; a shorter one pays an hour's rate, too."""
    stage = positions(interval_ms)
    due_ms = (stage.now // interval_ms + 1) * interval_ms
    assert due_ms > START_MS
    stage.block(due_ms - 1 - stage.now)
    assert paid(stage) == []
    stage.block(1)
    assert paid(stage) == [(ALICE, -HOURLY_MICROS)]
    stage.block(1)
    assert paid(stage) == []
    stage.block(interval_ms)
    assert paid(stage) == [(ALICE, -HOURLY_MICROS)]
    stage.verify()


def test_missed_hours_pay_nothing() -> None:
    """Rule 1: a venue that slept for hours pays one of them."""
    stage = positions()
    stage.block(5 * HOUR_MS)
    assert paid(stage) == [(ALICE, -HOURLY_MICROS)]


def test_the_funding_account_keeps_the_rounding() -> None:
    """Rule 2: what is received is rounded down, for the market too, and no money appears."""
    stage = positions()
    stage.rest(MARKET, order(SELL, "99999", "0.00013"))
    stage.rest(CAROL, order(BUY, "99999", "0.00013"))
    money = stage.info.total_money()
    stage.block(HOUR_MS)
    told = dict(paid(stage))
    assert told[ALICE] < 0
    assert told[CAROL] < 0
    assert stage.exchange.floor.accounts[FUNDING_ACCOUNT].cash in {1, 2}
    assert stage.info.total_money() == money
    stage.verify()

"""What is said: units, sides and floors of the messages, from estimators with known beliefs."""

from decimal import Decimal

import pytest

from common.config import Settings
from common.messages import (
    ArrivalEstimate,
    Attribution,
    CascadeEstimate,
    FlowEstimate,
    MarkoutEstimate,
    Message,
    VolatilityEstimate,
)
from common.units import Micros, Side
from services.estimation.coin import CoinEstimators, View
from services.estimation.statements import cascade, estimate, every_second
from tests.market import ASK, BID, SETTINGS, at, top, trade, with_settings
from tests.services.estimation.fills import fill, position


def still(seconds: int = 20, settings: Settings = SETTINGS) -> tuple[CoinEstimators, View]:
    """Return a coin whose price has not moved for so long."""
    one = CoinEstimators(settings.instruments()["BTC"], settings)
    for second in range(seconds + 1):
        view = one.on_touch(top(second), at(second))
    assert view is not None
    return one, view


def said(one: CoinEstimators, view: View) -> dict[type[Message], Message]:
    return {type(message): message for message in every_second(one, view)}


def test_sigmas_are_floored() -> None:
    """Half a legal step (1 USD of 113,000) per second: a price that never moved is not certain."""
    one, view = still(2_000, with_settings("estimation", sigma_prior_per_sqrt_s=1e-12))
    message = said(one, view)[VolatilityEstimate]
    assert isinstance(message, VolatilityEstimate)
    floor = 5 / (BID + 5)
    assert message.sigma_fast_per_sqrt_s == pytest.approx(floor)
    assert message.sigma_slow_per_sqrt_s == pytest.approx(floor)
    assert message.sigma_median_per_sqrt_s == pytest.approx(floor)
    assert message.expected_sigma_per_sqrt_s == pytest.approx(floor)
    assert not message.ready


@pytest.mark.parametrize(("side", "bids", "asks"), [(Side.SELL, True, False), (Side.BUY, False, True)])
def test_a_cascade_pulls_the_side_it_runs_over(side: Side, bids: bool, asks: bool) -> None:
    """Sellers run over bids; sizes shrink with severity."""
    one, view = still()
    calm = cascade(one, view)
    assert (calm.severity, calm.size_factor, calm.pull_bids, calm.pull_asks) == (0.0, 1.0, False, False)
    for number in range(40):
        one.cascade.burst(side, Micros(10**9), 19 + number / 40)
    wild = cascade(one, view)
    assert (wild.side, wild.pull_bids, wild.pull_asks) == (side, bids, asks)
    assert wild.size_factor == 1 - wild.severity


def test_sellers_fill_bids() -> None:
    """The arrivals of our bids are those of selling takers."""
    one, view = still()
    one.arrivals[Side.SELL].add(1.0)
    message = said(one, view)[ArrivalEstimate]
    assert isinstance(message, ArrivalEstimate)
    assert (message.bids.effective_samples, message.asks.effective_samples) == (1.0, 0.0)


def test_flow_and_funding() -> None:
    """Flow as of the market's time; the next funding comes at the full hour."""
    one, view = still()
    one.on_trade(trade(20.5, 1, side=Side.SELL, ticks=BID))
    view = one.on_touch(top(21), at(21)) or view
    message = said(one, view)[FlowEstimate]
    assert isinstance(message, FlowEstimate)
    assert message.flow_1s_usd_per_s < message.flow_5s_usd_per_s < message.flow_30s_usd_per_s < 0
    assert message.vpin is None
    assert message.funding_due_s == 3_600 - 21


def test_fills_and_profit_are_said_once_there_are_any() -> None:
    """Silence about what has not happened; a missed fill is something to say."""
    one, view = still()
    assert {MarkoutEstimate, Attribution} & set(said(one, view)) == set()
    one.on_position(position(0))
    one.on_fill(fill(20_000, 1, ticks=BID))
    told = said(one, view)
    split = told[Attribution]
    assert isinstance(split, Attribution)
    assert split.spread_captured == Decimal(10 * (ASK - BID)) / 2 / 1_000_000
    quiet, at_rest = still()
    quiet.missed_fills = 1
    markouts = said(quiet, at_rest)[MarkoutEstimate]
    assert isinstance(markouts, MarkoutEstimate)
    assert (markouts.fills, markouts.missed) == (0, 1)


def test_the_quick_estimate() -> None:
    """Mid, fair and sigma of this very view; guards pull what they say."""
    one, view = still()
    message = estimate(one, view)
    assert (message.mid_ticks, message.fair_ticks, message.book_venue_ms) == (BID + 5, BID + 5, 20_000)
    assert (message.pull_bids, message.pull_asks, message.warm) == (False, False, True)
    fallen = one.on_touch(top(20.5, bid=BID - 5_000, ask=ASK - 5_000), at(20.5))
    assert fallen is not None
    assert estimate(one, fallen).pull_bids
    assert isinstance(cascade(one, fallen), CascadeEstimate)

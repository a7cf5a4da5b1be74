"""What is believed of slow estimates: warm, recent, finite ones."""

from math import inf, nan

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.sections import Leader
from common.touch import Touch
from common.units import Side
from services.strategy.beliefs import Beliefs, Slow
from services.strategy.market import Arrival, Market
from tests.market import at, top
from tests.services.strategy.facts import arrivals, cascade, estimate, flow, markout, volatility

REFERENCE = Arrival(a_per_s=0.2, k_per_bps=1.3, confidence=0.0)


def believed(*messages: Slow, seconds: float = 1) -> Market:
    beliefs = Beliefs(REFERENCE, 5)
    for message in messages:
        beliefs.hear(message)
    market = beliefs.market(Touch.of(top(1)), estimate(1), at(seconds))
    assert market is not None
    return market


def test_nothing_heard() -> None:
    """The reference arrivals without confidence, and no premium of anything."""
    market = believed()
    assert market.arrivals == {Side.BUY: REFERENCE, Side.SELL: REFERENCE}
    assert (market.adverse_bps, market.vpin, market.sigma_ahead_per_sqrt_s) == ({}, 0.0, 0.0)
    assert Beliefs(REFERENCE, 5).market(Touch.of(top(1, bid=None)), estimate(1), at(1)) is None


def test_arrivals_count_when_warm() -> None:
    """Rule 1: live A and k with their confidence; cold or broken ones are the reference."""
    assert believed(arrivals(1, a=2.0, k=0.5, confidence=0.8)).arrivals[Side.BUY] == Arrival(
        a_per_s=2.0, k_per_bps=0.5, confidence=0.8
    )
    for useless in (arrivals(1, warm=False), arrivals(1, a=nan), arrivals(1, k=0.0), arrivals(1, k=inf)):
        assert believed(useless).arrivals[Side.SELL] == REFERENCE
    assert believed(arrivals(1, a=1e-9, k=1e9)).arrivals[Side.BUY] == Arrival(a_per_s=1e-4, k_per_bps=100.0)


@pytest.mark.parametrize(
    ("bps", "error", "premium"),
    [(-3.0, 0.5, 2.5), (-3.0, 3.0, 0.0), (-3.0, None, 0.0), (3.0, 0.1, 0.0), (nan, 0.1, 0.0), (-3.0, nan, 0.0)],
)
def test_adverse_selection_is_a_proven_loss(bps: float, error: float | None, premium: float) -> None:
    """Rule 2: the mean loss less its standard error, of this side and the configured horizon."""
    assert believed(markout(1, bps, error)).adverse_bps == {Side.BUY: premium}
    assert believed(markout(1, bps, error, horizon_s=30)).adverse_bps == {}


def test_old_words_count_no_longer() -> None:
    """Rule 4: ten seconds, and the premium or the pull is gone."""
    words = (arrivals(1, k=0.5), markout(1, -3.0), flow(1, vpin=1.0), volatility(1, fast=1e-3))
    assert believed(*words, seconds=10.9).vpin == 1.0
    assert believed(*words, seconds=11) == believed()
    beliefs = Beliefs(REFERENCE, 5)
    beliefs.hear(cascade(1, factor=0.5, pull_bids=True))
    assert (beliefs.cascade_pulls(Side.BUY, at(10.9)), beliefs.cascade_pulls(Side.BUY, at(11))) == (True, False)
    assert (beliefs.size_factor(Side.BUY, at(10.9)), beliefs.size_factor(Side.BUY, at(11))) == (0.5, 1.0)
    assert beliefs.size_factor(Side.SELL, at(2)) == 1.0
    assert not beliefs.cascade_pulls(Side.SELL, at(2))


@pytest.mark.parametrize(
    ("bps", "seconds", "tilt"),
    [(1.5, 1.0, 1.5), (-1.5, 2.4, -1.5), (1.5, 2.5, 0.0), (9.0, 1.0, 2.0), (-9.0, 1.0, -2.0), (nan, 1.0, 0.0)],
)
def test_a_leader_counts_while_it_is_fresh(bps: float, seconds: float, tilt: float) -> None:
    """Rule 3: for 1.5 s, within 2 bps; to who has no leader it says nothing."""
    touch, said = Touch.of(top(1)), estimate(1, tilt=bps)
    for chosen, wanted in ((Leader(symbols={"BTC": "btcusdt"}), tilt), (None, 0.0)):
        market = Beliefs(REFERENCE, 5, chosen).market(touch, said, at(seconds))
        assert market is not None
        assert market.leader_bps == wanted


def test_the_process_of_variance_counts_when_ready() -> None:
    """An expected volatility that rests on nothing is none."""
    assert believed(volatility(1, fast=3e-4, ahead=2e-4)).sigma_ahead_per_sqrt_s == 2e-4
    assert believed(volatility(1, fast=3e-4, ahead=2e-4, ready=False)).sigma_ahead_per_sqrt_s == 0
    assert believed(volatility(1, fast=3e-4, warm=False)).sigma_fast_per_sqrt_s == 0
    cold = msgspec.structs.replace(flow(1, vpin=0.9), warm=False)
    assert believed(cold).vpin == 0


def test_absurd_numbers_are_bounded() -> None:
    """Their squares and exponentials would not be numbers any more."""
    market = believed(volatility(1, fast=1e200, ahead=1e200), flow(1, funding=-1e300))
    assert (market.sigma_fast_per_sqrt_s, market.sigma_ahead_per_sqrt_s, market.funding_per_hour) == (1.0, 1.0, -0.1)


anything = st.floats(allow_nan=True, allow_infinity=True)


@given(anything, anything, anything, anything)
@settings(max_examples=100)
def test_whatever_is_heard_is_a_number(one: float, other: float, third: float, fourth: float) -> None:
    """NaN and infinities end here."""
    market = believed(
        arrivals(1, a=one, k=other, confidence=third),
        markout(1, one, other),
        flow(1, vpin=one, imbalance=other, funding=third, due_s=fourth),
        volatility(1, fast=one, ahead=other),
    )
    numbers = msgspec.to_builtins(market)
    flat = [numbers["vpin"], numbers["imbalance"], numbers["funding_per_hour"], numbers["funding_due_s"]]
    flat += [market.sigma_fast_per_sqrt_s, market.sigma_ahead_per_sqrt_s, *market.adverse_bps.values()]
    flat += [number for arrival in market.arrivals.values() for number in msgspec.structs.astuple(arrival)]
    assert all(number - number == 0 for number in flat)
    assert all(arrival.k_per_bps > 0 and arrival.a_per_s > 0 for arrival in market.arrivals.values())

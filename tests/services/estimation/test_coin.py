"""One coin's estimators: who is fed with what, and that nothing joins across a broken feed."""

import pytest

from common.units import SECOND, Nanos, Side
from services.estimation.cascade import LEVELS_MIN
from services.estimation.coin import WATCH_STEP_S, CoinEstimators
from tests.market import ASK, BID, SETTINGS, at, book, context, top, trade


def coin() -> CoinEstimators:
    return CoinEstimators(SETTINGS.instruments()["BTC"], SETTINGS)


def sweep(one: CoinEstimators, seconds: float, levels: int, *, tid: int = 0) -> None:
    """Buy through so many levels, whole with the touch of a block later."""
    for level in range(levels):
        one.on_trade(trade(seconds, tid + level, ticks=ASK + 10 * level))
    one.on_touch(top(seconds + 0.07), at(seconds + 0.07))


@pytest.mark.parametrize(("levels", "bursts"), [(LEVELS_MIN - 1, 0), (LEVELS_MIN, 1)])
def test_what_is_a_burst(levels: int, bursts: int) -> None:
    """Both sides of the limit; every whole market order feeds flow and arrivals, bursts the cascade as well."""
    one = coin()
    one.on_touch(top(1), at(1))
    sweep(one, 1.1, levels)
    assert one.bursts == bursts
    assert (one.cascade.belief(1.2).ratio > 1) is bool(bursts)
    assert one.trade_flow.usd_per_s(1.2)[0] > 0
    assert one.trades == levels


def test_deep_orders_feed_the_arrivals_of_their_side() -> None:
    """A buyer's depth counts for our asks: 60 dollars above the mid of 113,000 are 5 bps, beyond the range."""
    one = coin()
    one.on_touch(top(1), at(1))
    for number in range(5):
        one.on_trade(trade(1.1 + number, number, ticks=ASK + 10 * 12))
        one.on_touch(top(1.2 + number), at(1.2 + number))
    assert one.arrivals[Side.BUY].belief().effective_samples == pytest.approx(5, rel=0.05)
    assert one.arrivals[Side.SELL].belief().effective_samples == 0


def test_arrivals_watch_in_steps() -> None:
    """A flicker of touches is one step of watching; no time is lost between steps."""
    one = coin()
    for number in range(101):
        one.on_touch(top(1 + number / 100), at(1 + number / 100))
    watched = one.arrivals[Side.BUY]._rate.watched_s
    assert watched + one._unwatched_s == pytest.approx(30 + 1.0, abs=0.05)
    assert one._unwatched_s < WATCH_STEP_S


def test_the_guard_sees_sigma_before_the_move() -> None:
    """A jump of 20 bps from a still price pulls asks: what it does to volatility comes after."""
    one = coin()
    for second in range(60):
        one.on_touch(top(second), at(second))
    one.on_touch(top(60, bid=BID + 2_260, ask=ASK + 2_260), at(60))
    assert (one.guard.pulls_bids, one.guard.pulls_asks) == (False, True)


def test_a_restart_breaks_every_chain() -> None:
    """Rule 3: after it an older stamp, a far price and a far print are neither late nor a move."""
    one = coin()
    for second in range(30):
        one.on_touch(top(1_000 + second), at(second))
        one.on_trade(trade(1_000 + second, second))
    one.restart()
    for second in range(3):
        touch = top(second, bid=2 * BID, ask=2 * BID + 10)
        assert one.on_touch(touch, at(40 + second)) is not None
        one.on_trade(trade(second, 100 + second, ticks=2 * BID + 10))
    assert (one.late, one.refused) == (0, 0)
    assert not one.guard.pulls_asks
    assert one.order_flow.imbalance == pytest.approx(0.0)
    assert one.volatility.volatilities().total < 1e-3


def test_refusals_are_summed() -> None:
    """Whatever an estimator refuses is seen from outside."""
    one = coin()
    one.on_touch(top(1), at(1))
    one.on_trade(trade(1.1, 1, lots=0))
    one.on_context(context(1, mark=0))
    assert one.refused == 2


def test_views() -> None:
    """Books and tops alike; a late or one-sided one is none; reception is never ahead of now."""
    one = coin()
    first = one.on_touch(book(2), Nanos(SECOND))
    assert first is not None
    assert first.at == SECOND
    assert one.on_touch(top(1), at(3)) is None
    assert one.on_touch(top(3, bid=None), at(3)) is None
    assert (one.late, one.view) == (1, first)


def test_funding_is_the_venues() -> None:
    """The last word; absent is absent."""
    one = coin()
    one.on_context(context(1))
    assert one.funding_per_hour is None

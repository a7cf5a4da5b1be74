"""Runners: none in a quiet market, more the more it moves, and with the trend."""

from random import Random

from common.units import Side
from services.venue_sim.momentum import Momentum
from services.venue_sim.order_flow import Taker


def runners(bps_per_s: float, seconds: int = 60) -> list[Taker]:
    group, mid, found = Momentum(Random(1)), 1_000_000.0, []
    for _ in range(seconds * 10):
        mid *= 1 + bps_per_s / 1e5
        taker = group.step(mid, 0.1)
        if taker is not None:
            found.append(taker)
    return found


def test_quiet_prices_attract_nobody() -> None:
    """A tenth of a bps a second keeps the averages within the threshold."""
    assert runners(0.0) == runners(0.1) == []


def test_they_follow_the_trend() -> None:
    """Up they buy, down they sell, at most about once a second however fast it goes."""
    up, down, wild = runners(0.5), runners(-0.5), runners(-20.0)
    assert {taker.side for taker in up} == {Side.BUY}
    assert {taker.side for taker in down} == {Side.SELL}
    assert 3 < len(down) < len(wild) < 90

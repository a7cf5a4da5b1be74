"""Takers: how often, in what bursts, how deep, and who among them knows."""

from itertools import pairwise
from random import Random
from statistics import mean, variance

import pytest

from common.units import Side
from services.venue_sim.order_flow import (
    ARRIVALS_MAX,
    BASE_RATE_PER_S,
    BRANCHING,
    DEPTH_BPS_MAX,
    INFORMED_SHARE,
    TOUCH_SHARE,
    OrderFlow,
    Taker,
)


def seconds(flow: OrderFlow, count: int) -> list[list[Taker]]:
    return [[taker for _ in range(10) for taker in flow.arrivals(0.1)] for _ in range(count)]


def test_rate() -> None:
    """Base rate over (1 - branching), and trade_rate multiplies it."""
    for rate in (0.5, 1.0, 3.0):
        flow = OrderFlow(Random(3), rate)
        counted = mean(len(second) for second in seconds(flow, 10_000))
        assert flow.average_rate_per_s() == rate * BASE_RATE_PER_S / (1 - BRANCHING)
        assert counted == pytest.approx(flow.average_rate_per_s(), rel=0.1)


def test_bursts() -> None:
    """Counts of 20 s vary 1 / (1 - branching)^2 = 4 times as much as those of strangers would; edges cost some."""
    flow = OrderFlow(Random(4), 1.0)
    counts = [sum(map(len, seconds(flow, 20))) for _ in range(1_500)]
    assert 3.0 < variance(counts) / mean(counts) < 4.8


def test_intensity_rises_and_falls() -> None:
    """An arrival excites; silence calms down to the base rate."""
    flow = OrderFlow(Random(1), 1.0)
    while not flow.arrivals(0.1):
        pass
    assert flow.rate_per_s() > BASE_RATE_PER_S
    quiet = OrderFlow(Random(1), 1e-9)
    quiet._excited = 0.1
    assert quiet.arrivals(0.0) == []
    assert quiet.rate_per_s() == pytest.approx(0.1)


def test_who_comes() -> None:
    """Shares of informed and of touch takers, depths, both sides alike, and runs of one side."""
    takers = [taker for second in seconds(OrderFlow(Random(6), 1.0), 15_000) for taker in second]
    noise = [taker for taker in takers if taker.side is not None]
    assert 1 - len(noise) / len(takers) == pytest.approx(INFORMED_SHARE, abs=0.01)
    assert mean(taker.depth_bps == 0 for taker in noise) == pytest.approx(TOUCH_SHARE, abs=0.01)
    assert max(taker.depth_bps for taker in noise) == DEPTH_BPS_MAX
    assert mean(taker.side is Side.BUY for taker in noise) == pytest.approx(0.5, abs=0.02)
    followed = mean(one.side is two.side for one, two in pairwise(noise))
    assert followed == pytest.approx(0.6 + 0.4 / 2, abs=0.02)
    assert all(taker.usd > 0 for taker in takers)


def test_a_burst_stays_cheap() -> None:
    """However long the step and however high the rate, one step has a limit, and the flow goes on after it."""
    flow = OrderFlow(Random(1), 10_000.0)
    assert len(flow.arrivals(1.0)) == ARRIVALS_MAX
    assert len(flow.arrivals(1.0)) == ARRIVALS_MAX

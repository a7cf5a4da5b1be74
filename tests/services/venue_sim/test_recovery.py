"""The truth is true: what the venue publishes gives back the parameters that its log exports.

Twenty minutes of one coin in blocks of 20 ms, so that few orders share a block; estimators are written here from their
textbook formulas. Bounds are about three times the sampling error of such a day.
"""

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from math import exp, log
from random import Random
from statistics import mean

import msgspec
import pytest

from common.units import Side
from services.venue_sim.api import TradeEvent
from services.venue_sim.core import Exchange
from services.venue_sim.rules import CoinRules, ExchangeConfig
from services.venue_sim.synthetic import INFORMED, NOISE, SyntheticMarket, start_ticks
from services.venue_sim.truth import Truth
from tests.services.venue_sim.stage import BTC, START_MS

SECONDS = 1_200
BLOCK_MS = 20

pytestmark = pytest.mark.truth


class Arrival(msgspec.Struct, frozen=True):
    """One market order as the public trades show it: those of one block, taker and side."""

    at_s: float
    taker: str
    side: Side
    depth_bps: float  # of its worst trade from the mid before


class Observed(msgspec.Struct, frozen=True):
    arrivals: list[Arrival]
    oracles: list[int]  # as they were published
    mids: list[float]  # every ten seconds
    truth: Truth


@cache
def observed() -> Observed:
    market = SyntheticMarket((BTC,), trade_rate=1.0, chance=Random(12))
    rules = CoinRules(instrument=BTC, oracle_ticks=start_ticks(BTC))
    exchange = Exchange(ExchangeConfig(coins=(rules,), internal=market.internal), START_MS)
    arrivals, oracles, mids = list[Arrival](), list[int](), list[float]()
    mid = float(start_ticks(BTC))
    for number in range(SECONDS * 1_000 // BLOCK_MS):
        now_ms = START_MS + number * BLOCK_MS
        market.step(exchange, now_ms)
        block = exchange.step(now_ms)
        orders: dict[tuple[str, Side], float] = {}
        for event in block.events:
            if isinstance(event, TradeEvent):
                taker = event.buyer if event.side is Side.BUY else event.seller
                depth = (event.ticks / mid - 1) * event.side.sign * 1e4
                orders[taker, event.side] = max(depth, orders.get((taker, event.side), depth))
        for (taker, side), depth in orders.items():
            if taker in (NOISE, INFORMED):
                arrivals.append(Arrival((now_ms - START_MS) / 1e3, taker, side, depth))
        oracle = exchange.info.oracle("BTC")
        if not oracles or oracle != oracles[-1]:
            oracles.append(oracle)
        top = exchange.info.top("BTC")
        assert top.bid is not None
        assert top.ask is not None
        mid = (top.bid.ticks + top.ask.ticks) / 2
        if number % (10_000 // BLOCK_MS) == 0:
            mids.append(mid)
    return Observed(arrivals, oracles, mids, market.truth("BTC"))


def realised(prices: Sequence[float]) -> float:
    return sum(log(later / earlier) ** 2 for earlier, later in pairwise(prices))


def test_volatility() -> None:
    """Realised variance of the oracle is the integrated one within 15 %; ten-second mids add the book's noise."""
    seen = observed()
    assert realised(seen.oracles) == pytest.approx(seen.truth.variance, rel=0.15)
    assert 0.9 < realised(seen.mids) / seen.truth.variance < 1.6


def test_arrival_rate_and_informed_share() -> None:
    """Market orders a second within 10 %, the share of the informed within 0.03."""
    seen = observed()
    assert len(seen.arrivals) / SECONDS == pytest.approx(seen.truth.arrival_rate_per_s, rel=0.10)
    share = mean(arrival.taker == INFORMED for arrival in seen.arrivals)
    assert share == pytest.approx(seen.truth.informed_share, abs=0.03)


def test_depths() -> None:
    """Arrivals that reach a depth fall as A exp(-k depth): k within 15 %, A within 30 %, by least squares of logs."""
    seen = observed()
    depths = [2.0 + 0.5 * step for step in range(13)]
    rates = [sum(a.depth_bps >= d for a in seen.arrivals if a.taker == NOISE) / SECONDS / 2 for d in depths]
    x, y = mean(depths), mean(map(log, rates))
    slope = sum((d - x) * (log(r) - y) for d, r in zip(depths, rates, strict=True)) / sum((d - x) ** 2 for d in depths)
    assert -slope == pytest.approx(seen.truth.depth_k_per_bps, rel=0.15)
    assert exp(y - slope * x) == pytest.approx(seen.truth.depth_a_per_s, rel=0.3)


def likelihood(times: Sequence[float], branching: float, decay: float) -> float:
    """Return the log-likelihood of an exponential Hawkes process whose long-run rate is the observed one."""
    base = len(times) / SECONDS * (1 - branching)
    excited, last, total = 0.0, 0.0, -base * SECONDS
    for at_s in times:
        excited *= exp(-decay * (at_s - last))
        total += log(base + excited) - branching * (1 - exp(-decay * (SECONDS - at_s)))
        excited, last = excited + branching * decay, at_s
    return total


def test_hawkes() -> None:
    """Maximum likelihood: branching within 0.12, decay within 40 %, and no branching at all fits far worse."""
    seen = observed()
    times = [arrival.at_s for arrival in seen.arrivals]
    grid = [(0.05 * b, 0.5 * 1.25**d) for b in range(4, 17) for d in range(8)]
    branching, decay = max(grid, key=lambda point: likelihood(times, *point))
    assert branching == pytest.approx(seen.truth.branching, abs=0.12)
    assert decay == pytest.approx(seen.truth.decay_per_s, rel=0.4)
    assert likelihood(times, branching, decay) > likelihood(times, 0.0, 1.0) + 100

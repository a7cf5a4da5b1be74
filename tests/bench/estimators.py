"""What one event costs each estimator, early and late in its life, in time and in memory."""

import gc
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import exp
from random import Random
from time import perf_counter_ns
from typing import Final, TypeAlias

from common.messages import Regime
from common.touch import Touch
from common.units import MILLISECOND, SECOND, Micros, Millis, Nanos, Side
from services.estimation.arrivals import Arrivals
from services.estimation.attribution import ProfitAndLoss
from services.estimation.cascade import CascadeDetector
from services.estimation.fair_price import fair_ticks
from services.estimation.flow import OrderFlow, TradeFlow
from services.estimation.hawkes import IncrementalHawkes
from services.estimation.hawkes_fit import HawkesFit
from services.estimation.leader import LeaderFollower
from services.estimation.market_orders import MarketOrders
from services.estimation.markouts import Markouts
from services.estimation.momentum import MomentumGuard
from services.estimation.refit import SLICE_EVENTS
from services.estimation.stochastic_volatility import StochasticVolatility
from services.estimation.volatility import Volatility
from services.estimation.vpin import Vpin
from tests.bench.report import Table, percentile
from tests.market import SETTINGS, top, trade
from tests.services.estimation.fills import fill

EARLY: Final = 1_000
LATE: Final = 1_000_000
WINDOWS: Final = 10  # timed stretches at each age; the least of them counts, the rest is the machine's other work
WINDOW: Final = 500  # events in each
SUM_AT: Final = (1_000, 10_000)  # events in the past of the O(n) version
SUMS: Final = 50  # of which each costs milliseconds

Feed: TypeAlias = Callable[[int], object]  # takes event number i


@dataclass(frozen=True, slots=True)
class Cost:
    """One estimator's event."""

    early_us: float
    late_us: float
    blocks_kept: float  # objects that an event leaves behind, when it is old


def estimators() -> dict[str, Callable[[], Feed]]:
    """Return makers of feeds: what an estimator does at event i, with input that is made beforehand."""
    return {**_moved(), **_excited(), **_touched(), **_traded(), **_own()}


def _moved() -> dict[str, Callable[[], Feed]]:
    random, chosen = Random(1), SETTINGS.estimation
    prices = [100 * exp(random.gauss(0, 1e-3)) for _ in range(1_000)]

    def volatility() -> Feed:
        one = Volatility(
            half_life_s=chosen.half_life_s,
            fast_half_life_s=chosen.fast_half_life_s,
            slow_half_life_s=chosen.slow_half_life_s,
            prior=1e-4,
            warm_up_ms=0,
        )

        def feed(i: int) -> None:
            one.add(prices[i % 1_000], Millis(1_000 * i))
            one.volatilities()

        return feed

    def stochastic() -> Feed:
        one = StochasticVolatility(window_s=10.0, half_life_s=7_200.0)
        return lambda i: one.add(prices[i % 1_000] * 1e-6, 1.0)

    return {"volatility": volatility, "stochastic volatility": stochastic}


def _excited() -> dict[str, Callable[[], Feed]]:
    def hawkes() -> Feed:
        one = IncrementalHawkes(mu=0.5, alpha=0.4, beta=1.0, half_life_s=1_800.0)

        def feed(i: int) -> None:
            one.record_event(float(i), 1.0 + i % 7)
            one.intensity(i + 0.5)

        return feed

    def cascade() -> Feed:
        one = CascadeDetector(pull_at=0.5, usd_per_tick=0.1)

        def feed(i: int) -> None:
            one.burst(Side.BUY if i % 3 else Side.SELL, Micros(10**9 + i % 1_000), float(i))
            one.belief(i + 0.5)

        return feed

    return {"Hawkes": hawkes, "cascade": cascade}


def _touched() -> dict[str, Callable[[], Feed]]:
    touches = [Touch.of(top(0, bid=1_130_000 + 10 * (i % 7), ask=1_130_070 + 10 * (i % 5))) for i in range(1_000)]

    def arrivals() -> Feed:
        one = Arrivals(from_bps=0.5, to_bps=3.0, half_life_s=600.0, k_prior_per_bps=1.3, a_prior_per_s=0.2)

        def feed(i: int) -> None:
            one.watch(0.25, 0.05)
            one.add(i % 40 / 10)

        return feed

    def flow() -> Feed:
        one = OrderFlow()
        return lambda i: one.add(touches[i % 1_000])

    def leader() -> Feed:
        one = LeaderFollower(max_tilt_bps=2.0, weight=1.0, stale=Nanos(SECOND), half_life_s=300.0)

        def feed(i: int) -> None:
            now, price = Nanos(100 * MILLISECOND * i), 113_000.0 + i % 97
            one.on_leader(price, price + 0.1, now)
            one.on_own(price - i % 5, now)
            one.belief(now)

        return feed

    return {
        "leader (both prices)": leader,
        "microprice": lambda: lambda i: fair_ticks(touches[i % 1_000], 0.5),
        "order-flow imbalance": flow,
        "arrivals": arrivals,
    }


def _traded() -> dict[str, Callable[[], Feed]]:
    prints = [trade(0, tid, side=Side.BUY if tid % 3 else Side.SELL) for tid in range(1_000)]
    sides = [print_.side for print_ in prints]

    def trade_flow() -> Feed:
        one = TradeFlow()
        return lambda i: one.add(sides[i % 1_000], Micros(10**9), float(i))

    def vpin() -> Feed:
        one = Vpin(bucket_usd=10_000.0)
        return lambda i: one.add(sides[i % 1_000], Micros(10**9 + i % 1_000), float(i))

    def market_orders() -> Feed:
        one = MarketOrders()

        def feed(i: int) -> None:
            one.see(Millis(100 * i), 1_130_005.0)
            one.add(trade(0, i, venue_ms=100 * i + 50))

        return feed

    def guard() -> Feed:
        one = MomentumGuard(threshold=5.0)
        return lambda i: one.add(1_130_000.0 + i % 97, 1e-4, Millis(70 * i))

    return {"market orders": market_orders, "trade flow": trade_flow, "VPIN": vpin, "momentum guard": guard}


def _own() -> dict[str, Callable[[], Feed]]:
    def markouts() -> Feed:
        one = Markouts(half_life_s=3_600.0)

        def feed(i: int) -> None:
            one.on_fill(fill(1_000 * i, i), Regime.NORMAL)
            one.on_mid(1_000_000.0 + i % 97, Millis(1_000 * i))

        return feed

    def attribution() -> Feed:
        one = ProfitAndLoss()

        def feed(i: int) -> None:
            one.on_mid(2_000_000 + i % 97, Millis(1_000 * i))
            one.on_fill(fill(1_000 * i, i))

        return feed

    return {"markouts (fill and mid)": markouts, "attribution (fill and mid)": attribution}


def cost(feed: Feed, *, early: int = EARLY, late: int = LATE) -> Cost:
    """Feed events until `late`, timing WINDOWS stretches after `early` and as many after `late`."""
    number = _skip(feed, 0, early)
    number, early_us = _timed(feed, number)
    number = _skip(feed, number, late)
    gc.collect()
    blocks, began = sys.getallocatedblocks(), number
    number, late_us = _timed(feed, number)
    gc.collect()
    return Cost(early_us, late_us, max(0.0, (sys.getallocatedblocks() - blocks) / (number - began)))


def _skip(feed: Feed, start: int, end: int) -> int:
    for i in range(start, end):
        feed(i)
    return max(start, end)


def _timed(feed: Feed, number: int) -> tuple[int, float]:
    """Return the next event's number and the least microseconds of one event."""
    spent = []
    for _ in range(WINDOWS):
        began = perf_counter_ns()
        for i in range(number, number + WINDOW):
            feed(i)
        spent.append((perf_counter_ns() - began) / WINDOW / 1_000)
        number += WINDOW
    return number, min(spent)


def hawkes_against_the_sum(past: int) -> tuple[float, float]:
    """Return microseconds of one event and its intensity after so many: in constant time, and as the whole sum."""
    one, beta = IncrementalHawkes(mu=0.5, alpha=0.4, beta=1.0), 1.0
    times = [float(i) for i in range(past)]
    for at in times:
        one.record_event(at)
    began = perf_counter_ns()
    for i in range(SUMS):
        one.record_event(past + float(i))
        one.intensity(past + float(i))
    quick = (perf_counter_ns() - began) / SUMS / 1_000
    began = perf_counter_ns()
    for i in range(SUMS):
        times.append(past + float(i))
        sum(0.4 * exp(-beta * (times[-1] - at)) for at in times)
    return quick, (perf_counter_ns() - began) / SUMS / 1_000


def fit_slices(events: int) -> list[float]:
    """Return the microseconds of every slice of one fit over so many events."""
    random, at, rows = Random(2), 0.0, []
    for _ in range(events):
        at += random.expovariate(1.0) * (0.2 if random.random() < 0.5 else 1.5)
        rows.append((at, 1.0))
    fit, slices = HawkesFit(rows, alpha=0.3, beta=0.5), []
    while not fit.done:
        began = perf_counter_ns()
        fit.advance(SLICE_EVENTS)
        slices.append((perf_counter_ns() - began) / 1_000)
    return slices


def measure() -> Iterator[Table]:
    rows = []
    for name, make in estimators().items():
        found = cost(make())
        ratio = found.late_us / found.early_us
        rows.append((name, f"{found.early_us:.2f}", f"{found.late_us:.2f}", f"{ratio:.2f}", f"{found.blocks_kept:.3f}"))
    yield Table(
        title=f"Estimators, microseconds per event at event {EARLY:,} and {LATE:,}",
        columns=("estimator", "early", "late", "late / early", "blocks kept per event"),
        rows=rows,
        notes=("Least of ten stretches of 500 events. Blocks kept: growth of Python's allocated blocks per event.",),
    )
    sums = [(past, *hawkes_against_the_sum(past)) for past in SUM_AT]
    yield Table(
        title="Hawkes: one event and its intensity, microseconds",
        columns=("events before", "constant time", "sum over all"),
        rows=[(f"{past:,}", f"{quick:.2f}", f"{whole:,.0f}") for past, quick, whole in sums],
    )
    slices = fit_slices(5_000)
    yield Table(
        title="One fit over 5,000 events, in slices between other messages, microseconds",
        columns=("slices", "p50", "p99", "max"),
        rows=[(f"{len(slices)}", *(f"{percentile(slices, share):.0f}" for share in (0.5, 0.99, 1.0)))],
    )

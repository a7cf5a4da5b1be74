"""How many orders a second the exchange core takes in a deep book: places, cancels and trades."""

import gc
import resource
from collections.abc import Iterator
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter
from typing import Final

from common.instrument import Instrument
from common.units import Lots, Side, Ticks
from services.venue_sim.api import (
    Action,
    ActionRequest,
    CancelOrders,
    CancelTarget,
    OrderSpec,
    PlaceOrders,
    Resting,
    Tif,
)
from services.venue_sim.core import Exchange
from services.venue_sim.rules import CoinRules, ExchangeConfig
from tests.bench.report import Table

MAKER: Final = "0x" + "01" * 20
TAKER: Final = "0x" + "02" * 20
START_MS: Final = 1_700_000_000_000
BLOCK_MS: Final = 70
MIDDLE: Final = 500_000  # ticks; half of the prices are bids
ORDERS_PER_BLOCK: Final = 50
BTC: Final = Instrument(coin="BTC", asset=0, size_decimals=5, leverage_max=40)


class Stream:
    """Keeps `resting` orders in the book: each round places one, and cancels one or trades with one."""

    def __init__(self, resting: int, *, internal: bool = True, seed: int = 1) -> None:
        users = (MAKER, TAKER)
        rules = CoinRules(instrument=BTC, oracle_ticks=Ticks(MIDDLE))
        self.exchange = Exchange(ExchangeConfig(coins=(rules,), internal=users if internal else ()), START_MS)
        self._random = Random(seed)
        self._now = START_MS
        self._nonce = START_MS
        self._oids: list[int] = []
        for user in users:
            self.exchange.sight(user)
        for start in range(0, resting, ORDERS_PER_BLOCK):
            self.block([self._place(resting) for _ in range(min(ORDERS_PER_BLOCK, resting - start))])

    def block(self, actions: list[tuple[str, Action]]) -> None:
        for user, action in actions:
            self._nonce += 1
            self.exchange.submit(ActionRequest(request_id=self._nonce, signer=user, nonce=self._nonce, action=action))
        self._now += BLOCK_MS
        for answer in self.exchange.step(self._now).answers:
            self._oids += [status.oid for status in answer.statuses if isinstance(status, Resting)]

    def _place(self, resting: int) -> tuple[str, Action]:
        """A new order anywhere in a book whose number of prices grows with its depth."""
        side = Side.BUY if self._random.random() < 0.5 else Side.SELL
        away = 10 * (1 + int(self._random.expovariate(1) * (20 + resting // 4)))
        ticks = max(10, MIDDLE - side.sign * away)
        order = OrderSpec(
            coin="BTC", side=side, ticks=Ticks(ticks), lots=Lots(self._random.randint(100, 999)), tif=Tif.ALO
        )
        return MAKER, PlaceOrders((order,))

    def _remove(self) -> tuple[str, Action]:
        if self._random.random() < 0.5:
            place = self._random.randrange(len(self._oids))
            self._oids[place], self._oids[-1] = self._oids[-1], self._oids[place]
            return MAKER, CancelOrders((CancelTarget(coin="BTC", ref=self._oids.pop()),))
        side = Side.BUY if self._random.random() < 0.5 else Side.SELL
        ticks = BTC.legal_outward(side.opposite, MIDDLE * (1 + side.sign * 0.5))
        taker = OrderSpec(coin="BTC", side=side, ticks=ticks, lots=Lots(self._random.randint(100, 999)), tif=Tif.IOC)
        return TAKER, PlaceOrders((taker,))

    def run(self, actions: int, resting: int) -> float:
        """Return actions a second, blocks, events and answers included."""
        gc.collect()
        start = perf_counter()
        for _ in range(actions // ORDERS_PER_BLOCK):
            pairs = ORDERS_PER_BLOCK // 2
            self.block([self._place(resting) for _ in range(pairs)] + [self._remove() for _ in range(pairs)])
        return actions / (perf_counter() - start)


def actions_per_second(resting: int, actions: int = 20_000, *, internal: bool = True) -> float:
    """Measure the core at a depth of `resting` orders. `internal` False charges fees, margin and events as well."""
    return Stream(resting, internal=internal).run(actions, resting)


def cost_ratio(shallow: int = 1_000, deep: int = 50_000, actions: int = 1_000, rounds: int = 9) -> float:
    """Return what an action costs in a deep book, as a multiple of a shallow one; measured in turns, medians."""
    streams = {depth: Stream(depth) for depth in (shallow, deep)}
    ratios = []
    for _ in range(rounds):
        rates = {depth: stream.run(actions, depth) for depth, stream in streams.items()}
        ratios.append(rates[shallow] / rates[deep])
    return median(ratios)


def resident_mib() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1024**2


def memory(actions: int = 1_000_000) -> Iterator[tuple[str, float]]:
    """Return resident memory of this process before, halfway and after so many actions of accounts."""
    stream = Stream(900, internal=False)
    yield "before", resident_mib()
    stream.run(actions // 2, 900)
    yield f"after {actions // 2:,} actions", resident_mib()
    stream.run(actions // 2, 900)
    yield f"after {actions:,} actions", resident_mib()


def measure() -> Iterator[Table]:
    rows = [(f"{depth:,} resting", f"{actions_per_second(depth):,.0f}") for depth in (1_000, 10_000, 50_000)]
    charged = actions_per_second(900, internal=False)
    yield Table(
        title="The local venue's exchange core",
        columns=("book", "actions/s"),
        rows=(*rows, ("900 resting, with fees, margin and events of accounts", f"{charged:,.0f}")),
        notes=(f"An action at 50,000 resting orders costs {cost_ratio():.2f} of one at 1,000, measured in turns.",),
    )
    yield Table(
        title="Memory of the exchange core, with everything it remembers of two accounts",
        columns=("", "MiB"),
        rows=[(when, f"{mib:,.0f}") for when, mib in memory()],
    )

"""What orders cost order_management: one life, the same after many, memory, actions per requote.

A life: wanted, approved, sent, acknowledged, shown by the stream, partly filled, cancelled, proven gone. Venue, risk
and canceller answer at once and without faults; only the time inside `handle` counts.
"""

import gc
import sys
from collections.abc import Iterator
from time import thread_time_ns
from types import FunctionType, MethodType, ModuleType
from typing import Final

from common.actor import Post, Send
from common.messages import CancelRequest, Message, OrderUpdates
from tests.bench.report import Table
from tests.services.order_management.parts import COINS
from tests.services.order_management.wires import Wires

FEW: Final = 1_000  # orders lived before the first measurement
MANY: Final = 50_000  # by then the bounded memories are full: ended orders, fills, recent trades
MORE: Final = 10_000
ORDERS_A_ROUND: Final = 12  # three levels, two sides, two coins
ROUND_MS: Final = 250
ROUNDS: Final = 5  # of one measurement: few, so that the young one stays young
PER: Final = 100_000  # orders that memory is stated for


class Lives(Wires):
    """An order_management that requotes its whole ladder again and again."""

    def __init__(self) -> None:
        super().__init__(1, faults=False)
        self.spent_ns = 0
        self.lived = 0
        self.actions = 0
        self.connect()
        while len(self.venue.open()) < ORDERS_A_ROUND:
            self.drain()
            self.advance(250)
        self.round()

    def round(self) -> None:
        """Move the market once: every order ends, half of them partly filled, and new ones take their places."""
        for resting in self.venue.open()[::2]:
            self.venue.fill(resting.oid, 100)
        self.drain()
        self.shift = 1 - self.shift
        self.advance(ROUND_MS)
        self.drain()
        self.lived += ORDERS_A_ROUND
        self._forget()

    def live(self, orders: int) -> "Lives":
        while self.lived < orders:
            self.round()
        return self

    def measure(self, rounds: int = ROUNDS) -> float:
        """Return microseconds inside `handle` per order of so many rounds."""
        before, collected = self.spent_ns, gc.isenabled()
        gc.disable()
        for _ in range(rounds):
            self.round()
        if collected:
            gc.enable()
        return (self.spent_ns - before) / 1_000 / rounds / ORDERS_A_ROUND

    def _handle(self, message: Message) -> None:
        began = thread_time_ns()
        effects = self.core.handle(message, self.now)  # type: ignore[arg-type]  # a driver sends what it likes
        self.spent_ns += thread_time_ns() - began
        for effect in effects:
            cancels = isinstance(effect, Send) and isinstance(effect.message, CancelRequest)
            self.actions += isinstance(effect, Post) or cancels
            self._perform(effect)

    def _tell_update(self) -> None:
        """The venue tells the changes of one block in one message."""
        told = tuple(update for message in self.venue.updates for update in message.updates)
        self.venue.updates[:] = [OrderUpdates(updates=told, received_at=self.now)]
        super()._tell_update()

    def _check_recorded(self, raw: bytes) -> None:
        """Proven by the storms; here it would cost more than what is measured."""

    def _forget(self) -> None:
        """The driver's own memory must not grow either."""
        self.journal.clear()
        self.cloids[: -4 * ORDERS_A_ROUND] = []
        self.venue.fills[:-10] = []
        for oid in [oid for oid, resting in self.venue.orders.items() if resting.status != "open"][:-100]:
            del self.venue.by_cloid[self.venue.orders.pop(oid).order.cloid]


def deep_size(root: object) -> int:
    """Return the bytes of everything that `root` keeps alive, code and types left out."""
    seen: set[int] = set()
    todo, total = [root], 0
    while todo:
        item = todo.pop()
        if id(item) in seen or isinstance(item, type | ModuleType | FunctionType | MethodType):
            continue
        seen.add(id(item))
        total += sys.getsizeof(item)
        todo += gc.get_referents(item)
    return total


def costs(few: Lives, many: Lives, times: int = 15) -> tuple[float, float]:
    """Return microseconds per order of both, each the best of interleaved measurements."""
    pairs = [(few.measure(), many.measure()) for _ in range(times)]
    return min(one for one, _ in pairs), min(other for _, other in pairs)


def memory_slope(lives: Lives, orders: int = MORE) -> float:
    """Return the bytes that order_management grows by in `PER` orders, measured over so many."""
    before, began = deep_size(lives.core), lives.lived
    return (deep_size(lives.live(began + orders).core) - before) * PER / (lives.lived - began)


def actions_per_requote(lives: Lives, rounds: int = ROUNDS) -> float:
    """Return cancel and placing actions per jump of one coin's market: until all six orders rest anew."""
    before = lives.actions
    for _ in range(rounds):
        lives.round()
    return (lives.actions - before) / rounds / len(COINS)


def measure() -> Iterator[Table]:
    many = Lives().live(MANY)
    few_us, many_us = costs(Lives().live(FEW), many)
    slope = memory_slope(many)
    yield Table(
        title=f"Orders in order_management's core (two coins, three levels a side, {MANY:,} lives)",
        columns=("figure", "value"),
        rows=(
            (f"one full life, us, after {FEW:,} orders", f"{few_us:,.0f}"),
            (f"one full life, us, after {MANY:,} orders", f"{many_us:,.0f}"),
            ("ratio", f"{many_us / few_us:.3f}"),
            (f"memory per {PER:,} orders, kB", f"{slope / 1_000:,.1f}"),
            ("actions per jump of a coin: cancel, modify, place", f"{actions_per_requote(many):.2f}"),
        ),
        notes=(
            "a life: intent, approval, post, answer, update, a fill for one of two, cancel, proof of its end",
            "best of interleaved measurements; no decoding, encoding, journal or socket",
        ),
    )

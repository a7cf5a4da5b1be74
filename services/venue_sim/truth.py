"""What is true of a synthetic market and published nowhere: estimates are judged by it."""

from collections import deque
from typing import Final

import msgspec

EVENTS_MAX: Final = 64  # remembered of each kind; whoever needs more reads along
CHAIN_MS: Final = 10_000  # liquidations that follow each other this closely belong together
CHAIN_MIN: Final = 3  # liquidations that make a cascade


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """What is true of one coin now. Rates are those of the phase, for ever on; times are venue time."""

    coin: str
    phase: str  # of the scenario
    fair_ticks: float
    regime: str
    sigma_per_sqrt_s: float  # of this regime, jumps apart
    sigma_total_per_sqrt_s: float  # long-run, all regimes and jumps
    variance: float  # of log-returns, integrated since the start: regimes as they came, and jumps
    jumps_per_s: float
    arrival_base_per_s: float  # mu of the Hawkes process of noise and informed market orders
    arrival_rate_per_s: float  # its long-run rate
    branching: float  # alpha / beta
    decay_per_s: float  # beta
    depth_a_per_s: float  # A of lambda(depth) = A exp(-k depth): market orders of one side that reach so far from mid
    depth_k_per_bps: float
    informed_share: float
    jumps_ms: tuple[int, ...]  # the latest
    cascades_ms: tuple[int, ...]  # begin of the latest runs of at least three liquidations
    liquidated_usd: float  # through the book since the start, both sides


class Cascades:
    """Finds the runs in a series of liquidations."""

    def __init__(self) -> None:
        self.began_ms: deque[int] = deque(maxlen=EVENTS_MAX)
        self.usd = 0.0
        self._first_ms = self._last_ms = 0
        self._length = 0

    def add(self, usd: float, now_ms: int) -> None:
        self.usd += abs(usd)
        if now_ms - self._last_ms > CHAIN_MS:
            self._first_ms, self._length = now_ms, 0
        self._last_ms = now_ms
        self._length += 1
        if self._length == CHAIN_MIN:
            self.began_ms.append(self._first_ms)

"""How one coin's market behaves, by risk's own feed: moves, volatility, jumps, open interest.

Rules
  1. A move is the highest mid against the lowest within the flash window, in bps.
  2. Volatility and jumps come from mids one second apart over a minute: realised variance, and the part of it that
     products of neighbouring returns (bipower) do not explain. Fewer than `RETURNS_MIN` returns say nothing.
  3. A cascade needs both: a fall of open interest and a move of price, each as a share of its own limit; its
     severity is the smaller share. Open interest of less than its floor in USD says nothing.
  4. The same `Behaviour` is returned until something was seen that changes it, or an entry of a window has ended.
  5. After a reconnect everything begins anew: what happened meanwhile was not seen.
"""

from collections import deque
from itertools import pairwise
from math import pi, sqrt
from typing import Final

import msgspec

from common.config import Monitors
from common.instrument import Instrument
from common.messages import AssetContext
from common.units import MILLISECOND, SECOND, Lots, Nanos, Ticks
from services.risk.windows import Extremes

BPS: Final = 10_000
RETURNS: Final = 60
RETURNS_MIN: Final = 20
INTEREST_SPAN: Final = Nanos(300 * SECOND)
BIPOWER: Final = pi / 2  # (E|z|)^-2 of a normal z


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """One coin's market at one moment; None where too little was seen."""

    move_bps: float = 0.0
    spread_bps: float | None = None
    sigma_per_sqrt_s: float | None = None
    jump_share: float | None = None
    funding_per_h: float | None = None
    open_interest_drop: float = 0.0  # share of its highest value lately
    cascade: float = 0.0  # 1 is a cascade at both limits


class PriceWatch:
    """Told of every sound mid and every context."""

    def __init__(self, settings: Monitors, instrument: Instrument) -> None:
        self._settings = settings
        self._scale = float(instrument.price(1))  # USD a tick
        self._mids = Extremes(Nanos(settings.flash_window_ms * MILLISECOND))
        self._interest = Extremes(INTEREST_SPAN)
        self._returns: deque[float] = deque(maxlen=RETURNS)
        self._sampled: tuple[Nanos, float] | None = None
        self._touch: tuple[Ticks, Ticks] | None = None
        self._spread_bps: float | None = None
        self._volatility: tuple[float | None, float | None] = (None, None)  # sigma, share of jumps
        self._context: AssetContext | None = None
        self._behaviour: Behaviour | None = None  # None: to be made anew
        self.depth = Lots(0)  # of the thinner side of the last full book

    def on_touch(self, bid: Ticks, ask: Ticks, now: Nanos) -> None:
        mid = (bid + ask) / 2
        self._mids.add(now, mid)
        if (bid, ask) != self._touch:
            self._touch, self._behaviour = (bid, ask), None
            self._spread_bps = (ask - bid) / mid * BPS
        if self._sampled is None:
            self._sampled = (now, mid)
        elif now - self._sampled[0] >= SECOND:
            seconds = (now - self._sampled[0]) / SECOND
            self._returns.append((mid / self._sampled[1] - 1) / sqrt(seconds))
            self._sampled = (now, mid)
            self._volatility, self._behaviour = _volatility(list(self._returns)), None

    def on_depth(self, bids: tuple[tuple[Ticks, Lots], ...], asks: tuple[tuple[Ticks, Lots], ...]) -> None:
        self.depth = Lots(min(sum(lots for _, lots in bids), sum(lots for _, lots in asks)))

    def on_context(self, context: AssetContext, now: Nanos) -> None:
        self._context, self._behaviour = context, None
        interest, scale = context.open_interest, self._scale
        if interest is not None and interest * context.mark * scale >= self._settings.open_interest_min_usd:
            self._interest.add(now, interest)

    def forget(self) -> None:
        """Rule 5."""
        self._behaviour = None
        self._mids.clear()
        self._interest.clear()
        self._returns.clear()
        self._sampled = self._touch = self._spread_bps = self._context = None
        self._volatility = (None, None)
        self.depth = Lots(0)

    def behaviour(self, now: Nanos) -> Behaviour:
        """Rule 4."""
        until = self.milder_at
        if self._behaviour is None or (until is not None and now >= until):
            self._behaviour = self._behave(now)
        return self._behaviour

    @property
    def milder_at(self) -> Nanos | None:
        """Say when time alone changes it next: moves and falls only become less so."""
        mids, interest = self._mids.ends_at, self._interest.ends_at
        if mids is None or interest is None:
            return mids if interest is None else interest
        return min(mids, interest)

    def _behave(self, now: Nanos) -> Behaviour:
        move = self._move_bps(now)
        drop = self._drop(now)
        sigma, jumps = self._volatility
        limits = self._settings
        return Behaviour(
            move_bps=move,
            spread_bps=self._spread_bps,
            sigma_per_sqrt_s=sigma,
            jump_share=jumps,
            funding_per_h=self._context.funding if self._context else None,
            open_interest_drop=drop,
            cascade=min(move / limits.flash_bps, drop / limits.open_interest_drop_share),
        )

    def _move_bps(self, now: Nanos) -> float:
        seen = self._mids.range(now)
        return (seen[1] - seen[0]) / seen[0] * BPS if seen else 0.0

    def _drop(self, now: Nanos) -> float:
        seen = self._interest.range(now)
        last = self._context.open_interest if self._context else None
        if seen is None or last is None or seen[1] <= 0:
            return 0.0
        return max(0.0, 1 - last / seen[1])


def _volatility(returns: list[float]) -> tuple[float | None, float | None]:
    """Rule 2."""
    if len(returns) < RETURNS_MIN:
        return None, None
    realised = sum(r * r for r in returns) / len(returns)
    if realised == 0.0:
        return 0.0, 0.0
    bipower = BIPOWER * sum(abs(a * b) for a, b in pairwise(returns)) / (len(returns) - 1)
    return sqrt(realised), max(0.0, 1 - bipower / realised)

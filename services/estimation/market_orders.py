"""Market orders out of prints: the prints of one sweep are one order, with the depth it reached.

Rules
  1. Prints of one venue time (one block) and one taker side are one market order; it is whole when a later print
     comes, or when the market is seen at a later time.
  2. Its depth is the distance of its deepest print from the mid just before it: the last mid seen with an earlier
     venue time, at most MID_AGE_MAX_MS old. Without such a mid the depth is unknown.
  3. A print repeated within its block, one of an earlier block or further ahead of the market than AHEAD_MAX_MS, and
     one without a positive price and size change nothing and are counted.
"""

from collections import deque
from typing import Final

import msgspec

from common.messages import Trade
from common.price_units import depth_bps
from common.units import Micros, Millis, Side, Ticks

MID_AGE_MAX_MS: Final = 5_000  # the book is re-sent about twice a second: an older mid is no mid
AHEAD_MAX_MS: Final = 60_000  # a stamp from the future would make every later print late
MIDS_KEPT: Final = 64  # touches between a print and its arrival: a few; a block has one
PRINTS_MAX: Final = 2_000  # of one block: more than all levels that the venue shows hold


class MarketOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One taker's sweep."""

    side: Side
    venue_ms: Millis
    notional: Micros
    levels: int  # distinct prices
    depth_bps: float | None  # of its deepest print, from the mid before it; None when that is unknown


class _Open:
    """The order that is still being told."""

    __slots__ = ("deepest", "notional", "ticks")

    def __init__(self, deepest: Ticks) -> None:
        self.deepest = deepest
        self.notional = 0
        self.ticks: set[int] = set()


class MarketOrders:
    """Of one coin, both sides."""

    def __init__(self) -> None:
        self._ms = Millis(-1)  # of the block whose prints are coming in, or came in last
        self._open: dict[Side, _Open] = {}
        self._tids: set[int] = set()  # of that block
        self._mids: deque[tuple[Millis, float]] = deque(maxlen=MIDS_KEPT)  # by venue time
        self.refused = 0

    def add(self, trade: Trade) -> list[MarketOrder]:
        """Take one print; return the orders of the block before, now whole."""
        if not self._is_sound(trade):
            self.refused += 1
            return []
        whole = []
        if trade.venue_ms > self._ms:
            whole = self._close()
            self._ms = trade.venue_ms
            self._tids.clear()
        order = self._open.get(trade.side)
        if order is None:
            order = self._open[trade.side] = _Open(trade.ticks)
        deepest = max if trade.side is Side.BUY else min
        order.deepest = deepest(order.deepest, trade.ticks)
        order.notional += trade.ticks * trade.lots
        order.ticks.add(trade.ticks)
        self._tids.add(trade.tid)
        return whole

    def see(self, venue_ms: Millis, mid_ticks: float) -> list[MarketOrder]:
        """Note a touch; return the orders that are whole by it."""
        whole = self._close() if venue_ms > self._ms else []
        if self._mids and self._mids[-1][0] == venue_ms:
            self._mids.pop()
        self._mids.append((venue_ms, mid_ticks))
        return whole

    def restart(self) -> None:
        """Forget the market seen: stamps may go back, and what is open may never be told to its end."""
        self._mids.clear()
        self._open.clear()
        self._tids.clear()
        self._ms = Millis(-1)

    def _is_sound(self, trade: Trade) -> bool:
        if trade.ticks <= 0 or trade.lots <= 0 or trade.venue_ms < self._ms:
            return False
        if self._mids and trade.venue_ms > self._mids[-1][0] + AHEAD_MAX_MS:
            return False
        if trade.venue_ms > self._ms:
            return True
        return bool(self._open) and trade.tid not in self._tids and len(self._tids) < PRINTS_MAX

    def _close(self) -> list[MarketOrder]:
        if not self._open:
            return []
        whole = [self._closed(side, self._open[side]) for side in Side if side in self._open]
        self._open.clear()
        return whole

    def _closed(self, side: Side, order: _Open) -> MarketOrder:
        mid = self._mid_before()
        return MarketOrder(
            side=side,
            venue_ms=self._ms,
            notional=Micros(order.notional),
            levels=len(order.ticks),
            depth_bps=None if mid is None else side.sign * depth_bps(order.deepest, mid),
        )

    def _mid_before(self) -> float | None:
        """Return the mid as it was just before this block."""
        found = next((seen for seen in reversed(self._mids) if seen[0] < self._ms), None)
        return found[1] if found is not None and self._ms - found[0] <= MID_AGE_MAX_MS else None

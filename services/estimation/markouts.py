"""Markouts: what the mid did after each fill of ours, the only truth about edge.

A markout is signed so that a gain is positive: for a buy the move of the mid upwards. It is taken from the mid at the
order's placement (what we thought it was worth) and from the fill's price (what we paid for it), in bps. Measured from
the mid at the fill it would be a tautology: a fill is a mid that moved.

Rules
  1. The mid at placement is the mid when order_management first listed the order, before the venue acknowledged it. An
     order first seen later has none: its fills count from the fill's price alone.
  2. The level is the order's rank on its side when it was first listed, 0 innermost.
  3. Each fill is measured after 1, 5, 30 and 60 s, with the last mid seen by then; means forget by half-life, and have
     the standard error of that mean. Where that mid is older than MID_AGE_MAX_MS nothing is measured.
  4. Means are kept by side, by level and by regime at the fill.
  5. A fill counts once, by tid; NaN, not positive and repeated input changes nothing and is counted. O(1) per event.
"""

from collections import deque
from math import isfinite, sqrt
from typing import Final

import msgspec

from common.messages import Fill, LiveOrder, LiveOrders, Markout, OrderState, Regime
from common.price_units import depth_bps
from common.units import Millis, Side
from services.estimation.forgetting import Comoments

HORIZONS_S: Final = (1, 5, 30, 60)
MID_AGE_MAX_MS: Final = 5_000  # the book is re-sent twice a second: an older mid is not the mid of then
AHEAD_MAX_MS: Final = 60_000  # a fill from the future would keep those behind it waiting
PENDING_MAX: Final = 1_024  # fills of one minute that wait for a horizon; the rate limit allows fewer
ORDERS_MAX: Final = 1_024  # placements remembered; the venue allows a thousand open orders
TIDS_MAX: Final = 1_024  # fills remembered: repeats follow within seconds
LEVEL_MAX: Final = 9  # strategies quote ten levels at most
# What a requote replaces: still listed, but no neighbour of the orders that it brings.
LEAVING: Final = frozenset(
    {
        *(OrderState.MODIFY_PENDING, OrderState.CANCEL_PENDING),
        *(OrderState.CANCEL_CONFIRMED, OrderState.FILLED_DURING_CANCEL),
    }
)


class Placed(msgspec.Struct, frozen=True):
    """An order when it was first listed."""

    mid: float | None  # ticks
    level: int


class _Watched(msgspec.Struct):
    """A fill on its way through one horizon."""

    due_ms: int
    side: Side
    level: int
    regime: Regime
    ticks: int
    placed_mid: float | None


class _Cell:
    """Mean markouts of one kind of fill at one horizon."""

    __slots__ = ("_from_fill", "_from_placement")

    def __init__(self, half_life_s: float) -> None:
        self._from_fill = _Mean(half_life_s)
        self._from_placement = _Mean(half_life_s)

    def add(self, at_ms: int, from_fill: float, from_placement: float | None) -> None:
        self._from_fill.add(from_fill, at_ms)
        if from_placement is not None:
            self._from_placement.add(from_placement, at_ms)

    def markout(self, kind: str, of: str, horizon_s: int) -> Markout:
        return Markout(
            kind=kind,
            of=of,
            horizon_s=horizon_s,
            from_fill_bps=self._from_fill.value,
            from_fill_error_bps=self._from_fill.error,
            effective_samples=self._from_fill.samples,
            from_placement_bps=self._from_placement.value,
            from_placement_error_bps=self._from_placement.error,
            placement_samples=self._from_placement.samples,
        )


class _Mean:
    """A forgetting mean with its standard error."""

    __slots__ = ("_last_ms", "_moments")

    def __init__(self, half_life_s: float) -> None:
        self._moments = Comoments(half_life_s)
        self._last_ms: int | None = None

    def add(self, value: float, at_ms: int) -> None:
        dt_s = 0.0 if self._last_ms is None else max(0, at_ms - self._last_ms) / 1_000
        self._moments.add(value, value, dt_s)
        self._last_ms = at_ms

    @property
    def value(self) -> float:
        return self._moments.mean_x

    @property
    def samples(self) -> float:
        return self._moments.effective_samples

    @property
    def error(self) -> float | None:
        """Return the standard error; None of fewer than two samples."""
        samples = self.samples
        return sqrt(max(0.0, self._moments.covariance) / (samples - 1)) if samples > 1.5 else None


class Markouts:
    """Of one coin's own fills; times are venue milliseconds."""

    def __init__(self, *, half_life_s: float) -> None:
        self._half_life_s = half_life_s
        self._placed: dict[str, Placed] = {}
        self._watched: tuple[deque[_Watched], ...] = tuple(deque(maxlen=PENDING_MAX) for _ in HORIZONS_S)
        self._cells: dict[tuple[str, str, int], _Cell] = {}
        self._tids: dict[int, None] = {}
        self._mid, self._mid_ms = 0.0, Millis(0)
        self.fills = 0
        self.refused = 0

    # --- input -------------------------------------------------------------------------------------

    def on_orders(self, orders: LiveOrders, mid: float | None) -> None:
        """Remember each order at its first sight (rules 1 and 2)."""
        known = self._placed
        self._placed = {}
        for order in orders.orders:
            seen = known.pop(order.cloid, None)
            if seen is None:
                seen = Placed(mid if order.oid is None else None, _rank(order, orders.orders))
            self._placed[order.cloid] = seen
        # Fills come before or after the list that no longer has their order: the newest of the old ones stay.
        room = ORDERS_MAX - len(self._placed)
        kept = list(known.items())[-room:] if room > 0 else []
        self._placed = {**dict(kept), **self._placed}

    def on_fill(self, fill: Fill, regime: Regime) -> None:
        ahead = self._mid_ms > 0 and fill.venue_ms > self._mid_ms + AHEAD_MAX_MS
        if fill.tid in self._tids or fill.ticks <= 0 or fill.lots <= 0 or ahead:
            self.refused += 1
            return
        self._tids[fill.tid] = None
        if len(self._tids) > TIDS_MAX:
            del self._tids[next(iter(self._tids))]
        self.fills += 1
        placed = self._placed.get(fill.cloid or "", Placed(None, 0))
        for horizon_s, watched in zip(HORIZONS_S, self._watched, strict=True):
            watched.append(
                _Watched(
                    due_ms=fill.venue_ms + 1_000 * horizon_s,
                    side=fill.side,
                    level=placed.level,
                    regime=regime,
                    ticks=fill.ticks,
                    placed_mid=placed.mid,
                )
            )

    def on_mid(self, mid: float, at_ms: Millis) -> None:
        """Measure every fill whose horizon has ended by now, with the mid as it was then."""
        last_mid, last_ms = self._mid, self._mid_ms
        if not (isfinite(mid) and mid > 0) or at_ms < last_ms:
            self.refused += 1
            return
        self._mid, self._mid_ms = mid, at_ms
        for horizon_s, watched in zip(HORIZONS_S, self._watched, strict=True):
            while watched and watched[0].due_ms <= at_ms:
                fill = watched.popleft()
                if fill.due_ms == at_ms:
                    self._measure(fill, horizon_s, mid, at_ms)
                elif 0 <= fill.due_ms - last_ms <= MID_AGE_MAX_MS:
                    self._measure(fill, horizon_s, last_mid, at_ms)

    def restart(self) -> None:
        """The market's stamps may go back; what waits for a mid meanwhile is not measured."""
        self._mid_ms = Millis(0)

    # --- output ------------------------------------------------------------------------------------

    def markouts(self) -> tuple[Markout, ...]:
        return tuple(cell.markout(*key) for key, cell in sorted(self._cells.items()))

    def _measure(self, fill: _Watched, horizon_s: int, mid: float, at_ms: Millis) -> None:
        sign = fill.side.sign
        from_fill = sign * depth_bps(mid, fill.ticks)
        from_placement = None if fill.placed_mid is None else sign * depth_bps(mid, fill.placed_mid)
        for kind, of in (("side", fill.side.value), ("level", str(fill.level)), ("regime", fill.regime.value)):
            cell = self._cells.setdefault((kind, of, horizon_s), _Cell(self._half_life_s))
            cell.add(at_ms, from_fill, from_placement)


def _rank(order: LiveOrder, orders: tuple[LiveOrder, ...]) -> int:
    """Return how many better prices of its side will rest beside it."""
    staying = (one for one in orders if one.side is order.side and one.state not in LEAVING)
    sign = order.side.sign
    return min(len({one.ticks for one in staying if sign * one.ticks > sign * order.ticks}), LEVEL_MAX)

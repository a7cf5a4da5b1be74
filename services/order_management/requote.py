"""Target against what may still fill: which orders to cancel and which to place. Pure.

Rules
  1. An order is kept when its price is within `price_tolerance` of the level's distance from fair, its remaining
     size within `size_tolerance`, and its reduce-only flag is the level's: queue position is worth more than a tick.
  2. An order is kept for one level only, the nearest; the innermost level chooses first.
  3. What is not kept is cancelled, unless its cancel is on its way or the venue has not acknowledged it yet.
  4. Never more orders on a side than the target wants there: an order that is being cancelled, or of which nothing
     is known, may still fill and holds its place.
  5. A new order never meets one of ours that may still fill on the other side.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from common.messages import QuoteLevel
from common.units import Side
from services.order_management.tracked_order import TrackedOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """Shares: of a level's distance from fair, and of its size."""

    price: float
    size: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SidePlan:
    """What one side of one coin needs now."""

    cancels: tuple[TrackedOrder, ...]
    places: tuple[QuoteLevel, ...]


def plan_side(
    side: Side,
    levels: Sequence[QuoteLevel],
    *,
    fair_ticks: float,
    own: Sequence[TrackedOrder],
    opposite: Iterable[TrackedOrder],
    tolerance: Tolerance,
) -> SidePlan:
    """Compare one side; `own` and `opposite` are all orders of the coin that may still fill."""
    free = [order for order in own if order.gone_at is None and not order.being_cancelled]
    wanted: list[QuoteLevel] = []
    for level in levels:
        kept = _nearest(level, free, fair_ticks, tolerance)
        if kept is None:
            wanted.append(level)
        else:
            free.remove(kept)
    room = max(0, len(levels) - len(own))
    limit = [order.price for order in opposite]
    return SidePlan(
        cancels=tuple(order for order in free if not order.unacknowledged),
        places=tuple(level for level in wanted if not _meets(side, level, limit))[:room],
    )


def _nearest(
    level: QuoteLevel, orders: Iterable[TrackedOrder], fair_ticks: float, tolerance: Tolerance
) -> TrackedOrder | None:
    reach = tolerance.price * abs(level.ticks - fair_ticks)
    near = [
        order
        for order in orders
        if abs(order.price - level.ticks) <= reach
        and abs(order.remaining() - level.lots) <= tolerance.size * level.lots
        and order.reduce_only == level.reduce_only
    ]
    return min(near, key=lambda order: (abs(order.price - level.ticks), order.cloid), default=None)


def _meets(side: Side, level: QuoteLevel, opposite: Iterable[int]) -> bool:
    return any((price - level.ticks) * side.sign <= 0 for price in opposite)

"""Target against what may still fill: which orders stay, which are changed, cancelled or new. Pure.

Rules
  1. An order is kept when its price is within `price_tolerance` of the level's distance from fair, its remaining
     size within `size_tolerance`, and its reduce-only flag is the level's: queue position is worth more than a tick.
     Further from fair than the level it is kept up to `queue_tolerance` of that distance, as long as replacing it
     would not bring it much nearer to its fill (queue_value.py).
  2. An order is kept for one level only, the nearest; the innermost level chooses first.
  3. What is not kept is replaced by a modify where that is safe: it rests and all its fills are counted, the gate lets
     old and new count together, and it is not exposed (rule 4). One message then does what takes two, the price is
     never without an order, and the venue refuses the new one when the old one is gone.
  4. The rest is cancelled at once, asking nobody, unless its cancel or modify is on its way or the venue has not
     acknowledged it yet. What is exposed does not even wait for a pause (pace.py) to end: an order that is in the way
     of the market, and one on a side where nothing is wanted, or only what reduces and it is not sent for that. Nor
     does it wait for risk, which is asked about its modify: what risk signs then is not posted.
  5. Never more orders on a side than the target wants there: an order that is being cancelled, or of which nothing
     is known, may still fill and holds its place. The two orders of a modify hold one: at most one of them rests.
  6. A new order never meets one of ours that may still fill on the other side.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from common.messages import QuoteLevel
from common.units import Lots, Side
from services.order_management.tracked_order import TrackedOrder

# Of the innermost level's distance from fair: an order nearer than that is in the way of the market. The canceller
# takes it away at once, for a modify waits for risk first.
EXPOSED: Final = 0.5


class QueueValue(Protocol):
    """Says whether a place in the queue is worth keeping."""

    def worth_keeping(self, order: TrackedOrder, level: QuoteLevel) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """Shares: of a level's distance from fair, the same with a good place in the queue, and of its size."""

    price: float
    queue: float
    size: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SidePlan:
    """What one side of one coin needs now."""

    kept: int = 0
    modifies: tuple[tuple[TrackedOrder, QuoteLevel], ...] = ()
    exposed: tuple[TrackedOrder, ...] = ()  # to be cancelled whatever the pace
    cancels: tuple[TrackedOrder, ...] = ()
    lacking: int = 0  # wanted levels without a place: what leaves makes way for them
    places: tuple[QuoteLevel, ...] = ()

    @property
    def jumped(self) -> bool:
        """True when new orders follow those that are exposed."""
        return bool(self.exposed) and self.lacking > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SideState:
    """One side as it is: all orders of the coin that may still fill, and what the limits leave."""

    side: Side
    fair_ticks: float
    own: Sequence[TrackedOrder]
    opposite: Sequence[TrackedOrder]
    spare: Lots  # what may still be added while everything else may fill
    may_modify: bool


def plan_side(levels: Sequence[QuoteLevel], state: SideState, tolerance: Tolerance, queue: QueueValue) -> SidePlan:
    """Compare one side with its target."""
    free = [order for order in state.own if order.gone_at is None and _untouched(order)]
    wanted: list[QuoteLevel] = []
    for level in levels:
        kept = _nearest(level, free, state.fair_ticks, tolerance, queue)
        if kept is None:
            wanted.append(level)
        else:
            free.remove(kept)
    kept_count = len(levels) - len(wanted)
    crossed = [order.price for order in state.opposite]
    wanted = [level for level in wanted if not _meets(state.side, level, crossed)]
    asked = [order for order in state.own if order.replaced_by is not None and order.modifiable]
    exposed = [order for order in (*free, *asked) if _is_exposed(order, levels, state.fair_ticks)]
    free = [order for order in free if order not in exposed]
    modifies = _pair(wanted, free, state) if state.may_modify else ()
    for order, level in modifies:
        free.remove(order)
        wanted.remove(level)
    successors = {order.replaces for order in state.own}
    room = max(0, len(levels) - sum(order.cloid not in successors for order in state.own))
    return SidePlan(
        kept=kept_count,
        modifies=modifies,
        exposed=_cancellable(exposed),
        cancels=_cancellable(free),
        lacking=max(0, len(wanted) - room),
        places=tuple(wanted[:room]),
    )


def _cancellable(orders: Iterable[TrackedOrder]) -> tuple[TrackedOrder, ...]:
    return tuple(order for order in orders if not order.unacknowledged)


def _untouched(order: TrackedOrder) -> bool:
    return not order.being_cancelled and order.replaced_by is None


def _nearest(
    level: QuoteLevel, orders: Iterable[TrackedOrder], fair_ticks: float, tolerance: Tolerance, queue: QueueValue
) -> TrackedOrder | None:
    distance = abs(level.ticks - fair_ticks)
    near = [
        order
        for order in orders
        if abs(order.remaining() - level.lots) <= tolerance.size * level.lots
        and order.reduce_only == level.reduce_only
        and (
            (gap := abs(order.price - level.ticks)) <= tolerance.price * distance
            or (gap <= tolerance.queue * distance and _further(order, level) and queue.worth_keeping(order, level))
        )
    ]
    return min(near, key=lambda order: (abs(order.price - level.ticks), order.cloid), default=None)


def _further(order: TrackedOrder, level: QuoteLevel) -> bool:
    return (level.ticks - order.price) * order.side.sign > 0


def _is_exposed(order: TrackedOrder, levels: Iterable[QuoteLevel], fair_ticks: float) -> bool:
    """Return whether it is in the way of the market, or on a side where nothing like it is wanted."""
    like = [abs(level.ticks - fair_ticks) for level in levels if level.reduce_only == order.reduce_only]
    return not like or (fair_ticks - order.price) * order.side.sign < EXPOSED * min(like)


def _pair(
    wanted: Iterable[QuoteLevel], free: Iterable[TrackedOrder], state: SideState
) -> tuple[tuple[TrackedOrder, QuoteLevel], ...]:
    """Rule 3: each wanted level with the nearest order that may be changed into it."""
    spare = state.spare
    left = [order for order in free if order.modifiable]
    pairs = []
    for level in wanted:
        reach = EXPOSED * abs(level.ticks - state.fair_ticks)
        able = [order for order in left if (state.fair_ticks - order.price) * state.side.sign >= reach]
        if not able or level.lots > spare:
            continue
        nearest = min(able, key=lambda order: (abs(order.price - level.ticks), order.cloid))
        left.remove(nearest)
        spare = Lots(spare - level.lots)
        pairs.append((nearest, level))
    return tuple(pairs)


def _meets(side: Side, level: QuoteLevel, opposite: Iterable[int]) -> bool:
    return any((price - level.ticks) * side.sign <= 0 for price in opposite)

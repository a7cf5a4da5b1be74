"""All orders of ours: those that may still fill by coin and side, and the last ones that ended.

Rules
  1. Every change of state goes through the table (lifecycle.py) and is recorded with its evidence.
  2. The exposure of a coin is changed in the same step as the order.
  3. Ended orders are remembered for `RETIRED_MAX` more of them, so that late facts still find their order.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from common.actor import Effect, Record
from common.messages import OrderState, TransitionRecord
from common.messages.venue import VenueOrder
from common.units import Lots, Micros, Nanos, Side
from services.order_management.exposure import OrderExposure
from services.order_management.lifecycle import Evidence, next_state
from services.order_management.tracked_order import TrackedOrder

RETIRED_MAX: Final = 2_000  # the venue itself remembers about as many orders of an account


class OrderStore:
    """Owns every `TrackedOrder`; nobody else changes a state."""

    def __init__(self, coins: Iterable[str]) -> None:
        self.open: dict[str, TrackedOrder] = {}  # not terminal, by cloid
        self.retired: OrderedDict[str, TrackedOrder] = OrderedDict()
        self.exposure = {coin: OrderExposure() for coin in coins}
        self.reached: dict[str, int] = {}  # states entered since the start
        self.refused = 0  # evidence that the table refused
        self.changed: dict[str, None] = {}  # coins with a change since the last publication
        self._sides = {(coin, side): dict[str, TrackedOrder]() for coin in self.exposure for side in Side}
        self._by_oid: dict[int, str] = {}
        self._foreign: dict[int, VenueOrder] = {}
        self._foreign_counts: dict[str, int] = {}

    # --- reading -----------------------------------------------------------------------------------

    def find(self, cloid: str | None, oid: int | None) -> TrackedOrder | None:
        """Return an order by cloid, or by oid where the venue names no cloid."""
        if cloid is None:
            cloid = self._by_oid.get(oid) if oid is not None else None
        if cloid is None:
            return None
        return self.open.get(cloid) or self.retired.get(cloid)

    def side(self, coin: str, side: Side) -> list[TrackedOrder]:
        """Return what may still fill on one side of a coin."""
        return list(self._sides[coin, side].values())

    def of_coin(self, coin: str) -> list[TrackedOrder]:
        return self.side(coin, Side.BUY) + self.side(coin, Side.SELL)

    def unacknowledged(self) -> list[TrackedOrder]:
        return [order for order in self.open.values() if order.unacknowledged]

    # --- what they may still do; a coin need not be named where there is one only ----------------------

    def pending_exposure(self, coin: str | None = None) -> tuple[Lots, Lots]:
        """Return (bid, ask) lots that may still fill."""
        return self._sums(coin).pending_exposure()

    def net_pending_change(self, coin: str | None = None) -> Lots:
        """Return the change of the position if everything fills."""
        return self._sums(coin).net_pending_change()

    def worst_case_positions(self, position: Lots, coin: str | None = None) -> tuple[Lots, Lots]:
        """Return (min, max) that fills of these orders alone can lead to."""
        return self._sums(coin).worst_case_positions(position)

    def resting_notional(self, coin: str | None = None) -> tuple[Micros, Micros]:
        """Return (bid, ask) value of the leaves at the orders' own prices."""
        return self._sums(coin).resting_notional()

    def foreign_count(self, coin: str) -> int:
        """Return how many open orders of others this coin has."""
        return self._foreign_counts.get(coin, 0)

    # --- changing ----------------------------------------------------------------------------------

    def add(self, order: TrackedOrder) -> None:
        """Take an order in, in whatever state it is."""
        if order.oid is not None:
            self._by_oid[order.oid] = order.cloid
        if order.terminal:
            self._retire(order)
        else:
            self.open[order.cloid] = order
        self.count(order)

    def learn_oid(self, order: TrackedOrder, oid: int) -> None:
        """Bind the venue's name; the first one holds."""
        if order.oid is None:
            order.oid = oid
            self._by_oid[oid] = order.cloid

    def count(self, order: TrackedOrder) -> None:
        """Bring its side and the coin's exposure up to date with this order."""
        side = self._sides.get((order.coin, order.side))
        if side is not None:
            if order.may_still_fill:
                side[order.cloid] = order
            else:
                side.pop(order.cloid, None)
            self.exposure[order.coin].count(order.cloid, order.side, order.price, order.pending())
        self.changed[order.coin] = None

    def move(self, order: TrackedOrder, evidence: Evidence, why: str, now: Nanos) -> list[Effect]:
        """Apply one piece of evidence; nothing happens where the table refuses it."""
        ended = order.cloid in self.retired
        state = None if ended and evidence is not Evidence.CONTRADICTION else next_state(order.state, evidence)
        if state is None:
            self.refused += 1
            return []
        moved = state is not order.state
        order.state = state
        if moved:
            order.state_changed_at = now
            self.reached[state] = self.reached.get(state, 0) + 1
        if evidence is Evidence.CONTRADICTION:
            self._reopen(order)
        if order.terminal:
            self._retire(order)
        self.count(order)
        return [Record(_transition(order, why))] if moved else []

    def set_foreign(self, orders: Iterable[VenueOrder]) -> None:
        """Count the open orders of others on this account, as listed now: they move the position too."""
        listed = {order.oid: order for order in orders}
        for oid in [oid for oid in self._foreign if oid not in listed]:
            self.drop_foreign(oid)
        for order in listed.values():
            self.add_foreign(order)

    def add_foreign(self, order: VenueOrder) -> bool:
        """Count one order of others; return whether it is new."""
        new = order.oid not in self._foreign
        self._foreign[order.oid] = order
        self._foreign_counts[order.coin] = self.foreign_count(order.coin) + new
        self._count_foreign(order, gone=False)
        return new

    def drop_foreign(self, oid: int) -> None:
        order = self._foreign.pop(oid, None)
        if order is not None:
            self._foreign_counts[order.coin] -= 1
            self._count_foreign(order, gone=True)

    # --- parts -------------------------------------------------------------------------------------

    def _sums(self, coin: str | None) -> OrderExposure:
        if coin is not None:
            return self.exposure[coin]
        if len(self.exposure) != 1:
            raise ValueError(f"name one of the coins {', '.join(self.exposure)}: lots of several do not add up")
        return next(iter(self.exposure.values()))

    def _count_foreign(self, order: VenueOrder, *, gone: bool) -> None:
        if order.coin in self.exposure:
            leaves = type(order.lots)(0) if gone else order.lots
            self.exposure[order.coin].count(f"oid {order.oid}", order.side, order.ticks, leaves)
            self.changed[order.coin] = None

    def _retire(self, order: TrackedOrder) -> None:
        self.open.pop(order.cloid, None)
        order.check_at = None
        self.retired[order.cloid] = order
        if len(self.retired) > RETIRED_MAX:
            _, oldest = self.retired.popitem(last=False)
            if oldest.oid is not None:
                self._by_oid.pop(oldest.oid, None)

    def _reopen(self, order: TrackedOrder) -> None:
        order.gone_at = order.gone_filled = order.replaced_by = None
        order.denials = order.absences = 0
        self.retired.pop(order.cloid, None)
        self.open[order.cloid] = order


def _transition(order: TrackedOrder, why: str) -> TransitionRecord:
    return TransitionRecord(
        cloid=order.cloid,
        state=OrderState(order.state),
        evidence=why,
        oid=order.oid,
        nonce=order.nonce,
        expires_after=order.expires_after,
        filled=order.filled,
        approval_id=order.approval_id,
    )

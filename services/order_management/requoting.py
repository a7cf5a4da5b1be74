"""One requote of all open coins: at most one cancel request a coin and one placing action for all.

Rules
  1. Cancels go to the canceller at once and ask nobody; at most one such request of a coin is in flight.
  2. Modifies go before new orders (placing.py). What cannot be asked for now is planned anew after the answer.
     Where a side of a coin jumped, and its orders are cancelled before new ones are placed, the other side goes with
     it: one cancel and one placing action in place of a cancel, a modify and a placing action. That costs the address
     a request more an order, so it is not done where requests are short (pace.py).
  3. A modify counts old and new: it is asked for only where the position limit leaves room for both.
  4. While the pace (pace.py) asks for a pause, resting orders are kept as they are unless they are exposed, and what
     is missing is placed; a side that lost exposed orders comes back when the pause is over. Where the pace keeps the
     rest of the budget for cancels, nothing is placed or modified.
  5. Every decision is counted: kept, modified, replaced by cancel and place, placed, cancelled.
"""

from collections.abc import Iterable
from math import ceil

from common.actor import Effect
from common.units import MICROS_PER_USD, Lots, Nanos, Side
from services.order_management.cancelling import Cancelling
from services.order_management.desk import Desk
from services.order_management.gate import QuoteGate
from services.order_management.pace import Pace
from services.order_management.placing import Placing, Wanted
from services.order_management.queue_value import Queue
from services.order_management.requote import SidePlan, SideState, Tolerance, plan_side
from services.order_management.tracked_order import TrackedOrder


class Requoting:
    """Compares, and hands what differs to those who cancel and place."""

    def __init__(
        self, desk: Desk, gate: QuoteGate, queue: Queue, cancelling: Cancelling, placing: Placing, *, pace: Pace
    ) -> None:
        self._desk = desk
        self._gate = gate
        self._queue = queue
        self._cancelling = cancelling
        self._placing = placing
        self._pace = pace
        self._back_at: dict[tuple[str, Side], Nanos] = {}  # sides that a pause keeps empty
        orders = desk.settings.orders
        self._tolerance = Tolerance(
            price=orders.price_tolerance, queue=orders.queue_tolerance, size=orders.size_tolerance
        )

    def requote(self, coins: Iterable[str], now: Nanos) -> list[Effect]:
        """Bring these coins, whose gates are open, to their targets."""
        effects: list[Effect] = []
        changes = now >= self._pace.due()
        places: list[Wanted] = []
        modifies: list[Wanted] = []
        for coin in coins:
            cancels: list[TrackedOrder] = []
            for side, plan in self._plans(coin, now).items():
                if plan.exposed and not changes:
                    self._back_at[coin, side] = self._pace.due()
                if now >= self._back_at.get((coin, side), now):
                    places += [Wanted(coin, side, level) for level in plan.places]
                modifies += [Wanted(coin, side, level, order) for order, level in plan.modifies if changes]
                self._desk.count("requote.keep", plan.kept)
                if not self._cancelling.requoting(coin):
                    leaving = plan.exposed + plan.cancels if changes else plan.exposed
                    replaced = min(len(leaving), plan.lacking)
                    cancels += leaving
                    self._desk.count("requote.replace", replaced)
                    self._desk.count("requote.cancel", len(leaving) - replaced)
            effects += self._cancelling.cancel(cancels, "requote", now, requoted=coin)
        asked = self._placing.ask(places if self._pace.places else [], modifies, now)
        if changes and (effects or (asked and modifies)):
            self._pace.moved(now)
        return effects + asked

    def _plans(self, coin: str, now: Nanos) -> dict[Side, SidePlan]:
        """Rule 2."""
        plans = {side: self._plan(coin, side, now) for side in Side}
        if self._pace.pause or not any(plan.jumped for plan in plans.values()):
            return plans
        return {side: self._plan(coin, side, now, jumped=True) for side in Side}

    def _plan(self, coin: str, side: Side, now: Nanos, *, jumped: bool = False) -> SidePlan:
        fair = self._gate.target(coin).fair_ticks
        state = SideState(
            side=side,
            fair_ticks=fair,
            own=self._desk.store.side(coin, side),
            opposite=self._desk.store.side(coin, side.opposite),
            spare=self._spare(coin, side, fair),
            may_modify=not jumped and self._pace.places and not self._placing.held(coin, side, now),
        )
        return plan_side(self._gate.levels(coin, side), state, self._tolerance, self._queue)

    def _spare(self, coin: str, side: Side, fair_ticks: float) -> Lots:
        """Rule 3: the gate has the last word, with references of its own."""
        if fair_ticks < 1:
            return Lots(0)  # a target without a price
        limit = int(self._desk.settings.coins[coin].max_position_usd * MICROS_PER_USD) // ceil(fair_ticks)
        shortest, longest = self._desk.store.exposure[coin].worst_case_positions(self._desk.ledger.lots(coin))
        return Lots(limit - longest if side is Side.BUY else limit + shortest)

"""Orders due for a look: unanswered, gone without their fills, stuck, or long not heard of.

Rules
  1. An order without an answer for `order_expiry_ms` is Unknown, and asked about.
  2. One that is gone but not complete has its fills read after `late_fill_window_ms`, then again until they are here.
  3. A cancel that is not proven is repeated (cancelling.py).
  4. A resting order of which nothing was heard for `stale_order_ms`, no word and no fill, is asked about.
  5. An order of ours that nobody here placed is cancelled after it was listed twice.
"""

from typing import Final

from common.actor import Effect
from common.messages.orders import OrderState as S
from common.units import MILLISECOND, Nanos
from services.order_management.cancelling import Cancelling
from services.order_management.desk import Desk
from services.order_management.lifecycle import Evidence
from services.order_management.tracked_order import TrackedOrder

RESTS: Final = frozenset({S.RESTING, S.PARTIALLY_FILLED})


def check_orders(desk: Desk, cancelling: Cancelling, now: Nanos) -> list[Effect]:
    """Look at every order that is due, and say when to look again."""
    stale = desk.settings.orders.stale_order_ms * MILLISECOND
    effects: list[Effect] = []
    stuck: list[TrackedOrder] = []
    orphans: list[TrackedOrder] = []
    for order in [order for order in desk.store.open.values() if order.check_at is not None and order.check_at <= now]:
        order.check_at = Nanos(now + stale)
        if order.gone_at is not None:
            _ask_for_its_end(desk, order, now)
        elif order.being_cancelled:
            stuck.append(order)
        elif order.orphan and order.listings > 1:
            orphans.append(order)
        elif order.state in RESTS and (quiet := order.quiet_for(now)) < stale:
            order.check_at = Nanos(now + stale - quiet)
        else:
            desk.want_status(order, now)
            if order.state is S.SENT:
                effects += desk.store.move(order, Evidence.DOUBT, "no answer in time", now)
    if stuck:
        effects += cancelling.retry(stuck, now)
    if orphans:
        effects += cancelling.cancel(orphans, "orphan", now)
    return effects


def _ask_for_its_end(desk: Desk, order: TrackedOrder, now: Nanos) -> None:
    order.check_at = Nanos(now + desk.late_fill_window)
    desk.want_fills(now)
    if order.gone_filled is None:
        desk.want_status(order, now)

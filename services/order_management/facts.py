"""What the venue says, turned into evidence on orders: it is the witness, nothing is half believed.

Rules
  1. Fills count once, in any order, before or after the acknowledgement, for any order, ended ones too.
  2. An order ends only when its fills reach its size, or the venue said it is gone and its fills reach what it
     said was filled by then; where the venue's sizes cannot tell (reduce-only orders shrink, orders of unknown
     origin), when fills read after the late-fill window are in.
  3. An unknown status string, or an answer that fits nothing, is doubt: Unknown and a question, never a guess.
  4. "No such order" proves that it never arrived when it is said twice, asked after its expiry plus margin by
     venue time. Of an order that did arrive it proves nothing, unless two lists do not show it either.
  5. An order of ours that nobody here knows is counted from the first sight and cancelled after the second.
  6. A fact about an order that had ended or was never sent is a finding, and the order is Unknown again.
  7. A replacement that the venue shows proves that the cancel leg of its modify took place; one that is proven not
     placed leaves the old order Unknown and asked about (the answer says which it was).
  8. Orders and fills of others are counted into exposure and position, reported once, and never touched.
"""

from typing import Final

from common.actor import Effect, Record, Send
from common.hyperliquid.statuses import UNKNOWN_OID, StatusMeaning, meaning
from common.messages import Fill, FillRecord, OrderState, OrderUpdates, VenueOpenOrders, VenueOrderStatus
from common.messages.orders import OrderState as S
from common.messages.venue import ActionStatus, OrderUpdate, VenueOrder
from common.units import MILLISECOND, SECOND, Lots, Nanos
from services.order_management.desk import LIST_LAG, Desk
from services.order_management.lifecycle import Evidence
from services.order_management.tracked_order import TrackedOrder

ASK_AGAIN: Final = Nanos(500 * MILLISECOND)  # between two questions about one order
CONFIRM: Final = Nanos(1 * SECOND)  # until the second look at something odd
# the venue's words for a modify whose cancel leg took place and whose new order was refused
CANCEL_LEG_ALONE: Final = "Error placing new order during modify"
_NEVER_SENT: Final = frozenset({S.INTENT, S.APPROVED, S.VETOED, S.REJECTED})


class VenueFacts:
    """Every venue message about orders and fills comes through here, live and in recovery."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._store = desk.store

    # --- order updates and statuses ------------------------------------------------------------------

    def on_updates(self, message: OrderUpdates, now: Nanos) -> list[Effect]:
        effects: list[Effect] = []
        for update in message.updates:
            effects += self._on_update(update, now)
        return effects

    def _on_update(self, update: OrderUpdate, now: Nanos) -> list[Effect]:
        listed = update.order
        order = self._store.find(listed.cloid, listed.oid)
        if order is not None:
            self._desk.user_stream.tells(order)
            return self.learn(order, listed, update.status, f"orderUpdates {update.status} {update.status_ms}", now)
        still_open = meaning(update.status) in (StatusMeaning.OPEN, StatusMeaning.TRIGGERED)
        if self._desk.ours(listed.cloid):
            return self._adopt(listed, now) if still_open else []
        if still_open:
            return self._on_foreign(listed)
        self._store.drop_foreign(listed.oid)
        return []

    def on_status(self, message: VenueOrderStatus, now: Nanos) -> list[Effect]:
        """Take the answer to a question about one order; it may be older than what is known."""
        order = self._store.open.get(message.cloid)
        if order is None:
            return []
        if message.status == UNKNOWN_OID or message.order is None:
            return self._on_denial(order, message.asked_at, now)
        why = f"orderStatus {message.status} {message.status_ms}"
        effects = self.learn(order, message.order, message.status, why, now)
        if order.state is S.UNKNOWN:
            self._desk.want_status(order, Nanos(now + ASK_AGAIN))
        asked_after_cancel = order.cancel_asked_at is not None and message.asked_at > order.cancel_asked_at + LIST_LAG
        if order.being_cancelled and order.gone_at is None and asked_after_cancel:
            order.check_at = now  # it still rests: cancel again
        return effects

    def learn(self, order: TrackedOrder, listed: VenueOrder, status: str, why: str, now: Nanos) -> list[Effect]:
        """Apply one word of the venue on one order."""
        if order.oid is not None and order.oid != listed.oid:
            return self._desk.finding("two oids for one cloid", order.coin, f"{order.cloid}: {order.oid}, {listed.oid}")
        means = meaning(status)
        effects: list[Effect] = []
        if order.state in _NEVER_SENT and means not in (StatusMeaning.REJECTED, StatusMeaning.UNKNOWN):
            effects += self._contradiction(order, why, now)
        self._store.learn_oid(order, listed.oid)
        order.heard_at = now
        order.denials = order.absences = 0
        match means:
            case StatusMeaning.OPEN | StatusMeaning.TRIGGERED:
                effects += self._on_open(order, listed, why, now)
            case StatusMeaning.FILLED | StatusMeaning.CANCELLED:
                filled = Lots(listed.original_lots - listed.lots)
                effects += self.on_gone(order, filled, why, now, executed=means is StatusMeaning.FILLED)
            case StatusMeaning.REJECTED:
                effects += self.on_rejected(order, why, now)
            case StatusMeaning.UNKNOWN:
                effects += self.doubt(order, why, now)
        return effects

    def _on_open(self, order: TrackedOrder, listed: VenueOrder, why: str, now: Nanos) -> list[Effect]:
        self._desk.user_stream.owes(order, now)
        told = Lots(listed.original_lots - listed.lots)
        if not order.loose_sizes and told > order.filled:
            order.told_filled = max(told, order.told_filled)
            self._desk.want_fills(Nanos(now + self._desk.late_fill_window))
        return self._rests(order, why, now)

    def _rests(self, order: TrackedOrder, why: str, now: Nanos) -> list[Effect]:
        if order.gone_at is not None or order.terminal:
            return []  # older than the venue's word that it is gone
        if not order.being_cancelled:
            order.check_at = Nanos(now + self._desk.settings.orders.stale_order_ms * MILLISECOND)
        effects = self._store.move(order, Evidence.PART_FILLED if order.filled else Evidence.RESTS, why, now)
        return effects + self._replaced(order, now)

    def on_gone(
        self, order: TrackedOrder, filled: Lots | None, why: str, now: Nanos, *, executed: bool = False
    ) -> list[Effect]:
        """The venue says that it left the book, with `filled` lots of it filled by then (None: it did not say)."""
        if order.terminal:
            return []
        if order.gone_at is None:
            order.gone_at = now
        if filled is not None:
            order.gone_filled = max(filled, order.gone_filled or Lots(0))
        order.check_at = Nanos(now + self._desk.late_fill_window)
        evidence = Evidence.PART_FILLED if executed else Evidence.GONE
        effects = self._store.move(order, Evidence.ENDED if order.complete else evidence, why, now)
        return effects + self._replaced(order, now)

    def on_rejected(self, order: TrackedOrder, why: str, now: Nanos) -> list[Effect]:
        """The venue refused it; where fills say otherwise, all that is certain is that it does not rest."""
        if order.filled or order.state in (S.PARTIALLY_FILLED, S.CANCEL_CONFIRMED, S.FILLED_DURING_CANCEL):
            return self.on_gone(order, None, why, now)
        return self._store.move(order, Evidence.REJECTION, why, now) + self._not_replaced(order, now)

    def unplaced(self, order: TrackedOrder, why: str, now: Nanos) -> list[Effect]:
        """Proof that it never arrives; worth nothing where the venue has shown it."""
        if order.oid is not None:
            return self.doubt(order, why, now)
        return self._store.move(order, Evidence.UNPLACED, why, now) + self._not_replaced(order, now)

    def doubt(self, order: TrackedOrder, why: str, now: Nanos) -> list[Effect]:
        """Nobody can say what became of it: ask."""
        if not order.terminal:
            self._desk.want_status(order, Nanos(now + ASK_AGAIN))
        return self._store.move(order, Evidence.DOUBT, why, now)

    def on_ack(self, order: TrackedOrder, status: ActionStatus, now: Nanos) -> list[Effect]:
        """Take the venue's answer to the action that placed it; sizes in it are not fills."""
        why = f"answer {status.kind} {status.text}".strip()
        if status.kind == "error":
            if order.oid is not None:
                return self.doubt(order, why, now)
            cancelled = self._replaced(order, now) if status.text.startswith(CANCEL_LEG_ALONE) else []
            return cancelled + self.on_rejected(order, why, now)
        if status.oid is None:
            return self.doubt(order, why, now)
        effects = self._contradiction(order, why, now) if order.state in _NEVER_SENT else []
        self._store.learn_oid(order, status.oid)
        self._desk.user_stream.owes(order, now)
        order.heard_at = now
        if order.terminal:
            return effects
        if status.kind == "filled":
            self._desk.want_status(order, Nanos(now + CONFIRM))  # whether a remainder rests it does not say
            effects += self._store.move(order, Evidence.PART_FILLED, why, now)
            return effects + self._replaced(order, now)
        return effects + self._rests(order, why, now)

    # --- the two legs of a modify ----------------------------------------------------------------------

    def _replaced(self, order: TrackedOrder, now: Nanos) -> list[Effect]:
        """Rule 7: the venue shows `order`, so what it replaces is gone; what that filled before is told apart."""
        old = self._store.find(order.replaces, None)
        if old is None or old.gone_at is not None:
            return []
        return self.on_gone(old, None, f"replaced by {order.cloid}", now)

    def _not_replaced(self, order: TrackedOrder, now: Nanos) -> list[Effect]:
        """Rule 7: `order` was not placed; whether its modify cancelled the old one, only the venue knows."""
        old = self._store.find(order.replaces, None)
        if old is None or order.state is not S.REJECTED or old.replaced_by != order.cloid:
            return []
        old.replaced_by = None
        if old.state is not S.MODIFY_PENDING:
            return []
        self._desk.want_status(old, now)
        return self._store.move(old, Evidence.MODIFY_OFF, f"not replaced by {order.cloid}", now)

    # --- denials ---------------------------------------------------------------------------------------

    def _on_denial(self, order: TrackedOrder, asked_at: Nanos, now: Nanos) -> list[Effect]:
        """Rule 4."""
        if order.gone_at is not None or order.terminal:
            return []
        if order.oid is not None or self._desk.past_arrival(order, asked_at, now):
            order.denials += 1
        if order.oid is None and order.denials >= 2:
            return self.unplaced(order, "unknownOid twice after expiry", now)
        if order.oid is not None and order.denials >= 2 and order.absences >= 2:
            return self.on_gone(order, None, "unknownOid twice, twice not listed", now)
        if order.oid is not None:
            self._desk.want_list(Nanos(now + CONFIRM))
        self._desk.want_status(order, Nanos(now + ASK_AGAIN))
        return self._store.move(order, Evidence.DOUBT, "unknownOid", now)

    # --- the list of open orders -----------------------------------------------------------------------

    def on_open_orders(self, message: VenueOpenOrders, now: Nanos) -> list[Effect]:
        """Compare the venue's list with ours, both ways; absence alone proves nothing and is asked about."""
        effects: list[Effect] = []
        seen: set[str] = set()
        foreign = []
        for listed in message.orders:
            if listed.cloid is None or not self._desk.ours(listed.cloid):
                foreign.append(listed)
                continue
            seen.add(listed.cloid)
            effects += self._on_listed(listed, message.asked_at, now)
        for listed in foreign:
            effects += self._on_foreign(listed)
        self._store.set_foreign(foreign)
        for order in list(self._store.open.values()):
            if order.cloid not in seen and order.oid is not None and order.gone_at is None:
                self._on_unlisted(order, message.asked_at, now)
        return effects

    def _on_listed(self, listed: VenueOrder, asked_at: Nanos, now: Nanos) -> list[Effect]:
        order = self._store.find(listed.cloid, listed.oid)
        if order is None:
            return self._adopt(listed, now)
        if order.terminal and asked_at <= order.state_changed_at + LIST_LAG:
            return []  # the list is older than its end
        effects = self._contradiction(order, "openOrders", now) if order.terminal else []
        effects += self.learn(order, listed, "open", "openOrders", now)
        if order.orphan:
            order.listings += 1
            if order.listings == 1:
                self._desk.want_list(Nanos(now + CONFIRM))
            elif order.listings == 2:
                order.check_at = now
                effects += self._desk.finding("orphan", order.coin, f"{order.cloid} oid {order.oid}")
        return effects

    def _on_unlisted(self, order: TrackedOrder, asked_at: Nanos, now: Nanos) -> None:
        if order.heard_at + LIST_LAG < asked_at:
            order.absences += 1
            self._desk.want_status(order, now)

    def _adopt(self, listed: VenueOrder, now: Nanos) -> list[Effect]:
        """Rule 5. Which of its fills are booked already nobody knows, so all of it counts."""
        if listed.coin not in self._store.exposure or listed.cloid is None:
            return []
        order = TrackedOrder(
            cloid=listed.cloid,
            coin=listed.coin,
            side=listed.side,
            price=listed.ticks,
            size=listed.original_lots,
            reduce_only=listed.reduce_only,
            placed_at=now,
            oid=listed.oid,
            state=OrderState.RESTING,
            state_changed_at=now,
            heard_at=now,
            orphan=True,
        )
        self._store.add(order)
        self._desk.count("orphans")
        self._desk.want_list(Nanos(now + CONFIRM))
        return []

    def _on_foreign(self, listed: VenueOrder) -> list[Effect]:
        if not self._store.add_foreign(listed):
            return []
        return self._desk.finding("foreign order", listed.coin, f"oid {listed.oid} cloid {listed.cloid}")

    # --- fills -----------------------------------------------------------------------------------------

    def on_fill(self, fill: Fill, source: str, now: Nanos) -> list[Effect]:
        """Rule 1: count it, tell it, and bring its order up to date."""
        if source != "query":
            self._desk.user_stream.tells_fill(fill)
        if not self._desk.ledger.count(fill):
            return []
        self._store.changed[fill.coin] = None
        effects: list[Effect] = [Record(FillRecord(fill=fill, source=source)), Send(fill)]
        name = f"{fill.coin} tid {fill.tid} oid {fill.oid} cloid {fill.cloid}"
        if fill.liquidation:
            effects += self._desk.finding("liquidation", fill.coin, name)
        order = self._store.find(fill.cloid, fill.oid)
        if order is None:
            kind = "fill of an unknown order" if self._desk.ours(fill.cloid) else "foreign fill"
            return effects + self._desk.finding(kind, fill.coin, name)
        if order.state in _NEVER_SENT:
            effects += self._contradiction(order, f"fill {fill.tid}", now)
        if source == "query":
            self._desk.user_stream.owes_fill(order, fill, now)
        self._store.learn_oid(order, fill.oid)
        order.heard_at = now
        ended = order.terminal
        order.record_fill_with_price(fill.tid, fill.lots, fill.ticks, now)
        if order.filled > order.size:
            effects += self._desk.finding("overfill", fill.coin, f"{name}: {order.filled} of {order.size}")
        if ended:
            return effects + self._desk.finding("fill after the end", fill.coin, f"{name}: {order.state}")
        if order.is_filled():
            evidence = Evidence.FULLY_FILLED
        else:
            evidence = Evidence.ENDED if order.complete else Evidence.PART_FILLED
        effects += self._store.move(order, evidence, f"fill {fill.venue_ms} {fill.tid}", now)
        return effects + self._replaced(order, now)

    def on_fills_read(self, asked_at: Nanos, now: Nanos) -> list[Effect]:
        """All fills until `asked_at` are in: orders that waited for theirs have them, or a finding."""
        effects: list[Effect] = []
        for order in list(self._store.open.values()):
            if order.gone_at is None or asked_at < order.gone_at + self._desk.late_fill_window:
                continue
            if order.gone_filled is None or order.loose_sizes:
                effects += self._store.move(order, Evidence.ENDED, "fills read after its end", now)
            elif not order.complete and not order.fills_missing:
                order.fills_missing = True
                self._desk.read_all_fills()
                effects += self._desk.finding(
                    "fills missing", order.coin, f"{order.cloid}: {order.filled} of {order.gone_filled}"
                )
        return effects

    def _contradiction(self, order: TrackedOrder, why: str, now: Nanos) -> list[Effect]:
        """Rule 6."""
        evidence = f"{order.cloid} {order.state}: {why}"
        effects = self._store.move(order, Evidence.CONTRADICTION, why, now)
        if order.state is S.UNKNOWN:
            self._desk.want_status(order, now)
        return effects + self._desk.finding("order that had ended", order.coin, evidence)

"""Orders and books from the journal of earlier processes: what they wrote down, at its worst.

Rules
  1. An intent without SENT was never posted: bytes leave only after that row.
  2. Everything else that had not ended is Unknown, whatever its last state was: the venue went on without us.
  3. A checkpoint replaces all rows before it.
"""

from collections.abc import Iterable

from common.actor import Effect
from common.messages import (
    BootRecord,
    CheckpointRecord,
    FillRecord,
    FundingRecord,
    IntentRecord,
    LedgerRecord,
    Message,
    OpenOrderRecord,
    OrderIntent,
    TransitionRecord,
)
from common.messages.orders import OrderState as S
from common.messages.venue import FundingPayment
from common.units import Lots, Micros, Millis, Nanos
from services.order_management.desk import Desk
from services.order_management.lifecycle import Evidence
from services.order_management.order_store import RETIRED_MAX
from services.order_management.tracked_order import TrackedOrder


class Rebuilding:
    """Reads rows once, oldest first; `finish` hands what became of them to the desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._orders: dict[str, TrackedOrder] = {}
        self._by_oid: dict[int, str] = {}
        self.any_rows = False

    def read(self, rows: Iterable[Message]) -> None:
        for row in rows:
            self.any_rows = True
            match row:
                case CheckpointRecord():
                    self._on_checkpoint(row)
                case IntentRecord():
                    self._orders[row.order.cloid] = order = _order(row.order, row.mid_ticks)
                    order.replaces = row.replaces
                case TransitionRecord():
                    self._on_transition(row)
                case FillRecord():
                    self._on_fill(row)
                case FundingRecord():
                    self._desk.ledger.fund(FundingPayment(coin=row.coin, usd=row.usd, venue_ms=row.venue_ms))
                case LedgerRecord():
                    self._desk.ledger.restore(row)
                    self._desk.compared = None  # other books than those that it was compared with
                    self._desk.cursor_ms = self._desk.cursor_ms or row.opened_ms
                case BootRecord():
                    pass
                case _:
                    pass  # findings are for people

    def finish(self, now: Nanos) -> list[Effect]:
        """Put the orders into the store; return the rows of those that are settled by rule 1."""
        effects: list[Effect] = []
        ended = [order for order in self._orders.values() if order.terminal][-RETIRED_MAX:]
        for order in ended:
            self._desk.store.add(order)
        for order in [order for order in self._orders.values() if not order.terminal]:
            order.placed_at = order.state_changed_at = order.heard_at = now
            if order.state not in (S.INTENT, S.APPROVED):
                order.state = S.FILLED if order.is_filled() else S.UNKNOWN
            self._desk.store.add(order)
            if order.state is S.UNKNOWN:
                self._desk.want_status(order, now)
            elif not order.terminal:
                effects += self._desk.store.move(order, Evidence.VETO, "never posted: the process ended", now)
        return effects

    # --- parts ---------------------------------------------------------------------------------------

    def _on_transition(self, row: TransitionRecord) -> None:
        order = self._orders.get(row.cloid)
        if order is None:
            return  # adopted from the venue's list by a process that is gone: it will be listed again
        order.state = row.state
        order.nonce, order.expires_after, order.approval_id = row.nonce, row.expires_after, row.approval_id
        self._bind(order, row.oid)

    def _on_fill(self, row: FillRecord) -> None:
        fill = row.fill
        self._desk.ledger.count(fill)
        self._desk.cursor_ms = max(self._desk.cursor_ms, fill.venue_ms)
        cloid = fill.cloid if fill.cloid is not None else self._by_oid.get(fill.oid, "")
        order = self._orders.get(cloid)
        if order is not None:
            order.record_fill_with_price(fill.tid, fill.lots, fill.ticks)
            self._bind(order, fill.oid)

    def _on_checkpoint(self, row: CheckpointRecord) -> None:
        self._orders.clear()
        self._by_oid.clear()
        self._desk.cursor_ms = row.cursor_ms
        self._desk.ledger.remember(row.fill_keys, row.funding_keys)
        for books in row.ledgers:
            self._desk.ledger.restore(books)
        self._desk.compared, self._desk.ledger.booked_from = row.compared, None
        for kept in row.orders:
            order = _order(kept.order, kept.mid_ticks)
            order.state, order.nonce, order.expires_after = kept.state, kept.nonce, kept.expires_after
            order.approval_id, order.filled, order.fill_value = kept.approval_id, kept.filled, kept.fill_value
            order.fill_tids = set(kept.fill_tids)
            self._orders[order.cloid] = order
            self._bind(order, kept.oid)

    def _bind(self, order: TrackedOrder, oid: int | None) -> None:
        if oid is not None:
            order.oid = oid
            self._by_oid[oid] = order.cloid


def checkpoint(desk: Desk) -> CheckpointRecord:
    """Return the row that stands for all rows written so far."""
    fill_keys, funding_keys = desk.ledger.keys()
    return CheckpointRecord(
        cursor_ms=Millis(desk.cursor_ms),
        ledgers=tuple(books.record("checkpoint") for books in desk.ledger.coins.values()),
        orders=tuple(_carried(order) for order in desk.store.open.values() if not order.orphan),
        fill_keys=fill_keys,
        funding_keys=funding_keys,
        compared=desk.explained(),
    )


def _carried(order: TrackedOrder) -> OpenOrderRecord:
    return OpenOrderRecord(
        order=order.intent(),
        mid_ticks=order.mid_ticks,
        state=order.state,
        oid=order.oid,
        nonce=order.nonce,
        expires_after=order.expires_after,
        approval_id=order.approval_id,
        filled=Lots(order.filled),
        fill_value=Micros(order.fill_value),
        fill_tids=tuple(sorted(order.fill_tids)),
    )


def _order(intent: OrderIntent, mid_ticks: float) -> TrackedOrder:
    return TrackedOrder(
        cloid=intent.cloid,
        coin=intent.coin,
        side=intent.side,
        price=intent.ticks,
        size=intent.lots,
        tif=intent.tif,
        reduce_only=intent.reduce_only,
        mid_ticks=mid_ticks,
    )

"""From wanted orders to posted bytes: ask risk, record, post.

Rules
  1. At most one approval is asked at a time, for all coins together; an intent per order is recorded before. It is
     for one venue action: modifies if there are any, else new orders. The venue takes only one kind in an action, and
     what rests at a wrong price is more urgent than what does not rest yet: that is asked for right after the answer.
  2. No answer by the deadline, a request that could not be handed over, an answer for another request, and a gate
     that closed meanwhile are vetoes: what risk signed then is never posted.
  3. SENT, with nonce and expiry, is recorded before the bytes leave, and the bytes are not sent after the target
     that they serve has lapsed.
  4. No byte left is proof that an order is not placed; no answer is doubt.
  5. A side that was vetoed or refused waits, longer each time, before it is tried again. Meanwhile nothing of it is
     modified, so the old order of a vetoed modify is cancelled.
  6. A modify is dropped when its old order is not certain any more: it is being cancelled, or one of its fills is
     missing. Where the old order is gone by then the venue refuses the new one.
"""

from dataclasses import dataclass
from typing import Final

from common.actor import Effect, Post, Record, Send
from common.cloid import make_cloid
from common.messages import (
    Approval,
    ApprovalRequest,
    IntentRecord,
    ModifyIntent,
    Posted,
    PostFailed,
    QuoteLevel,
    SendFailed,
    Veto,
)
from common.messages.venue import ActionStatus
from common.units import MILLISECOND, Nanos, Side
from services.order_management.desk import Desk
from services.order_management.facts import VenueFacts
from services.order_management.gate import QuoteGate
from services.order_management.lifecycle import Evidence
from services.order_management.queue_value import Queue
from services.order_management.tracked_order import TrackedOrder

PLACES_MAX: Final = 100  # orders of one action; the venue takes 200 and weighs them all
HOLD_DOUBLINGS_MAX: Final = 4  # a side that is refused again and again is tried every 16 units


@dataclass(frozen=True, slots=True)
class Wanted:
    """One order to place, in place of another where that is named."""

    coin: str
    side: Side
    level: QuoteLevel
    replaces: TrackedOrder | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asking:
    request_id: int
    deadline: Nanos
    valid_until: Nanos
    orders: tuple[TrackedOrder, ...]


class Placing:
    """Owns what is being asked of risk and what is on its way to the venue."""

    def __init__(self, desk: Desk, gate: QuoteGate, facts: VenueFacts, queue: Queue) -> None:
        self._desk = desk
        self._gate = gate
        self._facts = facts
        self._queue = queue
        self._asking: _Asking | None = None
        self._posts: dict[int, tuple[TrackedOrder, ...]] = {}
        self._holds: dict[tuple[str, Side], tuple[Nanos, int]] = {}  # until when, and how often in a row
        self._sequence = 0

    # --- what is wanted --------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        return self._asking is not None

    def held(self, coin: str, side: Side, now: Nanos) -> bool:
        """Return whether a side waits (rule 5)."""
        until, _ = self._holds.get((coin, side), (now, 0))
        return until > now

    def ask(self, places: list[Wanted], modifies: list[Wanted], now: Nanos) -> list[Effect]:
        """Record an intent for each of one kind, and ask risk for all of them (rule 1)."""
        wanted = (modifies or [one for one in places if not self.held(one.coin, one.side, now)])[:PLACES_MAX]
        if self.busy or not wanted:
            return []
        self._sequence += 1
        orders = tuple(self._intend(one, slot, now) for slot, one in enumerate(wanted))
        valid_until = Nanos(min(self._gate.target(order.coin).valid_until for order in orders))
        deadline = Nanos(min(now + self._desk.settings.orders.approval_timeout_ms * MILLISECOND, valid_until))
        self._asking = _Asking(
            request_id=self._desk.new_id(), deadline=deadline, valid_until=valid_until, orders=orders
        )
        self._desk.count("intents", len(orders))
        self._desk.count("requote.modify" if modifies else "requote.place", len(orders))
        request = ApprovalRequest(
            request_id=self._asking.request_id,
            epoch=self._desk.epoch,
            deadline=deadline,
            places=tuple(order.intent() for order in orders if order.replaces is None),
            modifies=tuple(
                ModifyIntent(old_cloid=order.replaces, order=order.intent())
                for order in orders
                if order.replaces is not None
            ),
            valid_until=valid_until,
        )
        intents = [
            Record(IntentRecord(order=order.intent(), mid_ticks=order.mid_ticks, replaces=order.replaces))
            for order in orders
        ]
        return [*intents, Send(request, to="risk")]

    # --- answers of risk ---------------------------------------------------------------------------------

    def on_approval(self, approval: Approval, now: Nanos) -> list[Effect]:
        asking = self._asking
        if asking is None or approval.request_id != asking.request_id or approval.epoch != self._desk.epoch:
            self._desk.count("approvals_late")
            return []
        if now >= asking.deadline:
            return self._give_up("answered too late", now)
        self._asking = None
        vetoes = {veto.cloid: veto for veto in approval.vetoes}
        signed = [order for order in asking.orders if order.cloid in approval.approved]
        effects: list[Effect] = []
        for order in asking.orders:
            if order not in signed or not approval.body:
                effects += self._veto(order, _words(vetoes.get(order.cloid)), now)
        if not signed or not approval.body:
            return effects
        closed = self._closed(signed, now)
        if len(signed) != len(approval.approved):
            closed = "risk signed an order that was not asked for"
            effects += self._desk.finding("approval", "", f"request {approval.request_id}: {closed}")
        closed = closed or self._uncertain(signed)
        if closed:
            for order in signed:
                effects += self._veto(order, closed, now)
            return effects
        return effects + self._post(signed, approval, asking.valid_until, now)

    def on_send_failed(self, message: SendFailed, now: Nanos) -> list[Effect]:
        if self._asking is None or message.request_id != self._asking.request_id:
            return []
        return self._give_up(f"risk not reached: {message.reason}", now)

    def on_time(self, now: Nanos) -> list[Effect]:
        """Rule 2: no answer is a veto."""
        if self._asking is None or now < self._asking.deadline:
            return []
        return self._give_up("no answer in time", now)

    # --- answers of the venue ----------------------------------------------------------------------------

    def on_posted(self, message: Posted, now: Nanos) -> list[Effect]:
        orders = self._posts.pop(message.post_id, ())
        effects: list[Effect] = []
        statuses = message.statuses
        if message.error:
            for order in orders:
                effects += self._refused_whole(order, message.error, now)
            return effects
        if len(statuses) == 1 and statuses[0].kind == "error":
            statuses = statuses * len(orders)  # venue rule: one error may stand for the whole payload
        if orders and len(statuses) != len(orders):
            told = f"{len(statuses)} statuses for {len(orders)} orders"
            effects += self._desk.finding("answer does not fit", orders[0].coin, told)
            statuses = (ActionStatus(kind="unknown"),) * len(orders)
        for order, status in zip(orders, statuses, strict=True):
            effects += self._facts.on_ack(order, status, now)
            self._judge(order, refused=status.kind == "error", now=now)
        return effects

    def on_post_failed(self, message: PostFailed, now: Nanos) -> list[Effect]:
        """Rule 4."""
        effects: list[Effect] = []
        for order in self._posts.pop(message.post_id, ()):
            if message.sent:
                effects += self._facts.doubt(order, f"no answer: {message.reason}", now)
            else:
                effects += self._facts.unplaced(order, f"not sent: {message.reason}", now)
            self._judge(order, refused=True, now=now)
        return effects

    def deadline(self, now: Nanos) -> Nanos | None:
        due = [until for until, _ in self._holds.values() if until > now]
        if self._asking is not None:
            due.append(self._asking.deadline)
        return Nanos(min(due)) if due else None

    # --- parts -------------------------------------------------------------------------------------------

    def _intend(self, wanted: Wanted, slot: int, now: Nanos) -> TrackedOrder:
        level, old = wanted.level, wanted.replaces
        order = TrackedOrder(
            cloid=make_cloid(self._desk.tag, self._desk.epoch, self._sequence, slot),
            coin=wanted.coin,
            side=wanted.side,
            price=level.ticks,
            size=level.lots,
            reduce_only=level.reduce_only,
            placed_at=now,
            state_changed_at=now,
            heard_at=now,
            mid_ticks=self._gate.target(wanted.coin).mid_ticks,
            queue_ahead=self._queue.ahead(wanted.coin, wanted.side, level.ticks),
        )
        if old is not None:
            order.replaces, old.replaced_by = old.cloid, order.cloid
        self._desk.store.add(order)
        return order

    def _uncertain(self, orders: list[TrackedOrder]) -> str:
        """Rule 6; the signed action cannot be split here either."""
        for order in orders:
            old = self._desk.store.find(order.replaces, None)
            if old is not None and old.gone_at is None and not old.terminal and not old.modifiable:
                return f"{old.cloid} is {old.state} by now"
        return ""

    def _closed(self, orders: list[TrackedOrder], now: Nanos) -> str:
        """Return why one of the coins may not be quoted any more; the signed action cannot be split."""
        for coin in sorted({order.coin for order in orders}):
            if why := self._gate.reason(coin, now):
                return f"pulled meanwhile: {why}"
        return ""

    def _post(self, orders: list[TrackedOrder], approval: Approval, valid_until: Nanos, now: Nanos) -> list[Effect]:
        effects: list[Effect] = []
        why = f"approval {approval.approval_id} of risk epoch {approval.risk_epoch}"
        for order in orders:
            order.approval_id, order.nonce = approval.approval_id, approval.nonce
            order.expires_after = approval.expires_after
            order.check_at = Nanos(now + self._desk.settings.orders.order_expiry_ms * MILLISECOND)
            self._desk.store.move(order, Evidence.APPROVAL, why, now)  # the row of SENT says this too
            effects += self._desk.store.move(order, Evidence.POSTED, why, now)
            old = self._desk.store.find(order.replaces, None)
            if old is not None and old.modifiable:
                old.check_at = order.check_at
                effects += self._desk.store.move(old, Evidence.MODIFY_SENT, f"modified into {order.cloid}", now)
        post_id = self._desk.new_id()
        self._posts[post_id] = tuple(orders)
        self._desk.count("posts")
        return [*effects, Post(post_id, approval.body, valid_until)]

    def _refused_whole(self, order: TrackedOrder, error: str, now: Nanos) -> list[Effect]:
        self._judge(order, refused=True, now=now)
        if "nonce" in error:
            return self._facts.doubt(order, error, now)  # the nonce may have been used by these very bytes
        return self._facts.on_rejected(order, error, now)

    def _give_up(self, why: str, now: Nanos) -> list[Effect]:
        orders, self._asking = (self._asking.orders if self._asking else ()), None
        effects: list[Effect] = []
        for order in orders:
            effects += self._veto(order, why, now)
        return effects

    def _veto(self, order: TrackedOrder, why: str, now: Nanos) -> list[Effect]:
        self._desk.count("vetoes")
        self._judge(order, refused=True, now=now)
        old = self._desk.store.find(order.replaces, None)
        if old is not None:
            old.replaced_by = None
        return self._desk.store.move(order, Evidence.VETO, why, now)

    def _judge(self, order: TrackedOrder, *, refused: bool, now: Nanos) -> None:
        """Rule 5."""
        key = (order.coin, order.side)
        if not refused:
            self._holds.pop(key, None)
            return
        until, times = self._holds.get(key, (now, 0))
        if until > now and times:
            return  # others of the same batch
        wait = self._desk.settings.liveness.units(1 << min(times, HOLD_DOUBLINGS_MAX))
        self._holds[key] = (Nanos(now + wait), times + 1)


def _words(veto: Veto | None) -> str:
    return f"veto {veto.code}: {veto.detail}" if veto else "not approved"

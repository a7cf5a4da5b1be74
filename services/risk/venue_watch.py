"""Risk's own eyes on the venue: its streams, its questions, and what it does about what they show.

Rules
  1. Everything goes into the ledger first; a finding is recorded, and a fatal one kills.
  2. Nothing is approved until account, open orders and fills were read after the socket came up.
  3. A list of open orders is the moment to cancel: what must not be there in a halt (of all or of its coin), while
     stopping, when order_management or the canceller is silent, or because it is older than this memory (the home
     was lost).
  4. A key that the venue does not take for an agent of ours any more pulls quotes, and kills when it says so twice.
  5. An order that is listed otherwise than it was approved (side, price, larger, not reduce-only) is a finding, and
     cancelled.
  6. What the posture does not let rest and is listed for `OVERSTAY` all the same is a finding, and cancelled.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final, TypeAlias, assert_never

from common.actor import Ask, Effect, Exit, Record, Send
from common.cloid import is_ours
from common.messages import (
    Account,
    Cancel,
    FindingRecord,
    OrderUpdates,
    PostureLevel,
    QueryFailed,
    StreamDown,
    StreamFills,
    StreamUp,
    VenueAccount,
    VenueCapacity,
    VenueFills,
    VenueFundings,
    VenueMeta,
    VenueOpenOrders,
    VenueOrderStatus,
    VenueRateLimit,
    VenueTransfers,
    VenueUserRole,
)
from common.messages.venue import VenueOrder
from common.units import MILLISECOND, SECOND, Millis, Nanos
from services.risk import agreement
from services.risk.agents import Agents
from services.risk.audit import Audit, Kind
from services.risk.exposure_ledger import Finding
from services.risk.facts import Facts
from services.risk.halting import Halting
from services.risk.own_actions import OwnActions
from services.risk.posture import HOLD_OFF
from services.risk.recovery import Recovery, universe_fault

FILLS_BACK_MS: Final = 86_400_000  # after a longer absence older fills are the account state's alone
REVOKE: Final = "revoke the agents of risk and canceller at once"
OVERSTAY: Final = Nanos(4 * SECOND)  # whoever was asked first has cancelled by then, and the venue's list shows it
AGENT_AGAIN: Final = Nanos(2 * SECOND)  # before a key that is not approved is asked for again

Answer: TypeAlias = (
    VenueOpenOrders
    | VenueOrderStatus
    | VenueFills
    | VenueAccount
    | VenueMeta
    | VenueRateLimit
    | VenueUserRole
    | VenueCapacity
    | VenueFundings
    | VenueTransfers
)
Undated: TypeAlias = VenueMeta | VenueRateLimit | VenueUserRole | VenueCapacity | VenueFundings


class VenueWatch:
    """Hears and asks; `findings` counts what did not fit."""

    def __init__(self, facts: Facts, own: OwnActions, halting: Halting, started_at: Nanos, agents: Agents) -> None:
        self._facts = facts
        self._own = own
        self._halting = halting
        self._audit = Audit(facts.settings.budget.risk, started_at, agents, facts.venue_limits)
        self.agents = agents
        self._recovery = Recovery()
        self._fills_ms: Millis | None = None  # fills until then are known
        self._sweep_at: Nanos | None = None  # a list asked for from then on is cancelled
        self._sweep_next = Nanos(0)
        self._stop_at: Nanos | None = None
        self._barred_since: dict[str, Nanos] = {}  # orders that should be gone
        self.findings: Counter[str] = Counter()

    @property
    def unread(self) -> str:
        """Say what is to be read before anything may be approved (rule 2)."""
        if not self._facts.linked:
            return "no venue link"
        return f"to be read: {', '.join(self._recovery.missing)}" if self._recovery.missing else ""

    def deadline(self, now: Nanos) -> Nanos | None:
        return self._audit.deadline(now)

    # --- what others want of it --------------------------------------------------------------------------

    def begin_again(self, now: Nanos) -> None:
        """A halt has ended: read everything anew."""
        if self._facts.linked:
            self._recovery.begin(self._audit, now)

    def stop(self, now: Nanos) -> None:
        """From now on whatever is listed is cancelled, and an empty list ends this process."""
        self._stop_at = now
        self._audit.want(Kind.ORDERS, now)

    def sweep(self, now: Nanos) -> None:
        """order_management or the canceller is silent: read what rests, and cancel it, once per hold-off."""
        if self._facts.roster.silent("order_management", now):
            self._facts.forget_pending()
        if now >= self._sweep_next:
            self._sweep_at, self._sweep_next = now, Nanos(now + HOLD_OFF)
            self._audit.want(Kind.ORDERS, now)

    def report(self, findings: Iterable[Finding], now: Nanos) -> list[Effect]:
        """Write findings down (rule 1)."""
        effects: list[Effect] = []
        for found in findings:
            self.findings[found.kind] += 1
            effects.append(Record(FindingRecord(kind=found.kind, coin=found.coin, evidence=found.evidence)))
            if found.fatal:
                effects += self._halting.kill(found.kind, f"{found.evidence}; {REVOKE}", now)
        return effects

    def questions(self, now: Nanos) -> list[Ask]:
        """Return what is to be asked now."""
        venue_now = self._facts.clock.venue_now(now)
        if self._fills_ms is None and venue_now is not None:
            newest = min(venue_now, self._facts.decisions.last_nonce or venue_now)
            self._fills_ms = Millis(max(newest, venue_now - FILLS_BACK_MS))
        if self._halting.containment.wants_read(now, venue_now):
            self._audit.want(Kind.ORDERS, now)
        if coin := self._facts.leverages.to_read():
            self._facts.venue_limits.prefer(coin)
            self._audit.want(Kind.CAPACITY, now)
        for kind, pause in agreement.reads_wanted(self._facts, now):
            self._audit.want(kind, now, pause)
        unproven = [entry.order.cloid for entry in self._facts.ledger.unproven()]
        since = {Kind.FILLS: self._fills_ms, **dict.fromkeys(agreement.MONEY, self._facts.earnings.agreed_ms)}
        return self._audit.questions(now, {kind: at for kind, at in since.items() if at is not None}, unproven)

    # --- what the venue says -------------------------------------------------------------------------------

    def on_stream(self, message: StreamUp | StreamDown | OrderUpdates | StreamFills, now: Nanos) -> list[Effect]:
        ledger = self._facts.ledger
        match message:
            case StreamUp():
                self._facts.on_link(up=True)
                self._recovery.begin(self._audit, now)
                return []
            case StreamDown():
                self._facts.on_link(up=False)
                return []
            case OrderUpdates():
                return self.report([item for u in message.updates for item in ledger.on_update(u, now)], now)
            case StreamFills():
                return self.report([item for fill in message.fills for item in self._facts.on_fill(fill, now)], now)
            case _:
                assert_never(message)

    def on_answer(self, message: Answer, now: Nanos) -> list[Effect]:
        """Take the answer to a question."""
        kind = self._audit.on_answer(message.query_id)
        if kind is not None:
            self._facts.read_at[kind] = now
            self._recovery.on_answer(kind, now if isinstance(message, Undated) else message.asked_at)
        match message:
            case VenueOpenOrders():
                return self._on_list(message, now)
            case VenueOrderStatus():
                return self.report(self._facts.ledger.on_status(message, now), now)
            case VenueFills():
                return self._on_fills(message, now)
            case VenueAccount():
                return self._on_account(message, now)
            case VenueRateLimit():
                self._facts.budget.on_answer(message.used, message.cap)
                return []
            case VenueCapacity(coin=coin):
                self._facts.venue_limits.on_answer(message, self._facts.ledger.worst(coin), now)
                if self._facts.venue_limits.behind(now):
                    self._audit.want(Kind.CAPACITY, now)
                return self.report(self._facts.leverages.on_capacity(message), now)
            case VenueFundings():
                self._facts.earnings.on_fundings(message.payments, now)
                return []
            case VenueTransfers():
                self._facts.earnings.on_transfers(message.transfers, now)
                return []
            case VenueUserRole():
                return self._on_role(message, now) if kind is Kind.AGENTS else []
            case VenueMeta():
                fault = universe_fault(self._facts.settings, message)
                return [Exit(78, fault)] if fault else []
            case _:
                assert_never(message)

    def on_failure(self, failed: QueryFailed, now: Nanos) -> None:
        kind = self._audit.on_failure(failed.query_id, now)
        if kind is Kind.ACCOUNT and failed.absurd:
            self.findings["absurd account state"] += 1
            self._facts.losses.on_absurd(now)

    def _on_role(self, answer: VenueUserRole, now: Nanos) -> list[Effect]:
        """Rule 4."""
        evidence = self.agents.on_role(answer)
        if self.agents.doubted:
            self._audit.want(Kind.AGENTS, now, AGENT_AGAIN)
        if not evidence:
            return []
        found = Finding(kind="agent revoked", coin="", evidence=evidence)
        return self.report([found], now) + self._halting.kill(found.kind, evidence, now)

    def _on_fills(self, answer: VenueFills, now: Nanos) -> list[Effect]:
        venue_now = self._facts.clock.venue_now(now)
        if venue_now is not None:
            self._fills_ms = Millis(venue_now - (now - answer.asked_at) // MILLISECOND)
        return self.report([item for fill in answer.fills for item in self._facts.on_fill(fill, now)], now)

    def _on_account(self, account: VenueAccount, now: Nanos) -> list[Effect]:
        self._facts.on_account(account, now)
        marks = self._facts.losses.on_account(account, now)
        fact = Account(
            equity=account.equity,
            margin_used=account.margin_used,
            withdrawable=account.withdrawable,
            as_of_ms=account.venue_ms,
        )
        found = self.report(self._facts.leverages.on_account(account), now)
        return [*([Record(marks)] if marks else []), Send(fact), *found]

    def _on_list(self, answer: VenueOpenOrders, now: Nanos) -> list[Effect]:
        """Take the venue's list of open orders (rule 3)."""
        effects = self.report(self._facts.ledger.on_open_orders(answer, now), now)
        ours = [order for order in answer.orders if is_ours(order.cloid, self._facts.tag)]
        again = self._halting.on_list(ours=bool(ours), asked_at=answer.asked_at, now=now)
        if self._stop_at is not None:
            if not ours and answer.asked_at >= self._stop_at:
                return [*effects, Exit(0, "stopped; no order of ours is open")]
            self._audit.want(Kind.ORDERS, now)
            return effects + self._cancel(ours, now)
        if self._halting.halted:
            return [*effects, *self._cancel(ours, now), self._halting.ask_canceller(now)] if again else effects
        if self._sweep_at is not None and answer.asked_at >= self._sweep_at:
            self._sweep_at = None
            return effects + self._cancel(ours, now)
        halted, approved = self._halting.coins, self._facts.decisions.approved
        strays = [order for order in ours if order.coin in halted or not approved(order.cloid or "")]
        return effects + self._cancel(strays, now) + self._end_altered(ours, now) + self._end_overstays(ours, now)

    def _end_altered(self, ours: list[VenueOrder], now: Nanos) -> list[Effect]:
        """Rule 5."""
        altered = [order for order in ours if self._altered(order)]
        found = [
            Finding(
                kind="order altered",
                coin=order.coin,
                evidence=f"{order.cloid} is listed as {order.side.value} {order.original_lots} lots at {order.ticks}"
                f"{', reduce-only' if order.reduce_only else ''}, and was approved otherwise",
            )
            for order in altered
        ]
        return self.report(found, now) + self._cancel(altered, now)

    def _altered(self, order: VenueOrder) -> bool:
        entry = self._facts.ledger.entry(order.coin, order.cloid or "")
        if entry is None:
            return False
        approved = entry.order
        same = (order.side, order.ticks) == (approved.side, approved.ticks) and order.original_lots <= approved.lots
        return not same or (approved.reduce_only and not order.reduce_only)

    def _end_overstays(self, ours: list[VenueOrder], now: Nanos) -> list[Effect]:
        """Rule 6."""
        barred = {order.cloid or "": order for order in ours if self._barred(order)}
        self._barred_since = {cloid: self._barred_since.get(cloid, now) for cloid in barred}
        if barred:
            self._audit.want(Kind.ORDERS, now, OVERSTAY)
        late = [order for cloid, order in barred.items() if now - self._barred_since[cloid] >= OVERSTAY]
        found = [
            Finding(
                kind="order overstays",
                coin=order.coin,
                evidence=f"{order.cloid} rests in {self._facts.board.level(order.coin).name}",
            )
            for order in late
        ]
        return self.report(found, now) + self._cancel(late, now)

    def _barred(self, order: VenueOrder) -> bool:
        level = self._facts.board.level(order.coin)
        return level >= PostureLevel.PULL_QUOTES or (level is PostureLevel.REDUCE_ONLY and not order.reduce_only)

    def _cancel(self, orders: list[VenueOrder], now: Nanos) -> list[Effect]:
        cancels = [Cancel(coin=order.coin, cloid=order.cloid) for order in orders]
        return self._own.cancel(cancels, self._facts.clock.venue_now(now))

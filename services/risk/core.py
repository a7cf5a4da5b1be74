"""Risk: the only key that signs orders, and the only process that can end a halt.

Rules
  1. Nothing is approved before the halt directory was read, the venue's account, orders and fills were read, and
     everything that an earlier life signed can no longer arrive or was shown by the venue.
  2. Every request is judged by approvals.py and gate.py against the posture of this very moment.
  3. A breach (monitors/, agreement.py) or an order of ours that was never approved latches by itself (halting.py).
  4. Cancels and noops are signed in every state; placing actions and leverage only while not halted.
  5. Leverage is set to the configured value once, when this process becomes ready, where nothing is held or may fill.
  6. order_management or the canceller silent: ours are read and cancelled, once per hold-off, quotes are pulled.
  7. Stopping: the gate closes, ours are cancelled, and this process ends when none is listed, or after 5 s.
  8. Halted and contained: what is held is sold where the configuration says so (flatten.py).
"""

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from common.actor import Boot, Effect, Exit
from common.config import Settings
from common.messages import (
    ApprovalRequest,
    ArmRequest,
    AssetContext,
    Book,
    CancelAnswer,
    CancellerStatus,
    HaltDirectory,
    HaltNotice,
    Heartbeat,
    MalformedVenueData,
    Message,
    NoopRequest,
    OrderUpdates,
    PendingExposure,
    Position,
    Posted,
    PostFailed,
    PostureLevel,
    QueryFailed,
    QuoteTarget,
    Reconciled,
    SendFailed,
    ServiceState,
    Signed,
    SignFailed,
    Stopping,
    StreamDown,
    StreamFills,
    StreamUp,
    TopOfBook,
    VenueTime,
    Wake,
)
from common.units import MILLISECOND, SECOND, Millis, Nanos
from services.risk import agreement
from services.risk.agents import Agents
from services.risk.approvals import Approvals, Refusal, Waiting
from services.risk.bulletin import Bulletin
from services.risk.facts import Facts
from services.risk.flatten import Flatten
from services.risk.gate import VetoCode
from services.risk.halting import Halting, VerifyArm
from services.risk.kill import Burner
from services.risk.monitors.panel import Panel
from services.risk.own_actions import OwnActions
from services.risk.posture import Cause
from services.risk.venue_watch import Answer, VenueWatch

Inbox: TypeAlias = (
    Wake
    | Stopping
    | SendFailed
    | HaltDirectory
    | HaltNotice
    | ArmRequest
    | Heartbeat
    | QuoteTarget
    | Reconciled
    | Position
    | PendingExposure
    | CancellerStatus
    | ApprovalRequest
    | NoopRequest
    | CancelAnswer
    | StreamUp
    | StreamDown
    | VenueTime
    | MalformedVenueData
    | Book
    | TopOfBook
    | AssetContext
    | OrderUpdates
    | StreamFills
    | Answer
    | QueryFailed
    | Posted
    | PostFailed
    | Signed
    | SignFailed
)

# What changes nothing that a monitor reads, or was assessed already
HEARD: Final = (Heartbeat, QuoteTarget, Reconciled, CancellerStatus, VenueTime, ApprovalRequest, Signed)
PAUSE_UNITS: Final = 4  # we wake every unit; a gap of this many means that this process itself stood still
STOP_MAX: Final = Nanos(5 * SECOND)


class Risk:
    """Holds the parts together; see the modules beside it."""

    def __init__(
        self,
        settings: Settings,
        boot: Boot,
        account: str,
        rows: Iterable[Message],
        verify_arm: VerifyArm,
        *,
        agents: Mapping[str, str],
    ) -> None:
        self._facts = Facts(settings, account, started_at=boot.started_at, build=boot.build)
        for row in rows:
            self._facts.decisions.restore(row)
            self._facts.losses.restore(row)
            self._facts.ramp.restore(row)
        for decision in self._facts.decisions.open():
            for order in decision.orders:
                if order.coin in self._facts.limits:
                    self._facts.ledger.reserve(order, decision.expires_after, boot.started_at)
        self._approvals = Approvals(self._facts, boot.epoch)
        self._own = OwnActions(self._facts)
        self._halting = Halting(self._facts, self._own, verify_arm, boot.epoch)
        self._watch = VenueWatch(self._facts, self._own, self._halting, boot.started_at, Agents(account, agents))
        self._comparison = agreement.Comparison(settings)
        self._panel = Panel(self._facts)
        self._bulletin = Bulletin(self._facts, self._approvals, boot, settings.liveness.units(1))
        self._waiting: dict[int, Waiting] = {}  # the shell answers each Sign before anything else: one or two
        self._burner = Burner(self._facts.decisions)
        self._flatten = Flatten(self._facts, self._own, boot.epoch)
        self._burning = True  # what an earlier life signed
        self._life_ms = settings.orders.order_expiry_ms + settings.orders.margin_ms
        lost = self._facts.decisions.last_nonce == 0  # no journal: something unknown may be on its way
        self._burnt_from = Nanos(boot.started_at + (self._life_ms * MILLISECOND if lost else 0))
        self._stop_at: Nanos | None = None
        self._now = boot.started_at
        self._pause = settings.liveness.units(PAUSE_UNITS)

    # --- the actor ---------------------------------------------------------------------------------

    @property
    def state(self) -> ServiceState:
        if self._halting.halted:
            return ServiceState.HALTED
        if self._halting.directory is None:
            return ServiceState.STARTING
        return ServiceState.RECONCILING if self._unready() else ServiceState.READY

    @property
    def detail(self) -> str:
        if self._halting.halted:
            return self._flatten.detail or ("contained" if self._halting.containment.contained else "containing")
        return self._unready() or "; ".join(self._facts.board.texts())

    def deadline(self) -> Nanos | None:
        now = self._now
        stop_by = None if self._stop_at is None else Nanos(self._stop_at + STOP_MAX)
        due = (
            self._bulletin.due_at,
            self._watch.deadline(now),
            self._burner.deadline(now),
            self._halting.containment.deadline(now),
            self._flatten.deadline(now),
            self._facts.board.deadline(now),
            stop_by if stop_by is not None and stop_by > now else None,
        )
        return min((at for at in due if at is not None), default=None)

    def handle(self, message: Inbox, now: Nanos) -> list[Effect]:
        if now - self._now >= self._pause:
            self._facts.roster.on_own_pause(now)
        self._now = now
        effects = self._on(message, now)
        return effects + self._routine(message, now)

    def _on(self, message: Inbox, now: Nanos) -> list[Effect]:
        match message:
            case Wake():
                return []
            case Book() | TopOfBook() | AssetContext():
                return self._on_prices(message, now)
            case ApprovalRequest():
                return self._on_approval_request(message, now)
            case NoopRequest():
                return [self._own.burn_for(message, now)]
            case Signed() | SignFailed():
                return self._on_signature(message, now)
            case Heartbeat() | QuoteTarget() | Reconciled() | CancellerStatus() | Position() | PendingExposure():
                return self._on_peer(message, now)
            case HaltDirectory() | HaltNotice() | ArmRequest() | Stopping():
                return self._on_control(message, now)
            case SendFailed() | CancelAnswer() | MalformedVenueData() | QueryFailed() | PostFailed():
                return self._on_trouble(message, now)
            case StreamUp() | StreamDown() | VenueTime() | OrderUpdates() | StreamFills():
                return self._watch.on_stream(message, now)
            case Posted():
                return self._watch.report(self._own.on_posted(message, now), now)
            case _:  # what is left is an Answer
                return self._watch.on_answer(message, now)

    # --- approvals -----------------------------------------------------------------------------------

    def _on_approval_request(self, request: ApprovalRequest, now: Nanos) -> list[Effect]:
        self._panel.assess(now)
        self._facts.board.update(self._causes(now), now)
        sign_id = self._own.next_id()
        refusal = self._closed(now) or self._approvals.refusal(request, now)
        effects, waiting = self._approvals.decide(request, refusal, sign_id, now)
        if waiting is not None:
            self._waiting[sign_id] = waiting
        return effects

    def _on_signature(self, message: Signed | SignFailed, now: Nanos) -> list[Effect]:
        waiting = self._waiting.pop(message.sign_id, None)
        if isinstance(message, Signed):
            if waiting is None:
                return self._own.on_signed(message, now)
            return self._approvals.on_signed(waiting, message, halted=self._halting.closed(now))
        if waiting is None:
            effects, findings = self._own.on_sign_failed(message, now)
            return effects + self._watch.report(findings, now)
        return self._approvals.on_sign_failed(waiting, message, now)

    def _closed(self, now: Nanos) -> Refusal | None:
        """Say why this process signs no order at all."""
        if self._stop_at is not None:
            return VetoCode.STOPPING, "stopping"
        if self._halting.directory is not None and self._halting.closed(now):
            return VetoCode.HALTED, "halted"
        unready = self._unready()
        return (VetoCode.NOT_READY, unready) if unready else None

    def _unready(self) -> str:
        """Say what is missing before anything may be approved (rule 1); "" when nothing is."""
        if self._halting.directory is None:
            return "halt directory not read"
        if self._watch.unread:
            return self._watch.unread
        if self._facts.clock.venue_now(self._now) is None:
            return "venue time unknown"
        return "orders of an earlier life may still arrive" if self._burning else ""

    # --- the mesh --------------------------------------------------------------------------------------

    def _on_prices(self, message: Book | TopOfBook | AssetContext, now: Nanos) -> list[Effect]:
        """Take the own feed; a sound touch is news for the monitors as well."""
        feed = self._facts.feeds.get(message.coin)
        if feed is None:
            return []
        watch, venue_now = self._facts.watches[message.coin], self._facts.clock.venue_now(now)
        match message:
            case Book():
                if feed.on_book(message, venue_now):
                    watch.on_depth(message.bids, message.asks)
                    self._facts.on_touch(message.coin, message.bids[0][0], message.asks[0][0], now)
            case TopOfBook():
                if feed.on_top(message, venue_now) and message.bid and message.ask:
                    self._facts.on_touch(message.coin, message.bid[0], message.ask[0], now)
            case AssetContext():
                feed.on_context(message)
                watch.on_context(message, now)
        return []

    def _on_peer(
        self,
        message: Heartbeat | QuoteTarget | Reconciled | CancellerStatus | Position | PendingExposure,
        now: Nanos,
    ) -> list[Effect]:
        match message:
            case Heartbeat():
                self._facts.roster.on_heartbeat(message, now)
            case QuoteTarget():
                self._facts.roster.on_target(message, now)
            case Reconciled():
                self._facts.roster.on_reconciled(message)
            case CancellerStatus():
                self._facts.roster.on_canceller(message, now)
            case Position():
                self._comparison.on_position(message)
            case PendingExposure():
                self._facts.on_pending(message)
                self._comparison.on_pending(message)
        return []

    def _on_control(self, message: HaltDirectory | HaltNotice | ArmRequest | Stopping, now: Nanos) -> list[Effect]:
        match message:
            case HaltDirectory():
                effects, ended = self._halting.on_directory(message, now)
                if ended:
                    self._watch.begin_again(now)
                return effects
            case HaltNotice():
                return self._halting.on_notice(message, now)
            case ArmRequest():
                return self._halting.on_arm(message, now)
            case Stopping():
                self._stop_at = now
                self._watch.stop(now)
                return self._halting.cancel_known(now)

    def _on_trouble(
        self, message: SendFailed | CancelAnswer | MalformedVenueData | QueryFailed | PostFailed, now: Nanos
    ) -> list[Effect]:
        match message:
            case SendFailed():
                self._watch.findings[f"{message.kind} not delivered"] += 1
            case CancelAnswer():
                self._watch.findings["canceller could not cancel"] += bool(message.error)
                if message.error:
                    self._facts.on_failed_cancel(now)
            case MalformedVenueData():
                self._watch.findings["malformed venue data"] += 1
            case QueryFailed():
                self._watch.on_failure(message, now)
            case PostFailed():
                self._own.on_post_failed(message.post_id)
        return []

    # --- what is due ---------------------------------------------------------------------------------------

    def _routine(self, message: Inbox, now: Nanos) -> list[Effect]:
        """What follows from time and from what is known; after prices of a coin its monitors alone, until the unit."""
        effects: list[Effect] = []
        due = now >= self._bulletin.due_at
        if due or not isinstance(message, Book | TopOfBook | AssetContext):
            self._follow_venue_time(now)
            if due or not isinstance(message, HEARD):
                self._panel.assess(now)
            broken = agreement.broken(self._facts) if due else []
            for cause, evidence in self._panel.breaches() + agreement.breaches(self._facts, now) + broken:
                effects += self._halting.kill(cause, evidence, now)
            effects += self._panel.rows()
            effects += self._watch.report(self._comparison.findings(self._facts, now), now)
            if self._stop_at is None and self._facts.roster.helpless(now):
                self._watch.sweep(now)
            effects += self._burn(now) + self._lever(now) + self._unwind(now)
            effects += self._watch.questions(now)
        elif message.coin in self._facts.limits:
            self._panel.assess(now, message.coin)
        if self._stop_at is not None and now >= self._stop_at + STOP_MAX:
            effects.append(Exit(0, "stopped; not proven that no order of ours is open"))
        self._facts.board.update(self._causes(now), now)
        return effects + self._bulletin.news(
            self._halting.directory or HaltDirectory(readable=False),
            self._watch.findings,
            now,
            contained=self._halting.containment.contained,
            halted=self._halting.halted,
            prices=isinstance(message, Book | TopOfBook | AssetContext),
        )

    def _causes(self, now: Nanos) -> list[Cause]:
        causes = agreement.causes(self._facts, now) + self._panel.causes() + self._comparison.causes()
        causes += self._watch.agents.causes()
        causes += self._halting.causes()
        closed = self._closed(now)
        if closed is not None:
            level = PostureLevel.HALTED if closed[0] is VetoCode.HALTED else PostureLevel.PULL_QUOTES
            causes.append(Cause(level, f"risk: {closed[1]}", hold=Nanos(0)))
        return causes

    def _follow_venue_time(self, now: Nanos) -> None:
        decisions = self._facts.decisions
        venue_now = self._facts.clock.venue_now(now)
        if venue_now is not None:
            decisions.prune(venue_now)
            self._facts.ledger.on_venue_time(venue_now, now)
            if decisions.since_ms is None:
                decisions.begin_at(Millis(venue_now + self._life_ms))
        if self._burning and now >= self._burnt_from and not decisions.open():
            self._burning = False

    def _burn(self, now: Nanos) -> list[Effect]:
        wanted = self._facts.linked and (self._burning or self._halting.halted)
        return [self._own.burn(nonce) for nonce in self._burner.due(now)] if wanted else []

    def _lever(self, now: Nanos) -> list[Effect]:
        """Rule 5."""
        return [] if self._closed(now) else self._own.leverage(self._facts.clock.venue_now(now))

    def _unwind(self, now: Nanos) -> list[Effect]:
        """Rule 8."""
        contained = self._halting.contained and self._stop_at is None
        effects, findings = self._flatten.due(now, coins=self._halting.coins, contained=contained)
        return effects + self._watch.report(findings, now)

"""Risk: the only key that signs orders, and the only process that can end a halt.

Rules
  1. Nothing is approved before everything that an earlier life may have left is known (readiness.py).
  2. Every request is judged by approvals.py and gate.py against the posture of this very moment.
  3. A breach (monitors/, agreement.py) or an order of ours that was never approved latches by itself (halting.py).
  4. Cancels and noops are signed in every state; placing actions and leverage only while not halted.
  5. What is due without being asked for is done in the message that finds it due (duties.py).
  6. Stopping: the gate closes, ours are cancelled, and this process ends when none is listed, or after 5 s.
"""

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from common.actor import Boot, Effect
from common.config import Settings
from common.messages import (
    ApprovalRequest,
    ArmRequest,
    AssetContext,
    Book,
    CancelAnswer,
    CancellerStatus,
    Halt,
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
    Trade,
    VenueTime,
    Wake,
)
from common.units import Nanos
from services.risk.agents import Agents
from services.risk.approvals import Approvals, Waiting
from services.risk.bulletin import Bulletin
from services.risk.duties import Duties
from services.risk.facts import Facts
from services.risk.fates import Fates
from services.risk.flatten import Flatten
from services.risk.halting import Halting, VerifyArm
from services.risk.judgement import Judgement
from services.risk.own_actions import OwnActions
from services.risk.readiness import Readiness
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
    | Trade
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

# What may change so little that a glance tells (judgement.py)
GLANCED: Final = (
    *(Book, TopOfBook, AssetContext, VenueTime, Position, PendingExposure),
    *(Heartbeat, QuoteTarget, Reconciled, CancellerStatus, ApprovalRequest, HaltDirectory),
)
PAUSE_UNITS: Final = 4  # we wake every unit; a gap of this many means that this process itself stood still


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
        self._fates = Fates(self._facts)
        for row in rows:
            self._facts.decisions.restore(row)
            self._facts.losses.restore(row)
            self._facts.ramp.restore(row)
            self._fates.restore(row)
        for decision in self._facts.decisions.open():
            for order in decision.orders:
                if order.coin in self._facts.limits:
                    self._facts.ledger.reserve(order, decision.expires_after, boot.started_at)
        self._approvals = Approvals(self._facts, boot.epoch)
        self._own = OwnActions(self._facts)
        self._halting = Halting(self._facts, self._own, verify_arm, boot.epoch)
        self._watch = VenueWatch(self._facts, self._own, self._halting, boot.started_at, Agents(account, agents))
        self._readiness = Readiness(self._facts, self._halting, self._watch, boot.started_at)
        self._judgement = Judgement(self._facts, self._halting, self._watch, self._readiness)
        self._bulletin = Bulletin(self._facts, self._approvals, boot, settings.liveness.units(1))
        self._waiting: dict[int, Waiting] = {}  # the shell answers each Sign before anything else: one or two
        self._flatten = Flatten(self._facts, self._own, boot.epoch)
        self._duties = Duties(
            self._facts,
            self._own,
            self._halting,
            self._watch,
            readiness=self._readiness,
            flatten=self._flatten,
            fates=self._fates,
        )
        self._now = self._due_at = boot.started_at
        self._calm = False  # nothing is being settled, and nothing changes by time alone before `_due_at`
        self._stirred = False  # the message at hand has changed more than a glance can tell
        self._pause = settings.liveness.units(PAUSE_UNITS)

    # --- the actor ---------------------------------------------------------------------------------

    @property
    def state(self) -> ServiceState:
        return self._readiness.state(self._now)

    @property
    def detail(self) -> str:
        if self._halting.halted:
            return self._flatten.detail or ("contained" if self._halting.containment.contained else "containing")
        return self._readiness.missing(self._now) or "; ".join(self._facts.board.texts())

    def deadline(self) -> Nanos | None:
        held = self._facts.board.deadline(self._now)
        return self._due_at if held is None else min(held, self._due_at)

    def handle(self, message: Inbox, now: Nanos) -> list[Effect]:
        if now - self._now >= self._pause:
            self._facts.roster.on_own_pause(now)
        self._now, self._stirred = now, False
        if type(message) is Trade:  # many, and nothing follows from one before the next order is judged
            self._facts.on_trade(message, now)
            return []
        effects = self._on(message, now)
        if self._calm and isinstance(message, Signed):
            return effects  # goes out at once: the request that asked for it has made the rest due
        if self._calm and now < self._due_at and not self._stirred and isinstance(message, GLANCED):
            effects += self._judgement.glance(message, now)
            if isinstance(message, ApprovalRequest):
                self._due_at = now  # the signature goes first
            if not self._halting.halted:
                return effects + self._bulletin.posture(now)
        return effects + self._routine(message, now)

    def _on(self, message: Inbox, now: Nanos) -> list[Effect]:
        match message:
            case Wake() | Trade():
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
            case VenueTime():
                self._stirred = self._facts.on_venue_time(message, now)
                return []
            case StreamUp() | StreamDown() | OrderUpdates() | StreamFills():
                return self._watch.on_stream(message, now)
            case Posted():
                return self._watch.report(self._own.on_posted(message, now), now)
            case _:  # what is left is an Answer
                return self._watch.on_answer(message, now)

    # --- approvals -----------------------------------------------------------------------------------

    def _on_approval_request(self, request: ApprovalRequest, now: Nanos) -> list[Effect]:
        self._judgement.assess(now, afresh=True)
        self._judgement.restrain(now)
        sign_id = self._own.next_id()
        refusal = self._readiness.closed(now) or self._approvals.refusal(request, now)
        effects, waiting = self._approvals.decide(request, refusal, sign_id, now)
        if waiting is not None:
            self._waiting[sign_id] = waiting
        return effects + self._judgement.kill(now)

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
            case Position() | PendingExposure():
                self._stirred = self._judgement.on_peer(message)
        return []

    def _on_control(self, message: HaltDirectory | HaltNotice | ArmRequest | Stopping, now: Nanos) -> list[Effect]:
        match message:
            case HaltDirectory():
                self._stirred = message != self._halting.directory
                effects, ended = self._halting.on_directory(message, now)
                if ended:
                    self._watch.begin_again(now)
                return effects
            case HaltNotice():
                return self._halting.on_notice(message, now)
            case ArmRequest():
                return self._halting.on_arm(message, now)
            case Stopping():
                self._readiness.stop(now)
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
        """Everything that follows from time and from what is known."""
        unit = now >= self._bulletin.due_at
        only_time = isinstance(message, GLANCED) and not self._stirred and now < self._due_at
        self._readiness.follow_venue_time(now)
        self._judgement.assess(now, afresh=unit)
        effects = self._judgement.act(now, unit=unit) + self._duties.due(now) + self._readiness.exits(now)
        self._judgement.restrain(now)
        effects += self._bulletin.news(self._halt(), self._watch.findings, now, exposures=not only_time)
        self._calm = self._judgement.calm(now)
        due = (
            *(self._bulletin.due_at, self._duties.deadline(now), self._readiness.deadline(now)),
            *self._judgement.changes_at(now),
        )
        self._due_at = min(at for at in due if at is not None and at > now)
        return effects

    def _halt(self) -> Halt:
        directory = self._halting.directory or HaltDirectory(readable=False)
        return Halt(
            halted=self._halting.halted,
            latched=directory.halted,
            contained=self._halting.containment.contained,
            causes=directory.files,
            fates=self._fates.summary,
        )

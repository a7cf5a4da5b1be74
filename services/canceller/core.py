"""Canceller: asks the venue for cancels, on request or by itself, and can ask for nothing else.

Rules
  1. A requested cancel goes out at once when its order is known (requests.py); the rest only when the venue lists it.
  2. What is not ours is never cancelled: the house tag decides. Only a halt that a person asked for with everything
     cancels the orders of others too, by oid.
  3. risk or order_management silent for the limit: everything of ours is swept (sweep.py), until nothing signed before
     can arrive, and again while it lasts, as far as the venue's weight leaves room for another cause.
  4. A firing counts when something of ours rested and the silent service had not announced its stop; the
     `firings_max`-th counted one in 10 minutes latches.
  5. A halt directory that is not empty is swept at once, and again once nothing signed before it can arrive.
  6. Each nonce is above every earlier one and durable before its signature, or as late as venue time where the disk is
     lost. A halt directory that cannot be read, a lost disk among them, keeps everybody from quoting.
  7. A signed action that is never answered renews the socket: one that died in silence must not cost its 30 s.
  8. A stop sweeps first, however it was asked for: whoever is asked at the same moment may cancel through us.
  9. The venue's scheduleCancel is renewed at a third of its horizon while both watched services are heard; where
     the venue refuses it, the refusal is shown.
"""

from typing import Final, TypeAlias, assert_never

import msgspec

from common.actor import Ask, Boot, Effect, Exit, Latch, Post, Reconnect, Record, Send, Sign
from common.cloid import house_tag
from common.config import Settings
from common.messages import (
    Approved,
    Cancel,
    CancelAnswer,
    CancellerStatus,
    CancelOutcome,
    CancelRequest,
    HaltDirectory,
    HaltNotice,
    Heartbeat,
    Message,
    NonceRecord,
    Posted,
    PostFailed,
    QueryFailed,
    ServiceState,
    Signed,
    SignFailed,
    Stopping,
    StreamDown,
    StreamUp,
    VenueAccount,
    VenueOpenOrders,
    VenueTime,
    Wake,
)
from common.messages.venue import AccountQuery, Action, CancelOrders, OpenOrdersQuery, ScheduleCancel
from common.units import MILLISECOND, SECOND, Millis, Nanos
from common.venue_clock import VenueClock
from services.canceller.dead_man import DeadMan
from services.canceller.reads import Reads
from services.canceller.requests import Requests, Verdict
from services.canceller.silence import Firings, Silence
from services.canceller.sweep import Sweep, batches

Inbox: TypeAlias = (
    Wake
    | Stopping
    | HaltDirectory
    | HaltNotice
    | Heartbeat
    | Approved
    | CancelRequest
    | VenueTime
    | StreamUp
    | StreamDown
    | VenueOpenOrders
    | VenueAccount
    | QueryFailed
    | Posted
    | PostFailed
    | Signed
    | SignFailed
)

WATCHED: Final = ("risk", "order_management")
PAUSE_UNITS: Final = 4  # we wake every unit; a gap of this many means that this process itself stood still
POST_LIFE: Final = Nanos(2 * SECOND)  # a cancel that could not leave by then is asked for anew
LIST_READ: Final = Nanos(15 * SECOND)  # open orders are read at most this often when nothing fires
FIRING_GAP: Final = Nanos(2 * SECOND)  # between sweeps while a silence lasts
UNREADABLE: Final = "the halt directory cannot be read, or the disk is lost: mend it, then `mm restart canceller`"
HEALTH_AFTER_FIRING: Final = Nanos(5 * SECOND)  # of health, before `firing` is taken back


class Posting(msgspec.Struct, frozen=True, kw_only=True):
    """Who waits for the answer to one signed action."""

    cancels: tuple[Cancel, ...] = ()
    request: CancelRequest | None = None
    sweep: bool = False
    schedule: ScheduleCancel | None = None


class Canceller:
    """One per account; holds the cancel key's nonces, never the key."""

    def __init__(self, settings: Settings, boot: Boot, account: str, rows: tuple[Message, ...] = ()) -> None:
        self._settings = settings
        self._epoch = boot.epoch
        self._tag = house_tag(account)
        self._unit = settings.liveness.units(1)
        self._clock = VenueClock()
        limit = settings.liveness.units(settings.liveness.canceller_silence)
        self._silence = Silence(WATCHED, limit, boot.started_at)
        self._nonce = max((row.nonce for row in rows if isinstance(row, NonceRecord)), default=0)
        self._next_id = 0
        self._reads = Reads(settings.budget.canceller)
        self._requests = Requests(settings, self._tag, self._reads)
        self._sweep: Sweep | None = None
        self._signing: dict[int, Posting] = {}  # by sign id
        self._posting: dict[int, Posting] = {}  # by post id
        self._account_query: int | None = None
        self._account_at = boot.started_at  # next read is due
        self._list_at = Nanos(boot.started_at + LIST_READ)
        self._read_at: Nanos | None = None
        self._connected = False
        self._halted = False
        self._blind = ""  # rule 6
        self._stopping = False
        self._firing = ""
        self._firing_at = Nanos(0)
        self._firings = Firings(settings.canceller.firings_max)
        self._dead_man = DeadMan(settings.canceller.schedule_horizon_ms, boot.started_at)
        self._status_at = boot.started_at
        self._now = boot.started_at

    @property
    def state(self) -> ServiceState:
        if self._halted:
            return ServiceState.HALTED
        if self._read_at is None:
            return ServiceState.RECONCILING
        return ServiceState.DEGRADED if self._firing or not self._connected else ServiceState.READY

    @property
    def detail(self) -> str:
        return self._firing or self._blind or ("" if self._connected else "no venue socket")

    def handle(self, message: Inbox, now: Nanos) -> list[Effect]:
        effects: list[Effect] = []
        if now - self._now >= PAUSE_UNITS * self._unit:
            self._silence.forgive(now)
        self._now = now
        match message:
            case Wake() | HaltNotice():
                pass  # the shell reads the halt directory after a notice
            case Stopping():
                self._stopping = True
                release = self._dead_man.release()
                if release is not None:
                    effects += self._sign(release, Posting(schedule=release), now)
                self._join_sweep("stopping", now, None)
            case HaltDirectory():
                effects += self._on_halt(message, now)
            case Heartbeat():
                self._silence.hear(message, now)
            case Approved():
                self._requests.announce(message.cloids)
            case CancelRequest():
                effects += self._on_request(message, now)
            case VenueTime():
                self._clock.observe(message, now)
            case StreamUp():
                self._connected = True
            case StreamDown():
                self._connected = False
            case VenueOpenOrders() | VenueAccount() | QueryFailed():
                effects += self._on_read(message, now)
            case Signed() | SignFailed():
                effects += self._on_signature(message, now)
            case Posted() | PostFailed():
                effects += self._on_posted(message, now)
            case _:
                assert_never(message)
        return effects + self._routine(now)

    def deadline(self) -> Nanos | None:
        sweep = [self._sweep.deadline()] if self._sweep is not None else []
        return min([self._status_at, self._account_at, self._list_at, *sweep])

    # --- what is due by the clock --------------------------------------------------------------------

    def _routine(self, now: Nanos) -> list[Effect]:
        effects = self._watch(now)
        if self._sweep is not None and self._sweep.due(now):
            query_id = self._new_id()
            self._sweep.asked(query_id, now)
            effects.append(self._ask(query_id, OpenOrdersQuery(), now))
        if now >= self._account_at:
            self._account_query = self._new_id()
            self._account_at = Nanos(now + self._settings.canceller.account_read_ms * MILLISECOND)
            effects.append(self._ask(self._account_query, AccountQuery(), now))
        if now >= self._list_at:
            self._list_at = Nanos(now + LIST_READ)
            if self._sweep is None and self._reads.may_list(now):
                effects.append(self._ask(self._new_id(), OpenOrdersQuery(), now))
        if now >= self._status_at:
            self._status_at = Nanos(now + self._unit)
            effects += self._renew(now)
            effects.append(Send(self._status()))
        return effects

    def _ask(self, query_id: int, query: AccountQuery | OpenOrdersQuery, now: Nanos) -> Ask:
        self._reads.asked(query, now)
        return Ask(query_id, query)

    def _watch(self, now: Nanos) -> list[Effect]:
        """Rule 3: sweep while a watched service is silent; rule 4 counts when the sweep sees something."""
        silent = self._silence.silent(now)
        again = now >= self._firing_at and self._reads.may_list(now)
        if silent and self._sweep is None and (again or not self._firing):
            counts = not self._firing and not self._silence.blameless(silent)
            until = now if self._firing else self._last_arrival(now)
            self._firing = self._firing or f"silent: {', '.join(silent)}"
            self._firing_at = Nanos(now + FIRING_GAP)
            self._sweep = Sweep(self._firing, counts, empty_reads=1, not_before=until, read_at=now)
        elif silent:
            self._firing = self._firing or f"silent: {', '.join(silent)}"
        elif self._firing and now >= self._firing_at + HEALTH_AFTER_FIRING:
            self._firing = ""
        return []

    def _status(self) -> CancellerStatus:
        return CancellerStatus(
            epoch=self._epoch,
            venue_read_at=self._read_at,
            firing=self._firing or self._blind,
            firings=self._firings.total,
            schedule_cancel=self._dead_man.word,
        )

    # --- requests --------------------------------------------------------------------------------------

    def _on_request(self, request: CancelRequest, now: Nanos) -> list[Effect]:
        if now > request.deadline:
            return [self._answer(request, error="past its deadline")]
        if request.everything:
            self._join_sweep(request.reason, now, waiter=(request.sender, request.request_id))
            return []
        effects = self._carry_out(request, self._requests.judge(request, now), now)
        if self._requests.wants_list(now):
            query_id = self._new_id()
            self._requests.asked(query_id, now)
            self._list_at = Nanos(now + LIST_READ)
            effects.append(self._ask(query_id, OpenOrdersQuery(), now))
        return effects

    def _carry_out(self, request: CancelRequest, verdict: Verdict, now: Nanos) -> list[Effect]:
        effects: list[Effect] = [self._answer(request, outcomes=verdict.refused)] if verdict.refused else []
        for batch in batches(verdict.cancels):
            effects += self._sign(CancelOrders(batch), Posting(cancels=batch, request=request), now)
        return effects

    def _join_sweep(self, reason: str, now: Nanos, waiter: tuple[str, int] | None, empty_reads: int = 1) -> None:
        if self._sweep is None:
            self._sweep = Sweep(reason, counts=False, empty_reads=empty_reads, not_before=now, read_at=now)
        self._sweep.join(reason, waiter)

    @staticmethod
    def _answer(request: CancelRequest, outcomes: tuple[CancelOutcome, ...] = (), error: str = "") -> Send:
        return Send(CancelAnswer(request_id=request.request_id, outcomes=outcomes, error=error), request.sender)

    # --- halts -----------------------------------------------------------------------------------------

    def _on_halt(self, directory: HaltDirectory, now: Nanos) -> list[Effect]:
        """Rule 5: sweep now, and not be content before the last order signed earlier has expired."""
        self._halted = directory.halted
        self._blind = "" if directory.readable else UNREADABLE
        if directory.halted:
            self._join_sweep("halted", now, None)
            assert self._sweep is not None
            self._sweep.empty_reads = 3
            self._sweep.everybodys = any(file.everything for file in directory.files)
            self._sweep.not_before = self._last_arrival(now)
        return []

    def _last_arrival(self, now: Nanos) -> Nanos:
        """Say when nothing signed by now can reach the book any more."""
        return Nanos(now + (self._settings.orders.order_expiry_ms + self._settings.orders.margin_ms) * MILLISECOND)

    # --- answers of the venue ----------------------------------------------------------------------------

    def _on_read(self, message: VenueOpenOrders | VenueAccount | QueryFailed, now: Nanos) -> list[Effect]:
        if isinstance(message, VenueAccount):
            if message.query_id == self._account_query:
                self._read_at = message.asked_at
            return []
        effects: list[Effect] = []
        if isinstance(message, QueryFailed):
            failed = self._requests.on_failure(message.query_id)
            effects += [self._answer(request, error=message.reason) for request in failed]
        else:
            for request, verdict in self._requests.on_list(message, now):
                effects += self._carry_out(request, verdict, now)
        if self._sweep is None or message.query_id != self._sweep.query_id:
            return effects
        if isinstance(message, QueryFailed):
            self._sweep.on_failure(now)
            return effects
        return effects + self._on_sweep_read(self._sweep, message, now)

    def _on_sweep_read(self, sweep: Sweep, listed: VenueOpenOrders, now: Nanos) -> list[Effect]:
        resting = sweep.resting(listed.orders, self._tag)
        effects: list[Effect] = []
        first = not sweep.rested
        if sweep.on_read(resting, now):
            if sweep.counts and first:
                effects += self._count_firing(now)
            for batch in batches(resting):
                effects += self._sign(CancelOrders(batch), Posting(cancels=batch, sweep=True), now)
        elif sweep.done:
            effects += self._end_sweep(sweep)
        return effects

    def _end_sweep(self, sweep: Sweep) -> list[Effect]:
        self._sweep = None
        outcomes = tuple(sweep.outcomes.values())
        effects: list[Effect] = [
            Send(CancelAnswer(request_id=request_id, outcomes=outcomes), sender) for sender, request_id in sweep.waiters
        ]
        if self._stopping:
            effects.append(Exit(0, "stopped as asked, nothing of ours rests"))
        return effects

    def _count_firing(self, now: Nanos) -> list[Effect]:
        if not self._firings.add(now):
            return []
        return [Latch("canceller fired too often", f"{self._firing}; {self._firings.total} firings since start")]

    # --- signing and posting -----------------------------------------------------------------------------

    def _sign(self, action: Action, posting: Posting, now: Nanos) -> list[Effect]:
        venue_now = self._clock.venue_now(now) or Millis(0)
        self._nonce = max(self._nonce + 1, venue_now)
        sign_id = self._new_id()
        self._signing[sign_id] = posting
        if posting.sweep and self._sweep is not None:
            self._sweep.sent(sign_id, now)
        return [Record(NonceRecord(nonce=self._nonce, tag="cancel")), Sign(sign_id, action, self._nonce)]

    def _on_signature(self, message: Signed | SignFailed, now: Nanos) -> list[Effect]:
        posting = self._signing.pop(message.sign_id, None)
        if posting is None:
            return []
        if isinstance(message, SignFailed):
            return self._failed(message.sign_id, posting, message.reason, now)
        self._posting[message.sign_id] = posting
        return [Post(message.sign_id, message.body, Nanos(now + POST_LIFE))]

    def _on_posted(self, message: Posted | PostFailed, now: Nanos) -> list[Effect]:
        posting = self._posting.pop(message.post_id, None)
        if posting is None:
            return []
        if isinstance(message, PostFailed):
            renewed = [Reconnect(f"no answer to a signed action: {message.reason}")] if message.sent else []
            return [*renewed, *self._failed(message.post_id, posting, message.reason, now)]
        if posting.schedule is not None:
            self._dead_man.on_answer(posting.schedule, message.error, now)
        texts = tuple(status.text or status.kind for status in message.statuses)
        return self._settle(message.post_id, posting, texts, message.error, now)

    def _failed(self, post_id: int, posting: Posting, reason: str, now: Nanos) -> list[Effect]:
        if posting.schedule is not None:
            self._dead_man.on_failure(posting.schedule, reason)
        return self._settle(post_id, posting, (), reason, now)

    def _settle(self, post_id: int, posting: Posting, texts: tuple[str, ...], error: str, now: Nanos) -> list[Effect]:
        """Give one action's outcome to whoever asked for it."""
        outcomes = tuple(
            CancelOutcome(cancel=cancel, status=text) for cancel, text in zip(posting.cancels, texts, strict=False)
        )
        self._requests.settle(posting.cancels, outcomes, now)
        if posting.request is not None:
            return [self._answer(posting.request, outcomes, error)]
        if posting.sweep and self._sweep is not None:
            self._sweep.post_ids.discard(post_id)
            if error:
                self._sweep.on_failure(now)
            for outcome in outcomes:
                self._sweep.outcomes[outcome.cancel.cloid or str(outcome.cancel.oid)] = outcome
        return []

    def _renew(self, now: Nanos) -> list[Effect]:
        """Rule 9."""
        venue_now = self._clock.venue_now(now)
        idle = self._halted or self._stopping or not self._connected or not self._settings.canceller.schedule_cancel
        if idle or venue_now is None or self._silence.silent(now):
            return []
        action = self._dead_man.renewal(venue_now, now)
        return [] if action is None else self._sign(action, Posting(schedule=action), now)

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id

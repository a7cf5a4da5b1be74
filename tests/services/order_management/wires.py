"""The wires between one order_management and a model venue, a model risk and a model canceller.

What order_management asks for waits in queues until a test serves it: in any order, late, twice, or never.
"""

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec

from common.actor import Ask, Effect, Exit, Post, Reconnect, Record, Send
from common.messages import (
    Approval,
    ApprovalRequest,
    CancelAnswer,
    CancelOutcome,
    CancelRequest,
    FindingRecord,
    IntentRecord,
    Message,
    NoopRequest,
    NoopSigned,
    OrderState,
    PostFailed,
    PostureLevel,
    QueryFailed,
    SendFailed,
    StreamDown,
    StreamFills,
    StreamUp,
    TransitionRecord,
    VenueTime,
    Veto,
    Wake,
    key,
)
from common.messages.orders import OrderIntent
from common.units import MILLISECOND, Millis, Nanos
from services.order_management.core import OrderManagement
from tests.services.order_management.faults import SHARES, Fault
from tests.services.order_management.model_venue import Body, ModelVenue
from tests.services.order_management.parts import ACCOUNT, COINS, FAIR, beat, boot, feed, level, posture, seconds
from tests.services.order_management.parts import settings as sim_settings
from tests.services.order_management.parts import target as quote_target
from tests.services.order_management.truth import LEVELS, check

EXPIRY_MS = 2_000
SETTINGS = sim_settings(unit_ms=1_000)
Act = Callable[..., None]
Waiting = list[Any]  # requests, answers or news: whatever `Act` takes


def asked_for(request: ApprovalRequest) -> tuple[OrderIntent, ...]:
    """The orders that a request wants signed, whatever they replace."""
    return request.places + tuple(modify.order for modify in request.modifies)


class Crash(Exception):
    """The process is killed between two effects."""


class Wires:
    """Everything that order_management can see, and everything it cannot."""

    def __init__(self, seed: int, *, faults: bool = True) -> None:
        self.chance = Random(seed)
        self.faults = faults
        self.rough = self.chance.choice((0.1, 0.3, 1.0))  # how often what stops all quoting happens
        self.lossy = self.chance.choice((0.3, 1.0, 3.0))  # how often a wire fails
        self.pace = self.chance.choice((0.15, 0.5))  # how often time passes between two things
        self.prompt = self.chance.random() < 0.3  # the venue answers questions at once, whatever else is slow
        self.now = seconds(1_000)
        self.venue = ModelVenue(SETTINGS.instruments())
        self.venue.at(self.now)
        self.journal: list[Message] = []
        self.epoch = 7
        self.nonce = 0
        self.handled = 0
        self.crash_after: int | None = None  # effects from now
        self.crash_on_post = False  # after the next post
        self.quiet_risk = False
        self.shift = 0.0  # of the market, in steps of 500 ticks: one of them exposes a side
        self.wider = 0  # half-spread of the target, in steps of 200 ticks: one of them exposes nothing
        self.foreign: set[int] = set()  # oids of a person's own orders
        self.cloids: list[str] = []
        self.ghosts: list[bytes] = []  # posted by a process that is gone, or that was told of a failure
        self.exits: list[Exit] = []
        self.said: dict[tuple[type[Message], str], Message] = {}  # last publication by kind and coin
        self.findings: list[FindingRecord] = []
        self._start()

    def _start(self) -> None:
        self.core = OrderManagement(SETTINGS, boot(self.epoch, self.now), ACCOUNT, tuple(self.journal))
        self.connected = False
        self.connection = 0
        self.inner: list[Message] = []
        self.requests: list[ApprovalRequest | NoopRequest] = []
        self.cancels: list[CancelRequest] = []
        self.posts: list[tuple[int, bytes]] = []
        self.asks: list[tuple[int, Ask, Nanos]] = []
        self.answers: list[Message] = []

    # --- the driver ----------------------------------------------------------------------------------

    def send(self, message: Message) -> None:
        """Give one message to the actor, perform what it asks, and everything that the shell itself answers."""
        try:
            self._handle(message)
            while self.inner:
                self._handle(self.inner.pop(0))
        except Crash:
            self.restart()

    def _handle(self, message: Message) -> None:
        self.handled += 1
        self.venue.at(self.now)
        for effect in self.core.handle(message, self.now):  # type: ignore[arg-type]  # a driver sends what it likes
            self._perform(effect)
            if self.crash_after is not None:
                self.crash_after -= 1
                if self.crash_after <= 0:
                    raise Crash
        due = self.core.deadline()
        assert due is not None
        assert not isinstance(message, Wake) or due > self.now, "a wake must move the deadline"

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Record(row=row):
                self.journal.append(row)
                if isinstance(row, IntentRecord):
                    self.cloids.append(row.order.cloid)
                if isinstance(row, FindingRecord):
                    self.findings.append(row)
            case Send(to="", message=fact):
                self.said[type(fact), key(fact)] = fact
            case Send(message=ApprovalRequest() | NoopRequest() | CancelRequest() as request):
                if isinstance(request, ApprovalRequest):
                    assert {order.cloid for order in asked_for(request)} <= set(self.cloids), "an intent before"
                if self.strikes(Fault.REQUEST_NOT_HANDED_OVER):
                    kind = type(request).__name__
                    self.inner.append(
                        SendFailed(to=effect.to, kind=kind, request_id=request.request_id, reason="no peer")
                    )
                elif isinstance(request, CancelRequest):
                    self.cancels.append(request)
                else:
                    self.requests.append(request)
            case Post(post_id=post_id, body=body):
                self._check_recorded(body)
                if self.strikes(Fault.POST_NOT_SENT):
                    self.inner.append(PostFailed(post_id=post_id, sent=False, reason="no socket"))
                else:
                    self.posts.append((post_id, body))
                    if self.crash_on_post:
                        raise Crash
            case Ask(query_id=query_id):
                self.asks.append((query_id, effect, self.now))
            case Reconnect(reason=reason):
                self.connected = False
                self.inner.append(StreamDown(connection=self.connection, reason=reason))
            case Exit():
                self.exits.append(effect)
            case _:
                pass

    def _check_recorded(self, raw: bytes) -> None:
        """Every order that leaves has its intent and its SENT in the journal."""
        sent = {row.cloid for row in self.journal if isinstance(row, TransitionRecord) and row.state is OrderState.SENT}
        for order in msgspec.json.decode(raw, type=Body).new:
            assert order.cloid in sent
            assert order.cloid in self.cloids

    def advance(self, ms: int, *, healthy: bool = True) -> None:
        """Let time pass; the actor is woken at its deadlines, and hears its peers at every unit."""
        until = Nanos(self.now + ms * MILLISECOND)
        while (due := self.core.deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.send(Wake())
        self.now = until
        if healthy:
            self.signals()

    def signals(self) -> None:
        """What a healthy mesh says all the time."""
        self.venue.at(self.now)
        self.send(VenueTime(venue_ms=Millis(self.venue.ms), resolution_ms=1))
        self.send(beat())
        self.send(posture(PostureLevel.PULL_QUOTES if self.quiet_risk else PostureLevel.NORMAL))
        for coin in COINS:
            self.send(feed(coin))
            self.send(self.target(coin))

    def target(self, coin: str) -> Message:
        fair = FAIR[coin] + int(self.shift * 500)
        depths = [300 + 200 * self.wider + 20 * depth for depth in range(LEVELS)]
        bids, asks = (tuple(level(fair + sign * depth) for depth in depths) for sign in (-1, 1))
        return quote_target(coin, bids=bids, asks=asks, fair=fair, valid_until=Nanos(self.now + seconds(4)))

    def restart(self, *, lose_home: bool = False) -> None:
        """Kill -9; what was on the wires goes on, what was to be heard is lost."""
        self.crash_after, self.crash_on_post = None, False
        self.ghosts += [body for _, body in self.posts]
        cancels = self.cancels
        self.epoch += 1
        if lose_home:
            self.journal.clear()
        self._start()
        self.cancels = cancels

    # --- chance --------------------------------------------------------------------------------------

    def strikes(self, fault: Fault) -> bool:
        """Say whether it goes wrong this time."""
        return self.faults and self.chance.random() < SHARES[fault] * self.lossy

    # --- what the peers do with what waits -----------------------------------------------------------

    def _serve(self, queue: Waiting, act: Act, *, first: bool = False) -> None:
        """Take any of what waits, for nothing promises an order between answers; or the first."""
        if queue:
            item = queue.pop(0 if first else self.chance.randrange(len(queue)))
            act(*item) if isinstance(item, tuple) else act(item)

    def check(self) -> None:
        check(self.core, self.venue, self.foreign, [body for _, body in self.posts] + self.ghosts)
        assert len(self.cloids) == len(set(self.cloids))

    def _answer_request(self, request: ApprovalRequest | NoopRequest) -> None:
        if self.strikes(Fault.RISK_SILENT):
            return
        if isinstance(request, NoopRequest):
            body = msgspec.json.encode(Body(nonce=request.nonce, expires_ms=2**62))
            self.send(NoopSigned(request_id=request.request_id, nonce=request.nonce, body=body))
            return
        approved = [order for order in asked_for(request) if not self.strikes(Fault.VETO)]
        self.send(self._approval(request, approved))

    def _approval(self, request: ApprovalRequest, approved: list[OrderIntent]) -> Approval:
        self.nonce += 1
        expires = self.venue.ms + EXPIRY_MS
        body = Body(
            nonce=self.nonce,
            expires_ms=expires,
            orders=tuple(order for order in request.places if order in approved),
            modifies=tuple(modify for modify in request.modifies if modify.order in approved),
        )
        return Approval(
            request_id=request.request_id,
            epoch=request.epoch,
            risk_epoch=1,
            approval_id=self.nonce,
            body=msgspec.json.encode(body) if approved else b"",
            nonce=self.nonce,
            expires_after=Millis(expires),
            approved=tuple(order.cloid for order in approved),
            vetoes=tuple(
                Veto(cloid=order.cloid, code="test", detail="") for order in asked_for(request) if order not in approved
            ),
        )

    def _arrive(self, post_id: int, body: bytes) -> None:
        if self.strikes(Fault.POST_LATE):
            self.ghosts.append(body)  # it may arrive later, or never
            self.answers.append(PostFailed(post_id=post_id, sent=True, reason="no answer"))
            return
        self.venue.new_leg_first = self.strikes(Fault.NEW_LEG_FIRST)
        posted = self.venue.receive(post_id, body, refuse=self.strikes(Fault.REFUSED))
        if self.strikes(Fault.ARRIVES_TWICE):
            posted = self.venue.receive(post_id, body)  # delivered twice, and the second answer is heard
        if self.strikes(Fault.ANSWER_LOST):
            self.answers.append(PostFailed(post_id=post_id, sent=True, reason="answer lost"))
        else:
            self.answers.append(posted)

    def _ghost(self) -> None:
        if self.ghosts:
            self.venue.receive(0, self.ghosts.pop(self.chance.randrange(len(self.ghosts))))

    def _cancel(self, request: CancelRequest) -> None:
        if self.strikes(Fault.CANCEL_LOST):
            return  # never came, nobody knows
        if self.strikes(Fault.CANCEL_FAILED):
            self.answers.append(CancelAnswer(request_id=request.request_id, error="venue not reached"))
            return
        cancels = request.cancels
        if request.everything:
            ours = [resting for resting in self.venue.open() if resting.order.cloid]
            for resting in ours:
                self.venue.cancel(resting.order.cloid)
            self.answers.append(CancelAnswer(request_id=request.request_id))
            return
        outcomes = tuple(
            CancelOutcome(cancel=cancel, status=self.venue.cancel(cancel.cloid or "")) for cancel in cancels
        )
        if not self.strikes(Fault.CANCEL_ANSWER_LOST):
            self.answers.append(CancelAnswer(request_id=request.request_id, outcomes=outcomes))

    def _answer_query(self, query_id: int, ask: Ask, asked_at: Nanos) -> None:
        if self.strikes(Fault.QUERY_FAILED):
            self.answers.append(QueryFailed(query_id=query_id, reason="timed out"))
        else:
            self.answers.append(self.venue.answer(query_id, ask.query, asked_at))

    def _tell_update(self) -> None:
        self._tell(self.venue.updates)

    def _tell_fill(self) -> None:
        self._tell(self.venue.fills_told)

    def _tell(self, lane: Waiting) -> None:
        if not self.connected:
            lane.clear()
        elif lane:
            message = lane.pop(0)
            self.send(message)
            if self.strikes(Fault.TOLD_TWICE):
                self.send(message)

    def connect(self) -> None:
        """Subscribed again: orderUpdates are not repeated, fills come as a snapshot of the newest."""
        self.venue.updates.clear()
        self.venue.fills_told.clear()
        self.connected = True
        self.connection += 1
        self.send(StreamUp(connection=self.connection))
        self.send(StreamFills(fills=tuple(self.venue.fills[-5:]), snapshot=True, received_at=self.now))

    def drain(self) -> None:
        """Serve everything that waits, in order, until nothing waits."""
        for _ in range(1_000):
            if self.exits:
                return
            self._serve(self.requests, self._answer_request, first=True)
            self._serve(self.posts, self._arrive, first=True)
            self._serve(self.cancels, self._cancel, first=True)
            self._serve(self.asks, self._answer_query, first=True)
            self._serve(self.answers, self.send, first=True)
            while self.venue.updates:
                self._tell_update()
            while self.venue.fills_told:
                self._tell_fill()
            if not any((self.requests, self.posts, self.cancels, self.asks, self.answers)):
                return
        raise AssertionError("the actor feeds itself")

    def drain_queries(self) -> None:
        """Serve the venue's answers only; requests to the peers stay."""
        while self.asks or self.answers:
            self._serve(self.asks, self._answer_query, first=True)
            self._serve(self.answers, self.send, first=True)

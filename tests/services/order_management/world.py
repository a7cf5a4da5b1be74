"""One order_management among a model venue, a model risk and a model canceller, with every fault of the wires between.

A world is driven by a seed: the same seed gives the same story. `check` states what must hold at every moment,
`settle` heals all wires, lets time pass, and states what must hold when nothing moves any more.
"""

from collections.abc import Callable
from random import Random

import msgspec

from common.actor import Ask, Effect, Exit, Post, Record, Send
from common.ledger import fill_key
from common.messages import (
    Approval,
    ApprovalRequest,
    CancelAnswer,
    CancelOutcome,
    CancelRequest,
    IntentRecord,
    Message,
    NoopRequest,
    NoopSigned,
    OrderState,
    PostFailed,
    PostureLevel,
    QueryFailed,
    SendFailed,
    ServiceState,
    Stopping,
    StreamDown,
    StreamFills,
    StreamUp,
    TransitionRecord,
    VenueTime,
    Veto,
    Wake,
)
from common.messages.orders import OrderIntent
from common.units import MILLISECOND, Lots, Millis, Nanos, Side, Ticks
from services.order_management.core import OrderManagement
from tests.services.order_management.model_venue import Body, ModelVenue
from tests.services.order_management.parts import ACCOUNT, COINS, FAIR, beat, boot, feed, level, posture, seconds
from tests.services.order_management.parts import settings as sim_settings
from tests.services.order_management.parts import target as quote_target

LEVELS = 3
EXPIRY_MS = 2_000
STEPS = (1, 5, 20, 60, 250, 900)  # ms
SETTINGS = sim_settings(unit_ms=1_000)


class Crash(Exception):
    """The process is killed between two effects."""


class World:
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
        self.shift = 0
        self.foreign: set[int] = set()  # oids of a person's own orders
        self.cloids: list[str] = []
        self.ghosts: list[bytes] = []  # posted by a process that is gone, or that was told of a failure
        self.exits: list[Exit] = []
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
            case Send(message=ApprovalRequest() | NoopRequest() | CancelRequest() as request):
                if self._now_and_then(0.03):
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
                if self._now_and_then(0.03):
                    self.inner.append(PostFailed(post_id=post_id, sent=False, reason="no socket"))
                else:
                    self.posts.append((post_id, body))
                    if self.crash_on_post:
                        raise Crash
            case Ask(query_id=query_id):
                self.asks.append((query_id, effect, self.now))
            case Exit():
                self.exits.append(effect)
            case _:
                pass

    def _check_recorded(self, raw: bytes) -> None:
        """Every order that leaves has its intent and its SENT in the journal."""
        sent = {row.cloid for row in self.journal if isinstance(row, TransitionRecord) and row.state is OrderState.SENT}
        for order in msgspec.json.decode(raw, type=Body).orders:
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
        fair = FAIR[coin] + self.shift * 500
        bids = tuple(level(fair - 300 - 100 * depth) for depth in range(LEVELS))
        asks = tuple(level(fair + 300 + 100 * depth) for depth in range(LEVELS))
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

    # --- what may happen next --------------------------------------------------------------------------

    def step(self) -> None:
        """One thing happens, then time passes."""
        heard = self.connected
        moves: list[tuple[float, Callable[[], None]]] = [
            (20 * bool(self.requests), lambda: self._serve(self.requests, self._answer_request)),
            (10 * bool(self.posts), lambda: self._serve(self.posts, self._arrive)),
            (10 * bool(self.cancels), lambda: self._serve(self.cancels, self._cancel)),
            (10 * bool(self.asks), lambda: self._serve(self.asks, self._answer_query)),
            (15 * bool(self.answers), lambda: self._serve(self.answers, self.send)),
            (10 * bool(self.venue.updates), self._tell_update),
            (10 * bool(self.venue.fills_told), self._tell_fill),
            (3, self._trade),
            (1 * self.rough, self._venue_cancels),
            (3, self._move_market),
            (5 if self.quiet_risk else self.rough, self._toggle_posture),
            (1 * self.rough if heard else 5, self._toggle_stream),
            (2 * bool(self.ghosts), self._ghost),
            (0.5 * self.rough, self._crash),
            (0.5 * self.rough, self._foreign),
        ]
        weights, actions = zip(*moves, strict=True)
        self.chance.choices(actions, weights)[0]()
        while self.prompt and self.asks:
            self._serve(self.asks, self._answer_query)
            self._serve(self.answers, self.send)
        self.check()
        if self.chance.random() < self.pace:
            self.advance(self.chance.choice(STEPS), healthy=not self._now_and_then(0.1))
            self.check()

    def _now_and_then(self, share: float) -> bool:
        return self.faults and self.chance.random() < share * self.lossy

    def _serve(self, queue: list, act: Callable[..., None]) -> None:  # type: ignore[type-arg]  # of whatever waits
        """Take any of what waits: nothing promises an order between answers."""
        if queue:
            item = queue.pop(self.chance.randrange(len(queue)))
            act(*item) if isinstance(item, tuple) else act(item)

    def _answer_request(self, request: ApprovalRequest | NoopRequest) -> None:
        if self._now_and_then(0.05):
            return
        if isinstance(request, NoopRequest):
            body = msgspec.json.encode(Body(nonce=request.nonce, expires_ms=2**62))
            self.send(NoopSigned(request_id=request.request_id, nonce=request.nonce, body=body))
            return
        approved = [order for order in request.places if not self._now_and_then(0.1)]
        self.send(self._approval(request, approved))

    def _approval(self, request: ApprovalRequest, approved: list[OrderIntent]) -> Approval:
        self.nonce += 1
        expires = self.venue.ms + EXPIRY_MS
        body = Body(nonce=self.nonce, expires_ms=expires, orders=tuple(approved))
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
                Veto(cloid=order.cloid, code="test", detail="") for order in request.places if order not in approved
            ),
        )

    def _arrive(self, post_id: int, body: bytes) -> None:
        if self._now_and_then(0.1):
            self.ghosts.append(body)  # it may arrive later, or never
            self.answers.append(PostFailed(post_id=post_id, sent=True, reason="no answer"))
            return
        posted = self.venue.receive(post_id, body, refuse=self._now_and_then(0.1))
        if self._now_and_then(0.03):
            posted = self.venue.receive(post_id, body)  # delivered twice, and the second answer is heard
        if self._now_and_then(0.1):
            self.answers.append(PostFailed(post_id=post_id, sent=True, reason="answer lost"))
        else:
            self.answers.append(posted)

    def _ghost(self) -> None:
        if self.ghosts:
            self.venue.receive(0, self.ghosts.pop(self.chance.randrange(len(self.ghosts))))

    def _cancel(self, request: CancelRequest) -> None:
        if self._now_and_then(0.1):
            return  # never came, nobody knows
        if self._now_and_then(0.1):
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
        if not self._now_and_then(0.1):
            self.answers.append(CancelAnswer(request_id=request.request_id, outcomes=outcomes))

    def _answer_query(self, query_id: int, ask: Ask, asked_at: Nanos) -> None:
        if self._now_and_then(0.1):
            self.answers.append(QueryFailed(query_id=query_id, reason="timed out"))
        else:
            self.answers.append(self.venue.answer(query_id, ask.query, asked_at))

    def _tell_update(self) -> None:
        self._tell(self.venue.updates)

    def _tell_fill(self) -> None:
        self._tell(self.venue.fills_told)

    def _tell(self, lane: list) -> None:  # type: ignore[type-arg]  # of either kind
        if not self.connected:
            lane.clear()
        elif lane:
            message = lane.pop(0)
            self.send(message)
            if self._now_and_then(0.1):
                self.send(message)

    def _trade(self) -> None:
        resting = self.venue.open()
        if resting:
            order = self.chance.choice(resting)
            self.venue.fill(order.oid, self.chance.choice((order.left, max(1, order.left // 3))))

    def _venue_cancels(self) -> None:
        resting = self.venue.open()
        if resting and self.faults:
            self.venue.end(self.chance.choice(resting).oid, "marginCanceled")

    def _move_market(self) -> None:
        self.shift += self.chance.choice((-1, 1))

    def _toggle_posture(self) -> None:
        self.quiet_risk = not self.quiet_risk and self.faults

    def _toggle_stream(self) -> None:
        if not self.connected:
            self.connect()
        elif self.faults:
            self.connected = False
            self.send(StreamDown(connection=self.connection, reason="closed"))

    def connect(self) -> None:
        """Subscribed again: orderUpdates are not repeated, fills come as a snapshot of the newest."""
        self.venue.updates.clear()
        self.venue.fills_told.clear()
        self.connected = True
        self.connection += 1
        self.send(StreamUp(connection=self.connection))
        self.send(StreamFills(fills=tuple(self.venue.fills[-5:]), snapshot=True, received_at=self.now))

    def _crash(self) -> None:
        if self.faults:
            self.crash_after = self.chance.randrange(1, 12)
            self.crash_on_post = self.chance.random() < 0.5
            if self.crash_on_post:
                self.crash_after = None

    def _foreign(self) -> None:
        if self.faults:
            order = OrderIntent(cloid="", coin="BTC", side=Side.BUY, ticks=Ticks(990_000), lots=Lots(70))
            self.venue.place_foreign(order)
            self.foreign.add(max(self.venue.orders))

    # --- what must hold --------------------------------------------------------------------------------

    def check(self) -> None:
        """At every moment: the worst case covers the truth, sums are sums, nothing is placed twice."""
        store, ledger = self.core._desk.store, self.core._desk.ledger
        assert not self.venue.placed_twice
        assert len(self.cloids) == len(set(self.cloids))
        for coin in COINS:
            bids = sum(order.pending() for order in store.side(coin, Side.BUY))
            asks = sum(order.pending() for order in store.side(coin, Side.SELL))
            others = sum(o.lots for o in store._foreign.values() if o.coin == coin and o.side is Side.BUY)
            assert store.exposure[coin].pending_exposure() == (bids + others, asks)
            if coin in ledger.coins:
                self._check_worst_case(coin)
            for side in Side:
                live = [r for r in self.venue.open() if r.order.cloid and (r.order.coin, r.order.side) == (coin, side)]
                assert len(live) <= LEVELS, f"{len(live)} live on {coin} {side}"
        assert all(order.pending() == 0 for order in store.retired.values())

    def _check_worst_case(self, coin: str) -> None:
        sums = self.core._desk.store.exposure[coin]
        longest, shortest = sums.worst_case_positions(self.core._desk.ledger.lots(coin))
        known, anchor = self.core._desk.ledger._fills, self.core._desk.ledger.coins[coin].anchor_ms
        unheard = sum(
            fill.side.sign * fill.lots
            for fill in self.venue.fills
            if fill.oid in self.foreign and fill.coin == coin and fill.venue_ms > anchor and fill_key(fill) not in known
        )
        position = self.venue.position.get(coin, 0) - unheard
        flying = {Side.BUY: 0, Side.SELL: 0}
        for raw in [body for _, body in self.posts] + self.ghosts:
            body = msgspec.json.decode(raw, type=Body)
            if body.nonce in self.venue.nonces or self.venue.ms > body.expires_ms:
                continue
            for order in body.orders:
                if order.coin == coin:
                    flying[order.side] += order.lots
        assert longest >= position + self.venue.pending(coin, Side.BUY) + flying[Side.BUY]
        assert shortest <= position - self.venue.pending(coin, Side.SELL) - flying[Side.SELL]

    def settle(self, for_s: float = 25, *, stop: bool = False) -> None:
        """Heal everything, let time pass with prompt peers, then compare all that can be compared."""
        self.faults = False
        self.crash_after, self.crash_on_post = None, False
        self.quiet_risk = False
        self.ghosts.clear()
        if not self.connected:
            self.connect()
        until = Nanos(self.now + seconds(for_s))
        if stop:
            self.send(Stopping())
        while self.now < until and not self.exits:
            self._drain()
            self.advance(250)
        self._drain()
        if not stop:
            self.check()
            self.check_settled()

    def _drain(self) -> None:
        for _ in range(1_000):
            if self.exits:
                return
            for queue, act in (
                (self.requests, self._answer_request),
                (self.posts, self._arrive),
                (self.cancels, self._cancel),
                (self.asks, self._answer_query),
                (self.answers, self.send),
            ):
                while queue:
                    item = queue.pop(0)
                    act(*item) if isinstance(item, tuple) else act(item)  # type: ignore[operator, arg-type]
            while self.venue.updates:
                self._tell_update()
            while self.venue.fills_told:
                self._tell_fill()
            if not any((self.requests, self.posts, self.cancels, self.asks, self.answers)):
                return
        raise AssertionError("the actor feeds itself")

    def check_settled(self) -> None:
        """Nothing moves any more: positions, fills and open orders are the venue's."""
        store, ledger = self.core._desk.store, self.core._desk.ledger
        assert self.core.state is ServiceState.READY, self.core.detail
        for coin in COINS:
            assert ledger.lots(coin) == self.venue.position.get(coin, 0)
        opened = {coin: books.opened_ms for coin, books in ledger.coins.items()}
        counted, _ = ledger.keys()
        assert set(counted) == {fill_key(f) for f in self.venue.fills if f.venue_ms > opened[f.coin]}
        live = {o.cloid: o.remaining() for o in store.open.values()}
        assert live == {r.order.cloid: r.left for r in self.venue.open() if r.order.cloid}
        assert len(live) == len(COINS) * 2 * LEVELS, "quoting resumes"
        assert all(order.state in (OrderState.RESTING, OrderState.PARTIALLY_FILLED) for order in store.open.values())

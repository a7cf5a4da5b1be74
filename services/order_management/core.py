"""Order management: what rests follows the target, and no order is ever lost, doubled or believed.

Rules
  1. Every intent, approval and end of an order is recorded before what it describes is sent (placing.py).
  2. Nothing is placed while anything on that side may still fill beyond what the target wants (requote.py).
  3. While a coin's gate is closed, everything of it is cancelled; what is not acknowledged is burned besides (gate.py,
     cancelling.py). When the whole account closes, everything of ours is swept by the venue's own list.
  4. Only venue facts move orders and position (facts.py, books.py); what is not proven counts at its worst.
  5. Start, crash and reconnect read the venue before anything is quoted (recovery.py, rebuild.py).
  6. While we run, the account is compared every 5 s, the list of open orders every 10 s, fills every minute.
  7. Positions, exposures, live orders, counts and `Reconciled` are full states: at every change and every unit.
  8. Stopping closes the gate first, then cancels, then waits for two empty lists, 10 s at most.
  9. A checkpoint row, after each recovery and every 10,000 rows, keeps recovery short.
"""

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from common.actor import Boot, Effect, Exit, Record
from common.cloid import house_tag
from common.config import Settings
from common.ledger import Ledger, chained
from common.messages import (
    AddressBudget,
    Approval,
    Book,
    BootRecord,
    CancelAnswer,
    FeedHealth,
    FundingPayments,
    HaltDirectory,
    HaltNotice,
    Heartbeat,
    MalformedVenueData,
    Message,
    NoopSigned,
    OrderUpdates,
    Posted,
    PostFailed,
    Posture,
    QueryFailed,
    QuoteTarget,
    SendFailed,
    ServiceState,
    Stopping,
    StreamDown,
    StreamFills,
    StreamUp,
    Trade,
    VenueAccount,
    VenueFills,
    VenueFundings,
    VenueMeta,
    VenueOpenOrders,
    VenueOrderStatus,
    VenueTime,
    VenueTransfers,
    VenueUserRole,
    Wake,
)
from common.messages.venue import FundingQuery
from common.units import MILLISECOND, SECOND, Millis, Nanos
from services.order_management.books import ACCOUNT_AGAIN, ACCOUNT_EVERY, Books
from services.order_management.cancelling import Cancelling
from services.order_management.desk import FILLS_OVERLAP_MS, Desk
from services.order_management.facts import VenueFacts
from services.order_management.gate import QuoteGate
from services.order_management.ledger_identity import LedgerIdentity
from services.order_management.order_store import OrderStore
from services.order_management.pace import Pace
from services.order_management.placing import Placing
from services.order_management.queue_value import Queue
from services.order_management.rebuild import Rebuilding, checkpoint
from services.order_management.recovery import EmptyProof, Phase, Recovery
from services.order_management.requoting import Requoting
from services.order_management.statements import Statements
from services.order_management.watch import check_orders

VenueAnswer: TypeAlias = (
    VenueOpenOrders
    | VenueOrderStatus
    | VenueFills
    | VenueAccount
    | VenueFundings
    | VenueTransfers
    | VenueUserRole
    | VenueMeta
)
FromVenue: TypeAlias = VenueAnswer | OrderUpdates | StreamFills | FundingPayments | Posted | PostFailed
Moving: TypeAlias = (
    Wake
    | Stopping
    | SendFailed
    | HaltDirectory
    | HaltNotice
    | Heartbeat
    | QuoteTarget
    | FeedHealth
    | Posture
    | AddressBudget
    | Approval
    | NoopSigned
    | CancelAnswer
    | StreamUp
    | StreamDown
    | VenueTime
    | MalformedVenueData
    | QueryFailed
    | FromVenue
)
Inbox: TypeAlias = Moving | Book | Trade  # market data moves no order by itself: the target does

LIST_EVERY: Final = Nanos(10 * SECOND)  # weight 20: 120 of the 500 a minute that are ours
FILLS_EVERY: Final = Nanos(60 * SECOND)
FUNDINGS_EVERY: Final = Nanos(600 * SECOND)
STOP_WAIT: Final = Nanos(10 * SECOND)
STOP_READ: Final = Nanos(1 * SECOND)
CHECKPOINT_ROWS: Final = 10_000


class OrderManagement:
    """One per account. `rows` is its own journal, oldest first."""

    def __init__(self, settings: Settings, boot: Boot, account: str, rows: Iterable[Message] = ()) -> None:
        instruments = settings.instruments()
        self._desk = desk = Desk(
            settings=settings,
            epoch=boot.epoch,
            tag=house_tag(account),
            account=account,
            store=OrderStore(instruments),
            ledger=Ledger(instruments),
        )
        self._coins = tuple(instruments)
        self._gate = QuoteGate(settings.liveness, self._coins)
        self._facts = VenueFacts(desk)
        self._books = Books(desk)
        self._identity = LedgerIdentity(desk)
        self._cancelling = Cancelling(desk, self._facts)
        self._queue = Queue(desk.store)
        self._placing = Placing(desk, self._gate, self._facts, self._queue)
        self._pace = Pace()
        self._requoting = Requoting(desk, self._gate, self._queue, self._cancelling, self._placing, pace=self._pace)
        rebuilding = Rebuilding(desk)
        rebuilding.read(rows)
        self._first_words: list[Effect] = [Record(BootRecord(epoch=boot.epoch)), *rebuilding.finish(boot.started_at)]
        self._recovery = Recovery(
            desk, self._books, self._cancelling, any_rows=rebuilding.any_rows, started_at=boot.started_at
        )
        self._now = boot.started_at
        self._statements = Statements(desk, self._books, self._identity, self._recovery, started_at=boot.started_at)
        self._checkpointed = False  # since recovery ended last
        self._replan = dict.fromkeys(self._coins)
        self._closed = "starting"  # why the whole account was closed at the last look
        self._stop_by: Nanos | None = None
        self._stop_proof = EmptyProof()
        self._answers: dict[type[Message], Callable[..., list[Effect]]] = {
            VenueOpenOrders: self._on_list,
            VenueOrderStatus: self._facts.on_status,
            VenueFills: self._on_fills_read,
            VenueAccount: self._on_account,
            VenueFundings: lambda message, _now: self._books.on_fundings(message.payments),
            VenueMeta: lambda message, _now: self._recovery.on_meta(message),
            VenueUserRole: lambda message, _now: self._books.on_role(message),
            VenueTransfers: lambda message, _now: self._identity.on_transfers(message),
        }

    # --- the actor -----------------------------------------------------------------------------------

    @property
    def state(self) -> ServiceState:
        if self._gate.halted:
            return ServiceState.HALTED
        if not self._recovery.done:
            if self._recovery.phase is Phase.STREAM:
                return ServiceState.STARTING if self._recovery.first else ServiceState.DEGRADED
            return ServiceState.RECONCILING
        doubts = (self._desk.user_stream.reason(self._now), *map(self._books.unproven, self._coins))
        return ServiceState.DEGRADED if any(doubts) else ServiceState.READY

    @property
    def detail(self) -> str:
        closed = self._gate.account_reason(self._now)
        if closed:
            return closed
        reasons = ((coin, self._gate.reason(coin, self._now)) for coin in self._coins)
        return "; ".join(f"{coin}: {why}" for coin, why in reasons if why)

    def handle(self, message: Inbox, now: Nanos) -> list[Effect]:
        self._now = now
        if isinstance(message, Book | Trade):
            self._queue.hear(message)
            return []
        effects, self._first_words = self._first_words, []
        effects += self._take(message, now)
        effects += self._routine(now)
        self._desk.rows += sum(isinstance(effect, Record) for effect in effects)
        return effects

    def deadline(self) -> Nanos | None:
        due: list[Nanos | None] = [
            self._statements.due,
            self._stop_by,
            self._gate.deadline(self._now),
            self._placing.deadline(self._now),
            self._cancelling.deadline(),
            self._desk.queries.deadline(),
            self._desk.user_stream.deadline(self._now),
            min(
                (order.check_at for order in self._desk.store.open.values() if order.check_at is not None), default=None
            ),
        ]
        return min(at for at in due if at is not None)

    # --- messages --------------------------------------------------------------------------------------

    def _take(self, message: Moving, now: Nanos) -> list[Effect]:
        match message:
            case QuoteTarget():
                self._gate.hear(message, now)
                if message.coin in self._coins:
                    self._replan[message.coin] = None
            case HaltDirectory() | Heartbeat() | Posture() | FeedHealth():
                self._gate.hear(message, now)
                if isinstance(message, Posture):
                    self._replan.update(dict.fromkeys(self._coins))
            case AddressBudget():
                self._pace.hear(message)
            case Wake() | HaltNotice():
                pass
            case VenueTime():
                self._desk.clock.observe(message, now)
            case MalformedVenueData():
                self._desk.count("malformed")
                self._desk.want_list(now)
                self._desk.want_fills(now)
            case Stopping():
                self._on_stopping(now)
            case StreamUp() | StreamDown():
                self._on_stream(message, now)
            case QueryFailed():
                self._desk.count("queries_failed")
                self._desk.queries.failed(message.query_id, now)
            case Approval() | NoopSigned() | CancelAnswer() | SendFailed():
                return self._on_peer(message, now)
            case _:
                return self._on_venue(message, now)
        return []

    def _on_peer(self, message: Approval | NoopSigned | CancelAnswer | SendFailed, now: Nanos) -> list[Effect]:
        self._replan.update(dict.fromkeys(self._coins))
        match message:
            case Approval():
                return self._placing.on_approval(message, now)
            case NoopSigned():
                return self._cancelling.on_noop_signed(message, now)
            case CancelAnswer():
                return self._cancelling.on_answer(message, now)
            case SendFailed():
                self._desk.count("sends_failed")
                return self._placing.on_send_failed(message, now) + self._cancelling.on_send_failed(message, now)

    def _on_venue(self, message: FromVenue, now: Nanos) -> list[Effect]:
        match message:
            case OrderUpdates():
                return self._facts.on_updates(message, now)
            case StreamFills():
                source = "snapshot" if message.snapshot else "stream"
                return [e for fill in chained(message.fills) for e in self._facts.on_fill(fill, source, now)]
            case FundingPayments():
                return self._books.on_fundings(message.payments)
            case Posted():
                self._pace.on_posted(message, now)
                return self._placing.on_posted(message, now) + self._cancelling.on_noop_posted(message, now)
            case PostFailed():
                return self._placing.on_post_failed(message, now) + self._cancelling.on_noop_posted(message, now)
            case _:
                if self._desk.queries.answered(message.query_id) is None:
                    return []  # asked so long ago that it was asked again
                return self._answers[type(message)](message, now)

    def _on_stream(self, message: StreamUp | StreamDown, now: Nanos) -> None:
        if isinstance(message, StreamUp):
            self._recovery.on_stream_up(now)
        else:
            self._desk.count("streams_down")
            self._recovery.on_stream_down(now)

    def _on_list(self, message: VenueOpenOrders, now: Nanos) -> list[Effect]:
        effects = self._facts.on_open_orders(message, now)
        self._recovery.on_list(message, now)
        if self._stop_by is not None:
            listed = any(self._desk.ours(order.cloid) for order in message.orders)
            empty = not listed and not self._desk.store.open
            if self._stop_proof.on_list(empty=empty, asked_at=message.asked_at):
                effects.append(Exit(0, "stopped as asked, nothing of ours rests"))
            self._desk.want_list(Nanos(now + STOP_READ))
        return effects

    def _on_fills_read(self, message: VenueFills, now: Nanos) -> list[Effect]:
        effects: list[Effect] = []
        for fill in chained(message.fills):
            effects += self._facts.on_fill(fill, "query", now)
        venue_now = self._desk.clock.venue_now(now)
        if venue_now is not None:
            asked_ms = Millis(venue_now - (now - message.asked_at) // MILLISECOND)
            self._desk.cursor_ms = max(self._desk.cursor_ms, asked_ms)
        self._recovery.on_fills(message.asked_at, now)
        return effects + self._facts.on_fills_read(message.asked_at, now)

    def _on_account(self, message: VenueAccount, now: Nanos) -> list[Effect]:
        agrees, effects = self._books.on_account(message, now)
        if self._books.opened and not self._desk.cursor_ms:
            self._desk.cursor_ms = message.venue_ms
        self._books.want_account(Nanos(now + (ACCOUNT_EVERY if agrees else ACCOUNT_AGAIN)))
        effects += self._recovery.on_account(message, now, agrees=agrees)
        return effects + self._identity.on_account(message, now, agrees=agrees and self._recovery.done)

    def _on_stopping(self, now: Nanos) -> None:
        if self._stop_by is None:
            self._gate.stopping = True
            self._stop_by = Nanos(now + STOP_WAIT)
            self._desk.want_list(now)

    # --- what every message is followed by -----------------------------------------------------------

    def _routine(self, now: Nanos) -> list[Effect]:
        effects = self._placing.on_time(now) + self._cancelling.on_time(now)
        effects += self._recovery.advance(now)
        effects += check_orders(self._desk, self._cancelling, now)
        effects += self._obey(now)
        if self._recovery.done and (not self._checkpointed or self._desk.rows >= CHECKPOINT_ROWS):
            effects.append(Record(checkpoint(self._desk)))
            self._desk.rows = 0
        self._checkpointed = self._recovery.done
        if now >= self._statements.due:
            self._audit(now)
        effects += self._statements.publish(now)
        effects += self._desk.queries.take(now, self._desk.new_id)
        if self._stop_by is not None and now >= self._stop_by:
            left = len(self._desk.store.open)
            effects.append(Exit(0, f"stopped as asked, {left} orders not proven gone in time"))
            self._stop_by = Nanos(now + STOP_WAIT)
        return effects

    def _obey(self, now: Nanos) -> list[Effect]:
        """Rule 3 where a gate is closed, the target where it is open."""
        self._gate.unready = self._recovery.detail or self._desk.user_stream.reason(now)
        for coin in self._coins:
            self._gate.unproven[coin] = self._books.unproven(coin)
        effects: list[Effect] = []
        closed = self._gate.account_reason(now)
        if closed and closed != self._closed and (not self._closed or closed in ("stopping", "halted")):
            effects += self._cancelling.everything(closed, now)
        self._closed = closed
        # at every unit too: a hold may have ended
        self._replan.update(dict.fromkeys(self._coins) if now >= self._statements.due else self._desk.store.changed)
        open_coins = []
        for coin in self._coins:
            if why := self._gate.reason(coin, now):
                effects += self._pull(coin, why, now)
                self._replan[coin] = None  # when it opens again
            elif coin in self._replan:
                del self._replan[coin]
                open_coins.append(coin)
        return effects + self._requoting.requote(open_coins, now)

    def _pull(self, coin: str, why: str, now: Nanos) -> list[Effect]:
        orders = self._desk.store.of_coin(coin)
        if not orders:
            return []
        unacknowledged = [order for order in orders if order.unacknowledged]
        return self._cancelling.cancel(orders, why, now) + self._cancelling.burn(unacknowledged, now)

    def _audit(self, now: Nanos) -> None:
        """Rule 6; the account is read again by each of its answers."""
        queries, desk = self._desk.queries, self._desk
        if not self._recovery.done:
            return
        if not queries.pending("open"):
            desk.want_list(Nanos(now + LIST_EVERY))
        if not queries.pending("fills"):
            desk.want_fills(Nanos(now + FILLS_EVERY))
        if not queries.pending("fundings"):
            since = Millis(max(0, desk.cursor_ms - FILLS_OVERLAP_MS - FUNDINGS_EVERY // MILLISECOND))
            queries.want("fundings", FundingQuery(since), Nanos(now + FUNDINGS_EVERY))

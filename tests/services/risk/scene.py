"""Risk in a world of its own: a shell, peers that live, and a venue that says what the test wants."""

from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Final, TypeVar

from common import config
from common.actor import Ask, Boot, Effect, Exit, Latch, Post, Record, Send, Sign, Unlatch
from common.arming import ArmCommand
from common.cloid import house_tag, make_cloid
from common.messages import (
    Approval,
    ApprovalRequest,
    AssetContext,
    Book,
    CancellerStatus,
    Fill,
    HaltDirectory,
    HaltFile,
    Heartbeat,
    Message,
    ModifyIntent,
    OrderIntent,
    OrderUpdates,
    PostureLevel,
    QueryFailed,
    QuoteTarget,
    Reconciled,
    ServiceState,
    StreamUp,
    Trade,
    VenueTime,
    Wake,
)
from common.messages.venue import (
    Modify,
    OrderUpdate,
    Place,
    VenueOrder,
)
from common.units import SECOND, Lots, Millis, Nanos, Side, Ticks
from services.risk.core import Inbox, Risk
from tests.services.risk.played_venue import PlayedVenue

SETTINGS: Final = config.load(Path("deploy/sim.toml"))
ACCOUNT: Final = "0x" + "ab" * 20
TAG: Final = house_tag(ACCOUNT)
START: Final = Nanos(1_000 * SECOND)
ASKER_EPOCH: Final = 500
AGENTS: Final = {"risk": "0x" + "01" * 20, "canceller": "0x" + "02" * 20}
MARK: Final = Ticks(600_000)  # BTC: 60,000 USD in ticks of 0.1 USD
PEERS: Final = ("canceller", "market_data", "order_management", "strategy", "estimation")

T = TypeVar("T", bound=Message)


def cloid(sequence: int, epoch: int = ASKER_EPOCH) -> str:
    return make_cloid(TAG, epoch, sequence, 0)


def bid(sequence: int, ticks: int = 599_900, lots: int = 800, *, coin: str = "BTC") -> OrderIntent:
    """Return a bid of ours; by default 480 USD just below the mark."""
    return OrderIntent(cloid=cloid(sequence), coin=coin, side=Side.BUY, ticks=Ticks(ticks), lots=Lots(lots))


def ask(sequence: int, ticks: int = 600_100, lots: int = 800, *, reduce_only: bool = False) -> OrderIntent:
    return OrderIntent(
        cloid=cloid(sequence), coin="BTC", side=Side.SELL, ticks=Ticks(ticks), lots=Lots(lots), reduce_only=reduce_only
    )


def venue_order(order: OrderIntent, oid: int, *, left: int | None = None, placed_ms: int = 0) -> VenueOrder:
    return VenueOrder(
        coin=order.coin,
        oid=oid,
        cloid=order.cloid,
        side=order.side,
        ticks=order.ticks,
        lots=Lots(order.lots if left is None else left),
        original_lots=order.lots,
        placed_ms=Millis(placed_ms),
    )


def fill_of(order: OrderIntent, lots: int, venue_ms: int, tid: int, *, named: bool = True) -> Fill:
    return Fill(
        coin=order.coin,
        side=order.side,
        ticks=order.ticks,
        lots=Lots(lots),
        venue_ms=Millis(venue_ms),
        tid=tid,
        oid=tid,
        cloid=order.cloid if named else None,
        start_position=Lots(0),
        fee=Decimal(0),
        closed_pnl=Decimal(0),
        crossed=False,
    )


class Scene(PlayedVenue):
    """Performs effects as the shell does; `rows`, `sent`, `signs` and `posts` are what came out."""

    def __init__(
        self,
        rows: Iterable[Message] = (),
        *,
        epoch: int = 7,
        now: Nanos = START,
        directory: HaltDirectory | None = None,
        settings: config.Settings = SETTINGS,
    ) -> None:
        super().__init__(settings, ACCOUNT, now, directory or HaltDirectory())
        self.rows = list(rows)
        boot = Boot(epoch=epoch, started_at=now, build="b")
        self.risk = Risk(settings, boot, ACCOUNT, tuple(self.rows), self.verify, agents=AGENTS)
        self.sent: list[Send] = []
        self.posts: list[Post] = []
        self.asks: list[Ask] = []
        self.latches: list[Latch] = []
        self.exits: list[Exit] = []
        self.performed: list[Effect] = []
        self.cut_after: int | None = None
        # peers
        self.silent: set[str] = set()
        self.asker_epoch = ASKER_EPOCH
        self._request_id = 0
        self._tid = 0
        self.traded = 10**6  # lots of each coin, a quarter second

    # --- time ------------------------------------------------------------------------------------------

    def wait(self, seconds: float, *, alive: bool = True) -> "Scene":
        """Let time pass in quarter seconds, with peers and market data alive unless told otherwise."""
        target = Nanos(self.now + int(seconds * SECOND))
        while self.now < target:
            step = Nanos(min(target, self.now + SECOND // 4))
            while (due := self.risk.deadline()) is not None and due <= step:
                assert due >= self.now, "a deadline in the past was not served"
                self.now = max(self.now, due)
                self.send(Wake())
                again = self.risk.deadline()
                assert again is None or again > self.now, "a wake must move the deadline"
            self.now = step
            if alive:
                self.live()
        return self

    def live(self) -> None:
        """One round of everything that healthy peers and a healthy venue say."""
        if self.stamped:
            self.send(VenueTime(venue_ms=self.venue_ms, resolution_ms=1))
        for name in PEERS:
            if name not in self.silent:
                self.beat(name)
        if "order_management" not in self.silent:
            self.send(Reconciled(epoch=self.asker_epoch, done=True, detail=""))
        if "canceller" not in self.silent:
            status = CancellerStatus(epoch=1, venue_read_at=self.now, firing="", firings=0, schedule_cancel="armed")
            self.send(status)
        for coin, ticks in (("BTC", 600_000), ("ETH", 300_000)):
            if "strategy" not in self.silent:
                self.target(coin)
            self.prices(coin, ticks)

    def beat(self, name: str, *, build: str = "b", stopping: bool = False) -> None:
        epoch = self.asker_epoch if name == "order_management" else 1
        self.send(Heartbeat(service=name, epoch=epoch, state=ServiceState.READY, build=build, stopping=stopping))

    def target(self, coin: str) -> None:
        self.send(
            QuoteTarget(
                coin=coin,
                bids=(),
                asks=(),
                reason_bid="",
                reason_ask="",
                fair_ticks=0.0,
                mid_ticks=0.0,
                components_bps={},
                book_venue_ms=Millis(0),
                book_received_at=Nanos(0),
                valid_until=Nanos(self.now + SECOND),
            )
        )

    def prices(self, coin: str, ticks: int) -> None:
        levels = ((Ticks(ticks - 10), Lots(10**6)),), ((Ticks(ticks + 10), Lots(10**6)),)
        at, mark = self.now, Ticks(ticks)
        self.send(
            AssetContext(coin=coin, mark=mark, oracle=mark, funding=0.0, open_interest=0.0, received_at=at),
            Book(coin=coin, venue_ms=self.venue_ms, bids=levels[0], asks=levels[1], received_at=at),
            self.trade(coin, ticks, self.traded),
        )

    def trade(self, coin: str, ticks: int, lots: int) -> Trade:
        """Somebody buys from somebody."""
        self._tid += 1
        return Trade(
            coin=coin,
            venue_ms=self.venue_ms,
            side=Side.BUY,
            ticks=Ticks(ticks),
            lots=Lots(lots),
            tid=self._tid,
            received_at=self.now,
        )

    def ready(self) -> "Scene":
        """Start until quotes may pass."""
        self.send(self.directory, StreamUp(connection=1))
        self.wait(5)
        assert self.risk.state is ServiceState.READY, self.risk.detail
        return self

    # --- messages in, effects out ------------------------------------------------------------------------

    def send(self, *messages: Inbox) -> list[Effect]:
        """Hand over messages, each with everything that the shell answers to its effects."""
        effects: list[Effect] = []
        for message in messages:
            inner: deque[Inbox] = deque([message])
            while inner:
                for effect in self.risk.handle(inner.popleft(), self.now):
                    effects.append(effect)
                    inner.extend(self.perform(effect))
        return effects

    def perform(self, effect: Effect) -> list[Inbox]:
        if self.cut_after is not None and len(self.performed) >= self.cut_after:
            return []  # the process is dead
        self.performed.append(effect)
        match effect:
            case Record():
                self.rows.append(effect.row)
            case Send():
                self.sent.append(effect)
            case Sign():
                return [self._sign(effect)]
            case Post():
                self.posts.append(effect)
                return [self._posted(effect)]
            case Ask(query_id=number):
                self.asks.append(effect)
                return [self._answer(effect) if self.answering else QueryFailed(query_id=number, reason="late")]
            case Latch():
                self.latches.append(effect)
                file = HaltFile(name=f"{len(self.latches)}.json", cause=effect.cause, evidence=effect.evidence)
                self.directory = HaltDirectory(files=(*self.directory.files, file))
                return [self.directory]
            case Unlatch():
                left = tuple(file for file in self.directory.files if file.name not in effect.names)
                self.directory = HaltDirectory(files=left)
                return [self.directory]
            case Exit():
                self.exits.append(effect)
            case _:
                raise AssertionError(effect)
        return []

    def request(
        self, *places: OrderIntent, modifies: tuple[ModifyIntent, ...] = (), epoch: int | None = None, **fields: Nanos
    ) -> ApprovalRequest:
        self._request_id += 1
        soon = Nanos(self.now + SECOND)
        return ApprovalRequest(
            request_id=self._request_id,
            epoch=self.asker_epoch if epoch is None else epoch,
            places=places,
            modifies=modifies,
            **({"deadline": soon, "valid_until": soon} | fields),
        )

    def update(self, order: OrderIntent, oid: int, status: str, *, left: int | None = None) -> None:
        """The venue says what became of an order; the list of open orders follows."""
        shown = venue_order(order, oid, left=left, placed_ms=self.venue_ms)
        self.open.pop(oid, None)
        if status == "open":
            self.open[oid] = shown
        self.statuses[order.cloid] = (status, shown)
        update = OrderUpdate(order=shown, status=status, status_ms=self.venue_ms)
        self.send(OrderUpdates(updates=(update,), received_at=self.now))

    def told(self, kind: type[T], to: str | None = None) -> list[T]:
        """Return what was sent of one type."""
        return [send.message for send in self.sent if isinstance(send.message, kind) and to in {None, send.to}]

    def last(self, kind: type[T]) -> T:
        return self.told(kind)[-1]

    def placed(self) -> list[Sign]:
        return [sign for sign in self.signs if isinstance(sign.action, Place | Modify)]

    def state(self) -> ServiceState:
        return self.risk.state

    def level(self, coin: str = "BTC") -> PostureLevel:
        return self.risk._facts.board.level(coin)

    @staticmethod
    def verify(command: bytes, signature: bytes, now_ms: Millis) -> str | ArmCommand:
        """The operator's word: the command is a list of names, the signature says whether it is good."""
        if signature != b"good":
            return "not signed by the operator key"
        return ArmCommand(reason="looked at it", names=tuple(command.decode().split()), issued_ms=now_ms)


def codes(answer: Approval) -> set[str]:
    """Return the codes of an answer's vetoes."""
    return {veto.code for veto in answer.vetoes}

"""What the tests of order_management share: settings, messages, and a desk on its own."""

from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace

from common.actor import Boot, Effect, Record
from common.cloid import house_tag, make_cloid
from common.config import Settings, load
from common.ledger import Ledger
from common.messages import (
    FeedHealth,
    Fill,
    HaltDirectory,
    Heartbeat,
    Message,
    OrderIntent,
    OrderState,
    OrderUpdates,
    Posture,
    PostureLevel,
    QuoteLevel,
    QuoteTarget,
    ServiceState,
    VenueTime,
)
from common.messages.venue import OrderUpdate, VenueOrder
from common.units import MILLISECOND, SECOND, Lots, Millis, Nanos, Side, Ticks
from services.order_management.desk import Desk
from services.order_management.order_store import OrderStore
from services.order_management.tracked_order import TrackedOrder

T = TypeVar("T", bound=Message)
BASE_MS = 1_700_000_000_000  # venue time at monotonic zero

ACCOUNT = "0x" + "ab" * 20
TAG = house_tag(ACCOUNT)
COINS = ("BTC", "ETH")
FAIR = {"BTC": 1_000_000, "ETH": 400_000}  # ticks; BTC has one decimal, ETH two


def settings(*, unit_ms: int = 250) -> Settings:
    """The sim profile, with a unit of one's own."""
    plain = load(Path(__file__).parents[3] / "deploy" / "sim.toml")
    return replace(plain, liveness=replace(plain.liveness, unit_ms=unit_ms))


def boot(epoch: int = 7, started_at: Nanos = Nanos(0)) -> Boot:
    return Boot(epoch=epoch, started_at=started_at)


def desk() -> Desk:
    """A desk with open, flat books in both coins."""
    plain = settings()
    instruments = plain.instruments()
    made = Desk(
        settings=plain, epoch=7, tag=TAG, account=ACCOUNT, store=OrderStore(instruments), ledger=Ledger(instruments)
    )
    for coin in instruments:
        made.ledger.open(coin, Lots(0), None, Millis(0))
    return made


def cloid(sequence: int, slot: int = 0, epoch: int = 7) -> str:
    return make_cloid(TAG, epoch, sequence, slot)


def intent(
    sequence: int, *, coin: str = "BTC", side: Side = Side.BUY, ticks: int = 999_000, lots: int = 500
) -> OrderIntent:
    return OrderIntent(cloid=cloid(sequence), coin=coin, side=side, ticks=Ticks(ticks), lots=Lots(lots))


def level(ticks: int, lots: int = 500, *, reduce_only: bool = False) -> QuoteLevel:
    return QuoteLevel(ticks=Ticks(ticks), lots=Lots(lots), reduce_only=reduce_only)


def target(
    coin: str = "BTC",
    *,
    bids: tuple[QuoteLevel, ...] = (),
    asks: tuple[QuoteLevel, ...] = (),
    fair: float | None = None,
    valid_until: Nanos,
) -> QuoteTarget:
    middle = float(FAIR[coin] if fair is None else fair)
    return QuoteTarget(
        coin=coin,
        bids=bids,
        asks=asks,
        reason_bid="" if bids else "none",
        reason_ask="" if asks else "none",
        fair_ticks=middle,
        mid_ticks=middle,
        components_bps={},
        book_venue_ms=Millis(0),
        book_received_at=Nanos(0),
        valid_until=valid_until,
    )


def feed(coin: str = "BTC", *, fresh: bool = True) -> FeedHealth:
    return FeedHealth(coin=coin, fresh=fresh, reason="" if fresh else "stale", book_age_ms=10, context_age_ms=10)


def posture(level: PostureLevel = PostureLevel.NORMAL, **coins: PostureLevel) -> Posture:
    return Posture(level=level, coins=coins, causes=(), risk_epoch=1)


def beat(service: str = "risk") -> Heartbeat:
    return Heartbeat(service=service, epoch=1, state=ServiceState.READY)


def armed() -> HaltDirectory:
    return HaltDirectory()


def seconds(value: float) -> Nanos:
    return Nanos(int(value * SECOND))


def stamp(place: Desk, now: Nanos, venue_ms: int = BASE_MS) -> None:
    """Tell the desk what time it is at the venue: `venue_ms` at monotonic zero."""
    place.clock.observe(VenueTime(venue_ms=Millis(venue_ms + now // MILLISECOND), resolution_ms=1), now)


def tracked(
    place: Desk, sequence: int = 1, *, state: OrderState = OrderState.SENT, side: Side = Side.BUY, **fields: object
) -> TrackedOrder:
    """An order of 500 lots in the store; sent ones have a nonce and expire 2 s after venue zero."""
    order = TrackedOrder(
        cloid=cloid(sequence), coin="BTC", side=side, price=Ticks(999_000), size=Lots(500), state=state
    )
    if state is not OrderState.INTENT:
        order.nonce, order.expires_after = sequence, Millis(BASE_MS + 2_000)
    for name, value in fields.items():
        setattr(order, name, value)
    place.store.add(order)
    return order


def listed(order: TrackedOrder, *, left: int = 500, oid: int = 77) -> VenueOrder:
    """The same order as the venue lists it."""
    return VenueOrder(
        coin=order.coin,
        oid=oid,
        cloid=order.cloid,
        side=order.side,
        ticks=order.price,
        lots=Lots(left),
        original_lots=order.size,
        placed_ms=Millis(0),
        reduce_only=order.reduce_only,
    )


def update(order: VenueOrder, status: str) -> OrderUpdates:
    return OrderUpdates(updates=(OrderUpdate(order=order, status=status, status_ms=Millis(1)),), received_at=Nanos(0))


def fill(order: TrackedOrder, lots: int, tid: int = 1, *, by_cloid: bool = True, oid: int = 77, ms: int = 5) -> Fill:
    return Fill(
        coin=order.coin,
        side=order.side,
        ticks=order.price,
        lots=Lots(lots),
        venue_ms=Millis(ms),
        tid=tid,
        oid=oid,
        cloid=order.cloid if by_cloid else None,
        start_position=Lots(0),
        fee=Decimal("0.01"),
        closed_pnl=Decimal(0),
        crossed=False,
    )


def rows(effects: list[Effect], kind: type[T]) -> list[T]:
    """The recorded rows of one kind."""
    return [effect.row for effect in effects if isinstance(effect, Record) and isinstance(effect.row, kind)]

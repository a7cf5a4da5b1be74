"""What the tests of order_management share: settings, messages, and a desk on its own."""

from pathlib import Path

from msgspec.structs import replace

from common.actor import Boot
from common.cloid import house_tag, make_cloid
from common.config import Settings, load
from common.ledger import Ledger
from common.messages import (
    FeedHealth,
    HaltDirectory,
    Heartbeat,
    OrderIntent,
    Posture,
    PostureLevel,
    QuoteLevel,
    QuoteTarget,
    ServiceState,
)
from common.units import SECOND, Lots, Millis, Nanos, Side, Ticks
from services.order_management.desk import Desk
from services.order_management.order_store import OrderStore

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
    made = Desk(settings=plain, epoch=7, tag=TAG, store=OrderStore(instruments), ledger=Ledger(instruments))
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

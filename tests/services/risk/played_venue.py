"""The venue of a scene, and the key: both say what the test wants."""

from decimal import Decimal
from typing import Final

from common.actor import Ask, Post, Sign
from common.config import Settings
from common.messages import (
    Fill,
    HaltDirectory,
    Posted,
    Signed,
    SignFailed,
    VenueAccount,
    VenueCapacity,
    VenueFills,
    VenueMeta,
    VenueOpenOrders,
    VenueOrderStatus,
    VenueRateLimit,
    VenueUserRole,
)
from common.messages.venue import (
    AccountQuery,
    CapacityQuery,
    FillsQuery,
    MetaQuery,
    Modify,
    Noop,
    OpenOrdersQuery,
    OrderStatusQuery,
    Place,
    RateLimitQuery,
    UpdateLeverage,
    UserRoleQuery,
    VenueOrder,
    VenuePosition,
)
from common.units import MILLISECOND, Lots, Millis, Nanos
from services.risk.core import Inbox

VENUE_START: Final = Millis(1_700_000_000_000)  # venue time at monotonic 0
ZERO: Final = Decimal(0)
PLACING: Final = (Place, Modify, UpdateLeverage)


class PlayedVenue:
    """Signs, takes what is posted, and answers what is asked at `now`."""

    def __init__(self, settings: Settings, account: str, now: Nanos, directory: HaltDirectory) -> None:
        self.settings = settings
        self.account = account
        self.now = now
        self.directory = directory
        self.signs: list[Sign] = []
        self.open: dict[int, VenueOrder] = {}
        self.positions: dict[str, int] = {}
        self.fills: list[Fill] = []
        self.statuses: dict[str, tuple[str, VenueOrder]] = {}
        self.equity = Decimal(100_000)
        self.requests_used = 0
        self.capacity = Lots(1_000_000)  # that the venue lets us trade of each coin
        self.leverages: dict[str, int] = {}  # that the venue states; ours, where it takes what we set
        self.revoked: set[str] = set()  # addresses of agents
        self.answering = True
        self.stamped = True  # its messages carry venue time
        self.noops_refused = False
        self.stubborn = False  # it takes a leverage and keeps its own
        self.consumed: set[int] = set()
        self.sign_reason = ""
        self._pending: dict[int, Sign] = {}

    @property
    def venue_ms(self) -> Millis:
        return Millis(VENUE_START + self.now // MILLISECOND)

    def _sign(self, effect: Sign) -> Signed | SignFailed:
        closed = self.directory.halted and not (self.settings.kill.flatten and isinstance(effect.action, Place))
        if self.sign_reason or (closed and isinstance(effect.action, PLACING)):
            return SignFailed(sign_id=effect.sign_id, nonce=effect.nonce, reason=self.sign_reason or "halted")
        self.signs.append(effect)
        self._pending[effect.sign_id] = effect
        return Signed(sign_id=effect.sign_id, nonce=effect.nonce, body=b"signed")

    def _posted(self, effect: Post) -> Posted:
        sign = self._pending[effect.post_id]
        if isinstance(sign.action, UpdateLeverage) and sign.action.coin in self.leverages and not self.stubborn:
            self.leverages[sign.action.coin] = sign.action.leverage
        if isinstance(sign.action, Noop) and sign.nonce in self.consumed:
            error = f"Invalid nonce: duplicate nonce {sign.nonce}"
        elif isinstance(sign.action, Noop) and self.noops_refused:
            error = "User or API Wallet does not exist."
        else:
            error = ""
        return Posted(post_id=effect.post_id, error=error)

    def _answer(self, effect: Ask) -> Inbox:
        at, query_id = self.now, effect.query_id
        match effect.query:
            case RateLimitQuery():
                return VenueRateLimit(query_id=query_id, used=self.requests_used, cap=10_000)
            case CapacityQuery(coin=coin):
                said = self.leverages.get(coin)
                return VenueCapacity(query_id=query_id, coin=coin, buy=self.capacity, sell=self.capacity, leverage=said)
            case UserRoleQuery(user=user):
                role = "missing" if user in self.revoked else "agent"
                return VenueUserRole(query_id=query_id, role=role, master=self.account)
            case MetaQuery():
                return VenueMeta(query_id=query_id, universe=tuple(self.settings.instruments().values()))
            case AccountQuery():
                positions = tuple(self._position(coin, lots) for coin, lots in sorted(self.positions.items()) if lots)
                return VenueAccount(
                    query_id=query_id,
                    venue_ms=self.venue_ms,
                    equity=self.equity,
                    margin_used=ZERO,
                    withdrawable=ZERO,
                    positions=positions,
                    asked_at=at,
                )
            case OpenOrdersQuery():
                return VenueOpenOrders(query_id=query_id, orders=tuple(self.open.values()), asked_at=at)
            case FillsQuery(since_ms=since):
                fills = tuple(fill for fill in self.fills if fill.venue_ms >= since)
                return VenueFills(query_id=query_id, fills=fills, asked_at=at)
            case OrderStatusQuery(cloid=name):
                status, order = self.statuses.get(name, ("unknownOid", None))
                return VenueOrderStatus(
                    query_id=query_id, cloid=name, status=status, order=order, status_ms=self.venue_ms, asked_at=at
                )
            case _:
                raise AssertionError(effect)

    def _position(self, coin: str, lots: int) -> VenuePosition:
        leverage = self.leverages.get(coin, 10)
        return VenuePosition(
            coin=coin, lots=Lots(lots), entry=None, unrealized_pnl=ZERO, leverage=leverage, is_cross=True
        )

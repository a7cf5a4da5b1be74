"""What `mm status` says, put together from facts. Pure.

`encode(assemble(...))` is a contract with other people's tools: keys are only ever added.
Rules
  1. `state` is that of the worst service: HALTED, DOWN, STARTING, RECONCILING, DEGRADED, READY in this order. metrics
     makes it at most DEGRADED: nobody trades by it.
  2. What is not known is null, never "0". Prices, sizes and money are decimal strings, signed where they are positions.
  3. bids and asks are what the venue has confirmed as resting, best first.
  4. `halted` is true when the halt directory, risk's word or the posture says so.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, TypeAlias, TypeVar

import msgspec

from common.config import Settings
from common.instrument import Instrument
from common.messages import (
    Account,
    AddressBudget,
    Book,
    Halt,
    HaltDirectory,
    LeaderEstimate,
    LedgerCheck,
    LiveOrder,
    LiveOrders,
    Message,
    OrderState,
    PendingExposure,
    Position,
    Posture,
    PostureLevel,
    TopOfBook,
)
from common.touch import Touch
from common.units import Lots, Micros, Side, Ticks

Facts: TypeAlias = Mapping[tuple[str, str], Message]  # (topic, coin) -> a service's last message

STATES: Final = ("HALTED", "DOWN", "STARTING", "RECONCILING", "DEGRADED", "READY")  # worst first
BYSTANDERS: Final = frozenset({"metrics", "console"})
COIN_SOURCES: Final = ("market_data", "order_management", "estimation")
MONEY_DECIMALS: Final = 6
RESTING: Final = frozenset(
    {OrderState.RESTING, OrderState.PARTIALLY_FILLED, OrderState.MODIFY_PENDING, OrderState.CANCEL_PENDING}
)

T = TypeVar("T", bound=Message)


class ServiceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One process; DOWN when nothing proves that it lives."""

    state: str
    pid: int | None = None
    epoch: int | None = None
    uptime_s: float | None = None
    loop_lag_ms: float | None = None
    heartbeat_age_ms: float | None = None
    error: str | msgspec.UnsetType = msgspec.UNSET  # only where asking failed


class Endpoints(msgspec.Struct, frozen=True, kw_only=True):
    venue: str | None
    metrics: str | None


class AccountStatus(msgspec.Struct, frozen=True, kw_only=True):
    equity: str | None
    address_requests_used: int | None
    address_requests_cap: int | None
    realized_pnl: str | None
    unrealized_pnl: str | None
    fees: str | None
    funding: str | None
    transfers: str | None
    ledger_residual: str | None
    as_of_ms: int | None  # the venue's time of the equity
    ledger_as_of_ms: int | None  # and of the state that the residual was found at


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    px: str
    sz: str
    cloid: str
    oid: int | None


class CoinStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One coin; sizes in coins, money in USD."""

    mid: str | None
    position: str | None
    bids: tuple[Quote, ...]
    asks: tuple[Quote, ...]
    pending_bid_exposure: str | None
    pending_ask_exposure: str | None
    net_pending_change: str | None
    worst_case_max_position: str | None
    worst_case_min_position: str | None
    realized_pnl: str | None
    unrealized_pnl: str | None
    fees: str | None
    fills: int | None
    resting_bid_notional: str | None
    resting_ask_notional: str | None
    funding: str | None
    foreign_orders: int | None
    position_drift: str | None
    leader_age_ms: int | None  # as estimation said it last
    leader_tilt_bps: float | None
    position_as_of_ms: int | None  # the venue's word that the position was last proven by


class Status(msgspec.Struct, frozen=True, kw_only=True):
    state: str
    posture: str | None
    halted: bool
    halted_coins: tuple[str, ...]  # each of them alone
    profile: str | None
    endpoints: Endpoints
    services: dict[str, ServiceStatus]
    account: AccountStatus
    coins: dict[str, CoinStatus]

    @property
    def quotes(self) -> bool:
        """Something of ours rests."""
        return any(coin.bids or coin.asks for coin in self.coins.values())


def encode(status: Status) -> bytes:
    return msgspec.json.encode(status)


def assemble(
    *,
    settings: Settings | None,
    endpoints: Mapping[str, str],
    services: Mapping[str, ServiceStatus],
    facts: Mapping[str, Facts],
    halt: HaltDirectory,
) -> Status:
    """Put together what the services answered; `settings` None when there is no run yet."""
    risk = facts.get("risk", {})
    posture = _last(risk, Posture)
    account = _last(risk, Account)
    budget = _last(risk, AddressBudget)
    said = _last(risk, Halt)
    books = _last(facts.get("order_management", {}), LedgerCheck)
    instruments = settings.instruments() if settings else {}
    return Status(
        state=worst(services),
        posture=posture.level.name if posture else None,
        halted=halt.halted
        or (said is not None and said.halted)
        or (posture is not None and posture.level is PostureLevel.HALTED),
        halted_coins=halt.coins,
        profile=settings.profile.value if settings else None,
        endpoints=Endpoints(venue=endpoints.get("venue"), metrics=endpoints.get("metrics")),
        services=dict(services),
        account=AccountStatus(
            equity=money(account.equity) if account else None,
            address_requests_used=budget.used if budget else None,
            address_requests_cap=budget.cap if budget else None,
            realized_pnl=money(books.realized_pnl) if books else None,
            unrealized_pnl=money(books.unrealized_pnl) if books else None,
            fees=money(books.fees) if books else None,
            funding=money(books.funding) if books else None,
            transfers=money(books.transfers) if books else None,
            ledger_residual=money(books.residual) if books else None,
            as_of_ms=account.as_of_ms if account else None,
            ledger_as_of_ms=books.as_of_ms if books else None,
        ),
        coins={
            coin: coin_status(instrument, *(facts.get(name, {}) for name in COIN_SOURCES))
            for coin, instrument in instruments.items()
        },
    )


def worst(services: Mapping[str, ServiceStatus]) -> str:
    """Return the state of the worst service (rule 1); DOWN when there is none."""
    rank = STATES.index
    found = [
        "DEGRADED" if name in BYSTANDERS and rank(service.state) < rank("DEGRADED") else service.state
        for name, service in services.items()
    ]
    return min(found, key=rank, default="DOWN")


def coin_status(instrument: Instrument, market: Facts, orders: Facts, estimates: Facts) -> CoinStatus:
    coin = instrument.coin
    mid = middle(instrument, market)
    position = _last(orders, Position, coin)
    pending = _last(orders, PendingExposure, coin)
    live = _last(orders, LiveOrders, coin)
    leader = _last(estimates, LeaderEstimate, coin)

    def size(lots: Lots | None) -> str | None:
        return None if lots is None else plain(instrument.size(lots))

    return CoinStatus(
        mid=plain(mid) if mid is not None else None,
        position=size(position.lots) if position else None,
        bids=_quotes(instrument, live, Side.BUY),
        asks=_quotes(instrument, live, Side.SELL),
        pending_bid_exposure=size(pending.pending_bid) if pending else None,
        pending_ask_exposure=size(pending.pending_ask) if pending else None,
        net_pending_change=size(pending.net_pending_change) if pending else None,
        worst_case_max_position=size(pending.worst_case_max_position) if pending else None,
        worst_case_min_position=size(pending.worst_case_min_position) if pending else None,
        realized_pnl=money(position.realized_pnl) if position else None,
        unrealized_pnl=_unrealized(instrument, position, mid),
        fees=money(position.fees) if position else None,
        fills=position.fills if position else None,
        resting_bid_notional=_usd(pending.resting_bid_notional) if pending else None,
        resting_ask_notional=_usd(pending.resting_ask_notional) if pending else None,
        funding=money(position.funding) if position else None,
        foreign_orders=pending.foreign_orders if pending else None,
        position_drift=size(position.drift) if position else None,
        leader_age_ms=leader.age_ms if leader else None,
        leader_tilt_bps=leader.tilt_bps if leader else None,
        position_as_of_ms=position.as_of_ms if position else None,
    )


def middle(instrument: Instrument, market: Facts) -> Decimal | None:
    """Return the mid in USD from the newer of top of book and book; None unless both sides exist."""
    newest: Touch | None = None
    for found in (_last(market, TopOfBook, instrument.coin), _last(market, Book, instrument.coin)):
        if found is not None and not (touch := Touch.of(found)).is_older_than(newest):
            newest = touch
    if newest is None or newest.bid is None or newest.ask is None or not newest.two_sided:
        return None
    return instrument.price(Ticks(newest.bid[0] + newest.ask[0])) / 2


def plain(value: Decimal) -> str:
    """Return a decimal without exponent."""
    return format(value, "f")


def money(value: Decimal) -> str:
    """Return USD, rounded to the micro-USD that the venue itself counts in: an average price may never end."""
    exponent = value.as_tuple().exponent
    finer = isinstance(exponent, int) and exponent < -MONEY_DECIMALS
    return plain(round(value, MONEY_DECIMALS) if finer else value)


def _usd(micros: Micros) -> str:
    return plain(Decimal(micros).scaleb(-MONEY_DECIMALS).normalize())


def _quotes(instrument: Instrument, live: LiveOrders | None, side: Side) -> tuple[Quote, ...]:
    found = [order for order in (live.orders if live else ()) if order.side is side and order.state in RESTING]

    def outward(order: LiveOrder) -> tuple[int, str]:
        return -order.ticks * side.sign, order.cloid

    return tuple(
        Quote(
            px=plain(instrument.price(order.ticks)),
            sz=plain(instrument.size(order.lots)),
            cloid=order.cloid,
            oid=order.oid,
        )
        for order in sorted(found, key=outward)
    )


def _unrealized(instrument: Instrument, position: Position | None, mid: Decimal | None) -> str | None:
    """Position times (mid - entry)."""
    if position is None:
        return None
    if position.lots == 0:
        return "0"
    if position.entry is None or mid is None:
        return None
    return money(instrument.size(position.lots) * (mid - position.entry))


def _last(facts: Facts, kind: type[T], coin: str = "") -> T | None:
    found = facts.get((kind.__name__, coin))
    return found if isinstance(found, kind) else None

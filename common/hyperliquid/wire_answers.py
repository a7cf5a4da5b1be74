"""Answers to queries: what we ask of the venue over HTTP, and its answers into our messages.

Rules
  1. An answer that is not of its query's shape is a PeerFault; nothing is ever read as "no orders".
  2. In answers coins that are not configured are left out, silently: the asker's matter are its own coins.
  3. A query has its price before it is asked; what its answer adds by its length is charged after.
Fills and fundings come in pages: wire_pages.py.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Annotated, Final, TypeAlias, assert_never

import msgspec
from msgspec import Meta

from common.errors import PeerFault
from common.hyperliquid import wire_types as types
from common.hyperliquid.statuses import UNKNOWN_OID
from common.hyperliquid.wire_ledger import decode_transfers
from common.instrument import PRICE_DECIMALS_MAX, Instrument
from common.messages.base import Message
from common.messages.venue import (
    AccountQuery,
    CapacityQuery,
    FillsQuery,
    FundingQuery,
    MetaQuery,
    OpenOrdersQuery,
    OrderStatusQuery,
    Query,
    RateLimitQuery,
    TransfersQuery,
    UserRoleQuery,
    VenueAccount,
    VenueCapacity,
    VenueMeta,
    VenueOpenOrders,
    VenueOrder,
    VenueOrderStatus,
    VenuePosition,
    VenueRateLimit,
    VenueTransfers,
    VenueUserRole,
)
from common.units import Millis, Nanos

WholeQuery: TypeAlias = (
    OpenOrdersQuery
    | OrderStatusQuery
    | AccountQuery
    | MetaQuery
    | RateLimitQuery
    | TransfersQuery
    | UserRoleQuery
    | CapacityQuery
)


# --- what a query costs and says -------------------------------------------------------------------


class Weight(msgspec.Struct, frozen=True):
    """The venue's price of a query, from a budget of 1,200 a minute for one IP address."""

    base: int
    items_per_unit: int = 0  # one more for so many items returned; 0 is never

    def of(self, items: int) -> int:
        return self.base + (items // self.items_per_unit if self.items_per_unit else 0)


WEIGHTS: Final[Mapping[type[Query], Weight]] = {
    OpenOrdersQuery: Weight(20),
    OrderStatusQuery: Weight(2),
    FillsQuery: Weight(20, 20),
    AccountQuery: Weight(2),
    FundingQuery: Weight(20, 20),
    MetaQuery: Weight(20),
    RateLimitQuery: Weight(20),
    TransfersQuery: Weight(20, 20),
    UserRoleQuery: Weight(60),
    CapacityQuery: Weight(20),
}


def weight(query: Query) -> int:
    """Return what is charged before the answer is known."""
    return WEIGHTS[type(query)].base


def query_body(query: Query, account: str, *, since_ms: int = 0, until_ms: int | None = None) -> dict[str, object]:
    """Return the JSON of /info; the times are those of a page of a paged query.

    ValueError when the query is about an account and there is none.
    """
    if isinstance(query, MetaQuery):
        return {"type": "meta"}
    if not account:
        raise ValueError("no account is configured")
    match query:
        case OpenOrdersQuery():
            return {"type": "frontendOpenOrders", "user": account}
        case OrderStatusQuery(cloid):
            return {"type": "orderStatus", "user": account, "oid": cloid}
        case AccountQuery():
            return {"type": "clearinghouseState", "user": account}
        case TransfersQuery(user, begin_ms):
            return {"type": "userNonFundingLedgerUpdates", "user": user, "startTime": begin_ms}
        case UserRoleQuery(user):
            return {"type": "userRole", "user": user or account}
        case CapacityQuery(coin):
            return {"type": "activeAssetData", "user": account, "coin": coin}
        case FillsQuery():
            return {"type": "userFillsByTime", "user": account, **_span(since_ms, until_ms)}
        case RateLimitQuery():
            return {"type": "userRateLimit", "user": account}
        case FundingQuery():
            return {"type": "userFunding", "user": account, **_span(since_ms, until_ms)}
        case _:
            assert_never(query)


def _span(since_ms: int, until_ms: int | None) -> dict[str, object]:
    return {"startTime": since_ms} if until_ms is None else {"startTime": since_ms, "endTime": until_ms}


# --- answers in one piece --------------------------------------------------------------------------


class _StatusedOrder(msgspec.Struct, frozen=True, rename="camel"):
    order: types.Order
    status: str
    status_timestamp: types.Time


class _OrderStatus(msgspec.Struct, frozen=True):
    status: str
    order: _StatusedOrder | None = None


class _Leverage(msgspec.Struct, frozen=True):
    type: str
    value: Annotated[int, Meta(ge=0, le=1_000)]


class _Position(msgspec.Struct, frozen=True, rename="camel"):
    coin: str
    szi: Decimal
    leverage: _Leverage
    unrealized_pnl: Decimal
    entry_px: Decimal | None = None


class _AssetPosition(msgspec.Struct, frozen=True):
    position: _Position


class _Margin(msgspec.Struct, frozen=True, rename="camel"):
    account_value: Decimal
    total_margin_used: Decimal
    total_raw_usd: Decimal | None = None


class _AccountState(msgspec.Struct, frozen=True, rename="camel"):
    margin_summary: _Margin
    withdrawable: Decimal
    asset_positions: list[_AssetPosition]
    time: types.Time


class _Master(msgspec.Struct, frozen=True):
    """Agents name their user, sub-accounts their master."""

    user: str = ""
    master: str = ""


class _UserRole(msgspec.Struct, frozen=True):
    role: str
    data: _Master = _Master()


class _Asset(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    sz_decimals: Annotated[int, Meta(ge=0, le=PRICE_DECIMALS_MAX)]
    max_leverage: Annotated[int, Meta(ge=1, le=1_000)]


class _Universe(msgspec.Struct, frozen=True):
    universe: list[_Asset]


class _RateLimit(msgspec.Struct, frozen=True, rename="camel"):
    n_requests_used: types.Id
    n_requests_cap: types.Id


class _Capacity(msgspec.Struct, frozen=True, rename="camel"):
    coin: str
    max_trade_szs: tuple[Decimal, Decimal]  # to buy, to sell
    leverage: _Leverage | None = None


_open_orders: Final = msgspec.json.Decoder(list[types.Order])
_order_status: Final = msgspec.json.Decoder(_OrderStatus)
_account_state: Final = msgspec.json.Decoder(_AccountState)
_rate_limit: Final = msgspec.json.Decoder(_RateLimit)
_user_role: Final = msgspec.json.Decoder(_UserRole)
_capacity: Final = msgspec.json.Decoder(_Capacity)
_universe: Final = msgspec.json.Decoder(_Universe)


def decode_answer(
    query: WholeQuery,
    payload: bytes,
    *,
    query_id: int,
    asked_at: Nanos,
    instruments: Mapping[str, Instrument],
) -> Message:
    """Read the answer to a query that has one; PeerFault when it is not of the query's shape."""
    try:
        match query:
            case OpenOrdersQuery():
                orders = _configured(_open_orders.decode(payload), instruments)
                return VenueOpenOrders(query_id=query_id, orders=orders, asked_at=asked_at)
            case OrderStatusQuery(cloid):
                return _status(_order_status.decode(payload), cloid, query_id, asked_at, instruments)
            case AccountQuery():
                return _account(_account_state.decode(payload), query_id, asked_at, instruments)
            case RateLimitQuery():
                seen = _rate_limit.decode(payload)
                return VenueRateLimit(query_id=query_id, used=seen.n_requests_used, cap=seen.n_requests_cap)
            case TransfersQuery(account):
                transfers = decode_transfers(payload, account)
                return VenueTransfers(query_id=query_id, transfers=transfers, asked_at=asked_at)
            case UserRoleQuery():
                role = _user_role.decode(payload)
                return VenueUserRole(query_id=query_id, role=role.role, master=role.data.user or role.data.master)
            case CapacityQuery(coin):
                return _capacities(_capacity.decode(payload), coin, query_id, instruments)
            case MetaQuery():
                return VenueMeta(query_id=query_id, universe=_instruments(_universe.decode(payload)))
            case _:
                assert_never(query)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PeerFault(f"{type(query).__name__}: {error}") from error


def _capacities(seen: _Capacity, coin: str, query_id: int, instruments: Mapping[str, Instrument]) -> VenueCapacity:
    buy, sell = seen.max_trade_szs
    if seen.coin != coin or coin not in instruments:
        raise PeerFault(f"capacity of {seen.coin}; asked for {coin}")
    lots = instruments[coin].lots_floor
    buy_lots, sell_lots = lots(types.finite(buy, "maxTradeSzs")), lots(types.finite(sell, "maxTradeSzs"))
    said = seen.leverage
    return VenueCapacity(
        query_id=query_id,
        coin=coin,
        buy=buy_lots,
        sell=sell_lots,
        leverage=said.value if said else None,
        is_cross=said is None or said.type == "cross",
    )


def _configured(orders: Iterable[types.Order], instruments: Mapping[str, Instrument]) -> tuple[VenueOrder, ...]:
    return tuple(types.venue_order(order, instruments[order.coin]) for order in orders if order.coin in instruments)


def _status(
    found: _OrderStatus, cloid: str, query_id: int, asked_at: Nanos, instruments: Mapping[str, Instrument]
) -> VenueOrderStatus:
    if found.order is None:
        if found.status != UNKNOWN_OID:
            raise PeerFault(f"orderStatus {found.status!r} without an order")
        return VenueOrderStatus(
            query_id=query_id, cloid=cloid, status=UNKNOWN_OID, order=None, status_ms=Millis(0), asked_at=asked_at
        )
    instrument = instruments.get(found.order.order.coin)
    if instrument is None:
        raise PeerFault(f"orderStatus of {cloid}: coin {found.order.order.coin} not configured")
    order = types.venue_order(found.order.order, instrument)
    if order.cloid != cloid.lower():
        raise PeerFault(f"orderStatus of {cloid} is about {order.cloid}")
    return VenueOrderStatus(
        query_id=query_id,
        cloid=cloid,
        status=found.order.status,
        order=order,
        status_ms=Millis(found.order.status_timestamp),
        asked_at=asked_at,
    )


def _account(
    found: _AccountState, query_id: int, asked_at: Nanos, instruments: Mapping[str, Instrument]
) -> VenueAccount:
    raw = found.margin_summary.total_raw_usd
    return VenueAccount(
        query_id=query_id,
        venue_ms=Millis(found.time),
        equity=types.finite(found.margin_summary.account_value, "accountValue"),
        margin_used=types.finite(found.margin_summary.total_margin_used, "totalMarginUsed"),
        withdrawable=types.finite(found.withdrawable, "withdrawable"),
        positions=tuple(
            _position(item.position, instruments[item.position.coin])
            for item in found.asset_positions
            if item.position.coin in instruments
        ),
        asked_at=asked_at,
        raw_usd=None if raw is None else types.finite(raw, "totalRawUsd"),
    )


def _position(found: _Position, instrument: Instrument) -> VenuePosition:
    return VenuePosition(
        coin=found.coin,
        lots=types.lots(instrument, found.szi),
        entry=None if found.entry_px is None else types.finite(found.entry_px, "entryPx"),
        unrealized_pnl=types.finite(found.unrealized_pnl, "unrealizedPnl"),
        leverage=found.leverage.value,
        is_cross=found.leverage.type == "cross",
    )


def _instruments(found: _Universe) -> tuple[Instrument, ...]:
    return tuple(
        Instrument(coin=asset.name, asset=index, size_decimals=asset.sz_decimals, leverage_max=asset.max_leverage)
        for index, asset in enumerate(found.universe)
    )

"""What the venue said and what we ask of it, already in ticks and lots. Made by shells (client.py)."""

from decimal import Decimal
from typing import TypeAlias

import msgspec

from common.instrument import Instrument
from common.messages.base import Message
from common.messages.orders import Cancel, Fill, ModifyIntent, OrderIntent
from common.units import Lots, Millis, Nanos, Side, Ticks

# --- actions: what a key may sign; built into wire form by hyperliquid/wire.py alone ---------------


class Place(msgspec.Struct, frozen=True, tag=True):
    orders: tuple[OrderIntent, ...]


class Modify(msgspec.Struct, frozen=True, tag=True):
    """Sent as batchModify, each by the old order's cloid."""

    modifies: tuple[ModifyIntent, ...]


class CancelOrders(msgspec.Struct, frozen=True, tag=True):
    """All by cloid (cancelByCloid) or all by oid (cancel); `fast` is always set."""

    cancels: tuple[Cancel, ...]


class Noop(msgspec.Struct, frozen=True, tag=True):
    """Burns the nonce it is signed with."""


class ScheduleCancel(msgspec.Struct, frozen=True, tag=True):
    """The venue's dead man's switch; None disarms."""

    at_ms: Millis | None


class UpdateLeverage(msgspec.Struct, frozen=True, tag=True):
    coin: str
    leverage: int
    is_cross: bool = True


Action: TypeAlias = Place | Modify | CancelOrders | Noop | ScheduleCancel | UpdateLeverage

# --- queries -------------------------------------------------------------------------------------


class OpenOrdersQuery(msgspec.Struct, frozen=True, tag=True):
    """All open orders of the account."""


class OrderStatusQuery(msgspec.Struct, frozen=True, tag=True):
    cloid: str


class FillsQuery(msgspec.Struct, frozen=True, tag=True):
    """Own fills from `since_ms` on, paged by the client until complete."""

    since_ms: Millis


class AccountQuery(msgspec.Struct, frozen=True, tag=True):
    """Positions and equity."""


class FundingQuery(msgspec.Struct, frozen=True, tag=True):
    since_ms: Millis


class MetaQuery(msgspec.Struct, frozen=True, tag=True):
    """The venue's universe, to check the configured instruments against."""


class RateLimitQuery(msgspec.Struct, frozen=True, tag=True):
    """userRateLimit: what this address may still send."""


class TransfersQuery(msgspec.Struct, frozen=True, tag=True):
    """Money that `account` moved since then other than by trade, fee or funding."""

    account: str
    since_ms: Millis


class UserRoleQuery(msgspec.Struct, frozen=True, tag=True):
    """What an address is to the venue; the account's own one when none is named."""

    user: str = ""


class CapacityQuery(msgspec.Struct, frozen=True, tag=True):
    """activeAssetData: what the venue lets us trade of a coin."""

    coin: str


AccountQueries: TypeAlias = AccountQuery | FillsQuery | FundingQuery | TransfersQuery | RateLimitQuery | UserRoleQuery
Query: TypeAlias = OpenOrdersQuery | OrderStatusQuery | MetaQuery | CapacityQuery | AccountQueries

# --- streams -------------------------------------------------------------------------------------


class StreamUp(Message, frozen=True, kw_only=True):
    """The socket is open and every subscription of it is acknowledged. User streams did not replay: reconcile."""

    connection: int


class StreamDown(Message, frozen=True, kw_only=True):
    """The socket is gone; the client is reconnecting by itself."""

    connection: int
    reason: str


class VenueTime(Message, frozen=True, kw_only=True):
    """A stamp of venue time: of a stream message or an HTTP Date header; feeds common/venue_clock.py."""

    venue_ms: Millis
    resolution_ms: int  # 1, or 1000 for HTTP dates


class MalformedVenueData(Message, frozen=True, kw_only=True):
    """The venue said something that the schema refuses; dropped and counted."""

    channel: str
    reason: str


class VenueOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the venue lists it."""

    coin: str
    oid: int
    cloid: str | None
    side: Side
    ticks: Ticks
    lots: Lots  # remaining
    original_lots: Lots
    placed_ms: Millis
    reduce_only: bool = False


class OrderUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """One element of orderUpdates; `status` is the venue's string, unknown ones included."""

    order: VenueOrder
    status: str
    status_ms: Millis


class OrderUpdates(Message, frozen=True, kw_only=True):
    updates: tuple[OrderUpdate, ...]
    received_at: Nanos


class StreamFills(Message, frozen=True, kw_only=True):
    """userFills: the first after each subscribe is a snapshot of old ones."""

    fills: tuple[Fill, ...]
    snapshot: bool
    received_at: Nanos


class FundingPayment(msgspec.Struct, frozen=True, kw_only=True):
    coin: str
    usd: Decimal  # received is positive
    venue_ms: Millis


class FundingPayments(Message, frozen=True, kw_only=True):
    """userFundings; dedupe by (venue_ms, coin)."""

    payments: tuple[FundingPayment, ...]
    snapshot: bool


# --- answers to queries; `query_id` is the asker's --------------------------------------------------


class VenueOpenOrders(Message, frozen=True, kw_only=True):
    query_id: int
    orders: tuple[VenueOrder, ...]
    asked_at: Nanos


class VenueOrderStatus(Message, frozen=True, kw_only=True):
    """`status` is the venue's string, or "unknownOid" and no order."""

    query_id: int
    cloid: str
    status: str
    order: VenueOrder | None
    status_ms: Millis
    asked_at: Nanos


class VenueFills(Message, frozen=True, kw_only=True):
    query_id: int
    fills: tuple[Fill, ...]
    asked_at: Nanos


class VenuePosition(msgspec.Struct, frozen=True, kw_only=True):
    coin: str
    lots: Lots  # signed
    entry: Decimal | None
    unrealized_pnl: Decimal
    leverage: int
    is_cross: bool


class VenueAccount(Message, frozen=True, kw_only=True):
    """Flat coins are absent."""

    query_id: int
    venue_ms: Millis
    equity: Decimal
    margin_used: Decimal
    withdrawable: Decimal
    positions: tuple[VenuePosition, ...]
    asked_at: Nanos
    raw_usd: Decimal | None = None  # equity less the value of all positions: what fills, fees and funding moved


class VenueFundings(Message, frozen=True, kw_only=True):
    query_id: int
    payments: tuple[FundingPayment, ...]


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """One change of the balance, received is positive; `kind` is the venue's word."""

    kind: str
    usd: Decimal
    venue_ms: Millis


class VenueTransfers(Message, frozen=True, kw_only=True):
    query_id: int
    transfers: tuple[Transfer, ...]
    asked_at: Nanos


class VenueUserRole(Message, frozen=True, kw_only=True):
    """`role` is the venue's word: user, agent, subAccount, vault or missing; `master` whose, where it says so."""

    query_id: int
    role: str
    master: str


class VenueCapacity(Message, frozen=True, kw_only=True):
    """What the account could still buy and sell of a coin, at its leverage and with its free margin."""

    query_id: int
    coin: str
    buy: Lots
    sell: Lots
    leverage: int | None = None  # None where the venue does not say
    is_cross: bool = True


class VenueMeta(Message, frozen=True, kw_only=True):
    query_id: int
    universe: tuple[Instrument, ...]


class VenueRateLimit(Message, frozen=True, kw_only=True):
    """Requests of this address since it exists, and how many it may send in all."""

    query_id: int
    used: int
    cap: int


class QueryFailed(Message, frozen=True, kw_only=True):
    """No believable answer: time-out, HTTP error, bad JSON. Never "no orders"."""

    query_id: int
    reason: str
    absurd: bool = False  # an answer came, and a number in it is none


# --- answers to posted actions -------------------------------------------------------------------


class ActionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The venue's word on one item: kind is resting, filled, success, waiting or error."""

    kind: str
    oid: int | None = None
    lots: Lots | None = None  # filled now
    text: str = ""


class Posted(Message, frozen=True, kw_only=True):
    """The venue answered; `error` is a refusal of the whole action."""

    post_id: int
    statuses: tuple[ActionStatus, ...] = ()
    error: str = ""


class PostFailed(Message, frozen=True, kw_only=True):
    """No answer. `sent` false only when no byte left this process; otherwise the order may exist."""

    post_id: int
    sent: bool
    reason: str


# --- answers to signatures -----------------------------------------------------------------------


class Signed(Message, frozen=True, kw_only=True):
    """The exact bytes to post."""

    sign_id: int
    nonce: int
    body: bytes


class SignFailed(Message, frozen=True, kw_only=True):
    """A veto: halt file present, second limit set, or the signer itself."""

    sign_id: int
    nonce: int
    reason: str

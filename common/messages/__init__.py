"""Every message that crosses a process boundary or reaches an actor, and its bytes.

Reading order: base -> market -> estimates -> orders -> safety -> venue, by producer; then the codec below.
Rules
  1. A message is a fact or a request: frozen, and named without verbs like Process or Handle.
  2. Prices and sizes are whole ticks and lots, money is Decimal or micro-USD; `*_ms` is venue time,
     every other time is monotonic nanoseconds.
  3. Fields are only ever added, with a default. The tag is the class name and never changes.
  4. Unknown fields and wrong types are refused: a peer with another schema is a fault, not a guess.
"""

from collections.abc import Iterable
from typing import Final, TypeVar, get_args

import msgspec

from common.errors import PeerFault
from common.messages.base import (
    Ack,
    ArmAnswer,
    ArmRequest,
    Envelope,
    HaltDirectory,
    HaltFile,
    HaltNotice,
    Heartbeat,
    Message,
    Missed,
    SendFailed,
    ServiceState,
    Snapshot,
    SnapshotRequest,
    Stopping,
    Wake,
)
from common.messages.estimates import (
    ArrivalEstimate,
    ArrivalSide,
    Attribution,
    CascadeEstimate,
    FlowEstimate,
    LeaderEstimate,
    Markout,
    MarkoutEstimate,
    VolatilityEstimate,
)
from common.messages.market import (
    AssetContext,
    Book,
    Estimate,
    FeedHealth,
    LeaderDown,
    LeaderTop,
    QuoteLevel,
    QuoteShares,
    QuoteTarget,
    Regime,
    TopOfBook,
    Trade,
)
from common.messages.orders import (
    ApprovalRequest,
    BootRecord,
    Cancel,
    CancelRequest,
    CheckpointRecord,
    Fill,
    FillRecord,
    FindingRecord,
    FundingRecord,
    IntentRecord,
    LedgerCheck,
    LedgerRecord,
    LiveOrder,
    LiveOrders,
    ModifyIntent,
    NoopRequest,
    OpenOrderRecord,
    OrderCounts,
    OrderIntent,
    OrderState,
    PendingExposure,
    Position,
    Reconciled,
    TimeInForce,
    TransitionRecord,
)
from common.messages.safety import (
    Account,
    AddressBudget,
    Approval,
    Approved,
    ArmRecord,
    CancelAnswer,
    CancellerStatus,
    CancelOutcome,
    DayRecord,
    DecisionRecord,
    Exposure,
    Fate,
    Halt,
    HaltReport,
    NonceRecord,
    NoopSigned,
    OrderFate,
    Posture,
    PostureLevel,
    RiskCounts,
    Veto,
)
from common.messages.venue import (
    FundingPayments,
    MalformedVenueData,
    OrderUpdates,
    Posted,
    PostFailed,
    QueryFailed,
    Signed,
    SignFailed,
    StreamDown,
    StreamFills,
    StreamUp,
    VenueAccount,
    VenueCapacity,
    VenueFills,
    VenueFundings,
    VenueMeta,
    VenueOpenOrders,
    VenueOrderStatus,
    VenueRateLimit,
    VenueTime,
    VenueTransfers,
    VenueUserRole,
)

MESSAGES: Final[tuple[type[Message], ...]] = (
    # base
    *(Heartbeat, Wake, Stopping, Missed, SendFailed, HaltDirectory),
    *(SnapshotRequest, Snapshot, HaltNotice, ArmRequest, ArmAnswer, Ack),
    # market
    *(Book, TopOfBook, Trade, AssetContext, FeedHealth, Estimate, QuoteTarget, QuoteShares, LeaderTop, LeaderDown),
    # estimates
    *(VolatilityEstimate, ArrivalEstimate, FlowEstimate, CascadeEstimate, MarkoutEstimate, Attribution, LeaderEstimate),
    # orders
    *(Fill, Position, PendingExposure, LiveOrders, OrderCounts, LedgerCheck),
    *(ApprovalRequest, NoopRequest, CancelRequest),
    *(Reconciled, BootRecord, IntentRecord, TransitionRecord, FillRecord, FindingRecord),
    *(FundingRecord, LedgerRecord, CheckpointRecord),
    # safety
    *(Posture, Exposure, Account, AddressBudget, Halt, RiskCounts, CancellerStatus),
    *(Approved, Approval, NoopSigned, CancelAnswer),
    *(DecisionRecord, NonceRecord, ArmRecord, DayRecord, HaltReport),
    # venue
    *(StreamUp, StreamDown, VenueTime, MalformedVenueData, OrderUpdates, StreamFills, FundingPayments),
    *(
        VenueOpenOrders,
        VenueOrderStatus,
        VenueFills,
        VenueAccount,
        VenueFundings,
        VenueMeta,
        VenueRateLimit,
        QueryFailed,
    ),
    *(VenueTransfers, VenueUserRole, VenueCapacity, Posted, PostFailed, Signed, SignFailed),
)

# Topics whose last message alone says everything: newest wins, gaps heal, snapshots are given of them.
FULL_STATE: Final = frozenset(
    {
        *(Book, TopOfBook, AssetContext, FeedHealth, Estimate, QuoteTarget, QuoteShares, LeaderTop),
        *(
            VolatilityEstimate,
            ArrivalEstimate,
            FlowEstimate,
            CascadeEstimate,
            MarkoutEstimate,
            Attribution,
            LeaderEstimate,
        ),
        *(Position, PendingExposure, LiveOrders, OrderCounts, LedgerCheck, Reconciled),
        *(Posture, Exposure, Account, AddressBudget, Halt, RiskCounts, CancellerStatus, Heartbeat),
    }
)

T = TypeVar("T", bound=Message)
_encoder = msgspec.msgpack.Encoder()
_decoders: Final = {kind.__name__: msgspec.msgpack.Decoder(kind) for kind in MESSAGES}


def encode(message: Message) -> bytes:
    return _encoder.encode(message)


def decode(kind: str, body: bytes) -> Message:
    """Decode one message of the named type; PeerFault whatever is wrong with it."""
    decoder = _decoders.get(kind)
    if decoder is None:
        raise PeerFault(f"unknown message type {kind!r}")
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:  # mutated strings raise the latter (measured)
        raise PeerFault(f"{kind}: {error}") from error


def topic(kind: type[Message]) -> str:
    return kind.__name__


def kinds(inbox: object) -> frozenset[str]:
    """Return the names of the types in an actor's Inbox: it is the subscription."""
    members: Iterable[type[Message]] = get_args(inbox) or (inbox,)
    return frozenset(topic(kind) for kind in members)


def key(message: Message) -> str:
    """Return the coin of a message, or "" where the topic has none."""
    return getattr(message, "coin", "")


__all__ = [
    "FULL_STATE",
    "MESSAGES",
    "Account",
    "Ack",
    "AddressBudget",
    "Approval",
    "ApprovalRequest",
    "Approved",
    "ArmAnswer",
    "ArmRecord",
    "ArmRequest",
    "ArrivalEstimate",
    "ArrivalSide",
    "AssetContext",
    "Attribution",
    "Book",
    "BootRecord",
    "Cancel",
    "CancelAnswer",
    "CancelOutcome",
    "CancelRequest",
    "CancellerStatus",
    "CascadeEstimate",
    "CheckpointRecord",
    "DayRecord",
    "DecisionRecord",
    "Envelope",
    "Estimate",
    "Exposure",
    "Fate",
    "FeedHealth",
    "Fill",
    "FillRecord",
    "FindingRecord",
    "FlowEstimate",
    "FundingPayments",
    "FundingRecord",
    "Halt",
    "HaltDirectory",
    "HaltFile",
    "HaltNotice",
    "HaltReport",
    "Heartbeat",
    "IntentRecord",
    "LeaderDown",
    "LeaderEstimate",
    "LeaderTop",
    "LedgerCheck",
    "LedgerRecord",
    "LiveOrder",
    "LiveOrders",
    "MalformedVenueData",
    "Markout",
    "MarkoutEstimate",
    "Message",
    "Missed",
    "ModifyIntent",
    "NonceRecord",
    "NoopRequest",
    "NoopSigned",
    "OpenOrderRecord",
    "OrderCounts",
    "OrderFate",
    "OrderIntent",
    "OrderState",
    "OrderUpdates",
    "PendingExposure",
    "Position",
    "PostFailed",
    "Posted",
    "Posture",
    "PostureLevel",
    "QueryFailed",
    "QuoteLevel",
    "QuoteShares",
    "QuoteTarget",
    "Reconciled",
    "Regime",
    "RiskCounts",
    "SendFailed",
    "ServiceState",
    "SignFailed",
    "Signed",
    "Snapshot",
    "SnapshotRequest",
    "Stopping",
    "StreamDown",
    "StreamFills",
    "StreamUp",
    "TimeInForce",
    "TopOfBook",
    "Trade",
    "TransitionRecord",
    "VenueAccount",
    "VenueCapacity",
    "VenueFills",
    "VenueFundings",
    "VenueMeta",
    "VenueOpenOrders",
    "VenueOrderStatus",
    "VenueRateLimit",
    "VenueTime",
    "VenueTransfers",
    "VenueUserRole",
    "Veto",
    "VolatilityEstimate",
    "Wake",
    "decode",
    "encode",
    "key",
    "kinds",
    "topic",
]

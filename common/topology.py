"""Who produces which fact, and who may ask whom for what.

An actor's Inbox is its subscription: for each fact type in it, the mesh connects to that type's producer.
"""

from typing import Final

from common.config import MESH_SERVICES
from common.messages import (
    Account,
    Ack,
    AddressBudget,
    Approval,
    ApprovalRequest,
    Approved,
    ArmAnswer,
    ArmRequest,
    ArrivalEstimate,
    AssetContext,
    Attribution,
    Book,
    CancelAnswer,
    CancellerStatus,
    CancelRequest,
    CascadeEstimate,
    Estimate,
    Exposure,
    FeedHealth,
    Fill,
    FlowEstimate,
    Halt,
    HaltNotice,
    LeaderEstimate,
    LeaderTop,
    LedgerCheck,
    LiveOrders,
    MarkoutEstimate,
    Message,
    NoopRequest,
    NoopSigned,
    OrderCounts,
    PendingExposure,
    Position,
    Posture,
    QuoteShares,
    QuoteTarget,
    Reconciled,
    RiskCounts,
    Snapshot,
    SnapshotRequest,
    TopOfBook,
    Trade,
    VolatilityEstimate,
)

ACTORS: Final = MESH_SERVICES
OUTSIDERS: Final = ("cli",)  # may ask, binds nothing

PRODUCER: Final[dict[type[Message], str]] = {
    **dict.fromkeys((Book, TopOfBook, Trade, AssetContext, FeedHealth, LeaderTop), "market_data"),
    **dict.fromkeys(
        (
            *(Estimate, VolatilityEstimate, ArrivalEstimate, FlowEstimate, CascadeEstimate),
            *(LeaderEstimate, MarkoutEstimate, Attribution),
        ),
        "estimation",
    ),
    **dict.fromkeys((QuoteTarget, QuoteShares), "strategy"),
    **dict.fromkeys(
        (Fill, Position, PendingExposure, LiveOrders, OrderCounts, LedgerCheck, Reconciled), "order_management"
    ),
    **dict.fromkeys((Posture, Exposure, Account, AddressBudget, Halt, RiskCounts, Approved), "risk"),
    CancellerStatus: "canceller",
}

# Risk believes its own socket to the venue, never market_data's copy.
OWN_FEED: Final[dict[str, frozenset[type[Message]]]] = {"risk": frozenset({Book, TopOfBook, Trade, AssetContext})}

# Heartbeats that a service hears. The roster needs all; others hear whom they must act on when silent.
HEARTBEATS: Final[dict[str, tuple[str, ...]]] = {
    "risk": ("canceller", "order_management", "market_data", "estimation", "strategy"),
    "canceller": ("risk", "order_management"),
    "order_management": ("risk", "canceller"),
    "metrics": ("risk", "canceller", "order_management", "market_data", "estimation", "strategy"),
}

# Request -> (who may send it, who may receive it). The receiver drops anything else and counts it.
REQUESTS: Final[dict[type[Message], tuple[frozenset[str], frozenset[str]]]] = {
    ApprovalRequest: (frozenset({"order_management"}), frozenset({"risk"})),
    NoopRequest: (frozenset({"order_management"}), frozenset({"risk"})),
    CancelRequest: (frozenset({"order_management", "risk"}), frozenset({"canceller"})),
    ArmRequest: (frozenset({"cli"}), frozenset({"risk"})),
    HaltNotice: (frozenset({*ACTORS, "cli"}), frozenset({"risk", "order_management", "canceller"})),
    SnapshotRequest: (frozenset({*ACTORS, "cli"}), frozenset(ACTORS)),
}
ANSWERS: Final[frozenset[type[Message]]] = frozenset({Approval, NoopSigned, CancelAnswer, ArmAnswer, Ack, Snapshot})


def subscriptions(service: str, inbox: tuple[type[Message], ...]) -> dict[str, tuple[str, ...]]:
    """Return producer -> topics that this Inbox needs, heartbeats included."""
    wanted: dict[str, list[str]] = {}
    own = OWN_FEED.get(service, frozenset())
    for kind in inbox:
        producer = PRODUCER.get(kind)
        if producer is not None and producer != service and kind not in own:
            wanted.setdefault(producer, []).append(kind.__name__)
    for peer in HEARTBEATS.get(service, ()):
        wanted.setdefault(peer, []).append("Heartbeat")
    return {producer: tuple(sorted(topics)) for producer, topics in sorted(wanted.items())}


def asked(service: str) -> tuple[str, ...]:
    """Return the peers that a service may send requests to, snapshot requests apart."""
    return tuple(
        sorted(
            {
                receiver
                for kind, (senders, receivers) in REQUESTS.items()
                if service in senders and kind is not SnapshotRequest
                for receiver in receivers
                if receiver != service
            }
        )
    )

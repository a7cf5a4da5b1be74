"""What risk and the canceller say: verdicts, posture, halts, exposure, and their durable decisions."""

from decimal import Decimal
from enum import IntEnum, StrEnum

import msgspec

from common.messages.base import HaltFile, Message
from common.messages.orders import Cancel, OrderIntent
from common.units import Lots, Millis, Nanos


class PostureLevel(IntEnum):
    """What may rest or be sent; higher is stricter, and the strictest wins."""

    NORMAL = 0
    WIDEN = 1
    REDUCE_ONLY = 2
    PULL_QUOTES = 3
    HALTED = 4


class Posture(Message, frozen=True, kw_only=True):
    """The posture of the whole mesh and of each coin; full state, repeated every unit."""

    level: PostureLevel
    coins: dict[str, PostureLevel]
    causes: tuple[str, ...]
    risk_epoch: int


class Exposure(Message, frozen=True, kw_only=True):
    """Risk's own ledger of one coin, and what it would still approve on each side."""

    coin: str
    position: Lots  # signed, from risk's own streams
    pending_bid: Lots
    pending_ask: Lots
    worst_case_max_position: Lots
    worst_case_min_position: Lots
    headroom_bid: Lots
    headroom_ask: Lots
    largest_order: Lots = Lots(0)  # of one order: by value, by what the book shows, by what was traded


class Account(Message, frozen=True, kw_only=True):
    """Equity as the venue states it."""

    equity: Decimal
    margin_used: Decimal
    withdrawable: Decimal
    as_of_ms: Millis


class AddressBudget(Message, frozen=True, kw_only=True):
    """Requests of this address: the venue's last count, and what was signed since."""

    used: int
    cap: int


class Halt(Message, frozen=True, kw_only=True):
    """Trading is stopped until a person arms it; `contained` once nothing of ours can arrive or rest."""

    halted: bool
    latched: bool
    contained: bool
    causes: tuple[HaltFile, ...]
    fates: str = ""  # of the orders that could fill when it began, in one line; HaltReport names each


class Approved(Message, frozen=True, kw_only=True):
    """I signed orders with these cloids: the canceller may cancel them without asking the venue first."""

    approval_id: int
    cloids: tuple[str, ...]


class RiskCounts(Message, frozen=True, kw_only=True):
    """Counters since my start, for metrics."""

    approvals: int
    signatures: int
    vetoes: dict[str, int]  # by control: orders refused, and times that a monitor began to restrain
    findings: dict[str, int]


# --- answers -------------------------------------------------------------------------------------


class Veto(msgspec.Struct, frozen=True, kw_only=True):
    """Why one order was removed from the action."""

    cloid: str
    code: str
    detail: str


class Approval(Message, frozen=True, kw_only=True):
    """`body` is the exact request to post, signed; empty when everything was vetoed."""

    request_id: int
    epoch: int  # of the asker, echoed
    risk_epoch: int
    approval_id: int
    body: bytes
    nonce: int
    expires_after: Millis
    approved: tuple[str, ...]  # cloids
    vetoes: tuple[Veto, ...] = ()


class NoopSigned(Message, frozen=True, kw_only=True):
    """Post this to burn the nonce; empty body when refused."""

    request_id: int
    nonce: int
    body: bytes
    reason: str = ""


class CancelOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """The venue's word on one cancel: "success" or its error text."""

    cancel: Cancel
    status: str


class CancelAnswer(Message, frozen=True, kw_only=True):
    """What the venue said, or why I could not ask it."""

    request_id: int
    outcomes: tuple[CancelOutcome, ...] = ()
    error: str = ""


# --- canceller -----------------------------------------------------------------------------------


class CancellerStatus(Message, frozen=True, kw_only=True):
    """My health as risk needs it for the roster; full state, repeated every unit."""

    epoch: int
    venue_read_at: Nanos | None  # last good read of the account
    firing: str  # "" or why I am cancelling everything
    firings: int  # counted ones, since my start
    schedule_cancel: str  # "armed", or why the venue refuses it


# --- records -------------------------------------------------------------------------------------


class DecisionRecord(Message, frozen=True, kw_only=True):
    """One verdict, durable before its signature exists. The next nonce is above the last recorded one."""

    approval_id: int
    asker: str
    epoch: int
    nonce: int
    expires_after: Millis
    orders: tuple[OrderIntent, ...]  # approved ones, exactly as signed
    vetoes: tuple[Veto, ...]
    tag: str  # "quote", "noop", "cancel", "flatten", "leverage"
    limits: str = ""  # hash of those that it was judged by
    build: str = ""  # of the code that judged


class NonceRecord(Message, frozen=True, kw_only=True):
    """This nonce may have been used; the next one is above it."""

    nonce: int
    tag: str


class ArmRecord(Message, frozen=True, kw_only=True):
    """A person cleared these causes."""

    reason: str
    cleared: tuple[HaltFile, ...]
    at_ms: Millis = Millis(0)  # venue time


class Fate(StrEnum):
    CANCELLED = "cancelled"
    FILLED = "filled"
    PARTLY_FILLED = "partially filled"
    NEVER_ACCEPTED = "never accepted"
    UNKNOWN = "unknown"


class OrderFate(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one order, and what proves it."""

    order: OrderIntent
    acknowledged: bool  # the venue had shown it when the halt began
    fate: Fate
    filled: Lots
    evidence: str


class HaltReport(Message, frozen=True, kw_only=True):
    """Every order that could fill when a halt began. The newest row of a halt holds."""

    began_ms: Millis  # venue time; 0 where it was unknown
    halts: tuple[str, ...]  # names of the halt files
    complete: bool  # contained, and no fate can become known any more
    fates: tuple[OrderFate, ...]


class DayRecord(Message, frozen=True, kw_only=True):
    """What losses are measured from, by venue time: equity at the start of the UTC day and hour, and its peak."""

    day: int  # whole days since the Unix epoch
    equity: Decimal
    hour: int = 0  # whole hours since the Unix epoch
    hour_equity: Decimal = Decimal(0)
    peak: Decimal = Decimal(0)  # since a person last cleared a drawdown

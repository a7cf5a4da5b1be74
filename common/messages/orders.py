"""Orders, fills and positions: what order_management knows, asks for and writes down.

A cloid is `0x` and 32 hex digits: house tag (8) | boot epoch (8) | journal sequence (12) | slot (4).
Ours means: our house tag.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec

from common.messages.base import Message
from common.units import Lots, Micros, Millis, Nanos, Side, Ticks


class TimeInForce(StrEnum):
    ALO = "Alo"  # post only
    IOC = "Ioc"  # reduce-only exits alone
    GTC = "Gtc"  # never sent by us; foreign orders have it


class OrderState(StrEnum):
    INTENT = "Intent"
    APPROVED = "Approved"
    VETOED = "Vetoed"
    SENT = "Sent"
    UNKNOWN = "Unknown"
    RESTING = "Resting"
    PARTIALLY_FILLED = "PartiallyFilled"
    FILLED = "Filled"
    FILLED_IMMEDIATELY = "FilledImmediately"
    REJECTED = "Rejected"
    MODIFY_PENDING = "ModifyPending"
    CANCEL_PENDING = "CancelPending"
    CANCEL_CONFIRMED = "CancelConfirmed"
    CANCELLED = "Cancelled"
    FILLED_DURING_CANCEL = "FilledDuringCancel"


# --- parts ---------------------------------------------------------------------------------------


class OrderIntent(msgspec.Struct, frozen=True, kw_only=True):
    """One order that we want to place."""

    cloid: str
    coin: str
    side: Side
    ticks: Ticks
    lots: Lots  # unsigned
    tif: TimeInForce = TimeInForce.ALO
    reduce_only: bool = False


class ModifyIntent(msgspec.Struct, frozen=True, kw_only=True):
    """Replace the order `old_cloid` (venue: cancel + new, the cancel leg may succeed alone)."""

    old_cloid: str
    order: OrderIntent


class Cancel(msgspec.Struct, frozen=True, kw_only=True):
    """One order to cancel: by cloid, or by oid where it has no cloid."""

    coin: str
    cloid: str | None = None
    oid: int | None = None


class LiveOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One of ours that may still fill."""

    cloid: str
    oid: int | None
    side: Side
    ticks: Ticks
    lots: Lots  # remaining
    reduce_only: bool
    state: OrderState


# --- facts, by order_management ------------------------------------------------------------------


class Fill(Message, frozen=True, kw_only=True):
    """The venue reported a trade of ours. Counted once, by (venue_ms, coin, tid)."""

    coin: str
    side: Side
    ticks: Ticks
    lots: Lots  # unsigned
    venue_ms: Millis
    tid: int
    oid: int
    cloid: str | None
    start_position: Lots  # signed, before this fill: chains fills of one millisecond
    fee: Decimal  # USD as charged; negative is a rebate
    closed_pnl: Decimal  # the venue's, gross of fee
    crossed: bool  # we were the taker
    liquidation: bool = False  # of ours, not of whom we traded with


class Position(Message, frozen=True, kw_only=True):
    """What we hold and what it earned. Full state: venue snapshot at `as_of_ms` plus fills after it."""

    coin: str
    lots: Lots  # signed
    entry: Decimal | None  # average entry price, USD; None when flat
    realized_pnl: Decimal  # gross of fees
    fees: Decimal
    funding: Decimal  # received is positive
    fills: int
    as_of_ms: Millis
    proven: bool  # false while start, reconnect or a difference is unresolved
    drift: Lots = Lots(0)  # ours minus the venue's, both at the time of its last account state


class PendingExposure(Message, frozen=True, kw_only=True):
    """All of our orders that may still fill, summed; a partial fill is excluded, it is in the position."""

    coin: str
    pending_bid: Lots
    pending_ask: Lots
    net_pending_change: Lots
    worst_case_max_position: Lots
    worst_case_min_position: Lots
    resting_bid_notional: Micros
    resting_ask_notional: Micros
    foreign_orders: int = 0  # open orders of others: counted in all of the above, never touched


class LiveOrders(Message, frozen=True, kw_only=True):
    """Every order of ours in this coin that may still fill."""

    coin: str
    orders: tuple[LiveOrder, ...]


class LedgerCheck(Message, frozen=True, kw_only=True):
    """The account's books at its last state: equity changes by what was earned, less fees, and by transfers alone."""

    equity: Decimal
    realized_pnl: Decimal  # gross of fees, like the next ones since the books were opened
    unrealized_pnl: Decimal  # at the venue's mark
    fees: Decimal
    funding: Decimal
    transfers: Decimal  # received is positive; since the process started
    residual: Decimal  # change of equity since `since_ms` that none of these explains
    since_ms: Millis
    as_of_ms: Millis


class OrderCounts(Message, frozen=True, kw_only=True):
    """Counters since my start, for metrics: actions, states reached, findings."""

    counts: dict[str, int]


# --- requests ------------------------------------------------------------------------------------


class ApprovalRequest(Message, frozen=True, kw_only=True):
    """Sign these for me; one request covers everything of one requote. No answer by `deadline` is a veto."""

    request_id: int
    epoch: int
    deadline: Nanos
    places: tuple[OrderIntent, ...] = ()
    modifies: tuple[ModifyIntent, ...] = ()
    valid_until: Nanos  # of the oldest target that these serve


class NoopRequest(Message, frozen=True, kw_only=True):
    """Burn this nonce of yours: the order sent with it is un-acked and must not arrive any more."""

    request_id: int
    epoch: int
    deadline: Nanos
    nonce: int


class CancelRequest(Message, frozen=True, kw_only=True):
    """Cancel these now; `everything` means all of ours by the venue's own list."""

    request_id: int
    sender: str
    epoch: int
    deadline: Nanos
    cancels: tuple[Cancel, ...] = ()
    everything: bool = False
    reason: str


class Reconciled(Message, frozen=True, kw_only=True):
    """My epoch has finished recovery: risk may approve for it. Full state, repeated."""

    epoch: int
    done: bool
    detail: str


# --- records, in order_management's journal ------------------------------------------------------


class BootRecord(Message, frozen=True, kw_only=True):
    """A process started with this epoch."""

    epoch: int


class IntentRecord(Message, frozen=True, kw_only=True):
    """Written before anything is asked of risk."""

    order: OrderIntent
    mid_ticks: float
    replaces: str | None = None


class TransitionRecord(Message, frozen=True, kw_only=True):
    """An order moved; `evidence` names the venue message or the answer that proved it."""

    cloid: str
    state: OrderState
    evidence: str
    oid: int | None = None
    nonce: int | None = None
    expires_after: Millis | None = None
    filled: Lots = Lots(0)
    approval_id: int | None = None


class FillRecord(Message, frozen=True, kw_only=True):
    """Counted into position and ledger with this row, in one transaction."""

    fill: Fill
    source: str  # stream, snapshot, query


class FindingRecord(Message, frozen=True, kw_only=True):
    """Two sources differ; nothing is silently corrected."""

    kind: str
    coin: str
    evidence: str


class FundingRecord(Message, frozen=True, kw_only=True):
    """A funding payment, counted once into the ledger with this row."""

    coin: str
    usd: Decimal  # received is positive
    venue_ms: Millis


class LedgerRecord(Message, frozen=True, kw_only=True):
    """The books of one coin as they stand from this row on: opened, adopted from the venue, or carried over."""

    coin: str
    lots: Lots  # signed
    entry: Decimal | None
    realized_pnl: Decimal
    fees: Decimal
    funding: Decimal
    fills: int
    opened_ms: Millis  # what happened until then is not in these books
    anchor_ms: Millis  # `lots` is the venue's word of then plus every fill later than that
    reason: str


class OpenOrderRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An order that may still fill, carried over by a checkpoint."""

    order: OrderIntent
    mid_ticks: float
    state: OrderState
    oid: int | None
    nonce: int | None
    expires_after: Millis | None
    approval_id: int | None
    filled: Lots
    fill_value: Micros
    fill_tids: tuple[int, ...]


class ComparedState(msgspec.Struct, frozen=True, kw_only=True):
    """One account state as the venue and our books see it, without the mark price."""

    venue_ms: Millis
    cash: Decimal
    earned: Decimal


class CheckpointRecord(Message, frozen=True, kw_only=True):
    """Everything that the rows before this one still mean: recovery may begin here."""

    cursor_ms: Millis  # every fill until then is counted
    ledgers: tuple[LedgerRecord, ...]
    orders: tuple[OpenOrderRecord, ...]
    fill_keys: tuple[tuple[Millis, str, int], ...]  # (venue_ms, coin, tid)
    funding_keys: tuple[tuple[Millis, str], ...]
    compared: ComparedState | None = None  # the last one up to which equity is explained

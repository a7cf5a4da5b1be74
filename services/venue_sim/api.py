"""What goes into the exchange and what one block gives back: typed, in ticks, lots and micro-USD.

Flow: `Exchange.submit` and `feed` queue, `step` executes a block and returns it. What is read in between: views.py.

Addresses are lower-case 0x strings of 40 hex digits, cloids lower-case 0x strings of 32: the server lowers them.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeAlias

import msgspec

from common.units import Lots, Micros, Millis, Side, Ticks
from services.venue_sim.notes import Note
from services.venue_sim.other_actions import Builder, OtherAction

UNREPRESENTABLE_TICKS: Final = Ticks(0)  # a wire price off the coin's finest grid: "Order has invalid price."
UNREPRESENTABLE_LOTS: Final = Lots(-1)  # a wire size off the coin's grid: "Order has invalid size."


class Tif(StrEnum):
    ALO = "Alo"
    IOC = "Ioc"
    GTC = "Gtc"
    FRONTEND_MARKET = "FrontendMarket"  # an Ioc with another name
    LIQUIDATION_MARKET = "LiquidationMarket"  # made by the venue alone

    @property
    def rests(self) -> bool:
        return self in (Tif.ALO, Tif.GTC)

    @property
    def takes(self) -> bool:
        return self is not Tif.ALO


class Grouping(StrEnum):
    NONE = "na"
    NORMAL_TPSL = "normalTpsl"  # first order is the parent, the others wait for its fill
    POSITION_TPSL = "positionTpsl"


class Tpsl(StrEnum):
    TAKE_PROFIT = "tp"
    STOP_LOSS = "sl"


# --- actions ---------------------------------------------------------------------------------------


class Trigger(msgspec.Struct, frozen=True, kw_only=True):
    """Evaluated on the mark price."""

    ticks: Ticks
    is_market: bool
    tpsl: Tpsl


class OrderSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One order as asked for. Use the UNREPRESENTABLE values for numbers that are off the grid."""

    coin: str
    side: Side
    ticks: Ticks  # limit price
    lots: Lots
    tif: Tif
    reduce_only: bool = False
    cloid: str | None = None
    trigger: Trigger | None = None
    builder: Builder | None = None


class PlaceOrders(msgspec.Struct, frozen=True, tag=True):
    orders: tuple[OrderSpec, ...]
    grouping: Grouping = Grouping.NONE


class CancelTarget(msgspec.Struct, frozen=True, kw_only=True):
    """One order of `coin`; `ref` is an oid (cancel) or a cloid (cancelByCloid)."""

    coin: str
    ref: int | str


class CancelOrders(msgspec.Struct, frozen=True, tag=True):
    cancels: tuple[CancelTarget, ...]


class ModifyTarget(msgspec.Struct, frozen=True, kw_only=True):
    ref: int | str  # oid or cloid of the old order
    order: OrderSpec


class ModifyOrders(msgspec.Struct, frozen=True, tag=True):
    """`single`: action `modify`, which answers default or err; otherwise batchModify, which answers like order."""

    modifies: tuple[ModifyTarget, ...]
    always_place: bool = False  # wire flag `a`: place even if the cancel fails, and keep the tif
    single: bool = False


class ScheduleCancel(msgspec.Struct, frozen=True, tag=True):
    at_ms: Millis | None


class Noop(msgspec.Struct, frozen=True, tag=True):
    """Burns its nonce."""


class UpdateLeverage(msgspec.Struct, frozen=True, tag=True):
    coin: str
    is_cross: bool
    leverage: int


class UpdateIsolatedMargin(msgspec.Struct, frozen=True, tag=True):
    coin: str
    micros: Micros  # signed: added to the position's own margin


class ApproveAgent(msgspec.Struct, frozen=True, tag=True):
    """User-signed. `name` empty: the unnamed agent. The zero address removes the agent of that name."""

    agent: str
    name: str = ""  # may end in " valid_until <ms>"


class UsdSend(msgspec.Struct, frozen=True, tag=True):
    """User-signed transfer of perpetuals' USDC to another account."""

    destination: str
    micros: Micros


Action: TypeAlias = (
    PlaceOrders
    | CancelOrders
    | ModifyOrders
    | ScheduleCancel
    | Noop
    | UpdateLeverage
    | UpdateIsolatedMargin
    | ApproveAgent
    | UsdSend
    | OtherAction
)


class ActionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One signed action; the server has recovered `signer` and nothing else: the core finds the account.

    Signers of `ExchangeConfig.internal` are the market itself: no nonce, budget, margin or size rule applies, their
    fees are zero and their orders and fills make no events (their trades do). Their answers come like all others.
    """

    request_id: int
    signer: str
    action: Action
    nonce: int = 0
    expires_after: Millis | None = None
    vault: str | None = None


# --- what the market feeds -------------------------------------------------------------------------


class OracleUpdate(msgspec.Struct, frozen=True, tag=True):
    """The reference price now; send about every 3 s of venue time (mark moves at most that often)."""

    coin: str
    ticks: Ticks


class ExternalLevel(msgspec.Struct, frozen=True):
    ticks: Ticks
    lots: Lots
    orders: int = 1


class ExternalBook(msgspec.Struct, frozen=True, tag=True):
    """A recorded snapshot: replaces all foreign liquidity of the coin. See services/venue_sim/tape_book.py."""

    coin: str
    bids: tuple[ExternalLevel, ...]  # any order; no duplicates
    asks: tuple[ExternalLevel, ...]


class ExternalTrade(msgspec.Struct, frozen=True, tag=True):
    """A recorded trade between strangers: printed as it was, and our resting orders may take part in it."""

    coin: str
    side: Side  # the taker's
    ticks: Ticks
    lots: Lots


class TradingHalt(msgspec.Struct, frozen=True, tag=True):
    """From now on the coin takes no order, or takes them again: resting ones stay, cancels work, mark stands."""

    coin: str
    halted: bool


class Deposit(msgspec.Struct, frozen=True, tag=True):
    """Somebody brings money: the account is opened with it if it is new."""

    user: str
    micros: Micros


MarketInput: TypeAlias = OracleUpdate | ExternalBook | ExternalTrade | TradingHalt | Deposit

# --- answers ---------------------------------------------------------------------------------------


class Resting(msgspec.Struct, frozen=True, tag=True):
    oid: int
    cloid: str | None = None


class Filled(msgspec.Struct, frozen=True, tag=True):
    """Executed at placement, at least partly; the rest of an Ioc is gone."""

    oid: int
    lots: Lots
    average_price: Decimal  # USD, at most six decimals, half-even
    cloid: str | None = None


class Success(msgspec.Struct, frozen=True, tag=True):
    """A cancel that cancelled."""


class Waiting(msgspec.Struct, frozen=True, tag=True):
    text: str  # waitingForFill or waitingForTrigger


class Refused(msgspec.Struct, frozen=True, tag=True):
    """`{"error": text}`."""

    text: str


Status: TypeAlias = Resting | Filled | Success | Waiting | Refused


class AnswerKind(StrEnum):
    """`response.type` on the wire."""

    ORDER = "order"
    CANCEL = "cancel"
    DEFAULT = "default"
    CREATE_SUB_ACCOUNT = "createSubAccount"
    TWAP_ORDER = "twapOrder"
    TWAP_CANCEL = "twapCancel"


class ActionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`error` not empty: `{"status":"err","response":error}` and nothing else counts.

    `statuses` has one element per item, or exactly one `Refused` when the whole payload failed pre-validation.
    """

    request_id: int
    kind: AnswerKind = AnswerKind.DEFAULT
    statuses: tuple[Status, ...] = ()
    error: str = ""
    data: str = ""  # of createSubAccount: the new address

    @property
    def ok(self) -> bool:
        return not self.error


# --- events of a block -----------------------------------------------------------------------------


class OrderView(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the venue shows it."""

    user: str
    oid: int
    cloid: str | None
    coin: str
    side: Side
    ticks: Ticks  # limit price
    lots: Lots  # remaining
    original_lots: Lots
    placed_ms: Millis
    tif: Tif | None  # None for trigger orders
    reduce_only: bool
    trigger: Trigger | None
    is_position_tpsl: bool = False
    children: tuple["OrderView", ...] = ()


class OrderEvent(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An order changed: `status` is the wire's string (open, filled, canceled, badAloPxRejected, ...).

    A partial fill of a resting order repeats "open" with fewer lots.
    """

    order: OrderView
    status: str
    time_ms: Millis
    non_user_cancel: bool = False  # goes to userEvents as nonUserCancel, too


class LiquidationMark(msgspec.Struct, frozen=True, kw_only=True):
    """Why a fill happened."""

    liquidated_user: str
    mark_ticks: Ticks
    method: str  # market or backstop


class FillEvent(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    user: str
    coin: str
    side: Side  # own side
    ticks: Ticks
    lots: Lots
    time_ms: Millis
    block: int
    start_position: Lots  # signed, before this fill
    direction: str  # wire `dir`
    closed_pnl: Micros  # gross of fee
    fee: Micros  # negative: rebate
    oid: int
    cloid: str | None
    tid: int
    crossed: bool  # own side was the taker
    liquidation: LiquidationMark | None = None
    builder_fee: Micros = Micros(0)  # part of `fee`


class TradeEvent(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    coin: str
    side: Side  # the taker's
    ticks: Ticks
    lots: Lots
    time_ms: Millis
    block: int
    tid: int
    buyer: str
    seller: str
    maker_oid: int = 0  # both 0: a recorded trade between strangers
    taker_oid: int = 0


class BookChange(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """At most one per coin and block, at the end of the block."""

    coin: str
    bbo_changed: bool


class FundingEvent(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    user: str
    coin: str
    micros: Micros  # negative: the user paid
    lots: Lots  # signed position
    rate: Decimal  # hourly
    time_ms: Millis
    block: int


class LedgerEvent(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Money moved other than by trade, fee or funding. `kind` is the wire's delta type: deposit, internalTransfer."""

    user: str
    kind: str
    micros: Micros  # change of the user's balance
    time_ms: Millis
    block: int
    destination: str = ""


class LiquidationEvent(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    lid: int
    user: str
    liquidator: str  # empty: taken by the book
    notional: Micros
    account_value: Micros
    time_ms: Millis
    cash: Micros = Micros(0)  # what the liquidator took over besides positions


Event: TypeAlias = OrderEvent | FillEvent | TradeEvent | BookChange | FundingEvent | LedgerEvent | LiquidationEvent


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One block. All its events have its time, but for deposits of accounts first seen since the last block."""

    number: int
    time_ms: Millis
    answers: tuple[ActionAnswer, ...]  # in order of execution
    events: tuple[Event, ...]  # in order of execution
    story: tuple[Event | Note, ...]  # the same, and between them what only the venue's log needs

"""The faults that somebody may ask of the venue: their names and parameters.

A lasting fault strikes what is in its scope; an empty scope is everything. A deed (deeds.py) happens once.

Rules
  1. What a fault cannot mean is refused when it is asked for: unknown names, parameters, scopes.
  2. A fault changes what clients see and when; what the exchange holds changes only by deeds, which are lawful.
"""

from decimal import Decimal
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from common.errors import PeerFault

Ms: TypeAlias = Annotated[int, Meta(ge=0, le=3_600_000)]
Count: TypeAlias = Annotated[int, Meta(ge=1)]
Share: TypeAlias = Annotated[float, Meta(gt=0, le=1)]
Address: TypeAlias = Annotated[str, Meta(pattern="^(0x[0-9a-f]{40})?$")]


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="fault"):
    """Base of all."""

    def __post_init__(self) -> None:
        for field in self.__struct_fields__:
            value = getattr(self, field)
            if isinstance(value, Decimal) and not value.is_finite():
                raise ValueError(f"{field}: {value} is no number")


class Lasting(Fault, frozen=True, kw_only=True):
    """`for_ms` of venue time; without it until it is cleared."""

    for_ms: Count | None = None


class Chance(Lasting, frozen=True, kw_only=True):
    """Strikes a `share` of what is in its scope, `count` times at most."""

    share: Share = 1.0
    count: Count | None = None


# --- answers to actions ----------------------------------------------------------------------------


class AnswerFault(Chance, frozen=True, kw_only=True):
    """Scope: the account, its WebSocket, the kind of action (order, cancel, modify, other), a coin in it."""

    user: Address = ""
    connection: int | None = None
    action: Literal["", "order", "cancel", "modify", "other"] = ""
    coin: str = ""


class LoseAck(AnswerFault, frozen=True, kw_only=True, tag="lose_ack"):
    """The action is executed and its answer never comes. By HTTP a gateway gives up after a minute."""


class ErrorAfterAccept(AnswerFault, frozen=True, kw_only=True, tag="error_after_accept"):
    """The action is executed and its answer says that it was not."""

    text: str = "Internal error"


class LateAck(AnswerFault, frozen=True, kw_only=True, tag="late_ack"):
    delay_ms: Ms = 10_000


class FillBeforeAck(AnswerFault, frozen=True, kw_only=True, tag="fill_before_ack"):
    """The answer to an order waits until its owner has heard of a fill of it, `delay_ms` at most."""

    delay_ms: Ms = 2_000


class FailedCancels(Chance, frozen=True, kw_only=True, tag="failed_cancels"):
    """Cancels are refused and not executed."""

    user: Address = ""
    coin: str = ""
    text: str = "Order was never placed, already canceled, or filled."


# --- requests --------------------------------------------------------------------------------------


class RequestFault(Chance, frozen=True, kw_only=True):
    """Scope: info or exchange, and the type of question or action. Posts of a WebSocket are requests, too.

    `after`: the request is executed before it fails.
    """

    path: Literal["", "info", "exchange"] = ""
    type: str = ""
    after: bool = False


class Http429(RequestFault, frozen=True, kw_only=True, tag="http_429"):
    """Too many requests."""


class Http500(RequestFault, frozen=True, kw_only=True, tag="http_500"):
    """An internal error."""


class Http502(RequestFault, frozen=True, kw_only=True, tag="http_502"):
    """A gateway's HTML page."""


class TruncatedJson(RequestFault, frozen=True, kw_only=True, tag="truncated_json"):
    """The first half of the answer. The request is executed."""


class Hang(RequestFault, frozen=True, kw_only=True, tag="hang"):
    """Nothing for `delay_ms`, then a gateway's HTML page."""

    delay_ms: Ms = 60_000


class UnknownOid(Lasting, frozen=True, kw_only=True, tag="unknown_oid"):
    """orderStatus does not know orders that are younger than `lag_ms`."""

    user: Address = ""
    lag_ms: Ms = 2_000


# --- messages of subscriptions ---------------------------------------------------------------------


class MessageFault(Chance, frozen=True, kw_only=True):
    """Scope: the account, a WebSocket, the type of a subscription, its coin."""

    user: Address = ""
    connection: int | None = None
    channel: str = ""
    coin: str = ""


class DelayMessages(MessageFault, frozen=True, kw_only=True, tag="delay_messages"):
    """An account's messages come late and in order. Public ones, where `channel` names them."""

    delay_ms: Ms = 2_000


class ReorderMessages(MessageFault, frozen=True, kw_only=True, tag="reorder_messages"):
    """Each message is late by a time of its own, so that they overtake each other."""

    window_ms: Ms = 1_000


class DuplicateMessages(MessageFault, frozen=True, kw_only=True, tag="duplicate_messages"):
    """Each message comes again, `after_ms` later."""

    after_ms: Ms = 0


class FillAfterCancelAck(MessageFault, frozen=True, kw_only=True, tag="fill_after_cancel_ack"):
    """News of a fill wait until a cancel of the order has been answered, `delay_ms` at most."""

    delay_ms: Ms = 3_000


class SkipOrderUpdates(MessageFault, frozen=True, kw_only=True, tag="skip_order_updates"):
    """A subscription to orderUpdates that is made from now on is acknowledged and stays silent."""


class FreezeStream(MessageFault, frozen=True, kw_only=True, tag="freeze_stream"):
    """The messages in scope are lost; everything else on the socket goes on, pongs too."""


class CrossedBook(MessageFault, frozen=True, kw_only=True, tag="crossed_book"):
    """Books and best prices change sides. Streams and /info."""


class AbsurdBook(MessageFault, frozen=True, kw_only=True, tag="absurd_book"):
    """Prices of books are multiplied, sizes too. Streams and /info."""

    price_factor: Decimal = Decimal(10)
    size_factor: Decimal = Decimal(1)


class AbsurdAccount(Lasting, frozen=True, kw_only=True, tag="absurd_account"):
    """The account value in answers to clearinghouseState is `value`."""

    value: str = "NaN"
    user: Address = ""


# --- the leader ------------------------------------------------------------------------------------


class LeaderFault(Chance, frozen=True, kw_only=True):
    """Scope: a coin; of what the other venue says (leader.py)."""

    coin: str = ""


class LeaderStall(LeaderFault, frozen=True, kw_only=True, tag="leader_stall"):
    """Its prices are lost, and the socket lives."""


class LeaderWrong(LeaderFault, frozen=True, kw_only=True, tag="leader_wrong"):
    """Its prices are off by `bps`."""

    bps: Annotated[float, Meta(gt=-10_000, le=1_000_000)] = 50.0


class LeaderNonsense(LeaderFault, frozen=True, kw_only=True, tag="leader_nonsense"):
    """It says what is no price: cut off, not a number, crossed, of nobody, no JSON, endless, in turn."""


# --- sockets ---------------------------------------------------------------------------------------


class StallSocket(Lasting, frozen=True, kw_only=True, tag="stall_socket"):
    """Nothing passes either way and nobody closes; afterwards everything comes in order.

    Scope: a WebSocket by its number, by an account or by a channel that it listens to.
    """

    user: Address = ""
    connection: int | None = None
    channel: str = ""


# --- deeds -----------------------------------------------------------------------------------------


class DropSocket(Fault, frozen=True, kw_only=True, tag="drop_socket"):
    """TCP connections are aborted, without a close frame. Scope: as of stall_socket."""

    user: Address = ""
    connection: int | None = None
    channel: str = ""


class Maintenance(Fault, frozen=True, kw_only=True, tag="maintenance"):
    """Post-only orders alone, as after a network upgrade."""

    for_ms: Count = 10_000


class ChangeTick(Fault, frozen=True, kw_only=True, tag="change_tick"):
    """From the next block on, prices of new orders are multiples of this many of the coin's finest ticks."""

    coin: str
    multiple: Annotated[int, Meta(ge=1, le=1_000_000)] = 10


class Delist(Fault, frozen=True, kw_only=True, tag="delist"):
    """Orders are cancelled, positions settled at mark, new orders refused."""

    coin: str


class RevokeAgent(Fault, frozen=True, kw_only=True, tag="revoke_agent"):
    """The owner removes an agent by its name. `user` of a deed, when empty, is the home's account."""

    name: str
    user: Address = ""


class ManualTrade(Fault, frozen=True, kw_only=True, tag="manual_trade"):
    """The owner trades at the market by hand."""

    coin: str
    side: Literal["buy", "sell"]
    size: Annotated[str, Meta(pattern=r"^[0-9]{1,12}(\.[0-9]{1,8})?$")]
    user: Address = ""


class ManualCancel(Fault, frozen=True, kw_only=True, tag="manual_cancel"):
    """The owner cancels all open orders by hand."""

    user: Address = ""


class PayFunding(Fault, frozen=True, kw_only=True, tag="pay_funding"):
    """Funding is paid in the next block, at this hourly rate; negative: shorts pay."""

    coin: str
    rate: Decimal = Decimal("0.001")


class Transfer(Fault, frozen=True, kw_only=True, tag="transfer"):
    """Money comes in from outside, or leaves (negative)."""

    usd: Decimal
    user: Address = ""


class ExhaustBudget(Fault, frozen=True, kw_only=True, tag="exhaust_budget"):
    """The account's address budget is used up but for `left` requests."""

    left: Annotated[int, Meta(ge=0)] = 0
    user: Address = ""


class ReplayFills(Fault, frozen=True, kw_only=True, tag="replay_fills"):
    """The account's latest fills are told again, as if they were new."""

    fills: Annotated[int, Meta(ge=1, le=2_000)] = 10
    user: Address = ""


class ClockSkew(Fault, frozen=True, kw_only=True, tag="clock_skew"):
    """Venue time differs from the host's by `ms`: forward at once, backward at half speed until it is there."""

    ms: Annotated[int, Meta(ge=-3_600_000, le=90_000_000)]  # 25 hours: a day and a daylight saving


AnyLasting: TypeAlias = (
    LoseAck
    | ErrorAfterAccept
    | LateAck
    | FillBeforeAck
    | FailedCancels
    | Http429
    | Http500
    | Http502
    | TruncatedJson
    | Hang
    | UnknownOid
    | DelayMessages
    | ReorderMessages
    | DuplicateMessages
    | FillAfterCancelAck
    | SkipOrderUpdates
    | FreezeStream
    | CrossedBook
    | AbsurdBook
    | AbsurdAccount
    | LeaderStall
    | LeaderWrong
    | LeaderNonsense
    | StallSocket
)
Deed: TypeAlias = (
    DropSocket
    | Maintenance
    | ChangeTick
    | Delist
    | RevokeAgent
    | ManualTrade
    | ManualCancel
    | PayFunding
    | Transfer
    | ExhaustBudget
    | ReplayFills
    | ClockSkew
)
AnyFault: TypeAlias = AnyLasting | Deed
PARAMETERS: Final = {
    str(kind.__struct_config__.tag): kind.__struct_fields__ for kind in (*AnyLasting.__args__, *Deed.__args__)
}
NAMES: Final = tuple(PARAMETERS)


def parse(name: str, parameters: dict[str, Any]) -> AnyFault:
    """Read a fault; numbers may be texts, as a command line has them. PeerFault names what is wrong."""
    if name not in NAMES:
        raise PeerFault(f"fault {name!r} is unknown; there are {', '.join(NAMES)}")
    lowered = {key: value.lower() if key == "user" else value for key, value in parameters.items()}
    try:
        found: AnyFault = msgspec.convert({**lowered, "fault": name}, AnyFault, strict=False)
    except msgspec.ValidationError as error:
        raise PeerFault(f"fault {name}: {error}; it takes {', '.join(PARAMETERS[name])}") from error
    return found

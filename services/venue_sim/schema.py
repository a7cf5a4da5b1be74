"""What a client may post to /exchange, and its canonical form: what signatures are made over.

Rules
  1. Keys of the canonical form stand in the order of the fields here; a key without a value, or a flag that is
     off, is absent. Unknown keys of the client are dropped.
  2. Numbers lose trailing zeros, hex loses upper case. A number with more than 8 decimals is no number.
  3. What does not fit these types never reaches the exchange: it is HTTP 422 (400 when it is no JSON), and it burns
     no nonce.
"""

from decimal import Decimal
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from common.errors import PeerFault
from common.hyperliquid.signing import number_to_wire

NO_JSON: Final = "Failed to parse the request body as JSON"
NOT_UNDERSTOOD: Final = "Failed to deserialize the JSON body into the target type"
# What the decoder raises at a text that is no JSON, or that is nested deeper than anything has a right to be.
NOT_JSON: Final = (msgspec.DecodeError, UnicodeError, RecursionError)

Number: TypeAlias = Annotated[str, Meta(pattern=r"^-?[0-9]{1,20}(\.[0-9]{1,20})?$")]
Cloid: TypeAlias = Annotated[str, Meta(pattern=r"^0x[0-9a-fA-F]{32}$")]
Address: TypeAlias = Annotated[str, Meta(pattern=r"^0x[0-9a-fA-F]{40}$")]
Uint: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Base of everything inside an action."""


class LimitType(Part, frozen=True, kw_only=True):
    tif: Literal["Gtc", "Ioc", "Alo", "FrontendMarket"]


class TriggerType(Part, frozen=True, kw_only=True):
    is_market: bool
    trigger_px: Number
    tpsl: Literal["tp", "sl"]


class OrderType(Part, frozen=True, kw_only=True):
    """Exactly one of the two."""

    limit: LimitType | None = None
    trigger: TriggerType | None = None

    def __post_init__(self) -> None:
        if (self.limit is None) is (self.trigger is None):
            raise ValueError("expected exactly one of limit, trigger")


class WireOrder(Part, frozen=True, kw_only=True):
    a: Uint
    b: bool
    p: Number
    s: Number
    r: bool
    t: OrderType
    c: Cloid | None = None


class Builder(Part, frozen=True, kw_only=True):
    b: Address
    f: Uint


class Priority(Part, frozen=True, kw_only=True):
    p: Uint


class WireModify(Part, frozen=True, kw_only=True):
    oid: Uint | Cloid
    order: WireOrder


class CancelByOid(Part, frozen=True, kw_only=True):
    a: Uint
    o: Uint


class CancelByCloid(Part, frozen=True, kw_only=True):
    asset: Uint
    cloid: Cloid


# --- L1 actions ------------------------------------------------------------------------------------


class Order(Part, frozen=True, kw_only=True, tag_field="type", tag="order"):
    orders: list[WireOrder]
    grouping: Literal["na", "normalTpsl", "positionTpsl"] | Priority
    builder: Builder | None = None


class Modify(Part, frozen=True, kw_only=True, tag_field="type", tag="modify"):
    oid: Uint | Cloid
    order: WireOrder
    a: bool = False


class BatchModify(Part, frozen=True, kw_only=True, tag_field="type", tag="batchModify"):
    modifies: list[WireModify]
    a: bool = False


class Cancel(Part, frozen=True, kw_only=True, tag_field="type", tag="cancel"):
    cancels: list[CancelByOid]
    f: bool = False


class CancelCloid(Part, frozen=True, kw_only=True, tag_field="type", tag="cancelByCloid"):
    cancels: list[CancelByCloid]
    f: bool = False


class ScheduleCancel(Part, frozen=True, kw_only=True, tag_field="type", tag="scheduleCancel"):
    time: Uint | None = None


class UpdateLeverage(Part, frozen=True, kw_only=True, tag_field="type", tag="updateLeverage"):
    asset: Uint
    is_cross: bool
    leverage: Uint


class UpdateIsolatedMargin(Part, frozen=True, kw_only=True, tag_field="type", tag="updateIsolatedMargin"):
    asset: Uint
    is_buy: bool
    ntli: int


class TopUpIsolatedOnlyMargin(Part, frozen=True, kw_only=True, tag_field="type", tag="topUpIsolatedOnlyMargin"):
    asset: Uint
    leverage: Number


class ReserveRequestWeight(Part, frozen=True, kw_only=True, tag_field="type", tag="reserveRequestWeight"):
    weight: Uint


class CreateSubAccount(Part, frozen=True, kw_only=True, tag_field="type", tag="createSubAccount"):
    name: str


class SubAccountTransfer(Part, frozen=True, kw_only=True, tag_field="type", tag="subAccountTransfer"):
    sub_account_user: Address
    is_deposit: bool
    usd: Uint


class VaultTransfer(Part, frozen=True, kw_only=True, tag_field="type", tag="vaultTransfer"):
    vault_address: Address
    is_deposit: bool
    usd: Uint


class SetReferrer(Part, frozen=True, kw_only=True, tag_field="type", tag="setReferrer"):
    code: str


class WireTwap(Part, frozen=True, kw_only=True):
    a: Uint
    b: bool
    s: Number
    r: bool
    m: Uint
    t: bool


class TwapOrder(Part, frozen=True, kw_only=True, tag_field="type", tag="twapOrder"):
    twap: WireTwap


class TwapCancel(Part, frozen=True, kw_only=True, tag_field="type", tag="twapCancel"):
    a: Uint
    t: Uint


class Noop(Part, frozen=True, kw_only=True, tag_field="type", tag="noop"):
    """Only burns its nonce."""


# --- actions that only the account's own key may sign -------------------------------------------------


class UserSigned(Part, frozen=True, kw_only=True):
    signature_chain_id: Annotated[str, Meta(pattern=r"^0x[0-9a-fA-F]{1,16}$")]
    hyperliquid_chain: Literal["Mainnet", "Testnet"]


class Timed(UserSigned, frozen=True, kw_only=True):
    """Its nonce is its time."""

    time: Uint


class Numbered(UserSigned, frozen=True, kw_only=True):
    nonce: Uint


class ApproveAgent(Numbered, frozen=True, kw_only=True, tag_field="type", tag="approveAgent"):
    agent_address: Address
    agent_name: str | None = None


class UsdSend(Timed, frozen=True, kw_only=True, tag_field="type", tag="usdSend"):
    destination: Address
    amount: Number


class Withdraw3(Timed, frozen=True, kw_only=True, tag_field="type", tag="withdraw3"):
    destination: Address
    amount: Number


class SpotSend(Timed, frozen=True, kw_only=True, tag_field="type", tag="spotSend"):
    destination: Address
    token: str
    amount: Number


class UsdClassTransfer(Numbered, frozen=True, kw_only=True, tag_field="type", tag="usdClassTransfer"):
    amount: Annotated[str, Meta(pattern=r"^[0-9]{1,20}(\.[0-9]{1,20})?( subaccount:0x[0-9a-fA-F]{40})?$")]
    to_perp: bool


class SendAsset(Numbered, frozen=True, kw_only=True, tag_field="type", tag="sendAsset"):
    destination: Address
    source_dex: str
    destination_dex: str
    token: str
    amount: Number
    from_sub_account: Annotated[str, Meta(pattern=r"^(0x[0-9a-fA-F]{40})?$")]


class ApproveBuilderFee(Numbered, frozen=True, kw_only=True, tag_field="type", tag="approveBuilderFee"):
    max_fee_rate: Annotated[str, Meta(pattern=r"^[0-9]{1,3}(\.[0-9]{1,10})?%$")]
    builder: Address


L1: TypeAlias = (
    Order
    | Modify
    | BatchModify
    | Cancel
    | CancelCloid
    | ScheduleCancel
    | UpdateLeverage
    | UpdateIsolatedMargin
    | TopUpIsolatedOnlyMargin
    | ReserveRequestWeight
    | CreateSubAccount
    | SubAccountTransfer
    | VaultTransfer
    | SetReferrer
    | TwapOrder
    | TwapCancel
    | Noop
)
Signed: TypeAlias = ApproveAgent | UsdSend | Withdraw3 | SpotSend | UsdClassTransfer | SendAsset | ApproveBuilderFee
WireAction: TypeAlias = L1 | Signed
MoneyAction: TypeAlias = (
    UsdSend
    | Withdraw3
    | SpotSend
    | UsdClassTransfer
    | SendAsset
    | ApproveBuilderFee
    | CreateSubAccount
    | SubAccountTransfer
    | ReserveRequestWeight
    | VaultTransfer
    | SetReferrer
    | TwapOrder
    | TwapCancel
)


class WireSignature(msgspec.Struct, frozen=True):
    r: str
    s: str
    v: int


class Body(msgspec.Struct, frozen=True, rename="camel"):
    """The whole POST."""

    action: WireAction
    nonce: Uint
    signature: WireSignature
    vault_address: Address | None = None
    expires_after: Uint | None = None


_bodies = msgspec.json.Decoder(Body)


def parse(text: bytes) -> Body:
    """Return the typed body; PeerFault with the venue's text when it is none (rule 3)."""
    try:
        return _bodies.decode(text)
    except msgspec.ValidationError as error:
        raise PeerFault(f"{NOT_UNDERSTOOD}: {error}") from error
    except NOT_JSON as error:
        raise PeerFault(NO_JSON) from error


# The values of JSON are of any type; each is looked at before it is used.
_NUMBERS: Final = frozenset({"p", "s", "triggerPx", "leverage"})
_HEX: Final = frozenset({"c", "cloid", "oid", "subAccountUser", "vaultAddress"})


def canonical(action: WireAction) -> dict[str, Any]:
    """Return the form that the hash is made over (rules 1 and 2); PeerFault when a number does not fit."""
    tree = msgspec.to_builtins(action)
    if isinstance(action, UserSigned):
        return dict(tree)  # typed data: the signed strings are these very strings
    return dict(_canonical(tree))


def _canonical(tree: dict[str, Any]) -> dict[str, Any]:
    return {key: _value(key, value) for key, value in tree.items()}


def _value(key: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {**_canonical(value), "b": value["b"].lower()} if key == "builder" else _canonical(value)
    if isinstance(value, list):
        return [_value("", item) for item in value]
    if isinstance(value, str) and key in _NUMBERS:
        return _number(value)
    if isinstance(value, str) and key in _HEX:
        return value.lower()
    return value


def _number(text: str) -> str:
    try:
        return number_to_wire(Decimal(text))
    except ValueError as error:
        raise PeerFault(f"{NOT_UNDERSTOOD}: {error}") from error

"""What a market maker seldom sends, typed: transfers, sub-accounts, builders, what is only refused."""

from decimal import Decimal
from typing import Final, Literal, TypeAlias

import msgspec

from common.units import Micros

BUILDER_RATE_MAX: Final = 100  # 0.1%, the venue's maximum for perpetuals


class Transfer(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """User-signed: usdClassTransfer, spotSend, sendAsset. Between the spot and the perpetuals' USDC of accounts."""

    micros: Micros
    from_spot: bool
    to_spot: bool
    source: str = ""  # a sub-account of the signer; empty: the signer
    destination: str = ""  # empty: the source


class Withdraw(msgspec.Struct, frozen=True, tag=True):
    """User-signed. The money leaves the venue, less a fee."""

    micros: Micros


class ApproveBuilderFee(msgspec.Struct, frozen=True, tag=True):
    """User-signed. `rate` counts tenths of a basis point; nothing above it may be charged for this builder."""

    builder: str
    rate: int


class CreateSubAccount(msgspec.Struct, frozen=True, tag=True):
    name: str


class SubAccountTransfer(msgspec.Struct, frozen=True, tag=True):
    sub_account: str
    is_deposit: bool  # from the master to the sub-account
    micros: Micros


class ReserveWeight(msgspec.Struct, frozen=True, tag=True):
    """Buys requests for the address budget."""

    weight: int


class TopUpIsolated(msgspec.Struct, frozen=True, tag=True):
    """Adds what an isolated position needs to stand at this leverage."""

    coin: str
    leverage: Decimal


class Builder(msgspec.Struct, frozen=True):
    """Who is paid besides for an order's fills, and the rate in tenths of a basis point."""

    address: str
    rate: int


class Declined(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A well-formed action about what this venue has not: checked like all, then refused, one text per item."""

    texts: tuple[str, ...]
    kind: Literal["default", "order", "cancel", "twapOrder", "twapCancel"] = "default"


OtherAction: TypeAlias = (
    Transfer
    | Withdraw
    | ApproveBuilderFee
    | CreateSubAccount
    | SubAccountTransfer
    | ReserveWeight
    | TopUpIsolated
    | Declined
)

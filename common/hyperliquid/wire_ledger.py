"""Money that moved other than by trade, fee or funding: deposits, withdrawals, transfers.

Rules
  1. Amounts are changes of the perpetuals' balance of one account: received is positive.
  2. What does not touch that balance, and kinds that we do not know, are left out; a missing one shows up as a
     difference in the ledger.
"""

from decimal import Decimal
from typing import Final

import msgspec

from common.errors import PeerFault
from common.hyperliquid import wire_types as types
from common.messages.venue import Transfer
from common.units import Millis

UPDATES_MAX: Final = 500  # a page may have been cut there, and nobody moves money that often
PERPETUALS: Final = ""  # name of the first exchange among the places that a `send` may name


class _Delta(msgspec.Struct, frozen=True, rename="camel"):
    type: str
    usdc: Decimal = Decimal(0)
    amount: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)
    to_perp: bool = False
    token: str = ""
    user: str = ""
    destination: str = ""
    source_dex: str = PERPETUALS
    destination_dex: str = PERPETUALS


class _Update(msgspec.Struct, frozen=True):
    time: types.Time
    delta: _Delta


_updates: Final = msgspec.json.Decoder(list[_Update], strict=False)


def decode_transfers(payload: bytes, account: str) -> tuple[Transfer, ...]:
    """Read userNonFundingLedgerUpdates; PeerFault when it may have been cut."""
    updates = _updates.decode(payload)
    if len(updates) >= UPDATES_MAX:
        raise PeerFault(f"{len(updates)} ledger updates in one answer: some may be missing")
    found = ((update, _change(update.delta, account.lower())) for update in updates)
    return tuple(
        Transfer(kind=update.delta.type, usd=types.finite(usd, "usdc"), venue_ms=Millis(update.time))
        for update, usd in found
        if usd
    )


def _change(delta: _Delta, account: str) -> Decimal:
    """Rule 1."""
    arrives = delta.destination.lower() == account
    match delta.type:
        case "deposit":
            return delta.usdc
        case "withdraw":
            return -delta.usdc
        case "accountClassTransfer":
            return delta.usdc if delta.to_perp else -delta.usdc
        case "internalTransfer" | "subAccountTransfer":
            return delta.usdc if arrives else -delta.usdc - delta.fee
        case "send" if delta.token.startswith(types.COLLATERAL):
            gained = delta.amount if arrives and delta.destination_dex == PERPETUALS else Decimal(0)
            leaves = delta.user.lower() == account and delta.source_dex == PERPETUALS
            return gained - delta.amount - delta.fee if leaves else gained
        case _:
            return Decimal(0)

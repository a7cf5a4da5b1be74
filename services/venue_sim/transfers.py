"""Money that moves other than by trade, fee or funding.

Rules
  1. Perpetuals' USDC moves as far as it is withdrawable, spot USDC as far as there is some; amounts are positive.
  2. Whoever receives for the first time is opened without a gift; the venue's own accounts receive nothing.
  3. A withdrawal goes to the bridge's account with its fee of 1 USD, so that no money is ever lost.
  4. A master moves between itself and its sub-accounts; nobody else reaches into them.
  5. Reserved requests cost 0.0005 USD each.
"""

from typing import Final

from common.units import MICROS_PER_USD
from services.venue_sim import texts
from services.venue_sim.account import Account
from services.venue_sim.api import UsdSend
from services.venue_sim.floor import Floor
from services.venue_sim.other_actions import ReserveWeight, SubAccountTransfer, Transfer, Withdraw
from services.venue_sim.rules import BRIDGE_ACCOUNT, FEE_ACCOUNT, SERVICE_ACCOUNTS

WITHDRAWAL_FEE: Final = MICROS_PER_USD
RESERVED_REQUEST_COST: Final = 500  # micros
RESERVED_MAX: Final = 1_000_000_000  # in one action; more money than any account has


class Transfers:
    """Each method returns the refusal's text, empty when done."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def send(self, account: Account, action: UsdSend) -> str:
        return self._move(account, action.destination, action.micros, "internalTransfer")

    def transfer(self, account: Account, action: Transfer) -> str:
        """Move between the spot and the perpetuals' side of one or two accounts."""
        source = account
        if action.source:
            if self._floor.sub_accounts.master(action.source) != account.user:
                return texts.BAD_SEND
            source = self._floor.accounts[action.source]
        to_self = action.destination in {"", source.user}
        if not action.from_spot and not action.to_spot:
            return self._move(source, action.destination or source.user, action.micros, "send")
        available = source.spot if action.from_spot else self._floor.margins.withdrawable(source)
        if action.micros <= 0 or (to_self and action.from_spot == action.to_spot):
            return texts.BAD_SEND
        if not to_self and action.destination in SERVICE_ACCOUNTS:
            return texts.BAD_SEND
        if action.micros > available:
            return texts.NO_BALANCE
        destination = source if to_self else self._opened(action.destination)
        kind = "accountClassTransfer" if to_self else "send"
        for party, is_spot, micros in (
            (source, action.from_spot, -action.micros),
            (destination, action.to_spot, action.micros),
        ):
            if is_spot:
                party.spot += micros
            else:
                self._floor.move_cash(party, micros, kind, "" if to_self else destination.user)
        return ""

    def withdraw(self, account: Account, action: Withdraw) -> str:
        if not WITHDRAWAL_FEE < action.micros <= self._floor.margins.withdrawable(account):
            return texts.NO_BALANCE
        self._floor.move_cash(account, -action.micros, "withdraw")
        self._floor.accounts[BRIDGE_ACCOUNT].cash += action.micros
        return ""

    def sub_account(self, account: Account, action: SubAccountTransfer) -> str:
        if self._floor.sub_accounts.master(action.sub_account) != account.user:
            return texts.BAD_SEND
        held = self._floor.accounts[action.sub_account]
        source, destination = (account, held) if action.is_deposit else (held, account)
        return self._move(source, destination.user, action.micros, "subAccountTransfer")

    def reserve(self, account: Account, action: ReserveWeight) -> str:
        cost = action.weight * RESERVED_REQUEST_COST
        if not 0 < action.weight <= RESERVED_MAX or cost > self._floor.margins.withdrawable(account):
            return texts.NO_BALANCE
        self._floor.move_cash(account, -cost, "reserveRequestWeight")
        self._floor.accounts[FEE_ACCOUNT].cash += cost
        account.budget.reserved += action.weight
        return ""

    def _move(self, source: Account, to: str, micros: int, kind: str) -> str:
        if micros <= 0 or to == source.user or to in SERVICE_ACCOUNTS:
            return texts.BAD_SEND
        if micros > self._floor.margins.withdrawable(source):
            return texts.NO_BALANCE
        self._floor.move_cash(source, -micros, kind, to)
        self._floor.move_cash(self._opened(to), micros, kind, to)
        return ""

    def _opened(self, user: str) -> Account:
        return self._floor.accounts.get(user) or self._floor.open_account(user)

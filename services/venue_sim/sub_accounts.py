"""Accounts that belong to an account.

Rules
  1. A sub-account has one master for ever, a name of at most 16 characters that no other of its master has, and an
     address that follows from both.
  2. An account has ten of them at most, and a sub-account none.
"""

import hashlib
from typing import Final

import msgspec

NAME_LENGTH_MAX: Final = 16
SUB_ACCOUNTS_MAX: Final = 10  # the venue's own limit of an account without volume
_ADDRESS_BYTES: Final = 20


class SubAccount(msgspec.Struct, frozen=True):
    master: str
    name: str


class SubAccounts:
    def __init__(self) -> None:
        self._all: dict[str, SubAccount] = {}  # by address

    def create(self, master: str, name: str) -> tuple[str, str]:
        """Return the new address and nothing, or nothing and the refusal's text; the texts are ours."""
        if master in self._all:
            return "", "Sub-accounts cannot create sub-accounts."
        if not 1 <= len(name) <= NAME_LENGTH_MAX:
            return "", "Invalid sub-account name."
        held = self.of(master)
        if len(held) >= SUB_ACCOUNTS_MAX:
            return "", "Too many sub-accounts."
        if any(sub.name == name for _, sub in held):
            return "", "Sub-account name already used."
        digest = hashlib.blake2b(f"{master}/{name}".encode(), digest_size=_ADDRESS_BYTES)
        address = "0x" + digest.hexdigest()
        self._all[address] = SubAccount(master, name)
        return address, ""

    def master(self, address: str) -> str | None:
        found = self._all.get(address)
        return None if found is None else found.master

    def of(self, master: str) -> list[tuple[str, SubAccount]]:
        """Return address and name of an account's own, oldest first."""
        return [(address, sub) for address, sub in self._all.items() if sub.master == master]

    def dump(self) -> dict[str, SubAccount]:
        return dict(self._all)

    def restore(self, kept: dict[str, SubAccount]) -> None:
        self._all = dict(kept)

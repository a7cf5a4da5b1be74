"""Judges a run by the venue's own log, never by what our processes say of themselves."""

from collections.abc import Set as AbstractSet
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Final

from common import witness

PLACING: Final = frozenset({"order", "modify", "batchModify"})
PULLED_MS: Final = 700  # a full requote takes two blocks and two round trips: 200 to 300
GONE: Final = ("filled", "anceled", "scheduledCancel", "ejected")  # parts of the statuses that end an order


class Judge:
    """Reads the log on from where it stopped; `user` is the account on trial."""

    def __init__(self, directory: Path, user: str) -> None:
        self._directory = directory
        self.user = user
        self.lines: list[witness.AnyLine] = []
        self._read_until = ("", 0)  # file and byte

    @property
    def seq(self) -> int:
        """Return the number of the last line read."""
        return self.lines[-1].seq if self.lines else 0

    def refresh(self) -> "Judge":
        name, offset = self._read_until
        for path in (path for path in witness.files(self._directory) if path.name >= name):
            with path.open("rb") as file:
                file.seek(offset if path.name == name else 0)
                whole = [raw for raw in file if raw.endswith(b"\n")]  # the last may be half written
            self.lines += map(witness.decode, whole)
            before = offset if path.name == name else 0
            self._read_until = path.name, before + sum(map(len, whole))
        return self

    def orders(self, after: int = 0) -> list[witness.Order]:
        return [
            line
            for line in self.lines
            if isinstance(line, witness.Order) and line.user == self.user and line.seq > after
        ]

    def fills(self, after: int = 0) -> list[witness.Fill]:
        return [
            line
            for line in self.lines
            if isinstance(line, witness.Fill) and line.user == self.user and line.seq > after
        ]

    def actions(self, after: int = 0) -> list[witness.Action]:
        return [line for line in self.lines if isinstance(line, witness.Action) and line.seq > after]

    def placing(self, after: int = 0) -> list[witness.Action]:
        """Return the actions that would place orders, accepted or not."""
        return [action for action in self.actions(after) if action.action["type"] in PLACING]

    def resting(self, coin: str | None = None) -> dict[int, witness.Order]:
        """Return what rests at the end of what was read, by oid."""
        live: dict[int, witness.Order] = {}
        for order in self.orders():
            if any(part in order.status for part in GONE):
                live.pop(order.oid, None)
            else:
                live[order.oid] = order
        return {oid: order for oid, order in live.items() if coin is None or order.coin == coin}

    def positions(self) -> dict[str, Decimal]:
        """Return the position of each coin that was ever filled, as the sum of its fills."""
        positions: dict[str, Decimal] = {}
        for fill in self.fills():
            signed = Decimal(fill.sz) if fill.side == "B" else -Decimal(fill.sz)
            positions[fill.coin] = positions.get(fill.coin, Decimal(0)) + signed
        return positions

    def pulled(self, coin: str, after: int) -> bool:
        """Read on, and say whether nothing of this coin rested for a while at some time after `after`.

        A while is longer than a requote that replaces every order leaves the book without us.
        """
        self.refresh()
        began_ms = next(line.t for line in self.lines if line.seq >= after)
        live: set[int] = set()
        empty_since: int | None = began_ms
        for order in self.orders():
            if order.coin != coin:
                continue
            if any(part in order.status for part in GONE):
                live.discard(order.oid)
                empty_since = empty_since if live or empty_since is not None else max(order.t, began_ms)
            else:
                if empty_since is not None and order.seq > after and order.t - empty_since >= PULLED_MS:
                    return True
                live.add(order.oid)
                empty_since = None
        return empty_since is not None and self.lines[-1].t - max(empty_since, began_ms) >= PULLED_MS

    def duplicates(self) -> list[str]:
        """Return cloids that the venue ever accepted under more than one oid."""
        oids: dict[str, set[int]] = {}
        for order in self.orders():
            if order.cloid and "ejected" not in order.status:
                oids.setdefault(order.cloid, set()).add(order.oid)
        return sorted(cloid for cloid, names in oids.items() if len(names) > 1)


class Orphans:
    """How long orders of ours have rested at the venue without order_management naming them, look by look."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._read = 0  # lines of the judge
        self._resting: dict[int, witness.Order] = {}
        self._since_ms: dict[int, int] = {}  # oid -> when it was first seen to rest unnamed
        self.taken: set[int] = set()  # oids of all orders of ours that the venue did not reject
        self.longest_ms = 0

    def look(self, named: AbstractSet[str]) -> None:
        """Compare what rests now with the cloids that order_management names now."""
        lines = self._judge.lines
        for line in islice(lines, self._read, None):
            if not isinstance(line, witness.Order) or line.user != self._judge.user:
                continue
            if "ejected" not in line.status:
                self.taken.add(line.oid)
            if any(part in line.status for part in GONE):
                self._resting.pop(line.oid, None)
            else:
                self._resting[line.oid] = line
        self._read = len(lines)
        now_ms = lines[-1].t if lines else 0
        unnamed = [oid for oid, order in self._resting.items() if order.cloid not in named]
        self._since_ms = {oid: self._since_ms.get(oid, now_ms) for oid in unnamed}
        self.longest_ms = max([self.longest_ms, *(now_ms - since for since in self._since_ms.values())])

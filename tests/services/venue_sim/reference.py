"""A slow exchange in the most obvious words: one list, Decimals, a scan a trade. Margin never binds.

It is written from the venue's rules alone and shares no code with services/venue_sim: tests compare the two.
"""

from dataclasses import dataclass, field
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from typing import Final

MICRO: Final = Decimal("0.000001")
MAKER_FEE: Final = Decimal("0.00015")
TAKER_FEE: Final = Decimal("0.00045")
TEN: Final = Decimal(10)


@dataclass(eq=False)
class Item:
    """An order in the list; its place in the list is its age."""

    name: str
    user: str
    sign: int  # +1 buys
    price: Decimal
    size: Decimal
    tif: str
    reduce_only: bool


@dataclass
class Purse:
    """What a user has: cash without the positions' worth, a position, and what that cost."""

    cash: Decimal = Decimal(0)
    position: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    fills: list[tuple[str, Decimal, Decimal, Decimal, Decimal, Decimal]] = field(default_factory=list)


class Reference:
    def __init__(self, users: list[str], cash: Decimal) -> None:
        self.purses = {user: Purse(cash) for user in users}
        self.fees = Decimal(0)
        self.resting: list[Item] = []
        self.ends: dict[str, str] = {}  # name -> how the order ended

    # --- what a user asks ---

    def place(self, item: Item) -> str:
        """Return resting, filled, or the first words of the refusal."""
        purse = self.purses[item.user]
        reducible = max(Decimal(0), -purse.position * item.sign)
        if item.reduce_only and not reducible:
            return self._end(item, "reduceOnlyRejected", "Reduce only")
        closes = reducible and (item.size == reducible or (item.reduce_only and item.size > reducible))
        if item.price * item.size < TEN and not closes:
            return self._end(item, "minTradeNtlRejected", "Order must have")
        if item.reduce_only:
            item.size = min(item.size, reducible)
        if item.tif == "Alo" and self._best(item) is not None:
            return self._end(item, "badAloPxRejected", "Post only")
        traded = self._match(item)
        if item.reduce_only:
            item.size = min(item.size, abs(purse.position))
        if item.size and item.tif != "Ioc":
            self.resting.append(item)
            self._fit_exits(item.user)
            return "resting"
        if traded:
            return self._end(item, "filled", "filled")
        return self._end(item, "iocCancelRejected", "Order could not")

    def cancel(self, user: str, name: str) -> str:
        item = self._find(user, name)
        if item is None:
            return "Order was never"
        self._drop(item, "canceled")
        return "success"

    def modify(self, user: str, name: str, new: Item) -> str:
        old = self._find(user, name)
        if old is None:
            return "Cannot modify"
        self._drop(old, "canceled")
        if new.tif == "Ioc" or self._best(new) is not None:
            new.tif = "Alo"
        answer = self.place(new)
        return answer if answer in ("resting", "filled") else "Error placing"

    # --- how it goes ---

    def _match(self, taker: Item) -> bool:
        traded = False
        while taker.size and (maker := self._best(taker)) is not None:
            if maker.user == taker.user:
                self._drop(maker, "selfTradeCanceled")
                continue
            size = min(maker.size, taker.size)
            self._fill(maker, size, maker.price, MAKER_FEE)
            self._fill(taker, size, maker.price, TAKER_FEE)
            traded = True
            if not maker.size:
                self._drop(maker, "filled")
            self._fit_exits(maker.user)
            self._fit_exits(taker.user)
        return traded

    def _best(self, taker: Item) -> Item | None:
        """Scan everything for the best price, oldest first."""
        found = None
        for item in self.resting:
            meets = item.sign != taker.sign and (taker.price - item.price) * taker.sign >= 0
            if meets and (found is None or (found.price - item.price) * taker.sign > 0):
                found = item
        return found

    def _fill(self, item: Item, size: Decimal, price: Decimal, rate: Decimal) -> None:
        purse = self.purses[item.user]
        start = purse.position
        change = size * item.sign
        closed = min(abs(start), size) if start * change < 0 else Decimal(0)
        removed = (purse.cost * closed / abs(start)).quantize(MICRO, ROUND_HALF_EVEN) if closed else Decimal(0)
        profit = closed * price * (1 if start > 0 else -1) - removed
        purse.cost += change * price if not closed else -removed
        if closed and size > closed:
            purse.cost = (size - closed) * item.sign * price
        purse.position += change
        fee = (size * price * rate).quantize(MICRO, ROUND_DOWN)
        purse.cash -= change * price + fee
        self.fees += fee
        item.size -= size
        purse.fills.append((item.name, price, size, start, profit if closed else Decimal(0), fee))

    def _fit_exits(self, user: str) -> None:
        """Exits on the wrong side go; while all exits exceed the position, the older go and the last one shrinks."""
        position = self.purses[user].position
        for item in [each for each in self.resting if each.user == user and each.reduce_only]:
            if item.sign * position >= 0:
                self._drop(item, "reduceOnlyCanceled")
        exits = [each for each in self.resting if each.user == user and each.reduce_only]
        while sum(each.size for each in exits) > abs(position):
            if len(exits) == 1:
                exits[0].size = abs(position)
            else:
                self._drop(exits.pop(0), "reduceOnlyCanceled")

    def _find(self, user: str, name: str) -> Item | None:
        return next((item for item in self.resting if item.user == user and item.name == name), None)

    def _drop(self, item: Item, how: str) -> None:
        self.resting.remove(item)
        self.ends[item.name] = how

    def _end(self, item: Item, how: str, answer: str) -> str:
        self.ends[item.name] = how
        return answer

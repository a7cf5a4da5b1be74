"""A slow exchange in the most obvious words: one list of orders, Decimals, a scan a trade.

It is written from the venue's rules alone and shares no code with services/venue_sim: tests compare the two. It is
told the mark and the funding rate of each block, whose arithmetic has tests of its own.
"""

from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

from tests.services.venue_sim.reference_accounts import ZERO, Purse

MAKER_FEE: Final = Decimal("0.00015")
TAKER_FEE: Final = Decimal("0.00045")
TEN: Final = Decimal(10)


@dataclass(eq=False)
class Item:
    """An order; its place in the list of those that rest is its age."""

    name: str | None
    user: str
    sign: int  # +1 buys
    price: Decimal
    size: Decimal
    tif: str
    reduce_only: bool
    trigger: Decimal | None = None
    is_stop: bool = False  # otherwise a take-profit
    is_market: bool = False
    state: str = "new"  # resting, armed, waiting (for its parent's fill), gone
    parent: "Item | None" = None
    group: "list[Item]" = field(default_factory=list)

    def fires(self, mark: Decimal) -> bool:
        assert self.trigger is not None
        falling = self.is_stop == (self.sign < 0)
        return mark <= self.trigger if falling else mark >= self.trigger


class Reference:
    def __init__(self, users: list[str], cash: Decimal, mark: Decimal) -> None:
        self.purses = {user: Purse(cash) for user in users}
        self.fees = ZERO
        self.mark = mark
        self.now_ms = 0
        self.resting: list[Item] = []
        self.armed: list[Item] = []  # in the order in which they were armed
        self.open: list[Item] = []  # all that live, in the order in which they came
        self.traded: list[str] = []  # who had fills in this block, in that order
        self.ends: dict[str | None, str] = {}  # name -> how the order ended

    # --- placing ---

    def place(self, item: Item) -> str:
        """Return resting, filled, or the first words of the refusal."""
        if item.trigger is not None:
            if item.fires(self.mark):
                return self._end(item, "badTriggerPxRejected", "Invalid TP/SL")
            self.open.append(item)
            self._arm(item)
            return "resting"
        return self.execute(item)

    def place_exits(self, items: list[Item]) -> list[str]:
        """Place the tp/sl of a position."""
        for item in items:
            item.group = items
        return [answer if (answer := self.place(item)) != "resting" else "waitingForTrigger" for item in items]

    def place_bracket(self, parent: Item, children: list[Item]) -> list[str]:
        answer = self.execute(parent)
        if answer not in ("resting", "filled"):
            return [answer] * (1 + len(children))
        answers = [answer]
        for child in children:
            child.group = children
            if child.fires(self.mark):
                answers.append(self._end(child, "badTriggerPxRejected", "Invalid TP/SL"))
                continue
            self.open.append(child)
            if parent.state == "resting":
                child.parent, child.state = parent, "waiting"
                answers.append("waitingForFill")
            else:
                self._arm(child)
                answers.append("waitingForTrigger")
        return answers

    def execute(self, item: Item) -> str:
        """Check, match and rest an order that wants to trade now."""
        purse = self.purses[item.user]
        refusal = self._refusal(item, purse)
        if refusal:
            return self._end(item, *refusal)
        if item.tif == "Alo" and self._best(item) is not None:
            return self._end(item, "badAloPxRejected", "Post only")
        if item not in self.open:
            self.open.append(item)
        traded = self.match(item)
        if item.reduce_only:
            item.size = min(item.size, abs(purse.position))
        if item.size and item.tif != "Ioc":
            item.state = "resting"
            self.resting.append(item)
            self.fit_exits(item.user)
            return "resting"
        if traded:
            return self._end(item, "filled", "filled")
        if item.trigger is not None:
            return self._end(item, "marketOrderNoLiquidityRejected", "No liquidity")
        return self._end(item, "iocCancelRejected", "Order could not")

    def _refusal(self, item: Item, purse: Purse) -> tuple[str, str] | None:
        reducible = max(ZERO, -purse.position * item.sign)
        if item.reduce_only and not reducible:
            return "reduceOnlyRejected", "Reduce only"
        closes = reducible and (item.size == reducible or (item.reduce_only and item.size > reducible))
        if item.price * item.size < TEN and not closes:
            return "minTradeNtlRejected", "Order must have"
        if item.reduce_only:
            item.size = min(item.size, reducible)
            return None
        bids, asks = (
            sum(
                (
                    each.price * each.size
                    for each in self.resting
                    if each.user == item.user and each.sign == sign and not each.reduce_only
                ),
                ZERO,
            )
            for sign in (1, -1)
        )
        before = purse.required(self.mark, bids, asks)
        more = item.price * item.size
        after = purse.required(self.mark, bids + more * (item.sign > 0), asks + more * (item.sign < 0))
        if after > before and after > purse.equity(self.mark):
            return "perpMarginRejected", "Insufficient margin"
        return None

    # --- cancelling and changing ---

    def find(self, user: str, name: str) -> Item | None:
        return next((item for item in self.open if item.user == user and item.name == name), None)

    def cancel(self, user: str, name: str) -> str:
        item = self.find(user, name)
        if item is None:
            return "Order was never"
        self.drop(item, "canceled")
        return "success"

    def modify(self, user: str, name: str, new: Item, *, always: bool) -> str:
        old = self.find(user, name)
        if old is not None:
            self.drop(old, "canceled")
        elif not always:
            return "Cannot modify"
        if not always and new.trigger is None and (new.tif == "Ioc" or self._best(new) is not None):
            new.tif = "Alo"
        answer = self.place(new)
        return answer if answer in ("resting", "filled") else "Error placing"

    def drop(self, item: Item, how: str) -> None:
        """End an order that lives; who waited for it ends, too."""
        self._forget(item)
        self.ends[item.name] = how
        for child in [each for each in self.open if each.parent is item]:
            self.drop(child, "canceled")

    def _end(self, item: Item, how: str, answer: str) -> str:
        self._forget(item)
        self.ends[item.name] = how
        if how == "filled":
            for child in [each for each in self.open if each.parent is item]:
                child.parent = None
                self._arm(child)
        return answer

    def _forget(self, item: Item) -> None:
        item.state = "gone"
        for orders in (self.resting, self.armed, self.open):
            if item in orders:
                orders.remove(item)

    # --- triggers ---

    def _arm(self, item: Item) -> None:
        item.state = "armed"
        self.armed.append(item)

    def fire(self) -> None:
        """Fire what the mark reaches, in the order in which it was armed."""
        for item in list(self.armed):
            if item.state == "armed" and item.fires(self.mark):
                self.armed.remove(item)
                item.state = "triggered"
                for sibling in item.group:
                    if sibling.state == "armed":
                        self.drop(sibling, "siblingFilledCanceled")
                item.tif = "Ioc" if item.is_market else "Gtc"
                if item.is_market:
                    item.price = through(self.mark, item.sign)
                if not item.size:
                    item.size = abs(self.purses[item.user].position)
                self.execute(item)

    # --- matching ---

    def match(self, taker: Item) -> bool:
        traded = False
        while taker.size and (maker := self._best(taker)) is not None:
            if maker.user == taker.user:
                self.drop(maker, "selfTradeCanceled")
                continue
            size = min(maker.size, taker.size)
            if not self.purses[maker.user].affords_fill(self.mark, size * maker.sign):
                self.drop(maker, "marginCanceled")
                continue
            for item, rate in ((maker, MAKER_FEE), (taker, TAKER_FEE)):
                item.size -= size
                self.fill(item, size, maker.price, rate)
            traded = True
            if not maker.size:
                self._end(maker, "filled", "filled")
            self.fit_exits(maker.user)
            self.fit_exits(taker.user)
        return traded

    def fill(self, item: Item, size: Decimal, price: Decimal, rate: Decimal) -> None:
        self.fees += self.purses[item.user].fill(item.name, size * item.sign, price, rate)
        if item.user not in self.traded:
            self.traded.append(item.user)

    def _best(self, taker: Item) -> Item | None:
        """Scan everything for the best price, oldest first."""
        found = None
        for item in self.resting:
            meets = item.sign != taker.sign and (taker.price - item.price) * taker.sign >= 0
            if meets and (found is None or (found.price - item.price) * taker.sign > 0):
                found = item
        return found

    def fit_exits(self, user: str) -> None:
        """Exits on the wrong side go; while all exits exceed the position, the older go and the last one shrinks."""
        position = self.purses[user].position
        for item in [each for each in self.resting if each.user == user and each.reduce_only]:
            if item.sign * position >= 0:
                self.drop(item, "reduceOnlyCanceled")
        exits = [each for each in self.resting if each.user == user and each.reduce_only]
        while sum(each.size for each in exits) > abs(position):
            if len(exits) == 1:
                exits[0].size = abs(position)
            else:
                self.drop(exits.pop(0), "reduceOnlyCanceled")
        if not position:
            for item in [each for each in self.armed if each.user == user]:
                self.drop(item, "reduceOnlyCanceled")


def through(mark: Decimal, sign: int) -> Decimal:
    """Return the price ten percent through mark, rounded away to five figures or whole USD."""
    price = mark * (10 + sign) / 10
    step = min(Decimal(1), Decimal(1).scaleb(price.adjusted() - 4))
    return (price / step).quantize(Decimal(1), ROUND_CEILING if sign > 0 else ROUND_FLOOR) * step

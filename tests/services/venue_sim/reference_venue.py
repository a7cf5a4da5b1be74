"""The rest of the slow exchange: what accounts do to themselves, funding, liquidation, deleveraging."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction
from typing import Final

from tests.services.venue_sim.reference import Item, Reference
from tests.services.venue_sim.reference_accounts import LEVERAGE_MAX, LOT, MICRO, ZERO, Purse, maintenance

DAY_MS: Final = 86_400_000
TICK: Final = Decimal("0.1")
HIGHEST: Final = Decimal(10) ** 14


class ReferenceVenue(Reference):
    def __init__(self, users: list[str], cash: Decimal, mark: Decimal) -> None:
        super().__init__(users, cash, mark)
        self.vault = Purse()
        self.pot = ZERO  # the funding account
        self.schedules: dict[str, int] = {}
        self._fired: dict[tuple[str, int], int] = {}  # times a schedule fired, by user and day

    # --- what accounts do to themselves; the answer is empty when done ---

    def set_leverage(self, user: str, leverage: int, *, is_cross: bool) -> str:
        purse = self.purses[user]
        if not 1 <= leverage <= LEVERAGE_MAX:
            return "Invalid leverage"
        if purse.position and purse.is_cross != is_cross:
            return "Cannot switch"
        before, purse.leverage = (purse.leverage, purse.is_cross), leverage
        purse.is_cross = is_cross
        bids, asks = self._reserved(user)
        if leverage < before[0] and purse.required(self.mark, bids, asks) > purse.equity(self.mark):
            purse.leverage, purse.is_cross = before
            return "Insufficient margin to change"
        return ""

    def _reserved(self, user: str) -> tuple[Decimal, Decimal]:
        mine = [each for each in self.resting if each.user == user and not each.reduce_only]
        bids = sum((each.price * each.size for each in mine if each.sign > 0), ZERO)
        return bids, sum((each.price * each.size for each in mine if each.sign < 0), ZERO)

    def move_margin(self, user: str, usd: Decimal) -> str:
        purse = self.purses[user]
        if not purse.position or purse.is_cross:
            return "Position does not"
        needed = (abs(purse.position) * self.mark / purse.leverage).quantize(MICRO, ROUND_CEILING)
        if usd > purse.withdrawable(self.mark) or -usd > max(ZERO, purse.own_equity(self.mark) - needed):
            return "Insufficient margin"
        purse.cash -= usd
        purse.own += usd
        return ""

    def send(self, user: str, to: str, usd: Decimal) -> str:
        if to == user:
            return "Invalid send"
        if usd > self.purses[user].withdrawable(self.mark):
            return "Insufficient balance"
        self.purses[user].cash -= usd
        self.purses[to].cash += usd
        return ""

    def schedule(self, user: str, at_ms: int | None) -> str:
        if at_ms is None:
            self.schedules.pop(user, None)
            return ""
        if at_ms < self.now_ms + 5_000:
            return "Scheduled cancel time too early"
        if self._fired.get((user, self.now_ms // DAY_MS), 0) >= 10:
            return "Scheduled cancel already"
        self.schedules.setdefault(user, 0)
        self.schedules[user] = at_ms
        return ""

    # --- a block ---

    def begin(self, now_ms: int) -> None:
        """Let due schedules cancel everything of their accounts."""
        self.now_ms = now_ms
        for user in [each for each, at_ms in self.schedules.items() if at_ms <= now_ms]:
            del self.schedules[user]
            day = (user, now_ms // DAY_MS)
            self._fired[day] = self._fired.get(day, 0) + 1
            self._drop_all(user, "scheduledCancel")

    def _drop_all(self, user: str, how: str) -> None:
        for item in [each for each in self.open if each.user == user]:
            if item.state != "gone":
                self.drop(item, how)

    def settle(self, mark: Decimal, oracle: Decimal, rate: Decimal | None, *, moved: bool) -> None:
        """Move the mark, pay funding where a rate is due, judge accounts."""
        self.mark = mark
        if moved:
            self.fire()
        if rate is not None:
            for purse in (self.vault, *self.purses.values()):
                self._pay(purse, oracle * rate)
        judged = list(self.purses) if moved or rate is not None else list(self.traded)
        for user in judged:
            self._judge(user)
        if judged:
            self._deleverage()
        self.traded.clear()

    def _pay(self, purse: Purse, usd_each: Decimal) -> None:
        received = (-purse.position * usd_each).quantize(MICRO, ROUND_FLOOR)
        self.pot -= received
        if purse.is_cross:
            purse.cash += received
        else:
            purse.own += received

    # --- liquidation ---

    def _judge(self, user: str) -> None:
        purse, mark = self.purses[user], self.mark
        if purse.position and not purse.is_cross:
            self._judge_isolated(user, purse)
        if purse.equity(mark) >= purse.maintenance(mark):
            return
        self._drop_all(user, "liquidatedCanceled")
        if purse.is_cross and purse.position and purse.equity(mark) < purse.maintenance(mark):
            self._sell(user, purse)
        if 3 * purse.equity(mark) < 2 * purse.maintenance(mark):
            if purse.is_cross:
                self._hand_over(user, purse)
            self.vault.cash += purse.cash
            purse.cash = ZERO

    def _judge_isolated(self, user: str, purse: Purse) -> None:
        mark = self.mark
        if purse.own_equity(mark) >= maintenance(abs(purse.position) * mark):
            return
        self._drop_all(user, "liquidatedCanceled")
        self._sell(user, purse)
        if 3 * purse.own_equity(mark) < 2 * maintenance(abs(purse.position) * mark):
            keep = purse.cash
            self._hand_over(user, purse)
            self.vault.cash += purse.cash - keep
            purse.cash = keep

    def _sell(self, user: str, purse: Purse) -> None:
        """Close at the market: all of it, or a fifth of more than 100,000 USD unless that was done just now."""
        size = abs(purse.position)
        cooling = purse.liquidated_ms is not None and self.now_ms - purse.liquidated_ms < 30_000
        if size * self.mark > 100_000 and not cooling:
            size = (size / 5).quantize(LOT, ROUND_CEILING)
            purse.liquidated_ms = self.now_ms
        sign = -1 if purse.position > 0 else 1
        self.match(Item(None, user, sign, HIGHEST if sign > 0 else TICK, size, "Ioc", reduce_only=True))

    def _hand_over(self, user: str, purse: Purse) -> None:
        if purse.position:
            self._transfer(user, purse, abs(purse.position), self.mark)

    def _transfer(self, user: str, purse: Purse, size: Decimal, price: Decimal) -> None:
        """Close `size` of a position against the vault."""
        sign = -1 if purse.position > 0 else 1
        self.fill(Item(None, user, sign, price, size, "Ioc", reduce_only=True), size, price, ZERO)
        self.vault.trade(-sign * size, price)

    def _deleverage(self) -> None:
        missing = -self.vault.equity(self.mark)
        start = self.vault.position
        if missing <= 0 or not start:
            return
        away = (missing / abs(start)).quantize(TICK, ROUND_CEILING)
        price = self.mark + away if start > 0 else max(TICK, self.mark - away)
        others = [user for user, purse in self.purses.items() if purse.position * start < 0]
        for user in sorted(others, key=lambda user: (-self._score(self.purses[user]), user)):
            size = min(abs(self.vault.position), abs(self.purses[user].position))
            if size:
                self._transfer(user, self.purses[user], size, price)
                self.fit_exits(user)

    def _score(self, purse: Purse) -> Fraction:
        value = purse.position * self.mark
        profit = Fraction(value - purse.cost) / Fraction(max(MICRO, abs(purse.cost)))
        equity = purse.cash + purse.own + value
        return (
            profit * Fraction(abs(value)) / Fraction(equity) if profit > 0 and equity > 0 else min(profit, Fraction(0))
        )

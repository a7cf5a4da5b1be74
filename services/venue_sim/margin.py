"""What positions and orders need: initial and maintenance margin, equity, liquidation price.

Rules
  1. Initial margin of a position = |position| at mark / leverage.
  2. Resting orders reserve initial margin on the worse side: the larger of |position|, position plus all bids and
     position minus all asks. Reduce-only orders reserve nothing.
  3. Maintenance = half the initial margin at the tier's maximum leverage, tier by tier.
  4. Equity (cross) = cash + cross positions at mark; an isolated position answers with its own cash alone.
  5. Withdrawable = equity less the larger of initial margin and a tenth of all notional, never below zero.
Margins are rounded up to the micro-USD.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple, Protocol

from common.units import Micros
from services.venue_sim.account import Account, Holding
from services.venue_sim.rules import CoinRules, MarginTier


class MarkedCoin(Protocol):
    """What margin needs to know of a coin."""

    @property
    def rules(self) -> CoinRules: ...

    @property
    def mark(self) -> int: ...


class Sums(NamedTuple):
    """Cross margin of one account, micros."""

    equity: int
    notional: int
    initial: int
    maintenance: int


def initial(notional: int, leverage: int) -> int:
    return -(-notional // leverage)


def maintenance(notional: int, tiers: tuple[MarginTier, ...]) -> int:
    total = 0
    for number, tier in enumerate(tiers):
        top = tiers[number + 1].above if number + 1 < len(tiers) else notional
        part = min(notional, top) - tier.above
        if part > 0:
            total += -(-part // (2 * tier.leverage_max))
    return total


def tier_leverage(notional: int, tiers: tuple[MarginTier, ...]) -> int:
    """Return the highest leverage that a position of this size may use."""
    return next(tier.leverage_max for tier in reversed(tiers) if notional >= tier.above)


class Margins:
    """Answers about accounts from the coins' marks."""

    def __init__(self, coins: Mapping[str, MarkedCoin]) -> None:
        self._coins = coins

    def held(self, account: Account) -> Iterator[tuple[str, Holding, bool]]:
        """List (coin, holding, is cross) of the positions that are not flat, in order of first trade."""
        for coin, holding in account.holdings.items():
            if holding.lots:
                yield coin, holding, account.is_cross(coin)

    def value(self, coin: str, lots: int) -> int:
        """Return micros at mark, signed."""
        return lots * self._coins[coin].mark

    def sums(self, account: Account) -> Sums:
        equity, notional, initial_sum, maintenance_sum = account.cash, 0, 0, 0
        for coin, holding, is_cross in self.held(account):
            if is_cross:
                value = self.value(coin, holding.lots)
                equity += value
                notional += abs(value)
                initial_sum += initial(abs(value), self.leverage(account, coin))
                maintenance_sum += maintenance(abs(value), self._coins[coin].rules.margin_tiers)
        return Sums(equity, notional, initial_sum, maintenance_sum)

    def isolated_equity(self, coin: str, holding: Holding) -> int:
        return holding.cash + self.value(coin, holding.lots)

    def account_value(self, account: Account) -> int:
        isolated = sum(self.isolated_equity(coin, held) for coin, held, is_cross in self.held(account) if not is_cross)
        return self.sums(account).equity + isolated

    def leverage(self, account: Account, coin: str) -> int:
        return account.leverage(coin, self._coins[coin].rules.instrument.leverage_max).value

    def required(self, account: Account, coin: str, *, buying: int = 0, selling: int = 0) -> int:
        """Return the cross margin that one coin binds, with further orders of this notional (rule 2)."""
        value = self.value(coin, account.lots(coin))
        orders = account.coins.get(coin)
        bids = buying + (orders.buy_notional if orders else 0)
        asks = selling + (orders.sell_notional if orders else 0)
        worst = max(abs(value), abs(value + bids), abs(value - asks))
        if not account.is_cross(coin):
            worst -= abs(value)
        return initial(worst, self.leverage(account, coin))

    def required_all(self, account: Account) -> int:
        coins = dict.fromkeys((*account.holdings, *account.coins))
        return sum(self.required(account, coin) for coin in coins)

    def affords(self, account: Account, coin: str, *, buying: int = 0, selling: int = 0) -> bool:
        """Say whether an order of this notional may be placed: it fits, or it binds nothing more."""
        before = self.required(account, coin)
        after = self.required(account, coin, buying=buying, selling=selling)
        if after <= before:
            return True
        return self.required_all(account) - before + after <= self.sums(account).equity

    def affords_fill(self, account: Account, coin: str, lots: int) -> bool:
        """Say whether the position may change by `lots` at mark: it shrinks, or its margin is there."""
        held = account.lots(coin)
        growth = abs(held + lots) - abs(held)
        if growth <= 0:
            return True
        sums = self.sums(account)
        added = initial(growth * self._coins[coin].mark, self.leverage(account, coin))
        return sums.initial + added <= sums.equity

    def withdrawable(self, account: Account) -> Micros:
        sums = self.sums(account)
        return Micros(max(0, sums.equity - max(sums.initial, -(-sums.notional // 10))))

    def liquidation_price(self, account: Account, coin: str) -> Decimal | None:
        """Return the mark at which the position would be liquidated, in ticks, everything else unchanged."""
        holding = account.holdings[coin]
        rules = self._coins[coin].rules
        value = self.value(coin, holding.lots)
        if account.is_cross(coin):
            sums = self.sums(account)
            raw = sums.equity - value - (sums.maintenance - maintenance(abs(value), rules.margin_tiers))
        else:
            raw = holding.cash
        side = 1 if holding.lots > 0 else -1
        rate = Decimal(1) / (2 * tier_leverage(abs(value), rules.margin_tiers))
        price = -Decimal(raw) / (holding.lots * (1 - side * rate))
        return price if price > 0 else None

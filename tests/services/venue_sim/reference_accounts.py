"""The reference's money: one coin, one margin tier of forty, everything in USD and Decimals.

Written from the venue's rules alone; it shares no code with services/venue_sim.
"""

from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from typing import Final

MICRO: Final = Decimal("0.000001")
LOT: Final = Decimal("0.00001")
LEVERAGE_MAX: Final = 40
ZERO: Final = Decimal(0)


def up(usd: Decimal) -> Decimal:
    return usd.quantize(MICRO, ROUND_CEILING)


def even(usd: Decimal) -> Decimal:
    return usd.quantize(MICRO, ROUND_HALF_EVEN)


@dataclass
class Purse:
    """What a user has: cash, a position and what that cost; an isolated position has cash of its own."""

    cash: Decimal = ZERO
    own: Decimal = ZERO
    position: Decimal = ZERO
    cost: Decimal = ZERO
    leverage: int = 20
    is_cross: bool = True
    liquidated_ms: int | None = None  # last time that only a fifth was sold
    fills: list[tuple[str | None, Decimal, Decimal, Decimal, Decimal, Decimal]] = field(default_factory=list)

    # --- a trade ---

    def trade(self, change: Decimal, price: Decimal) -> Decimal:
        """Apply a signed change; return the profit of what it closed."""
        start = self.position
        closing = ZERO
        if start * change < 0:
            closing = change if abs(change) <= abs(start) else -start
        profit = self._close(closing, price) if closing else ZERO
        opening = change - closing
        if opening:
            self.position += opening
            self.cost += opening * price
            margin = ZERO if self.is_cross else up(abs(opening) * price / self.leverage)
            if self.is_cross:
                self.cash -= opening * price
            else:
                self.cash -= margin
                self.own += margin - opening * price
        return profit

    def _close(self, closing: Decimal, price: Decimal) -> Decimal:
        removed = even(self.cost * abs(closing) / abs(self.position))
        if self.is_cross:
            self.cash -= closing * price
        else:
            released = even((self.own + self.position * price) * abs(closing) / abs(self.position))
            self.own -= closing * price + released
            self.cash += released
        self.position += closing
        self.cost -= removed
        return -closing * price - removed

    def fill(self, name: str | None, change: Decimal, price: Decimal, rate: Decimal) -> Decimal:
        """Trade, pay the fee, remember; return the fee."""
        start = self.position
        profit = self.trade(change, price)
        fee = (abs(change) * price * rate).quantize(MICRO, ROUND_DOWN)
        self.cash -= fee
        self.fills.append((name, price, abs(change), start, profit, fee))
        return fee

    # --- margin at a mark ---

    def notional(self, mark: Decimal) -> Decimal:
        return abs(self.position) * mark if self.is_cross else ZERO

    def equity(self, mark: Decimal) -> Decimal:
        return self.cash + (self.position * mark if self.is_cross else ZERO)

    def own_equity(self, mark: Decimal) -> Decimal:
        return self.own + self.position * mark

    def initial(self, mark: Decimal) -> Decimal:
        return up(self.notional(mark) / self.leverage)

    def maintenance(self, mark: Decimal) -> Decimal:
        return maintenance(self.notional(mark))

    def withdrawable(self, mark: Decimal) -> Decimal:
        bound = max(self.initial(mark), up(self.notional(mark) / 10))
        return max(ZERO, self.equity(mark) - bound)

    def required(self, mark: Decimal, bids: Decimal, asks: Decimal) -> Decimal:
        """Return what position and orders of this notional bind, on the worse side."""
        value = self.position * mark
        worst = max(abs(value), abs(value + bids), abs(value - asks))
        if not self.is_cross:
            worst -= abs(value)
        return up(worst / self.leverage)

    def affords_fill(self, mark: Decimal, change: Decimal) -> bool:
        growth = abs(self.position + change) - abs(self.position)
        if growth <= 0:
            return True
        return self.initial(mark) + up(growth * mark / self.leverage) <= self.equity(mark)


def maintenance(notional: Decimal) -> Decimal:
    return up(notional / (2 * LEVERAGE_MAX))

"""What happens when the liquidator itself has less than nothing.

Rules
  1. Whenever its equity is negative at mark it closes positions, largest first, against those who hold the other
     side, until the equity is zero or no position is left.
  2. Who comes first: the largest product of profit and leverage, those without profit last; ties by address. The
     market's own participants have no margin and come after all others.
  3. The price is the mark moved so far against them that closing the whole position makes the equity zero again.
  4. No fee and no print; their fills say Auto-Deleveraging.
"""

from fractions import Fraction
from typing import Final

from common.units import Side
from services.venue_sim.account import Account
from services.venue_sim.api import Tif
from services.venue_sim.engine import Engine
from services.venue_sim.floor import Coin, Floor
from services.venue_sim.matching import Order
from services.venue_sim.rules import LIQUIDATOR

REASON: Final = "Auto-Deleveraging"


class Deleveraging:
    def __init__(self, floor: Floor, engine: Engine) -> None:
        self._floor = floor
        self._engine = engine
        self._liquidator = floor.accounts[LIQUIDATOR]

    def restore(self) -> None:
        """Apply rule 1."""
        held = [self._floor.coins[coin] for coin, _, _ in self._floor.margins.held(self._liquidator)]
        for coin in sorted(held, key=lambda coin: -abs(self._liquidator.lots(coin.name)) * coin.mark):
            missing = -self._floor.margins.sums(self._liquidator).equity
            if missing > 0:
                self._close(coin, missing)

    def _close(self, coin: Coin, missing: int) -> None:
        lots = self._liquidator.lots(coin.name)
        away = -(-missing // abs(lots))
        ticks = coin.mark + away if lots > 0 else max(1, coin.mark - away)
        for account in self._ranked(coin, lots):
            left = self._liquidator.lots(coin.name)
            if not left:
                break
            part = min(abs(left), abs(account.lots(coin.name)))
            self._engine.transfer(self._order(account, coin, part, ticks), self._liquidator, REASON)
            self._engine.trim(account, coin)

    def _ranked(self, coin: Coin, lots: int) -> list[Account]:
        """Return the holders of the other side (rule 2)."""
        others = [account for account in self._floor.accounts.values() if account.lots(coin.name) * lots < 0]
        return sorted(others, key=lambda account: (account.internal, -self._score(account, coin), account.user))

    def _score(self, account: Account, coin: Coin) -> Fraction:
        holding = account.holding(coin.name)
        margins = self._floor.margins
        value = margins.value(coin.name, holding.lots)
        profit = Fraction(value - holding.cost, max(1, abs(holding.cost)))
        equity = margins.account_value(account)
        return profit * Fraction(abs(value), equity) if profit > 0 and equity > 0 else min(profit, Fraction(0))

    def _order(self, account: Account, coin: Coin, lots: int, ticks: int) -> Order:
        return Order(
            oid=self._floor.next_oid(),
            account=account,
            cloid=None,
            coin=coin.name,
            side=Side.SELL if account.lots(coin.name) > 0 else Side.BUY,
            ticks=ticks,
            lots=lots,
            original_lots=lots,
            placed_ms=self._floor.now_ms,
            tif=Tif.LIQUIDATION_MARKET,
            reduce_only=True,
        )

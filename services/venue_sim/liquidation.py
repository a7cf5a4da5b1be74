"""What happens to an account that no longer covers its maintenance margin.

Rules
  1. Judged at each new mark, after funding, and after each block in which the account traded.
  2. First the market: all its open orders are cancelled (liquidatedCanceled), then its positions, largest first, go
     to the book as market orders until the margin suffices; what remains stays the user's. Of a position above
     100,000 USD only a fifth goes first; for 30 s after that, all of it.
  3. Equity still below two thirds of maintenance: the liquidator takes over positions and cash at mark. What becomes
     of the liquidator: services/venue_sim/deleveraging.py.
  4. An isolated position is judged and liquidated alone; only its coin's orders are cancelled.
  5. What a halted coin's book cannot take stays with the user, or goes to the liquidator by rule 3.
  6. No fee beyond the taker's; the fills on both sides name the victim, the mark and the method.
"""

from typing import Final

from common.units import MICROS_PER_USD, Micros, Millis, Side, Ticks
from services.venue_sim import texts
from services.venue_sim.account import Account, Holding
from services.venue_sim.api import LiquidationEvent, LiquidationMark, Tif
from services.venue_sim.engine import Engine
from services.venue_sim.floor import Coin, Floor
from services.venue_sim.margin import maintenance
from services.venue_sim.matching import Order
from services.venue_sim.rules import LIQUIDATOR

PARTIAL_ABOVE: Final = 100_000 * MICROS_PER_USD
PARTIAL_DIVISOR: Final = 5
COOLDOWN_MS: Final = 30_000
MARKET: Final = "market"
BACKSTOP: Final = "backstop"
TICKS_MAX: Final = 10**15  # no price is higher


class Liquidation:
    def __init__(self, floor: Floor, engine: Engine) -> None:
        self._floor = floor
        self._engine = engine
        self._liquidator = floor.accounts[LIQUIDATOR]
        self._count = 0

    def judge(self, account: Account) -> None:
        for coin, holding, is_cross in tuple(self._floor.margins.held(account)):
            if not is_cross:
                self._judge_isolated(account, self._floor.coins[coin], holding)
        if self._is_short(account):
            self._liquidate(account)

    def _is_short(self, account: Account) -> bool:
        sums = self._floor.margins.sums(account)
        return sums.equity < sums.maintenance

    def _liquidate(self, account: Account) -> None:
        margins = self._floor.margins
        before = margins.sums(account)
        for order in tuple(account.orders.values()):
            if order.oid in account.orders:
                self._floor.remove(order, texts.LIQUIDATED_CANCELED)
        coins = [self._floor.coins[coin] for coin, _, is_cross in margins.held(account) if is_cross]
        for coin in sorted(coins, key=lambda coin: -abs(account.lots(coin.name)) * coin.mark):
            if self._is_short(account):
                self._to_market(account, coin)
        after = margins.sums(account)
        taken = 3 * after.equity < 2 * after.maintenance
        cash = 0
        if taken:
            for coin in coins:
                self._take_over(account, coin)
            cash = self._take_cash(account, account.cash)
        self._announce(account, before.notional, before.equity, taken=taken, cash=cash)

    def _judge_isolated(self, account: Account, coin: Coin, holding: Holding) -> None:
        margins = self._floor.margins
        notional, equity = abs(margins.value(coin.name, holding.lots)), margins.isolated_equity(coin.name, holding)
        if equity >= maintenance(notional, coin.rules.margin_tiers):
            return
        for order in tuple(account.orders.values()):
            if order.coin == coin.name and order.oid in account.orders:
                self._floor.remove(order, texts.LIQUIDATED_CANCELED)
        self._to_market(account, coin)
        left = abs(margins.value(coin.name, holding.lots))
        taken = 3 * margins.isolated_equity(coin.name, holding) < 2 * maintenance(left, coin.rules.margin_tiers)
        cash = 0
        if taken:
            keep = account.cash
            self._take_over(account, coin)
            cash = self._take_cash(account, account.cash - keep)
        self._announce(account, notional, equity, taken=taken, cash=cash)

    def _take_cash(self, account: Account, cash: int) -> int:
        """Hand over what is left, which may be less than nothing."""
        self._liquidator.cash += cash
        account.cash -= cash
        return cash

    def _to_market(self, account: Account, coin: Coin) -> None:
        if coin.halted:
            return
        now_ms = self._floor.now_ms
        lots = abs(account.lots(coin.name))
        cooling = account.liquidated_ms is not None and now_ms - account.liquidated_ms < COOLDOWN_MS
        if lots * coin.mark > PARTIAL_ABOVE and not cooling:
            lots = -(-lots // PARTIAL_DIVISOR)
            account.liquidated_ms = now_ms
        order = self._order(account, coin, lots, MARKET)
        order.ticks = TICKS_MAX if order.side is Side.BUY else 1
        traded, _ = self._engine.take(order)
        if traded:
            self._floor.finish(order, texts.FILLED)

    def _take_over(self, account: Account, coin: Coin) -> None:
        lots = abs(account.lots(coin.name))
        if lots:
            order = self._order(account, coin, lots, BACKSTOP)
            mode = "Cross" if account.is_cross(coin.name) else "Isolated"
            side = "Long" if account.lots(coin.name) > 0 else "Short"
            self._engine.transfer(order, self._liquidator, f"Liquidated {mode} {side}")

    def _order(self, account: Account, coin: Coin, lots: int, method: str) -> Order:
        return Order(
            oid=self._floor.next_oid(),
            account=account,
            cloid=None,
            coin=coin.name,
            side=Side.SELL if account.lots(coin.name) > 0 else Side.BUY,
            ticks=coin.mark,
            lots=lots,
            original_lots=lots,
            placed_ms=self._floor.now_ms,
            tif=Tif.LIQUIDATION_MARKET,
            reduce_only=True,
            liquidation=LiquidationMark(liquidated_user=account.user, mark_ticks=Ticks(coin.mark), method=method),
        )

    def _announce(self, account: Account, notional: int, equity: int, *, taken: bool, cash: int) -> None:
        self._count += 1
        self._floor.events.append(
            LiquidationEvent(
                lid=self._count,
                user=account.user,
                liquidator=LIQUIDATOR if taken else "",
                notional=Micros(notional),
                account_value=Micros(equity),
                time_ms=Millis(self._floor.now_ms),
                cash=Micros(cash),
            )
        )

"""Hourly funding: longs pay shorts at a positive rate, on the oracle price.

Rules
  1. At the first block of each hour every position pays signed lots x oracle x hourly rate; hours that passed
     without a block pay nothing. A shorter interval makes the clock of funding run faster: it pays an hour's rate, too.
  2. What an account receives is rounded down to the micro-USD; the funding account keeps what rounding leaves, and
     pays or receives for the market's own accounts nothing but their share.
"""

from decimal import ROUND_FLOOR

from common.units import Lots, Micros, Millis, Ticks
from services.venue_sim.account import Account, Holding
from services.venue_sim.api import FundingEvent
from services.venue_sim.floor import Coin, Floor
from services.venue_sim.notes import RateNote
from services.venue_sim.rules import FUNDING_ACCOUNT
from services.venue_sim.views import FundingRate


class Funding:
    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._pot = floor.accounts[FUNDING_ACCOUNT]
        self._due_ms = self._next(floor.now_ms)

    def pay(self) -> bool:
        """Pay when the hour has come; say whether it did."""
        now_ms = self._floor.now_ms
        if now_ms < self._due_ms:
            return False
        self._due_ms = self._next(now_ms)
        for coin in self._floor.coins.values():
            self.settle_all(coin, coin.pricing.close_hour(now_ms))
        return True

    def settle_all(self, coin: Coin, hour: FundingRate) -> None:
        """Pay one coin's funding on every position."""
        oracle = Ticks(coin.pricing.oracle)
        self._floor.events.append(RateNote(coin=coin.name, rate=hour.rate, oracle_ticks=oracle))
        for account in self._floor.accounts.values():
            holding = account.holdings.get(coin.name)
            if holding is not None and holding.lots:
                self._settle(account, coin, holding, hour)

    def _next(self, now_ms: int) -> int:
        interval_ms = self._floor.config.funding_interval_ms
        return (now_ms // interval_ms + 1) * interval_ms

    def _settle(self, account: Account, coin: Coin, holding: Holding, hour: FundingRate) -> None:
        exact = -holding.lots * coin.pricing.oracle * hour.rate
        received = int(exact.to_integral_value(rounding=ROUND_FLOOR))
        self._pot.cash -= received
        if account.is_cross(coin.name):
            account.cash += received
        else:
            holding.cash += received
        holding.funding_all_time -= received
        holding.funding_since_open -= received
        holding.funding_since_change -= received
        if account.internal:
            return
        event = FundingEvent(
            user=account.user,
            coin=coin.name,
            micros=Micros(received),
            lots=Lots(holding.lots),
            rate=hour.rate,
            time_ms=Millis(self._floor.now_ms),
            block=self._floor.block,
        )
        account.fundings.append(event)
        self._floor.events.append(event)

"""What the venue itself does to its coins and accounts, at the head of a block.

Rules
  1. A delisted coin: open orders end as delistedCanceled, the liquidator takes over every client's position at mark
     without a fee, the book stays empty and new orders are refused.
  2. Another tick: orders that rest already stay; the market's own participants are not held to it.
  3. Funding out of turn is booked like that of an hour. Money from outside and to it is a deposit or a withdrawal.
"""

from decimal import Decimal
from typing import TypeAlias

import msgspec

from common.units import Micros, Millis, Side, Ticks
from services.venue_sim import texts
from services.venue_sim.api import Tif
from services.venue_sim.engine import Engine
from services.venue_sim.floor import Coin, Floor
from services.venue_sim.funding import Funding
from services.venue_sim.matching import Order
from services.venue_sim.rules import LIQUIDATOR
from services.venue_sim.views import FundingRate

SETTLEMENT = "Settlement"


class Delist(msgspec.Struct, frozen=True):
    coin: str


class ChangeTick(msgspec.Struct, frozen=True):
    coin: str
    multiple: int


class PayFunding(msgspec.Struct, frozen=True):
    coin: str
    rate: Decimal


class MoveMoney(msgspec.Struct, frozen=True):
    user: str
    micros: Micros  # negative: leaves


class LimitBudget(msgspec.Struct, frozen=True):
    user: str
    left: int


Intervention: TypeAlias = Delist | ChangeTick | PayFunding | MoveMoney | LimitBudget


class Interventions:
    def __init__(self, floor: Floor, engine: Engine, funding: Funding) -> None:
        self._floor = floor
        self._engine = engine
        self._funding = funding
        self._queue: list[Intervention] = []

    def queue(self, item: Intervention) -> None:
        self._queue.append(item)

    def execute(self) -> None:
        """Do what was queued since the last block."""
        queue, self._queue = self._queue, []
        for item in queue:
            match item:
                case Delist(coin=name):
                    self._delist(self._floor.coins[name])
                case ChangeTick(coin=name, multiple=multiple):
                    self._floor.coins[name].tick_multiple = multiple
                case PayFunding(coin=name, rate=rate):
                    coin = self._floor.coins[name]
                    premium, now_ms = coin.pricing.average_premium(), Millis(self._floor.now_ms)
                    hour = FundingRate(coin=name, rate=rate, premium=premium, time_ms=now_ms)
                    coin.pricing.hours.append(hour)
                    self._funding.settle_all(coin, hour)
                case MoveMoney(user=user, micros=micros):
                    account = self._floor.sight(user)
                    self._floor.move_cash(account, micros, "deposit" if micros > 0 else "withdraw")
                case LimitBudget(user=user, left=left):
                    self._floor.sight(user).budget.leave(left)

    def _delist(self, coin: Coin) -> None:
        if coin.is_delisted:
            return
        floor = self._floor
        coin.is_delisted = True
        for account in tuple(floor.accounts.values()):
            for order in tuple(account.orders.values()):
                if order.coin == coin.name and order.oid in account.orders:
                    floor.remove(order, texts.DELISTED_CANCELED)
        liquidator = floor.accounts[LIQUIDATOR]
        for account in tuple(floor.accounts.values()):
            lots = account.lots(coin.name)
            if lots and not account.internal:
                side = Side.SELL if lots > 0 else Side.BUY
                order = Order(
                    oid=floor.next_oid(),
                    account=account,
                    cloid=None,
                    coin=coin.name,
                    side=side,
                    ticks=Ticks(coin.mark),
                    lots=abs(lots),
                    original_lots=abs(lots),
                    placed_ms=floor.now_ms,
                    tif=Tif.LIQUIDATION_MARKET,
                    reduce_only=True,
                )
                self._engine.transfer(order, liquidator, SETTLEMENT)

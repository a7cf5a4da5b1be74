"""A recorded market as counterparty: its liquidity in the book, a pessimistic queue for our orders.

Each foreign level is one order of the tape account at the head of its price's queue, so our takers consume it
until the next snapshot, and the ordinary engine, fees and events serve.

Rules
  1. A snapshot replaces all foreign liquidity. What of it crosses our resting orders trades with them first, at
     their price: where the recording says that the market went there, our order would have been taken.
  2. An order of ours that rests has the foreign size shown at its price ahead of it. Only recorded trades at that
     price shorten this queue; shrinking snapshots do not.
  3. A recorded trade fills our orders at better prices first, then those at its own price as far as it exceeds
     what was ahead of them. It never fills more than it traded. What it did not trade with us is printed as it was.
"""

from typing import TYPE_CHECKING

from common.units import Side
from services.venue_sim import texts
from services.venue_sim.api import ExternalBook, ExternalLevel, ExternalTrade, Tif
from services.venue_sim.matching import Order, Queue
from services.venue_sim.rules import TAPE_ACCOUNT

if TYPE_CHECKING:
    from services.venue_sim.engine import Engine
    from services.venue_sim.floor import Coin, Floor


class ForeignQueues:
    """Which orders of one coin's book are foreign, and what is ahead of the others."""

    def __init__(self) -> None:
        self.levels: dict[tuple[Side, int], Order] = {}
        self.ahead: dict[int, int] = {}  # lots, by oid of our resting orders

    def joined(self, order: Order) -> None:
        """An order of ours came to rest."""
        level = self.levels.get((order.side, order.ticks))
        self.ahead[order.oid] = level.lots if level is not None else 0

    def left(self, order: Order) -> None:
        """An order, foreign or not, left the book."""
        if self.ahead.pop(order.oid, None) is None:
            self.levels.pop((order.side, order.ticks), None)


class Tape:
    """Executes the market's inputs for coins whose book is a recording."""

    def __init__(self, floor: "Floor", engine: "Engine") -> None:
        self._floor = floor
        self._engine = engine
        self._account = floor.accounts[TAPE_ACCOUNT]

    def snapshot(self, shown: ExternalBook) -> None:
        """Rule 1."""
        coin = self._floor.coins[shown.coin]
        assert coin.foreign is not None, f"{shown.coin} has no external book"
        for order in tuple(coin.foreign.levels.values()):
            self._floor.resize(order, 0)
        for level in sorted(shown.bids, key=_price, reverse=True):
            self._show(coin, coin.foreign, Side.BUY, level)
        for level in sorted(shown.asks, key=_price):
            self._show(coin, coin.foreign, Side.SELL, level)
        self._floor.changed[shown.coin] = None

    def _show(self, coin: "Coin", foreign: ForeignQueues, side: Side, level: ExternalLevel) -> None:
        order = self._order(coin, side, level.ticks, level.lots, level.orders)
        self._engine.take(order)
        if order.lots:
            order.is_resting = True
            foreign.levels[side, order.ticks] = order
            coin.book.own(side).add(order, first=True)

    def trade(self, traded: ExternalTrade) -> None:
        """Rule 3."""
        coin = self._floor.coins[traded.coin]
        assert coin.foreign is not None, f"{traded.coin} has no external book"
        taker = self._order(coin, traded.side, traded.ticks, traded.lots, 1)
        makers = coin.book.other(traded.side)
        while (queue := makers.reach(traded.ticks)) is not None and queue.ticks != traded.ticks:
            self._sweep(coin.foreign, queue, taker)
            if not taker.lots:
                break
        if taker.lots and (queue := makers.at(traded.ticks)) is not None:
            self._at_price(coin.foreign, queue, taker)
        if taker.lots:
            tape = self._account.user
            self._engine.print(coin, traded.side, traded.ticks, taker.lots, tid=taker.oid, buyer=tape, seller=tape)

    def _sweep(self, foreign: ForeignQueues, queue: Queue, taker: Order) -> None:
        """Trade through a whole price: the foreign part is gone, ours fill as far as the trade reaches."""
        for maker in tuple(queue.orders.values()):
            if maker.oid not in foreign.ahead:
                self._floor.resize(maker, 0)
            elif maker.is_resting and taker.lots:
                self._fill(maker, taker, min(maker.lots, taker.lots))

    def _at_price(self, foreign: ForeignQueues, queue: Queue, taker: Order) -> None:
        arrived = taker.lots
        for maker in tuple(queue.orders.values()):
            if maker.oid not in foreign.ahead:
                self._floor.resize(maker, max(0, maker.lots - arrived))
            elif maker.is_resting:
                ahead = foreign.ahead[maker.oid]
                foreign.ahead[maker.oid] = max(0, ahead - arrived)
                part = min(maker.lots, taker.lots - ahead)
                if part > 0:
                    self._fill(maker, taker, part)

    def _fill(self, maker: Order, taker: Order, lots: int) -> None:
        if not self._floor.margins.affords_fill(maker.account, maker.coin, maker.side.sign * lots):
            self._floor.remove(maker, texts.MARGIN_CANCELED)
            return
        taker.lots -= lots
        self._engine.trade(maker, taker, lots)

    def _order(self, coin: "Coin", side: Side, ticks: int, lots: int, orders: int) -> Order:
        return Order(
            oid=self._floor.next_oid(),
            account=self._account,
            cloid=None,
            coin=coin.name,
            side=side,
            ticks=ticks,
            lots=lots,
            original_lots=lots,
            placed_ms=self._floor.now_ms,
            tif=Tif.GTC,
            weight=orders,
        )


def _price(level: ExternalLevel) -> int:
    return level.ticks

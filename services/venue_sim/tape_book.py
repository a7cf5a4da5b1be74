"""A recorded market as counterparty: its liquidity in the book, and a queue ahead of our orders.

Each foreign level is one order of the tape account at the head of its price's queue, so our takers consume it
until the next snapshot, and the ordinary engine, fees and events serve. Three models (common/config.py FillModel) say
when a resting order of ours is filled; of the same orders the later fill at least what the earlier do:

  - trade_through: only by recorded trades at prices beyond its own.
  - pessimistic: by trades at its own price, too, once they have eaten all that stood ahead of it when it came, and by
    snapshots of the other side at or beyond its price.
  - probabilistic: so, but what vanishes from its price without a trade was ahead of it in proportion.

Rules
  1. A snapshot replaces all foreign liquidity. What of it crosses our resting orders trades with them first, at
     their price: where the recording says that the market went there, our order would have been taken. In the model
     trade_through it is left out of the book instead.
  2. An order of ours that rests has the foreign size shown at its price ahead of it; deeper than the levels shown,
     an unknown size, until a snapshot reaches it: then all that is shown. Recorded trades at that price shorten this
     queue. Shrinking snapshots do in the model probabilistic alone: a size that left without a trade was ahead of us
     with the share that was ahead of us, and no more can be ahead than is shown.
  3. A recorded trade fills our orders at better prices first, then, but for trade_through, those at its own price as
     far as it exceeds what was ahead of them. It never fills more than it traded. What it did not trade with us is
     printed as it was.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from common.config import FillModel
from common.units import Side
from services.venue_sim import texts
from services.venue_sim.api import ExternalBook, ExternalLevel, ExternalTrade, Tif
from services.venue_sim.matching import Order, Queue
from services.venue_sim.rules import TAPE_ACCOUNT

if TYPE_CHECKING:
    from services.venue_sim.engine import Engine
    from services.venue_sim.floor import Coin, Floor


class Turn(msgspec.Struct, eq=False):
    """A resting order of ours, and the lots ahead of it; None: nobody knows."""

    order: Order
    ahead: int | None


class ForeignQueues:
    """Which orders of one coin's book are foreign, and what is ahead of the others."""

    def __init__(self) -> None:
        self.levels: dict[Side, dict[int, Order]] = {side: {} for side in Side}  # by price
        self.turns: dict[int, Turn] = {}  # by oid of our resting orders
        self._deepest: dict[Side, int] = {}  # the last price that the last snapshot showed

    def joined(self, order: Order) -> None:
        """An order of ours came to rest."""
        self.turns[order.oid] = Turn(order, self._shown(order.side, order.ticks))

    def left(self, order: Order) -> None:
        """An order, foreign or not, left the book."""
        if self.turns.pop(order.oid, None) is None:
            self.levels[order.side].pop(order.ticks, None)

    def crosses(self, best: dict[Side, int]) -> bool:
        """Say whether a book with these best prices would trade with one of our orders, or with itself."""
        bid, ask = best.get(Side.BUY), best.get(Side.SELL)
        if bid is not None and ask is not None and bid >= ask:
            return True
        facing = {Side.BUY: ask, Side.SELL: bid}
        orders = ((turn.order, facing[turn.order.side]) for turn in self.turns.values())
        return any(met is not None and (order.ticks - met) * order.side.sign >= 0 for order, met in orders)

    def lots(self) -> dict[Side, dict[int, int]]:
        """Return the lots of the last snapshot, less what traded."""
        return {side: {ticks: order.lots for ticks, order in self.levels[side].items()} for side in Side}

    def replaced(self, deepest: dict[Side, int], before: dict[Side, dict[int, int]] | None) -> None:
        """Take over a snapshot; `before` are the lots until then where what vanished counts (rule 2)."""
        self._deepest = deepest
        for turn in self.turns.values():
            side, ticks = turn.order.side, turn.order.ticks
            shown = self._shown(side, ticks)
            if turn.ahead is None:
                turn.ahead = shown
            elif before is not None and shown is not None:
                was = before[side].get(ticks, 0)
                if shown < was:
                    turn.ahead -= (was - shown) * min(turn.ahead, was) // was
                turn.ahead = min(turn.ahead, shown)

    def _shown(self, side: Side, ticks: int) -> int | None:
        """Return the foreign lots at a price; None where the last snapshot does not reach."""
        level = self.levels[side].get(ticks)
        if level is not None:
            return level.lots
        deepest = self._deepest.get(side)
        return 0 if deepest is None or (ticks - deepest) * side.sign > 0 else None


class Tape:
    """Executes the market's inputs for coins whose book is a recording."""

    def __init__(self, floor: "Floor", engine: "Engine") -> None:
        self._floor = floor
        self._engine = engine
        self._model = floor.config.fill_model
        self._account = floor.accounts[TAPE_ACCOUNT]

    def snapshot(self, shown: ExternalBook) -> None:
        """Rule 1."""
        coin = self._floor.coins[shown.coin]
        assert coin.foreign is not None, f"{shown.coin} has no external book"
        foreign = coin.foreign
        before = foreign.lots() if self._model is FillModel.PROBABILISTIC else None
        sides: dict[Side, list[ExternalLevel]] = {
            Side.BUY: sorted(shown.bids, key=_price, reverse=True),
            Side.SELL: sorted(shown.asks, key=_price),
        }
        if foreign.crosses({side: levels[0].ticks for side, levels in sides.items() if levels}):
            self._show_anew(coin, foreign, sides)
        else:
            for side, levels in sides.items():
                self._change(coin, foreign, side, levels)
        deepest: dict[Side, int] = {side: levels[-1].ticks for side, levels in sides.items() if levels}
        foreign.replaced(deepest, before)
        self._floor.changed[shown.coin] = None

    def _change(self, coin: "Coin", foreign: ForeignQueues, side: Side, levels: list[ExternalLevel]) -> None:
        """Bring one side to a snapshot that trades with nobody: most of its levels are those of the last one."""
        own, known = coin.book.own(side), foreign.levels[side]
        shown = {level.ticks for level in levels}
        for gone in [order for ticks, order in known.items() if ticks not in shown]:
            self._floor.resize(gone, 0)
        for level in levels:
            order = known.get(level.ticks)
            if order is None:
                self._rest(coin, foreign, self._order(coin, side, level.ticks, level.lots, level.orders))
            elif order.lots != level.lots or order.weight != level.orders:
                own.reweigh(order, level.lots, level.orders)

    def _show_anew(self, coin: "Coin", foreign: ForeignQueues, sides: Mapping[Side, Sequence[ExternalLevel]]) -> None:
        for levels in foreign.levels.values():
            for order in tuple(levels.values()):
                self._floor.resize(order, 0)
        for side, shown in sides.items():
            for level in shown:
                self._show(coin, foreign, side, level)

    def _show(self, coin: "Coin", foreign: ForeignQueues, side: Side, level: ExternalLevel) -> None:
        if self._model is FillModel.TRADE_THROUGH and coin.book.other(side).reach(level.ticks) is not None:
            return
        order = self._order(coin, side, level.ticks, level.lots, level.orders)
        self._engine.take(order)
        if order.lots:
            self._rest(coin, foreign, order)

    def _rest(self, coin: "Coin", foreign: ForeignQueues, order: Order) -> None:
        order.is_resting = True
        foreign.levels[order.side][order.ticks] = order
        coin.book.own(order.side).add(order, first=True)

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
            if maker.oid not in foreign.turns:
                self._floor.resize(maker, 0)
            elif maker.is_resting and taker.lots:
                self._fill(maker, taker, min(maker.lots, taker.lots))

    def _at_price(self, foreign: ForeignQueues, queue: Queue, taker: Order) -> None:
        arrived = taker.lots
        for maker in tuple(queue.orders.values()):
            if maker.oid not in foreign.turns:
                self._floor.resize(maker, max(0, maker.lots - arrived))
            elif maker.is_resting and self._model is not FillModel.TRADE_THROUGH:
                turn = foreign.turns[maker.oid]
                if turn.ahead is None:
                    continue
                ahead, turn.ahead = turn.ahead, max(0, turn.ahead - arrived)
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

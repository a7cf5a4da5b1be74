"""Matches a taker with the book, and books each trade on both accounts.

Rules
  1. Best price first, then oldest first; the maker's price is the trade's.
  2. A maker of the taker's own account expires whole (selfTradeCanceled), nothing is traded or printed.
  3. A maker whose account cannot carry the growth of its position at mark expires (marginCanceled); so does one that
     the cap on open interest forbids to grow (openInterestCapCanceled).
  4. Fees are notional times the account's maker or taker rate, cut to the micro-USD towards zero, and paid to the
     fee account; rebates come from there. A builder's fee comes on top and stays there, too: builders claim it.
  5. After each change of a position its resting reduce-only orders fit it: on the wrong side or at zero they are
     cancelled (reduceOnlyCanceled), beyond it the older are cancelled and the last one shrinks.
"""

from typing import Final, NamedTuple

from common.units import Lots, Micros, Millis, Side, Ticks
from services.venue_sim import open_interest, texts
from services.venue_sim.account import Account
from services.venue_sim.api import FillEvent, TradeEvent
from services.venue_sim.floor import Coin, Floor
from services.venue_sim.matching import Order
from services.venue_sim.notes import TransferNote
from services.venue_sim.positions import change, direction
from services.venue_sim.rules import FEE_ACCOUNT

PPM: Final = 1_000_000
RATE_PPM: Final = 10  # a tenth of a basis point
TID_BITS: Final = 50
_MIX: Final = 0x9E3779B97F4A7C15  # odd, so multiplication loses nothing
_MIX_AGAIN: Final = 0xBF58476D1CE4E5B9


class Deal(NamedTuple):
    """A trade between two orders, at the maker's price."""

    coin: Coin
    maker: Order
    taker: Order
    lots: int
    tid: int


class Engine:
    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._fees = floor.accounts[FEE_ACCOUNT]

    def take(self, taker: Order) -> tuple[int, int]:
        """Trade until nothing is left or in reach; return lots and micros traded. The caller decides on the rest."""
        floor = self._floor
        coin, maximum = floor.coins[taker.coin], floor.config.open_interest_max
        makers = coin.book.other(taker.side)
        sign = -taker.side.sign
        lots = micros = 0
        while taker.lots:
            queue = makers.reach(taker.ticks)
            if queue is None:
                break
            maker = queue.first
            if maker.account is taker.account:
                floor.remove(maker, texts.SELF_TRADE_CANCELED)
                continue
            part = min(maker.lots, taker.lots)
            if not maker.account.internal and not floor.margins.affords_fill(maker.account, taker.coin, sign * part):
                floor.remove(maker, texts.MARGIN_CANCELED)
                continue
            if maximum and open_interest.expires(coin, maker, part, maximum):
                floor.remove(maker, texts.INTEREST_CANCELED)
                continue
            taker.lots -= part
            lots += part
            micros += part * maker.ticks
            self.trade(maker, taker, part)
        return lots, micros

    def trade(self, maker: Order, taker: Order, lots: int) -> None:
        """Book one trade at the maker's price. The taker's remaining size is the caller's business."""
        floor = self._floor
        coin = floor.coins[maker.coin]
        buyer, seller = (taker, maker) if taker.side is Side.BUY else (maker, taker)
        tid = trade_id(buyer.oid, seller.oid)
        deal = Deal(coin, maker, taker, lots, tid)
        self._book(deal, maker)
        self._book(deal, taker)
        users = {"buyer": buyer.account.user, "seller": seller.account.user}
        self.print(coin, taker.side, maker.ticks, lots, tid=tid, oids=(maker.oid, taker.oid), **users)
        floor.resize(maker, maker.lots - lots)
        if maker.lots:
            floor.say(maker, texts.OPEN)
        else:
            floor.finish(maker, texts.FILLED)
        self.trim(maker.account, coin)
        self.trim(taker.account, coin)

    def print(
        self,
        coin: Coin,
        side: Side,
        ticks: int,
        lots: int,
        *,
        tid: int,
        buyer: str,
        seller: str,
        oids: tuple[int, int] = (0, 0),
    ) -> None:
        """Publish a trade and let prices know of it; `oids` are the maker's and the taker's."""
        floor = self._floor
        event = TradeEvent(
            coin=coin.name,
            side=side,
            ticks=Ticks(ticks),
            lots=Lots(lots),
            time_ms=Millis(floor.now_ms),
            block=floor.block,
            tid=tid,
            buyer=buyer,
            seller=seller,
            maker_oid=oids[0],
            taker_oid=oids[1],
        )
        coin.pricing.traded(ticks, lots, floor.now_ms)
        coin.trades.append(event)
        floor.events.append(event)

    def transfer(self, order: Order, receiver: Account, reason: str) -> None:
        """Close a position against `receiver` at the order's price, without fee or print; `reason` is its `dir`."""
        coin = self._floor.coins[order.coin]
        deal = Deal(coin, order, order, order.lots, trade_id(order.oid, order.oid))
        self._book(deal, order, reason)
        self._move(coin, receiver, -order.side.sign * order.lots, order.ticks)

    def _move(self, coin: Coin, account: Account, delta: int, ticks: int) -> int:
        """Change a position; return the realized profit."""
        start = account.lots(coin.name)
        coin.open_interest += max(0, start + delta) - max(0, start)
        return change(account, coin.name, delta, ticks, leverage_max=coin.instrument.leverage_max)

    def _book(self, deal: Deal, order: Order, reason: str = "") -> None:
        """Book one party's half of a trade at the maker's price. `reason` replaces the fill's direction and its fee."""
        floor = self._floor
        account = order.account
        coin, maker, lots = deal.coin, deal.maker, deal.lots
        delta = order.side.sign * lots
        start = account.lots(coin.name)
        profit = self._move(coin, account, delta, maker.ticks)
        notional = maker.ticks * lots
        account.budget.volume = Micros(account.budget.volume + notional)
        crossed = order is not maker
        if not reason:
            account.volumes.add(floor.day, notional, is_maker=not crossed)
            floor.volumes.add(floor.day, notional, is_maker=not crossed)
        if account.internal:
            if reason:
                self._note_transfer(deal, order, reason, start, profit)
            return
        ppm = account.rates.taker_ppm if crossed else account.rates.maker_ppm
        builder_fee = 0 if reason or order.builder is None else fee_of(notional, order.builder.rate * RATE_PPM)
        fee = 0 if reason else fee_of(notional, ppm) + builder_fee
        account.cash -= fee
        self._fees.cash += fee
        floor.traded[account.user] = account
        event = FillEvent(
            user=account.user,
            coin=coin.name,
            side=order.side,
            ticks=Ticks(maker.ticks),
            lots=Lots(lots),
            time_ms=Millis(floor.now_ms),
            block=floor.block,
            start_position=Lots(start),
            direction=reason or direction(start, delta),
            closed_pnl=Micros(profit),
            fee=Micros(fee),
            oid=order.oid,
            cloid=order.cloid,
            tid=deal.tid,
            crossed=crossed,
            liquidation=deal.taker.liquidation,
            builder_fee=Micros(builder_fee),
        )
        account.fills.append(event)
        floor.events.append(event)

    def _note_transfer(self, deal: Deal, order: Order, reason: str, start: int, profit: int) -> None:
        note = TransferNote(
            user=order.account.user,
            coin=deal.coin.name,
            side=order.side,
            ticks=Ticks(order.ticks),
            lots=Lots(deal.lots),
            start_position=Lots(start),
            direction=reason,
            closed_pnl=Micros(profit),
            oid=order.oid,
            tid=deal.tid,
        )
        self._floor.events.append(note)

    def trim(self, account: Account, coin: Coin) -> None:
        """Make resting reduce-only orders fit the position (rule 5)."""
        orders = account.coins.get(coin.name)
        held = account.lots(coin.name)
        if orders is not None and orders.reduce_only:
            closing = Side.SELL if held > 0 else Side.BUY
            for order in tuple(orders.reduce_only.values()):
                if held == 0 or order.side is not closing:
                    self._floor.remove(order, texts.REDUCE_ONLY_CANCELED)
            excess = sum(order.lots for order in orders.reduce_only.values()) - abs(held)
            while excess > 0:
                oldest = next(iter(orders.reduce_only.values()))
                if len(orders.reduce_only) == 1:
                    self._floor.resize(oldest, abs(held))
                    self._floor.say(oldest, texts.OPEN)
                    break
                excess -= oldest.lots
                self._floor.remove(oldest, texts.REDUCE_ONLY_CANCELED)
        if held == 0 and coin.triggers and not account.internal:
            for order in tuple(coin.triggers.values()):
                if order.account is account:
                    self._floor.remove(order, texts.REDUCE_ONLY_CANCELED)


def fee_of(notional: int, ppm: int) -> int:
    """Return micros, cut towards zero; negative is a rebate."""
    cut = notional * abs(ppm) // PPM
    return cut if ppm >= 0 else -cut


def trade_id(buyer_oid: int, seller_oid: int) -> int:
    """Mix both oids into 50 bits; both parties see the same number."""
    mixed = (buyer_oid * _MIX + seller_oid) * _MIX_AGAIN & (1 << 64) - 1
    return mixed >> 64 - TID_BITS

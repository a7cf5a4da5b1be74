"""The floor: all state of the exchange, and the only ways to change an order or to tell an event.

Everything else (engine, placing, liquidation, ...) works on one Floor; the Exchange (core.py) owns it.
"""

from collections import deque
from typing import Final

from common.instrument import Instrument
from common.units import Lots, Micros, Millis, Ticks
from services.venue_sim import texts
from services.venue_sim.account import Account
from services.venue_sim.agents import Agents
from services.venue_sim.api import (
    BookChange,
    Event,
    LedgerEvent,
    OrderEvent,
    TradeEvent,
)
from services.venue_sim.fee_tiers import Volumes
from services.venue_sim.margin import Margins
from services.venue_sim.matching import Book, Order
from services.venue_sim.notes import FeesNote, Note, PriceNote, QuoteNote
from services.venue_sim.pricing import Pricing
from services.venue_sim.rules import DAY_MS, SERVICE_ACCOUNTS, CoinRules, ExchangeConfig
from services.venue_sim.sub_accounts import SubAccounts
from services.venue_sim.tape_book import ForeignQueues
from services.venue_sim.views import FeeRates, OrderRecord

TRADES_REMEMBERED_MAX: Final = 100  # per coin; recentTrades shows fewer
OID_FIRST: Final = 100_000_001


class Coin:
    """One perpetual: its book, its prices, its trigger orders."""

    def __init__(self, rules: CoinRules, asset: int, config: ExchangeConfig, now_ms: int) -> None:
        self.rules = rules
        self.name = rules.instrument.coin
        self.asset = asset
        self.book = Book()
        self.pricing = Pricing(
            rules, self.book, interest=config.interest, interval_ms=config.mark_interval_ms, now_ms=now_ms
        )
        self.foreign = ForeignQueues() if rules.external else None
        self.triggers: dict[int, Order] = {}  # armed, by oid
        self.open_interest = 0  # lots held long
        self.halted = False  # takes no orders
        self.is_delisted = False
        self.tick_multiple = 1  # prices of new orders are multiples of so many ticks
        self.trades: deque[TradeEvent] = deque(maxlen=TRADES_REMEMBERED_MAX)
        self.touch_before: tuple[int, ...] = self.touch()  # at the end of the last block that changed the book

    @property
    def instrument(self) -> Instrument:
        return self.rules.instrument

    @property
    def mark(self) -> int:
        return self.pricing.mark

    def touch(self) -> tuple[int, ...]:
        """Return price, size and count of the best bid and ask; an empty side has none."""
        best = (self.book.bids.best(), self.book.asks.best())
        return tuple(part for queue in best for part in ((queue.ticks, queue.lots, queue.count) if queue else (0,)))


class Floor:
    def __init__(self, config: ExchangeConfig, now_ms: int) -> None:
        self.config = config
        self.now_ms = now_ms
        self.day = now_ms // DAY_MS  # UTC
        self.volumes = Volumes()  # of everybody together
        self.block = 0
        self.post_only_until = 0  # ms; a network upgrade
        self.coins = {
            rules.instrument.coin: Coin(rules, asset, config, now_ms) for asset, rules in enumerate(config.coins)
        }
        self.margins = Margins(self.coins)
        self.agents = Agents()
        self.sub_accounts = SubAccounts()
        self.accounts: dict[str, Account] = {}
        self.events: list[Event | Note] = []
        self.changed: dict[str, None] = {}  # coins whose book changed in this block, in that order
        self.traded: dict[str, Account] = {}  # accounts whose positions changed in this block
        self._oid = OID_FIRST - 1
        for user in (*SERVICE_ACCOUNTS, *config.internal):
            self.accounts[user] = Account(user, internal=True, request_buffer=config.request_buffer)

    # --- accounts ---

    def sight(self, user: str) -> Account:
        """Open and fund an account when it is first named."""
        account = self.accounts.get(user)
        if account is None:
            account = self.open_account(user)
            self.move_cash(account, int(self.config.equity), "deposit")
        return account

    def open_account(self, user: str) -> Account:
        account = Account(user, internal=False, request_buffer=self.config.request_buffer)
        self.accounts[user] = account
        return account

    def move_cash(self, account: Account, micros: int, kind: str, destination: str = "") -> None:
        account.cash += micros
        event = LedgerEvent(
            user=account.user,
            kind=kind,
            micros=Micros(micros),
            time_ms=Millis(self.now_ms),
            block=self.block,
            destination=destination,
        )
        account.ledger.append(event)
        self.events.append(event)

    def set_fees(self, account: Account, rates: FeeRates) -> None:
        account.rates = rates
        self.events.append(FeesNote(user=account.user, maker_ppm=rates.maker_ppm, taker_ppm=rates.taker_ppm))

    def note_prices(self, coin: Coin) -> None:
        mark, oracle = Ticks(coin.mark), Ticks(coin.pricing.oracle)
        self.events.append(PriceNote(coin=coin.name, mark_ticks=mark, oracle_ticks=oracle))

    # --- the life of an order ---

    @property
    def last_oid(self) -> int:
        return self._oid

    def resume(self, block: int, last_oid: int, day: int) -> None:
        """Go on counting where a former process stopped."""
        self.block, self._oid, self.day = block, last_oid, day

    def next_oid(self) -> int:
        self._oid += 1
        return self._oid

    def say(self, order: Order, status: str) -> None:
        """Publish an order's state; the market's own orders are not worth an event."""
        if not order.account.internal:
            self.events.append(
                OrderEvent(
                    order=order.view(),
                    status=status,
                    time_ms=Millis(self.now_ms),
                    non_user_cancel=status in texts.NON_USER_CANCELS,
                )
            )

    def register(self, order: Order) -> None:
        """Let the account know an order, resting or not."""
        order.account.orders[order.oid] = order
        if order.cloid is not None:
            order.account.cloids[order.cloid] = order.oid

    def arm(self, order: Order) -> None:
        """Let the mark price fire this trigger order from now on."""
        order.parent = None
        self.coins[order.coin].triggers[order.oid] = order

    def rest(self, order: Order) -> None:
        """Put an order into the book."""
        coin = self.coins[order.coin]
        coin.book.own(order.side).add(order)
        order.is_resting = True
        order.account.orders[order.oid] = order
        order.account.reserve(order, order.lots)
        if order.reduce_only:
            order.account.open(order.coin).reduce_only[order.oid] = order
        if coin.foreign is not None:
            coin.foreign.joined(order)
        self.changed[order.coin] = None
        self._note_quote(order, order.lots)

    def _note_quote(self, order: Order, lots: int) -> None:
        """Note what the book now has of an order that makes no events; a recorded book speaks for itself."""
        if self.config.quotes_noted and order.account.internal and self.coins[order.coin].foreign is None:
            self.events.append(
                QuoteNote(coin=order.coin, oid=order.oid, side=order.side, ticks=Ticks(order.ticks), lots=Lots(lots))
            )

    def resize(self, order: Order, lots: int) -> None:
        """Change what remains of a resting order; at zero it leaves the book."""
        order.account.reserve(order, lots - order.lots)
        coin = self.coins[order.coin]
        coin.book.own(order.side).resize(order, lots)
        self.changed[order.coin] = None
        self._note_quote(order, lots)
        if lots == 0:
            self._left(order, coin)

    def remove(self, order: Order, status: str) -> None:
        """End an open order, resting or not, with what remains of it; its children end with it."""
        coin = self.coins[order.coin]
        if order.is_resting:
            order.account.reserve(order, -order.lots)
            coin.book.own(order.side).remove(order)
            self.changed[order.coin] = None
            self._note_quote(order, 0)
            self._left(order, coin)
        else:
            coin.triggers.pop(order.oid, None)
            if order.parent is not None:
                order.parent.children.remove(order)
        self.finish(order, status)
        for child in tuple(order.children):
            self.remove(child, texts.CANCELED)

    def finish(self, order: Order, status: str) -> None:
        """Tell the end of an order that is in no book any more, and remember it."""
        account = order.account
        account.orders.pop(order.oid, None)
        self.say(order, status)
        if status == texts.FILLED and order.children:
            for child in order.children:
                self.arm(child)
            order.children.clear()
        if account.internal:
            account.cloids.pop(order.cloid or "", None)
        else:
            account.remember(OrderRecord(order=order.view(), status=status, status_ms=Millis(self.now_ms)))

    def _left(self, order: Order, coin: Coin) -> None:
        order.is_resting = False
        if order.reduce_only:
            order.account.open(order.coin).reduce_only.pop(order.oid, None)
        if coin.foreign is not None:
            coin.foreign.left(order)

    # --- the block ---

    def begin(self, now_ms: int) -> bool:
        """Open the next block; say whether a new UTC day has begun with it."""
        self.now_ms = now_ms
        self.block += 1
        before, self.day = self.day, now_ms // DAY_MS
        return self.day != before

    def end(self) -> tuple[Event | Note, ...]:
        """Close the block: book changes last; return and forget its events."""
        for name in self.changed:
            coin = self.coins[name]
            touch = coin.touch()
            self.events.append(BookChange(coin=name, bbo_changed=touch != coin.touch_before))
            coin.touch_before = touch
        events = tuple(self.events)
        self.events.clear()
        self.changed.clear()
        return events

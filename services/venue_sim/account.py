"""One account: cash, positions, open orders and what the venue remembers of it.

All money is whole micro-USD. `cash` is what the wire calls raw USD: deposits minus the signed cost of everything
bought, so account value is cash plus positions at mark, and trades between accounts conserve the sum of cash exactly.
Isolated positions have cash of their own.
"""

from collections import OrderedDict, deque
from typing import Final

import msgspec

from common.units import Millis, Side
from services.venue_sim.api import FillEvent, FundingEvent, LedgerEvent
from services.venue_sim.budget import AddressBudget
from services.venue_sim.fee_tiers import Volumes
from services.venue_sim.matching import Order
from services.venue_sim.other_actions import Builder
from services.venue_sim.rules import FILLS_REMEMBERED_MAX, ORDERS_REMEMBERED_MAX, RECORDS_REMEMBERED_MAX
from services.venue_sim.views import FeeRates, Leverage, OrderRecord

LEVERAGE_DEFAULT: Final = 20  # or the asset's maximum where that is less


class Holding(msgspec.Struct, eq=False):
    """A position of one coin, possibly flat."""

    lots: int = 0  # signed
    cost: int = 0  # micros, signed: lots times average entry price; rounded half-even when part is closed
    cash: int = 0  # micros; an isolated position's own, 0 for a cross one
    funding_all_time: int = 0  # micros paid
    funding_since_open: int = 0
    funding_since_change: int = 0


class CoinOrders(msgspec.Struct, eq=False):
    """What the open orders of one coin reserve."""

    buy_notional: int = 0  # micros, resting bids that are not reduce-only
    sell_notional: int = 0
    reduce_only: OrderedDict[int, Order] = msgspec.field(default_factory=OrderedDict)  # resting, oldest first


class Account:
    def __init__(self, user: str, *, internal: bool, request_buffer: int) -> None:
        self.user = user
        self.internal = internal  # the market itself: no limits, no events
        self.cash = 0
        self.spot = 0  # micros of USDC outside the perpetuals' cash
        self.holdings: dict[str, Holding] = {}
        self.leverages: dict[str, Leverage] = {}
        self.orders: dict[int, Order] = {}  # open: resting, trigger and waiting
        self.cloids: dict[str, int] = {}  # of the orders known, newest wins
        self.builders: dict[str, int] = {}  # approved rates by address; one per approval ever signed
        self.coins: dict[str, CoinOrders] = {}
        self.finished: OrderedDict[int, OrderRecord] = OrderedDict()  # newest last
        self.fills: deque[FillEvent] = deque(maxlen=FILLS_REMEMBERED_MAX)
        self.fundings: deque[FundingEvent] = deque(maxlen=RECORDS_REMEMBERED_MAX)
        self.ledger: deque[LedgerEvent] = deque(maxlen=RECORDS_REMEMBERED_MAX)
        self.budget = AddressBudget(request_buffer)
        self.volumes = Volumes()
        self.rates = FeeRates(maker_ppm=0, taker_ppm=0) if internal else FeeRates()
        self.cancel_at: Millis | None = None  # scheduleCancel
        self.cancel_day = 0
        self.cancels_today = 0  # times it fired on `cancel_day`
        self.liquidated_ms: int | None = None  # last partial liquidation

    def holding(self, coin: str) -> Holding:
        found = self.holdings.get(coin)
        if found is None:
            found = self.holdings[coin] = Holding()
        return found

    def lots(self, coin: str) -> int:
        holding = self.holdings.get(coin)
        return 0 if holding is None else holding.lots

    def open(self, coin: str) -> CoinOrders:
        found = self.coins.get(coin)
        if found is None:
            found = self.coins[coin] = CoinOrders()
        return found

    def leverage(self, coin: str, leverage_max: int) -> Leverage:
        return self.leverages.get(coin) or Leverage(min(LEVERAGE_DEFAULT, leverage_max), is_cross=True)

    def is_cross(self, coin: str) -> bool:
        chosen = self.leverages.get(coin)
        return chosen is None or chosen.is_cross

    def order(self, ref: int | str) -> Order | None:
        """Find an open order by oid or cloid."""
        oid = self.cloids.get(ref) if isinstance(ref, str) else ref
        return None if oid is None else self.orders.get(oid)

    def approved(self, builder: Builder | None) -> bool:
        """Say whether this builder may charge what it asks."""
        return builder is None or self.builders.get(builder.address, -1) >= builder.rate

    def reserve(self, order: Order, lots: int) -> None:
        """Count `lots` of a resting order (negative: no longer) for margin."""
        if self.internal or order.reduce_only:
            return
        coin = self.open(order.coin)
        if order.side is Side.BUY:
            coin.buy_notional += order.ticks * lots
        else:
            coin.sell_notional += order.ticks * lots

    def remember(self, record: OrderRecord) -> None:
        """Keep a finished order; forget the oldest past the limit."""
        self.finished[record.order.oid] = record
        if len(self.finished) > ORDERS_REMEMBERED_MAX:
            _, old = self.finished.popitem(last=False)
            if old.order.cloid is not None and self.cloids.get(old.order.cloid) == old.order.oid:
                del self.cloids[old.order.cloid]

"""From an order as asked for to an order in the book, a trade or a refusal in the venue's words.

Rules
  1. Whole payload, one refusal: no orders, price or size off the grid, zero size, price too far from mark, order too
     large, trigger orders that are not reduce-only or do not fit the grouping.
  2. Price: five significant figures, and on the coin's own grid where it has one (tickRejected).
  3. At least 10 USD, except an order that closes exactly the position, and reduce-only ones at least as large as it.
  4. Reduce-only: against the position (else reduceOnlyRejected), and no larger than it (shrunk).
  5. Margin is checked at placement, on the worse side (perpMarginRejected); so is the tier's leverage
     (perpMaxPositionRejected).
  6. Alo that would trade is refused with the bbo. Ioc that cannot trade is refused; what an Ioc leaves unfilled is gone
     and its status is filled with that remainder. Gtc trades, then rests.
  7. For a while after a network upgrade only Alo orders are taken; for a delisted coin none.
  8. A halted coin takes no order, not from the market's own participants either.
  9. Open orders: 1,000 and one per 5M USD of volume, 5,000 at most. A cloid of an open order is taken.
"""

from common.instrument import NOTIONAL_MIN
from common.units import MICROS_PER_USD, Lots, Side
from services.venue_sim import open_interest, texts
from services.venue_sim.account import Account
from services.venue_sim.api import (
    Filled,
    Grouping,
    OrderSpec,
    PlaceOrders,
    Refused,
    Resting,
    Status,
    Tif,
)
from services.venue_sim.engine import Engine
from services.venue_sim.floor import Coin, Floor
from services.venue_sim.margin import tier_leverage
from services.venue_sim.matching import Order
from services.venue_sim.quotes import average_price, price_text
from services.venue_sim.rules import OPEN_ORDER_VOLUME, OPEN_ORDERS_MAX, OPEN_ORDERS_MIN
from services.venue_sim.texts import Reject
from services.venue_sim.triggers import Triggers

LARGEST_USD = ((25, 30_000_000), (20, 5_000_000), (10, 2_000_000), (0, 500_000))  # by maximum leverage; limit: tenfold


class Placing:
    def __init__(self, floor: Floor, engine: Engine) -> None:
        self._floor = floor
        self._engine = engine
        self.triggers = Triggers(floor, self)

    # --- whole payloads (rule 1) ---

    def place_all(self, account: Account, action: PlaceOrders) -> tuple[Status, ...]:
        if not account.internal:
            text = self.invalid(action.orders, action.grouping)
            if text:
                return (Refused(text),)
        if action.grouping is Grouping.NORMAL_TPSL:
            return self._place_bracket(account, action.orders)
        if action.grouping is Grouping.POSITION_TPSL:
            group = [self.make(account, spec) for spec in action.orders]
            for order in group:
                order.is_position_tpsl, order.group = True, group
            return tuple(self.triggers.place(order) for order in group)
        return tuple(self.place(account, spec) for spec in action.orders)

    def _place_bracket(self, account: Account, specs: tuple[OrderSpec, ...]) -> tuple[Status, ...]:
        text = next((text for spec in specs if (text := self._no_room(account, spec))), "")
        if text:
            return (Refused(text),)
        parent, *children = (self.make(account, spec) for spec in specs)
        for child in children:
            child.group = children
        return self.triggers.place_bracket(parent, children)

    def invalid(self, orders: tuple[OrderSpec, ...], grouping: Grouping = Grouping.NONE) -> str:
        """Return why the payload is refused as a whole, or nothing."""
        if not orders:
            return texts.NO_ORDERS
        triggers = sum(spec.trigger is not None for spec in orders)
        fits = {
            Grouping.NONE: True,
            Grouping.NORMAL_TPSL: orders[0].trigger is None and 1 <= triggers == len(orders) - 1 <= 2,
            Grouping.POSITION_TPSL: 1 <= triggers == len(orders) <= 2,
        }
        if not fits[grouping]:
            return texts.TRIGGER_COUNT
        sized = grouping is not Grouping.POSITION_TPSL
        return next((text for spec in orders if (text := self._invalid_order(spec, sized=sized))), "")

    def _invalid_order(self, spec: OrderSpec, *, sized: bool) -> str:
        coin = self._floor.coins[spec.coin]
        if spec.ticks <= 0 or (spec.trigger is not None and spec.trigger.ticks <= 0):
            return texts.BAD_PRICE
        if spec.lots < 0:
            return texts.BAD_SIZE
        if spec.lots == 0 and sized:
            return texts.ZERO_SIZE
        if spec.trigger is not None and not spec.reduce_only:
            return texts.TRIGGER_NOT_REDUCE_ONLY
        near = 100 - self._floor.config.price_band_percent
        if spec.ticks * 100 <= near * coin.mark or spec.ticks * near >= 100 * coin.mark:
            return texts.price_band(self._floor.config.price_band_percent)
        largest = next(usd for least, usd in LARGEST_USD if coin.instrument.leverage_max >= least)
        limit = largest * MICROS_PER_USD * (10 if spec.tif.rests else 1)
        return texts.TOO_LARGE if spec.ticks * spec.lots > limit else ""

    # --- one order ---

    def place(self, account: Account, spec: OrderSpec) -> Status:
        """Place an order that passed `invalid`."""
        if self._floor.coins[spec.coin].is_delisted:
            return Refused(texts.DELISTED)
        if not account.internal:
            text = self._no_room(account, spec)
            if text:
                return Refused(text)
            if spec.tif.takes and self._floor.now_ms < self._floor.post_only_until:
                return Refused(texts.POST_ONLY)
        order = self.make(account, spec)
        return self.execute(order) if spec.trigger is None else self.triggers.place(order)

    def execute(self, order: Order) -> Status:
        """Check, match and rest an order; a fired trigger order comes here, too."""
        coin = self._floor.coins[order.coin]
        refusal = self._refusal(order, coin)
        if refusal is not None:
            return self.reject(order, refusal)
        if order.tif is Tif.ALO and coin.book.other(order.side).reach(order.ticks) is not None:
            bid, ask = (price_text(coin.instrument, ticks) for ticks in coin.book.bbo())
            return self.reject(order, Reject.ALO, texts.bad_alo(bid, ask, coin.asset))
        self._floor.register(order)
        lots, micros = self._engine.take(order)
        if order.reduce_only and order.lots:
            order.lots = min(order.lots, abs(order.account.lots(order.coin)))
        if order.lots and order.tif.rests:
            self._floor.rest(order)
            self._floor.say(order, texts.OPEN)
            self._engine.trim(order.account, coin)
            if not lots or self._floor.config.partial_fill_rests:
                return Resting(oid=order.oid, cloid=order.cloid)
        elif lots:
            self._floor.finish(order, texts.FILLED)
        else:
            return self.reject(order, Reject.NO_LIQUIDITY if order.trigger is not None else Reject.IOC)
        return Filled(
            oid=order.oid,
            lots=Lots(lots),
            average_price=average_price(coin.instrument, micros, lots),
            cloid=order.cloid,
        )

    def _refusal(self, order: Order, coin: Coin) -> Reject | None:
        """Apply rules 2 to 5 and 8; shrinks a reduce-only order."""
        account = order.account
        if coin.halted:
            return Reject.HALTED
        if order.trigger is None and not coin.instrument.is_legal(order.ticks):
            return Reject.TICK
        if order.ticks % coin.tick_multiple and order.trigger is None and not account.internal:
            return Reject.TICK
        held = account.lots(order.coin)
        against = held * order.side.sign < 0
        if order.reduce_only and not against:
            return Reject.REDUCE_ONLY
        notional = order.ticks * order.lots
        closes = against and (order.lots == abs(held) or (order.reduce_only and order.lots > abs(held)))
        if notional < NOTIONAL_MIN and not closes and not account.internal:
            return Reject.MIN_NOTIONAL
        if order.reduce_only:
            order.lots = min(order.lots, abs(held))
        if order.reduce_only or account.internal:
            return None
        capped = open_interest.refusal(coin, order, self._floor.config.open_interest_max)
        return capped or self._over_margin(account, order, coin, notional)

    def _over_margin(self, account: Account, order: Order, coin: Coin, notional: int) -> Reject | None:
        margins = self._floor.margins
        buying, selling = (notional, 0) if order.side is Side.BUY else (0, notional)
        if not margins.affords(account, order.coin, buying=buying, selling=selling):
            return Reject.MARGIN
        after = account.lots(order.coin) + order.side.sign * order.lots
        if abs(after) > abs(account.lots(order.coin)):
            allowed = tier_leverage(abs(after) * coin.mark, coin.rules.margin_tiers)
            if margins.leverage(account, order.coin) > allowed:
                return Reject.MAX_POSITION
        return None

    # --- parts ---

    def make(self, account: Account, spec: OrderSpec) -> Order:
        return Order(
            oid=self._floor.next_oid(),
            account=account,
            cloid=spec.cloid,
            coin=spec.coin,
            side=spec.side,
            ticks=spec.ticks,
            lots=spec.lots,
            original_lots=spec.lots,
            placed_ms=self._floor.now_ms,
            tif=spec.tif,
            reduce_only=spec.reduce_only,
            trigger=spec.trigger,
            builder=spec.builder,
        )

    def reject(self, order: Order, reason: Reject, text: str = "") -> Refused:
        """Refuse an order that has an oid already: it stays in the account's memory under the reason's status."""
        if order.cloid is not None and not order.account.internal:
            order.account.cloids[order.cloid] = order.oid
        self._floor.finish(order, reason.status)
        return Refused(text or reason.at(self._floor.coins[order.coin].asset))

    def _no_room(self, account: Account, spec: OrderSpec) -> str:
        """Apply rule 9."""
        if spec.cloid is not None and account.order(spec.cloid) is not None:
            return texts.DUPLICATE_CLOID
        extra = account.budget.volume // OPEN_ORDER_VOLUME
        allowed = min(OPEN_ORDERS_MIN + extra, OPEN_ORDERS_MAX)
        if spec.reduce_only or spec.trigger is not None:
            allowed = min(allowed, OPEN_ORDERS_MIN)
        return texts.TOO_MANY_OPEN if len(account.orders) >= allowed else ""

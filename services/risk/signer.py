"""The order key. It signs a closed list of actions, and holds a second, tiny set of limits of its own.

This is shell, not core: it touches the key and looks into the halt directory. It shares no code with the gate, so
that one mistake cannot open both.

Rules
  1. Orders and modifies: only with a nonce above every earlier one and an expiry no further than `order_expiry_ms`,
     and only within the limits below. Cancels and noops: always. Leverage: exactly the configured value, crossed,
     while flat. Nothing else, ever.
  2. Before each signature that can place something or change leverage it looks into the halt directory itself;
     a file there, or a directory that cannot be read, means no. Only with `[kill] flatten` a file lets through what
     is immediate-or-cancel, reduce-only, within twice `slippage_bps` of the mid (its
     own may be newer than the gate's), and no more than what is held.
  3. Every order: within `max_deviation_bps` of the last own mid, which is recent; at most `max_order_usd` at its own
     price; post-only unless it only reduces.
  4. All orders of an action together: at most `max_position_usd` of position on either side, by the venue's last
     account state and the fills after it. Without such a state nothing is signed.
  5. At most `max_signatures_per_s` signatures that place something.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from common.actor import Sign
from common.config import Settings
from common.halt import HaltDir
from common.hyperliquid.signing import SigningKey
from common.hyperliquid.wire import encode_action, request_body
from common.messages import (
    Book,
    Message,
    OrderIntent,
    Signed,
    SignFailed,
    StreamFills,
    TimeInForce,
    TopOfBook,
    VenueAccount,
)
from common.messages.venue import CancelOrders, Modify, Noop, Place, UpdateLeverage
from common.rate import TokenBucket
from common.units import MILLISECOND, Millis, Nanos, Side, Ticks

FILLS_MAX: Final = 10_000  # fills between two account states; beyond that the position is not known


class SecondLimits:
    """The tiny set: last mid and last position of each coin, and four limits."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings.signer
        self._instruments = settings.instruments()
        self._mid_age = settings.risk.reference_age_ms * MILLISECOND
        self._mids: dict[str, tuple[Decimal, Nanos]] = {}
        self._account_ms: Millis | None = None
        self._positions: dict[str, int] = {}
        self._fills: dict[tuple[Millis, str, int], int] = {}  # since that account state

    def observe(self, message: Message) -> None:
        """Take what the own venue link heard, before the core does."""
        match message:
            case Book(bids=bids, asks=asks):
                self._on_mid(message, bids[0][0] if bids else None, asks[0][0] if asks else None)
            case TopOfBook(bid=bid, ask=ask):
                self._on_mid(message, bid[0] if bid else None, ask[0] if ask else None)
            case VenueAccount():
                self._on_account(message)
            case StreamFills():
                for fill in message.fills:
                    if self._account_ms is not None and fill.venue_ms > self._account_ms:
                        self._fills[fill.venue_ms, fill.coin, fill.tid] = fill.side.sign * fill.lots
            case _:
                pass

    def position(self, coin: str) -> int | None:
        """Return signed lots; None while they are not known."""
        if self._account_ms is None or len(self._fills) > FILLS_MAX:
            return None
        return self._positions.get(coin, 0) + sum(lots for key, lots in self._fills.items() if key[1] == coin)

    def fault(self, orders: tuple[OrderIntent, ...], now: Nanos) -> str:
        """Return why these must not be signed together; "" when they may."""
        for order in orders:
            if fault := self._order_fault(order, now):
                return fault
        for coin in sorted({order.coin for order in orders}):
            for side in Side:
                batch = [order for order in orders if order.coin == coin and order.side is side]
                if batch and (fault := self._position_fault(coin, side, batch)):
                    return fault
        return ""

    def flattens(self, orders: tuple[OrderIntent, ...], within_bps: Decimal) -> bool:
        """Say whether these only sell what is held, or buy back what is owed, at once and near the mid."""
        for coin in sorted({order.coin for order in orders}):
            batch = [order for order in orders if order.coin == coin]
            after = (self.position(coin) or 0) + sum(order.side.sign * order.lots for order in batch)
            if not 0 <= after * self._direction(coin) < abs(self.position(coin) or 0):
                return False
        return all(self._is_exit(order, within_bps) for order in orders)

    def _direction(self, coin: str) -> int:
        held = self.position(coin) or 0
        return (held > 0) - (held < 0)

    def _is_exit(self, order: OrderIntent, within_bps: Decimal) -> bool:
        mid, _ = self._mids.get(order.coin, (Decimal(0), Nanos(0)))
        near = abs(order.ticks - mid) * 10_000 <= within_bps * mid
        against = order.lots > 0 and order.side.sign == -self._direction(order.coin)
        return near and against and order.reduce_only and order.tif is TimeInForce.IOC

    def _on_mid(self, message: Book | TopOfBook, bid: Ticks | None, ask: Ticks | None) -> None:
        if message.coin in self._instruments and bid is not None and ask is not None and 0 < bid < ask:
            mid = (Decimal(bid) + Decimal(ask)) / 2
            self._mids[message.coin] = (mid, message.received_at)

    def _on_account(self, account: VenueAccount) -> None:
        if self._account_ms is not None and account.venue_ms <= self._account_ms:
            return
        self._account_ms = account.venue_ms
        self._positions = {position.coin: position.lots for position in account.positions}
        self._fills = {key: lots for key, lots in self._fills.items() if key[0] > account.venue_ms}

    def _order_fault(self, order: OrderIntent, now: Nanos) -> str:
        """Rule 3."""
        if order.coin not in self._instruments:
            return f"{order.coin} is not configured"
        if order.tif is not TimeInForce.ALO and not order.reduce_only:
            return f"{order.tif.value} may take and add"
        if order.ticks <= 0 or order.lots <= 0:
            return f"{order.lots} lots at {order.ticks} ticks"
        mid, seen_at = self._mids.get(order.coin, (Decimal(0), Nanos(0)))
        if not mid or now - seen_at > self._mid_age:
            return f"no recent mid of {order.coin}"
        deviation_bps = abs(order.ticks - mid) / mid * 10_000
        if deviation_bps > Decimal(str(self._settings.max_deviation_bps)):
            return f"{order.coin} price {deviation_bps:.0f} bps from the mid"
        if self._usd(order.coin, order.ticks, order.lots) > Decimal(str(self._settings.max_order_usd)):
            return f"{order.coin} order above the second limit"
        return ""

    def _position_fault(self, coin: str, side: Side, batch: list[OrderIntent]) -> str:
        """Rule 4."""
        held = self.position(coin)
        if held is None:
            return "position unknown"
        after = held + side.sign * sum(order.lots for order in batch)
        dearest = max(order.ticks for order in batch)
        beyond = self._usd(coin, dearest, abs(after)) > Decimal(str(self._settings.max_position_usd))
        return f"{coin} position above the second limit" if beyond and abs(after) > abs(held) else ""

    def _usd(self, coin: str, ticks: Ticks, lots: int) -> Decimal:
        instrument = self._instruments[coin]
        return instrument.price(ticks) * instrument.size(lots)


class OrderSigner:
    """Holds the key. `clock` is the process's monotonic clock."""

    def __init__(self, settings: Settings, key: SigningKey, halt: HaltDir, clock: Callable[[], Nanos]) -> None:
        self._settings = settings
        self._key = key
        self._halt = halt
        self._clock = clock
        self._instruments = settings.instruments()
        self._rate = TokenBucket(
            per_second=settings.signer.max_signatures_per_s, burst=settings.signer.max_signatures_per_s
        )
        self._last_nonce = 0
        self.limits = SecondLimits(settings)

    def observe(self, message: Message) -> None:
        """Hear what the venue link delivers."""
        self.limits.observe(message)

    def sign(self, effect: Sign) -> Signed | SignFailed:
        """Sign, or say why not; never raises for what the core asks."""
        fault = self._fault(effect)
        if fault:
            return SignFailed(sign_id=effect.sign_id, nonce=effect.nonce, reason=fault)
        try:
            action = encode_action(effect.action, self._instruments)
        except (KeyError, ValueError) as error:
            return SignFailed(sign_id=effect.sign_id, nonce=effect.nonce, reason=f"cannot be encoded: {error}")
        network = self._settings.venue.network
        signature = self._key.sign_l1(action, effect.nonce, network, expires_after=effect.expires_after)
        body = request_body(action, effect.nonce, signature, expires_after=effect.expires_after)
        return Signed(sign_id=effect.sign_id, nonce=effect.nonce, body=body)

    def _fault(self, effect: Sign) -> str:
        """Rule 1."""
        match effect.action:
            case CancelOrders() | Noop():
                return ""
            case Place(orders):
                return self._closed(orders) or self._placing_fault(effect, orders)
            case Modify(modifies):
                orders = tuple(modify.order for modify in modifies)
                return self._halted(orders) or self._placing_fault(effect, orders)
            case UpdateLeverage():
                return self._halted((effect.action,)) or self._leverage_fault(effect.action)
            case _:
                return f"the order key never signs {type(effect.action).__name__}"

    def _halted(self, wanted: tuple[OrderIntent | UpdateLeverage, ...]) -> str:
        """Rule 2; a file may name one coin, and one that is not ours is a mistake."""
        directory = self._halt.read()
        strange = any(coin not in self._instruments for coin in directory.coins)
        closed = directory.halted or strange or any(item.coin in directory.coins for item in wanted)
        return "halted" if closed else ""

    def _closed(self, orders: tuple[OrderIntent, ...]) -> str:
        """Rule 2, where it has its exception."""
        if not self._halted(orders):
            return ""
        flattens = self._settings.kill.flatten and self._halt.read().readable
        bps = 2 * Decimal(str(self._settings.kill.slippage_bps))
        return "" if flattens and self.limits.flattens(orders, bps) else "halted"

    def _placing_fault(self, effect: Sign, orders: tuple[OrderIntent, ...]) -> str:
        now = self._clock()
        if effect.expires_after is None or effect.expires_after - effect.nonce > self._settings.orders.order_expiry_ms:
            return "no expiry, or one too far away"
        if effect.nonce <= self._last_nonce:
            return f"nonce {effect.nonce} is not above {self._last_nonce}"
        if fault := self.limits.fault(orders, now):
            return fault
        if not self._rate.take(1, now):
            return "too many signatures a second"
        self._last_nonce = effect.nonce
        return ""

    def _leverage_fault(self, action: UpdateLeverage) -> str:
        coin = self._settings.coins.get(action.coin)
        if coin is None or action.leverage != coin.leverage or not action.is_cross:
            return "leverage is not the configured one"
        return "" if self.limits.position(action.coin) == 0 else "leverage changes only while flat"

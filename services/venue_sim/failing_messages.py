"""Messages of subscriptions that are lost, late, doubled, out of order or absurd. Pure.

Rules
  1. Faults that delay or double concern an account's messages, and public ones where the fault names their channel.
  2. Late messages of one account (of one public channel) keep their order on a socket, and none overtakes them.
  3. A snapshot is no news: it is never held for a race.
"""

from decimal import Decimal
from typing import Any, Final

import msgspec

from common.units import Millis
from services.venue_sim import faults
from services.venue_sim import subscriptions as subs
from services.venue_sim.armoury import Armed, Armoury
from services.venue_sim.faults import MessageFault
from services.venue_sim.numbers import decimal
from services.venue_sim.streams import Say
from services.venue_sim.venue import Effect
from services.venue_sim.withheld import Later, Race, Ref

FILL_CHANNELS: Final = (subs.UserFills, subs.UserEvents)
BOOK_CHANNELS: Final = (subs.L2Book, subs.Bbo)


class FailingMessages:
    """`acks` is told of every fill; `fills` waits for cancels."""

    def __init__(self, armoury: Armoury, later: Later, *, acks: Race, fills: Race) -> None:
        self._armoury = armoury
        self._later = later
        self._acks = acks
        self._fills = fills
        self._silent: set[tuple[int, subs.Subscription]] = set()  # skip_order_updates; bounded by open subscriptions
        self._last: dict[tuple[int, str], int] = {}  # (connection, account or channel) -> when its last one leaves

    def subscribed(self, connection: int, subscription: subs.Subscription, now: Millis) -> None:
        """Take note of a subscription that is being made."""
        self._silent.discard((connection, subscription))
        if isinstance(subscription, subs.OrderUpdates):
            struck = self._struck(faults.SkipOrderUpdates, Say(connection, b"", subscription), now)
            if struck is not None:
                self._silent.add((connection, subscription))

    def forget(self, connection: int) -> None:
        """Drop what is known of a connection that has gone."""
        self._silent = {each for each in self._silent if each[0] != connection}
        self._last = {key: until for key, until in self._last.items() if key[0] != connection}

    def take(self, say: Say, now: Millis) -> list[Effect]:
        """Take a message of the venue; return what is sent now."""
        subscription = _subject(say)
        if (say.connection, subscription) in self._silent or self._struck(faults.FreezeStream, say, now) is not None:
            return []
        if isinstance(subscription, BOOK_CHANNELS):
            say = Say(say.connection, self.book(say.text, subscription.coin, now, say), say.about)
        if isinstance(subscription, FILL_CHANNELS) and self._waits_for_cancel(say, now):
            return []
        sent = self._in_time(say, now)
        if isinstance(subscription, FILL_CHANNELS) and self._acks and sent:
            sent += self._acks.passed(_orders(say.text))
        return sent

    def book(self, text: bytes, coin: str, now: Millis, say: Say | None = None) -> bytes:
        """Return a book or best prices, spoilt where a fault says so; without `say` they are an answer to /info."""
        asked = say or Say(0, b"", subs.L2Book(coin=coin))
        if self._struck(faults.CrossedBook, asked, now) is not None:
            text = _spoilt(text, lambda sides: sides[::-1])
        struck = self._struck(faults.AbsurdBook, asked, now)
        if struck is not None and isinstance(fault := struck.fault, faults.AbsurdBook):
            text = _spoilt(text, lambda sides: [_scaled(side, fault) for side in sides])
        return text

    # --- late and double ---

    def _in_time(self, say: Say, now: Millis) -> list[Effect]:
        sent: list[Effect] = [say]
        late = self._struck(faults.DelayMessages, say, now)
        key = say.connection, _subject(say).account or channel_of(_subject(say))
        until = self._last.get(key, 0)
        if late is not None and isinstance(late.fault, faults.DelayMessages):
            until = max(until, now + late.fault.delay_ms)
        reordered = self._struck(faults.ReorderMessages, say, now)
        if until > now:
            self._last[key] = until
        elif reordered is not None and isinstance(reordered.fault, faults.ReorderMessages):
            until = now + self._armoury.between(0, reordered.fault.window_ms)
        if until > now:
            self._later.keep(say, until)
            sent = []
        double = self._struck(faults.DuplicateMessages, say, now)
        if double is not None and isinstance(double.fault, faults.DuplicateMessages):
            self._later.keep(say, max(until, now) + double.fault.after_ms)
        return sent

    def _waits_for_cancel(self, say: Say, now: Millis) -> bool:
        orders = _orders(say.text) if any(self._armoury.of(faults.FillAfterCancelAck, now)) else set()
        struck = self._struck(faults.FillAfterCancelAck, say, now) if orders else None
        if struck is None or not isinstance(struck.fault, faults.FillAfterCancelAck):
            return False
        self._fills.wait(orders, say, now + struck.fault.delay_ms)
        return True

    # --- scopes ---

    def _struck(self, kind: type[MessageFault], say: Say, now: Millis) -> Armed | None:
        for armed, fault in self._armoury.of(kind, now):
            if _fits(fault, say) and self._armoury.strikes(armed):
                return armed
        return None


def _subject(say: Say) -> subs.Subscription:
    assert isinstance(say.about, subs.Channel)
    return say.about


def _fits(fault: MessageFault, say: Say) -> bool:
    subscription = _subject(say)
    private = isinstance(fault, faults.DelayMessages | faults.ReorderMessages | faults.DuplicateMessages)
    if private and subscription.account is None and not fault.channel:
        return False
    return (
        fault.user in ("", subscription.account)
        and fault.connection in (None, say.connection)
        and fault.channel in ("", channel_of(subscription))
        and fault.coin in ("", subscription.about)
    )


def channel_of(subscription: subs.Subscription) -> str:
    """Return the type by which a client subscribes."""
    return str(subscription.__struct_config__.tag)


def _orders(text: bytes) -> set[Ref]:
    """Return oids and cloids of the new fills in a message."""
    data = msgspec.json.decode(text)["data"]
    fills = [] if data.get("isSnapshot") else data.get("fills", [])
    return {fill[key] for fill in fills for key in ("oid", "cloid") if fill.get(key) is not None}


def _spoilt(text: bytes, change: Any) -> bytes:
    """Change the two sides of l2Book or bbo, whether in a message or in an answer."""
    tree = msgspec.json.decode(text)
    data = tree.get("data", tree)
    key = "levels" if "levels" in data else "bbo"
    data[key] = change(data[key])
    return msgspec.json.encode(tree)


def _scaled(side: Any, fault: faults.AbsurdBook) -> Any:
    if side is None:
        return None
    if isinstance(side, list):
        return [_scaled(level, fault) for level in side]
    price, size = Decimal(side["px"]) * fault.price_factor, Decimal(side["sz"]) * fault.size_factor
    return {**side, "px": decimal(price), "sz": decimal(size)}

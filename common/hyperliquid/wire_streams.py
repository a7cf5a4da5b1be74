"""WebSocket frames into our messages: never an exception, whatever the venue sends.

Rules
  1. A frame that is no JSON, or not of its channel's shape, becomes one MalformedVenueData; nothing else of it is used.
  2. In user streams each element stands alone: a malformed one is reported, the others count.
  3. Coins that are not configured are foreign: nothing comes of them, and each is reported once per channel.
  4. Trades come out in the order of the frame. Books come best first, or they are malformed; a crossed book is not
     our matter.
  5. Channels that we never subscribe to are malformed, but for the acknowledgements, pongs, errors and post answers
     that the client needs.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Final, TypeAlias, TypeVar

import msgspec

from common.errors import PeerFault
from common.hyperliquid import wire_types as types
from common.hyperliquid.subscriptions import Subscription
from common.instrument import Instrument
from common.messages.base import Message
from common.messages.market import AssetContext, Book, TopOfBook, Trade
from common.messages.venue import (
    FundingPayment,
    FundingPayments,
    MalformedVenueData,
    OrderUpdate,
    OrderUpdates,
    StreamFills,
)
from common.units import Lots, Millis, Nanos, Ticks

LEVELS_MAX: Final = 20  # a side of a Book; the venue sends no more today, and nobody here looks further
FOREIGN_MAX: Final = 1_000  # (channel, coin) pairs remembered as reported; a full memory stops the reports, not us
PING: Final = b'{"method":"ping"}'
GREETING: Final = b"Websocket connection established."  # old servers say so, in no JSON
REASON_CHARS_MAX: Final = 200  # of the venue's text in our messages

T = TypeVar("T")


# --- what a frame can be ---------------------------------------------------------------------------


class Facts(msgspec.Struct, frozen=True):
    """Messages for the actor, and the newest venue time that the frame proves."""

    channel: str
    messages: tuple[Message, ...]
    stamp_ms: Millis | None = None


class Acknowledged(msgspec.Struct, frozen=True):
    subscription: Subscription


class Pong(msgspec.Struct, frozen=True):
    """The venue heard our ping."""


class Refused(msgspec.Struct, frozen=True):
    """The error channel: something that we sent was not taken."""

    text: str


def already_subscribed(text: str) -> Subscription | None:
    """Read the refusal of a subscription that the venue has already; None for any other refusal."""
    prefix, _, echo = text.partition("Already subscribed: ")
    if prefix or not echo:
        return None
    try:
        return _subscription.decode(echo)
    except msgspec.DecodeError:
        return None


def refused_post(text: str) -> int | None:
    """Return the id of the post that was refused because too many are in flight; None for any other refusal."""
    match = _TOO_MANY_POSTS.match(text)
    return int(match[1]) if match else None


class PostAnswer(msgspec.Struct, frozen=True):
    """Answer to one post, still in the venue's words (`payload` is what follows "response")."""

    id: types.Id
    response: msgspec.Raw


Frame: TypeAlias = Facts | Acknowledged | Pong | Refused | PostAnswer


# --- the venue's shapes ------------------------------------------------------------------------------


class _Envelope(msgspec.Struct, frozen=True, gc=False):
    channel: str
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Book(msgspec.Struct, frozen=True, gc=False):
    coin: str
    time: types.Time
    levels: tuple[list[types.Level], list[types.Level]]


class _Bbo(msgspec.Struct, frozen=True, gc=False):
    coin: str
    time: types.Time
    bbo: tuple[types.Level | None, types.Level | None]


class _Trade(msgspec.Struct, frozen=True, gc=False):
    coin: str
    side: types.SideLetter
    px: Decimal
    sz: Decimal
    time: types.Time
    tid: types.Id


class _Context(msgspec.Struct, frozen=True, rename="camel", gc=False):
    mark_px: Decimal
    oracle_px: Decimal
    funding: Decimal | None = None
    open_interest: Decimal | None = None


class _CoinContext(msgspec.Struct, frozen=True, gc=False):
    coin: str
    ctx: _Context


class _OrderUpdate(msgspec.Struct, frozen=True, rename="camel", gc=False):
    order: types.Order
    status: str
    status_timestamp: types.Time


class _Coin(msgspec.Struct, frozen=True, gc=False):
    coin: str


class _OrderCoin(msgspec.Struct, frozen=True, gc=False):
    order: _Coin


class _UserFills(msgspec.Struct, frozen=True, rename="camel", gc=False):
    fills: list[msgspec.Raw]
    is_snapshot: bool | None = None


class _UserFundings(msgspec.Struct, frozen=True, rename="camel", gc=False):
    fundings: list[msgspec.Raw]
    is_snapshot: bool | None = None


class _UserEvent(msgspec.Struct, frozen=True, gc=False):
    """One of these; liquidations and cancels by the venue reach us as fills and order updates."""

    fills: list[msgspec.Raw] | None = None
    funding: msgspec.Raw = msgspec.Raw(b"null")


class _Acknowledgement(msgspec.Struct, frozen=True, gc=False):
    subscription: Subscription


_TOO_MANY_POSTS: Final = re.compile(r"too many pending post requests id=(\d{1,18})$", re.IGNORECASE)

_envelope: Final = msgspec.json.Decoder(_Envelope)
_book: Final = msgspec.json.Decoder(_Book)
_bbo: Final = msgspec.json.Decoder(_Bbo)
_trades: Final = msgspec.json.Decoder(list[_Trade])
_context: Final = msgspec.json.Decoder(_CoinContext)
_elements: Final = msgspec.json.Decoder(list[msgspec.Raw])
_order_update: Final = msgspec.json.Decoder(_OrderUpdate)
_order_coin: Final = msgspec.json.Decoder(_OrderCoin)
_coin: Final = msgspec.json.Decoder(_Coin)
_user_fills: Final = msgspec.json.Decoder(_UserFills)
_user_fundings: Final = msgspec.json.Decoder(_UserFundings)
_user_event: Final = msgspec.json.Decoder(_UserEvent)
_fill: Final = msgspec.json.Decoder(types.UserFill)
_funding: Final = msgspec.json.Decoder(types.StampedFunding)
_acknowledgement: Final = msgspec.json.Decoder(_Acknowledgement)
_subscription: Final = msgspec.json.Decoder(Subscription)
_text: Final = msgspec.json.Decoder(str)
_post: Final = msgspec.json.Decoder(PostAnswer)

_Fault: Final = (PeerFault, msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # of bytes, and of nothing else


class _Foreign(Exception):
    """Raised where a coin turns out not to be configured."""

    def __init__(self, coin: str) -> None:
        super().__init__(f"coin {coin[:REASON_CHARS_MAX]} not configured")


class FrameReader:
    """Reads the frames of one link; remembers only which foreign coins it has reported."""

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        self._instruments = instruments
        self._foreign: set[tuple[str, str]] = set()
        self._channels: dict[str, Callable[[msgspec.Raw, Nanos], Frame]] = {
            "l2Book": self._on_book,
            "bbo": self._on_bbo,
            "trades": self._on_trades,
            "activeAssetCtx": self._on_context,
            "orderUpdates": self._on_order_updates,
            "userFills": self._on_user_fills,
            "userFundings": self._on_user_fundings,
            "user": self._on_user_event,
            "subscriptionResponse": lambda data, _: Acknowledged(_acknowledgement.decode(data).subscription),
            "pong": lambda _data, _now: Pong(),
            "error": lambda data, _: Refused(_text.decode(data)[:REASON_CHARS_MAX]),
            "post": lambda data, _: _post.decode(data),
        }

    def read(self, raw: bytes | str, now: Nanos) -> Frame:
        """Decode one frame that arrived at `now`."""
        channel = "?"
        try:
            envelope = _envelope.decode(raw)
            channel = envelope.channel[:REASON_CHARS_MAX]
            read = self._channels.get(envelope.channel)
            if read is None:
                raise PeerFault("unknown channel")
            return read(envelope.data, now)
        except _Foreign as foreign:
            return Facts(channel, self._report(channel, foreign))
        except _Fault as fault:
            if raw in {GREETING, GREETING.decode()}:
                return Facts("greeting", ())
            return Facts(channel, (_malformed(channel, fault),))

    # --- market channels ---------------------------------------------------------------------------

    def _on_book(self, data: msgspec.Raw, now: Nanos) -> Frame:
        found = _book.decode(data)
        instrument = self._instrument(found.coin)
        bids, asks = ([_level(level, instrument) for level in side[:LEVELS_MAX]] for side in found.levels)
        if not _descending([level[0] for level in bids]) or not _descending([-level[0] for level in asks]):
            raise PeerFault(f"{found.coin} book is not best first")
        stamp = Millis(found.time)
        book = Book(coin=found.coin, venue_ms=stamp, bids=tuple(bids), asks=tuple(asks), received_at=now)
        return Facts("l2Book", (book,), stamp)

    def _on_bbo(self, data: msgspec.Raw, now: Nanos) -> Frame:
        found = _bbo.decode(data)
        instrument = self._instrument(found.coin)
        bid, ask = (None if level is None else _level(level, instrument) for level in found.bbo)
        stamp = Millis(found.time)
        top = TopOfBook(coin=found.coin, venue_ms=stamp, bid=bid, ask=ask, received_at=now)
        return Facts("bbo", (top,), stamp)

    def _on_trades(self, data: msgspec.Raw, now: Nanos) -> Frame:
        trades = tuple(self._trade(trade, now) for trade in _trades.decode(data))
        return Facts("trades", trades, _newest(trade.venue_ms for trade in trades))

    def _trade(self, found: _Trade, now: Nanos) -> Trade:
        instrument = self._instrument(found.coin)
        return Trade(
            coin=found.coin,
            venue_ms=Millis(found.time),
            side=types.SIDES[found.side],
            ticks=types.ticks(instrument, found.px),
            lots=types.lots_positive(instrument, found.sz),
            tid=found.tid,
            received_at=now,
        )

    def _on_context(self, data: msgspec.Raw, now: Nanos) -> Frame:
        found = _context.decode(data)
        instrument = self._instrument(found.coin)
        context = AssetContext(
            coin=found.coin,
            mark=types.ticks_nearest(instrument, found.ctx.mark_px),
            oracle=types.ticks_nearest(instrument, found.ctx.oracle_px),
            funding=_float(found.ctx.funding, "funding"),
            open_interest=_float(found.ctx.open_interest, "openInterest"),
            received_at=now,
        )
        return Facts("activeAssetCtx", (context,))

    # --- user channels -----------------------------------------------------------------------------

    def _on_order_updates(self, data: msgspec.Raw, now: Nanos) -> Frame:
        updates, reports = self._each("orderUpdates", _elements.decode(data), self._order_update)
        message = OrderUpdates(updates=updates, received_at=now)
        stamp = _newest(update.status_ms for update in updates)
        return Facts("orderUpdates", (*([message] if updates else []), *reports), stamp)

    def _on_user_fills(self, data: msgspec.Raw, now: Nanos) -> Frame:
        found = _user_fills.decode(data)
        return self._fills("userFills", found.fills, now, snapshot=bool(found.is_snapshot))

    def _on_user_fundings(self, data: msgspec.Raw, _now: Nanos) -> Frame:
        found = _user_fundings.decode(data)
        return self._fundings("userFundings", found.fundings, snapshot=bool(found.is_snapshot))

    def _on_user_event(self, data: msgspec.Raw, now: Nanos) -> Frame:
        found = _user_event.decode(data)
        if found.fills is not None:
            return self._fills("user", found.fills, now, snapshot=False)
        return self._fundings("user", [] if bytes(found.funding) == b"null" else [found.funding], snapshot=False)

    def _fills(self, channel: str, elements: Sequence[msgspec.Raw], now: Nanos, *, snapshot: bool) -> Frame:
        fills, reports = self._each(
            channel, elements, lambda raw: types.fill(_fill.decode(raw), self._instrument(_coin.decode(raw).coin))
        )
        message = StreamFills(fills=fills, snapshot=snapshot, received_at=now)
        stamp = None if snapshot else _newest(fill.venue_ms for fill in fills)
        return Facts(channel, (*([message] if fills or snapshot else []), *reports), stamp)

    def _fundings(self, channel: str, elements: Sequence[msgspec.Raw], *, snapshot: bool) -> Frame:
        payments, reports = self._each(channel, elements, self._funding)
        message = FundingPayments(payments=payments, snapshot=snapshot)
        return Facts(channel, (*([message] if payments or snapshot else []), *reports))

    def _order_update(self, raw: msgspec.Raw) -> OrderUpdate:
        instrument = self._instrument(_order_coin.decode(raw).order.coin)
        found = _order_update.decode(raw)
        order = types.venue_order(found.order, instrument)
        return OrderUpdate(order=order, status=found.status, status_ms=Millis(found.status_timestamp))

    def _funding(self, raw: msgspec.Raw) -> FundingPayment:
        self._instrument(_coin.decode(raw).coin)
        found = _funding.decode(raw)
        return types.funding_payment(found, found.time)

    def _each(
        self, channel: str, elements: Sequence[msgspec.Raw], read: Callable[[msgspec.Raw], T]
    ) -> tuple[tuple[T, ...], tuple[MalformedVenueData, ...]]:
        """Read each element by itself (rule 2)."""
        found: list[T] = []
        reports: list[MalformedVenueData] = []
        for raw in elements:
            try:
                found.append(read(raw))
            except _Foreign as foreign:
                reports += self._report(channel, foreign)
            except _Fault as fault:
                reports.append(_malformed(channel, fault))
        return tuple(found), tuple(reports)

    def _instrument(self, coin: str) -> Instrument:
        instrument = self._instruments.get(coin)
        if instrument is None:
            raise _Foreign(coin)
        return instrument

    def _report(self, channel: str, foreign: _Foreign) -> tuple[MalformedVenueData, ...]:
        reported = (channel, str(foreign))
        if reported in self._foreign or len(self._foreign) >= FOREIGN_MAX:
            return ()
        self._foreign.add(reported)
        return (_malformed(channel, foreign),)


def _malformed(channel: str, fault: Exception) -> MalformedVenueData:
    return MalformedVenueData(channel=channel, reason=str(fault)[:REASON_CHARS_MAX])


def _level(level: types.Level, instrument: Instrument) -> tuple[Ticks, Lots]:
    return types.ticks(instrument, level.px), types.lots_positive(instrument, level.sz)


def _descending(prices: Sequence[int]) -> bool:
    return all(better > worse for better, worse in pairwise(prices))


def _float(value: Decimal | None, name: str) -> float | None:
    return None if value is None else float(types.finite(value, name))


def _newest(stamps: Iterable[Millis]) -> Millis | None:
    return max(stamps, default=None)

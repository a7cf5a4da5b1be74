"""Recorded markets as estimation hears them: touches and prints in order of venue time."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from common.messages import Book, TopOfBook, Trade
from common.touch import Touch
from common.units import Lots, Millis, Nanos, Side, Ticks
from services.venue_sim.recordings import BookSeen, LeaderSeen, Recording, TouchSeen, TradeSeen
from tests.market import SETTINGS

HALF_S = 1_044.0  # of set A's 35 minutes


class Event(msgspec.Struct, frozen=True):
    """A print, or a touch."""

    ms: Millis
    trade: Trade | None = None
    mid: float = 0.0
    half_spread: float = 0.0


def messages(path: Path, coin: str) -> Iterator[Book | TopOfBook | Trade]:
    """Give a recording as market_data would have published it, received when it happened."""
    best: dict[Side, tuple[Ticks, Lots] | None] = {}
    for event in Recording(path, [SETTINGS.instruments()[coin]], lambda _: None).events():
        ms, at = Millis(event.at_ms), Nanos(event.at_ms * 1_000_000)
        match event:
            case BookSeen():
                bids, asks = (tuple((one.ticks, one.lots) for one in side) for side in (event.bids, event.asks))
                best = {Side.BUY: bids[0] if bids else None, Side.SELL: asks[0] if asks else None}
                yield Book(coin=coin, venue_ms=ms, bids=bids, asks=asks, received_at=at)
            case TouchSeen():
                best[event.side] = None if event.level is None else (event.level.ticks, event.level.lots)
                bid, ask = best.get(Side.BUY), best.get(Side.SELL)
                yield TopOfBook(coin=coin, venue_ms=ms, bid=bid, ask=ask, received_at=at)
            case TradeSeen():
                yield Trade(
                    coin=coin,
                    venue_ms=ms,
                    side=event.side,
                    ticks=event.ticks,
                    lots=event.lots,
                    tid=event.tid,
                    received_at=at,
                )
            case LeaderSeen():
                pass


def first_half(path: Path, coin: str) -> Iterator[Event]:
    """Give the prints and two-sided touches of the first half of set A."""
    start_ms = None
    for message in messages(path, coin):
        start_ms = message.venue_ms if start_ms is None else start_ms
        if message.venue_ms - start_ms > HALF_S * 1_000:
            return
        if isinstance(message, Trade):
            yield Event(message.venue_ms, message)
            continue
        touch = Touch.of(message)
        mid = touch.mid_ticks
        if mid is not None and touch.ask is not None:
            yield Event(touch.venue_ms, None, mid, touch.ask[0] - mid)

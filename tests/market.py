"""Short builders of market facts and settings: BTC has ticks of 0.1 USD and lots of 1e-5 coin."""

from pathlib import Path
from typing import Final

import msgspec

from common import config
from common.actor import Boot
from common.config import Settings
from common.messages import AssetContext, Book, TopOfBook, Trade
from common.units import SECOND, Lots, Millis, Nanos, Side, Ticks

SETTINGS: Final = config.load(Path(__file__).parents[1] / "deploy" / "sim.toml")
BOOT: Final = Boot(epoch=7, started_at=Nanos(0))
BID: Final = 1_130_000  # 113,000 USD
ASK: Final = 1_130_010  # one legal step above


def with_settings(section: str, **changes: object) -> Settings:
    """Return SETTINGS with some keys of one section changed; a dot leads into a table."""
    raw = msgspec.toml.decode((Path(__file__).parents[1] / "deploy" / "sim.toml").read_text())
    table = raw
    for name in section.split("."):
        table = table.setdefault(name, {})
    table.update(changes)
    return msgspec.convert(raw, Settings)


def at(seconds: float) -> Nanos:
    return Nanos(int(seconds * SECOND))


def book(
    seconds: float,
    *,
    coin: str = "BTC",
    bid: int = BID,
    ask: int = ASK,
    lots: int = 100_000,
    venue_ms: int | None = None,
) -> Book:
    """One level a side, received at `seconds`; its venue stamp is that second unless said otherwise."""
    return Book(
        coin=coin,
        venue_ms=Millis(int(seconds * 1_000) if venue_ms is None else venue_ms),
        bids=((Ticks(bid), Lots(lots)),),
        asks=((Ticks(ask), Lots(lots)),),
        received_at=at(seconds),
    )


def top(
    seconds: float,
    *,
    coin: str = "BTC",
    bid: int | None = BID,
    ask: int | None = ASK,
    bid_lots: int = 100_000,
    ask_lots: int = 100_000,
    venue_ms: int | None = None,
) -> TopOfBook:
    return TopOfBook(
        coin=coin,
        venue_ms=Millis(int(seconds * 1_000) if venue_ms is None else venue_ms),
        bid=None if bid is None else (Ticks(bid), Lots(bid_lots)),
        ask=None if ask is None else (Ticks(ask), Lots(ask_lots)),
        received_at=at(seconds),
    )


def trade(
    seconds: float,
    tid: int,
    *,
    coin: str = "BTC",
    side: Side = Side.BUY,
    ticks: int = ASK,
    lots: int = 1_000,
    venue_ms: int | None = None,
) -> Trade:
    return Trade(
        coin=coin,
        venue_ms=Millis(int(seconds * 1_000) if venue_ms is None else venue_ms),
        side=side,
        ticks=Ticks(ticks),
        lots=Lots(lots),
        tid=tid,
        received_at=at(seconds),
    )


def context(
    seconds: float, *, coin: str = "BTC", mark: int = BID, oracle: int = BID, open_interest: float | None = None
) -> AssetContext:
    return AssetContext(
        coin=coin,
        mark=Ticks(mark),
        oracle=Ticks(oracle),
        funding=None,
        open_interest=open_interest,
        received_at=at(seconds),
    )

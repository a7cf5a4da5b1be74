"""The leader, another venue: a market's prices ahead of its book, in Binance's words. Pure.

Rules
  1. It is at PATH of the same server: /leader/stream?streams=btcusdt@bookTicker/ethusdt@bookTicker. A stream that it
     does not have is silent, as there; what clients say is ignored.
  2. With each block everybody hears the true price, which our makers follow 0.4 s later (market_makers.py), in another
     currency: DISTANCE_BPS apart. Of a recording it is what its own leader said, where it has one (recordings.py).
"""

from collections.abc import Mapping
from decimal import ROUND_FLOOR, Decimal
from typing import Final

import msgspec

from common.instrument import Instrument
from common.units import Millis
from services.venue_sim.streams import Led, Say

PATH: Final = "/leader/stream"
STREAMS: Final = "streams="
CHANNEL: Final = "@bookTicker"
QUOTE: Final = "usdt"
DISTANCE_BPS: Final = 5.0
SIZE: Final = "1.000"
CONNECTIONS_MAX: Final = 100  # nobody has more; a client that reconnects without closing must not fill the memory


def symbol(coin: str) -> str:
    """Return a coin's name there."""
    return coin.lower() + QUOTE


class LeaderStream:
    """Who listens to which coins."""

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        self._instruments = instruments
        self._coins = {symbol(coin): coin for coin in instruments}
        self._heard_by: dict[int, tuple[str, ...]] = {}
        self._update = 0

    def open(self, connection: int, target: str) -> bool:
        """Take a connection, unless there are too many."""
        if len(self._heard_by) >= CONNECTIONS_MAX:
            return False
        _, _, asked = target.partition(STREAMS)
        names = [name.removesuffix(CHANNEL) for name in asked.split("/") if name.endswith(CHANNEL)]
        self._heard_by[connection] = tuple(self._coins[name] for name in names if name in self._coins)
        return True

    def close(self, connection: int) -> None:
        self._heard_by.pop(connection, None)

    def follow(self, prices: Mapping[str, float], now: Millis) -> list[Say]:
        """Tell everybody the prices, in ticks, that lead the block that was made."""
        if not self._heard_by:
            return []
        self._update += 1
        texts = {coin: self._text(coin, ticks, now) for coin, ticks in prices.items()}
        return [
            Say(connection, texts[coin], Led(coin))
            for connection, coins in self._heard_by.items()
            for coin in coins
            if coin in texts
        ]

    def _text(self, coin: str, ticks: float, now: Millis) -> bytes:
        step = self._instruments[coin].price(1)
        price = Decimal(ticks) * step * (1 + Decimal(DISTANCE_BPS) / 10_000)
        bid = (price / step).to_integral_value(ROUND_FLOOR) * step
        name = symbol(coin)
        data = {
            "e": "bookTicker",
            "u": self._update,
            "s": name.upper(),
            "b": f"{bid:f}",
            "B": SIZE,
            "a": f"{bid + step:f}",
            "A": SIZE,
            "T": now,
            "E": now,
        }
        return msgspec.json.encode({"stream": name + CHANNEL, "data": data})

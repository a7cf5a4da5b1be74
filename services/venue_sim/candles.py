"""Candles per coin and interval, made of the trades. Pure; forgotten when the venue restarts."""

from collections import deque
from dataclasses import dataclass
from typing import Final

from common.units import Lots, Millis, Ticks
from services.venue_sim.api import TradeEvent

CANDLES_MAX: Final = 5_000  # per coin and interval; the venue answers no more
_MINUTE_MS: Final = 60_000
_HOUR_MS: Final = 60 * _MINUTE_MS
_DAY_MS: Final = 24 * _HOUR_MS
# Weeks and months are counted from the epoch: how the venue aligns them is not documented.
INTERVALS_MS: Final = {
    **{f"{minutes}m": minutes * _MINUTE_MS for minutes in (1, 3, 5, 15, 30)},
    **{f"{hours}h": hours * _HOUR_MS for hours in (1, 2, 4, 8, 12)},
    "1d": _DAY_MS,
    "3d": 3 * _DAY_MS,
    "1w": 7 * _DAY_MS,
    "1M": 30 * _DAY_MS,
}


@dataclass(slots=True)
class Candle:
    """Trades of one interval; `start_ms` is its first millisecond. An interval without trades has no candle."""

    start_ms: Millis
    open: Ticks
    high: Ticks
    low: Ticks
    close: Ticks
    lots: Lots
    trades: int

    def add(self, trade: TradeEvent) -> None:
        self.high, self.low = max(self.high, trade.ticks), min(self.low, trade.ticks)
        self.close = trade.ticks
        self.lots = Lots(self.lots + trade.lots)
        self.trades += 1


class Candles:
    """All intervals of all coins of the universe."""

    def __init__(self, coins: tuple[str, ...]) -> None:
        self._of: dict[tuple[str, str], deque[Candle]] = {
            (coin, interval): deque(maxlen=CANDLES_MAX) for coin in coins for interval in INTERVALS_MS
        }

    def add(self, trade: TradeEvent) -> None:
        for interval, length_ms in INTERVALS_MS.items():
            start_ms = Millis(trade.time_ms - trade.time_ms % length_ms)
            candles = self._of[trade.coin, interval]
            if not candles or candles[-1].start_ms != start_ms:
                candles.append(Candle(start_ms, *(trade.ticks,) * 4, lots=Lots(0), trades=0))
            candles[-1].add(trade)

    def current(self, coin: str, interval: str) -> Candle | None:
        candles = self._of[coin, interval]
        return candles[-1] if candles else None

    def between(self, coin: str, interval: str, start_ms: int, end_ms: int) -> list[Candle]:
        """Return the candles that overlap the time range, oldest first."""
        length_ms = INTERVALS_MS[interval]
        return [
            candle
            for candle in self._of[coin, interval]
            if candle.start_ms + length_ms > start_ms and candle.start_ms <= end_ms
        ]

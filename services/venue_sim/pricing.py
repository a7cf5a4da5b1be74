"""Oracle, mark, premium and predicted funding of one coin, and its last day.

Rules
  1. Mark moves at most once per interval (3 s): the median of oracle + 150 s EMA of (mid - oracle), of
     the median of best bid, best ask and last trade, and of that median's 30 s EMA.
  2. Premium is sampled every 5 s: (what the impact bid exceeds the oracle by - what the oracle exceeds the
     impact ask by) / oracle; an impact price is the average price of the impact notional.
  3. Funding for 8 h = premium + clamp(interest - premium, -0.05 %, +0.05 %); an eighth of it is paid each hour,
     4 % an hour at most.
  4. The day's volume and price are those of the last 24 hours, minute by minute.
Mark is an estimate, made of floats and rounded to the nearest tick; rates are Decimals of ten places.
"""

from collections import deque
from decimal import Decimal
from math import exp
from statistics import median
from typing import Final

import msgspec

from common.units import Millis, Side
from services.venue_sim.matching import Book
from services.venue_sim.rules import DAY_MS, RECORDS_REMEMBERED_MAX, CoinRules
from services.venue_sim.views import FundingRate

BASIS_SECONDS: Final = 150.0
BOOK_SECONDS: Final = 30.0
PREMIUM_INTERVAL_MS: Final = 5_000
CLAMP: Final = Decimal("0.0005")
HOURLY_MAX: Final = Decimal("0.04")
RATE_PLACES: Final = Decimal("1e-10")
MINUTE_MS: Final = 60_000
MINUTES_MAX: Final = DAY_MS // MINUTE_MS


class Average:
    """The venue's exponential average: sums of samples weighted by the time they stand for."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._numerator = 0.0
        self._denominator = 0.0

    def add(self, sample: float, seconds: float) -> float:
        fade = exp(-seconds / self._seconds)
        self._numerator = self._numerator * fade + sample * seconds
        self._denominator = self._denominator * fade + seconds
        return self._numerator / self._denominator


class Minute(msgspec.Struct):
    number: int
    open_ticks: int
    notional: int = 0
    lots: int = 0


class Pricing:
    def __init__(self, rules: CoinRules, book: Book, *, interest: Decimal, interval_ms: int, now_ms: int) -> None:
        self._rules = rules
        self._book = book
        self._interest = interest
        self._interval_ms = interval_ms
        self._marked_ms = now_ms
        self._sampled_ms = now_ms
        self._basis = Average(BASIS_SECONDS)
        self._middle = Average(BOOK_SECONDS)
        self._premiums = Decimal(0)
        self._samples = 0
        self.oracle: int = rules.oracle_ticks
        self.mark: int = rules.oracle_ticks
        self.last_trade: int | None = None
        self.hours: deque[FundingRate] = deque(maxlen=RECORDS_REMEMBERED_MAX)
        self._minutes: deque[Minute] = deque()
        self.day_notional = 0
        self.day_lots = 0

    # --- mark (rule 1) ---

    def update(self, now_ms: int) -> bool:
        """Sample the premium and move the mark when they are due; say whether mark was computed anew."""
        if now_ms - self._sampled_ms >= PREMIUM_INTERVAL_MS:
            self._sampled_ms = now_ms
            premium = self.premium()
            if premium is not None:
                self._premiums += premium
                self._samples += 1
        if now_ms - self._marked_ms < self._interval_ms:
            return False
        seconds = (now_ms - self._marked_ms) / 1000
        self._marked_ms = now_ms
        self.mark = self._mark_nearest(seconds)
        return True

    def _mark_nearest(self, seconds: float) -> int:
        bid, ask = self._book.bbo()
        if bid is None or ask is None:
            return self.oracle
        basis = self._basis.add((bid + ask) / 2 - self.oracle, seconds)
        middle = median((bid, ask, self.last_trade)) if self.last_trade is not None else (bid + ask) / 2
        slow = self._middle.add(middle, seconds)
        return max(1, round(median((self.oracle + basis, middle, slow))))

    # --- premium and funding (rules 2, 3) ---

    def impact(self, side: Side) -> Decimal | None:
        """Return the average price in ticks of trading the impact notional as a taker of `side`, None if too thin."""
        wanted = int(self._rules.impact_notional)
        left, lots = wanted, Decimal(0)
        for queue in self._book.other(side):
            part = min(left, queue.ticks * queue.lots)
            lots += Decimal(part) / queue.ticks
            left -= part
            if not left:
                return (Decimal(wanted) / lots).quantize(RATE_PLACES)
        return None

    def premium(self) -> Decimal | None:
        bid, ask = self.impact(Side.SELL), self.impact(Side.BUY)
        if bid is None or ask is None:
            return None
        difference = max(bid - self.oracle, Decimal(0)) - max(self.oracle - ask, Decimal(0))
        return (difference / self.oracle).quantize(RATE_PLACES)

    def average_premium(self) -> Decimal:
        """Return the mean of this hour's samples, else of the book now, else zero."""
        if self._samples:
            return (self._premiums / self._samples).quantize(RATE_PLACES)
        return self.premium() or Decimal(0)

    def hourly_rate(self) -> Decimal:
        premium = self.average_premium()
        eighth = (premium + min(max(self._interest - premium, -CLAMP), CLAMP)) / 8
        return min(max(eighth, -HOURLY_MAX), HOURLY_MAX).quantize(RATE_PLACES)

    def close_hour(self, now_ms: int) -> FundingRate:
        """Fix this hour's rate, start the next hour's samples."""
        hour = FundingRate(
            coin=self._rules.instrument.coin,
            rate=self.hourly_rate(),
            premium=self.average_premium(),
            time_ms=Millis(now_ms),
        )
        self.hours.append(hour)
        self._premiums, self._samples = Decimal(0), 0
        return hour

    # --- the last day (rule 4) ---

    def traded(self, ticks: int, lots: int, now_ms: int) -> None:
        self.last_trade = ticks
        number = now_ms // MINUTE_MS
        self._forget(number)
        if not self._minutes or self._minutes[-1].number != number:
            self._minutes.append(Minute(number, ticks))
        minute = self._minutes[-1]
        minute.notional += ticks * lots
        minute.lots += lots
        self.day_notional += ticks * lots
        self.day_lots += lots

    def previous_day(self, now_ms: int) -> int:
        """Return the price 24 hours ago, or the oldest known."""
        self._forget(now_ms // MINUTE_MS)
        return self._minutes[0].open_ticks if self._minutes else self.mark

    def _forget(self, number: int) -> None:
        while self._minutes and self._minutes[0].number <= number - MINUTES_MAX:
            old = self._minutes.popleft()
            self.day_notional -= old.notional
            self.day_lots -= old.lots

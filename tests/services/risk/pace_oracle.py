"""Controls that remember, once more: slow, in Decimal, from the rules' text, over the whole past."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from common.messages import OrderIntent
from common.units import Side


class Event(NamedTuple):
    """An order that was not refused for its pace, and whether it passed altogether."""

    at_s: Decimal
    same: tuple[str, Side, int, int]
    passed: bool


class PaceOracle:
    """`burst` orders at once and `per_second` from then on; the same one so often within `span_s`."""

    def __init__(self, *, per_second: Decimal, burst: Decimal, most: int, span_s: Decimal) -> None:
        self._per_second = per_second
        self._burst = burst
        self._most = most
        self._span_s = span_s
        self._past: list[Event] = []

    def verdict(self, order: OrderIntent, at_s: Decimal) -> str:
        """Return the code that this order gets now, "" when it passes, and remember it."""
        if not self._in_pace(at_s):
            return "rate"
        same = (order.coin, order.side, order.ticks, order.lots)
        alike = [one for one in self._past if one.passed and one.same == same and at_s - one.at_s < self._span_s]
        passed = len(alike) < self._most
        self._past.append(Event(at_s, same, passed))
        return "" if passed else "repeat"

    def _in_pace(self, at_s: Decimal) -> bool:
        """In no stretch of time that ends now may there be more than the burst and what the rate adds in it."""
        starts = [one.at_s for one in self._past]
        return all(
            sum(one.at_s >= start for one in self._past) + 1 <= self._burst + self._per_second * (at_s - start)
            for start in [*starts, at_s]
        )


def ramped(began_ms: Sequence[int], now_ms: int | None, share: Decimal, length_ms: int) -> Decimal:
    """Return the share of the limits that binds: it grows from `share` to all since the last begin."""
    if not began_ms:
        return Decimal(1)
    passed = Decimal(0) if now_ms is None else min(max(Decimal(now_ms - began_ms[-1]), Decimal(0)), Decimal(length_ms))
    return share + (1 - share) * passed / length_ms

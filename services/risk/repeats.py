"""The same order again and again: of one coin, side, price and size, so many may pass in a while."""

from collections import OrderedDict
from typing import Final, TypeAlias

from common.messages import OrderIntent
from common.units import Nanos, Side
from services.risk.windows import Window

KEYS_MAX: Final = 1_000  # different orders within the while; beyond that the oldest is forgotten

Key: TypeAlias = tuple[str, Side, int, int]


class Repeats:
    """Counts what passed."""

    def __init__(self, most: int, span: Nanos) -> None:
        self._most = most
        self._span = span
        self._seen: OrderedDict[Key, Window] = OrderedDict()

    def take(self, order: OrderIntent, now: Nanos) -> bool:
        """Count this order when it may pass once more; say whether it may."""
        key = (order.coin, order.side, order.ticks, order.lots)
        window = self._seen.setdefault(key, Window(self._span))
        self._seen.move_to_end(key)
        if len(self._seen) > KEYS_MAX:
            self._seen.popitem(last=False)
        if window.count(now) >= self._most:
            return False
        window.add(now)
        return True

"""What the venue lets us hold: its own limit on each side of a coin, where it is tighter than ours.

Rules
  1. Allowed is what we may come to hold with everything that rests, and what the venue would let us trade besides.
  2. An answer is as good as new for `FRESH`; older it allows half, and from `OLD` on nothing that adds.
  3. What was never read allows nothing that adds. What reduces is never asked.
  4. The coins are asked for in turn, a preferred one first; without a pause while one of them is behind.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from common.messages import VenueCapacity
from common.messages.venue import CapacityQuery
from common.units import SECOND, Lots, Nanos, Side

FRESH: Final = Nanos(150 * SECOND)  # five rounds of two coins, each asked for every half minute
OLD: Final = Nanos(300 * SECOND)


class _Allowed(msgspec.Struct, frozen=True):
    most: Mapping[Side, int]
    at: Nanos


class VenueLimits:
    """Remembers the last answer for each coin."""

    def __init__(self, coins: Iterable[str]) -> None:
        self._line = deque(sorted(coins))
        self._allowed: dict[str, _Allowed] = {}

    def query(self) -> CapacityQuery:
        """Rule 4."""
        coin = self._line[0]
        self._line.rotate(-1)
        return CapacityQuery(coin)

    def prefer(self, coin: str) -> None:
        """Ask for this coin next."""
        self._line.remove(coin)
        self._line.appendleft(coin)

    def on_answer(self, answer: VenueCapacity, worst: tuple[Lots, Lots], now: Nanos) -> None:
        """Take an answer, with the worst cases of this moment (rule 1)."""
        highest, lowest = worst
        most = {Side.BUY: highest + answer.buy, Side.SELL: answer.sell - lowest}
        self._allowed[answer.coin] = _Allowed(most, now)

    def most(self, coin: str, side: Side, now: Nanos) -> Lots:
        """Return the largest worst case that the venue allows on one side."""
        allowed = self._allowed.get(coin)
        if allowed is None or now - allowed.at > OLD:
            return Lots(0)
        most = max(0, allowed.most[side])
        return Lots(most if now - allowed.at <= FRESH else most // 2)

    def behind(self, now: Nanos) -> bool:
        """Say whether a coin was never read or not lately: then the next turn is now."""
        fresh = sum(now - allowed.at <= FRESH for allowed in self._allowed.values())
        return fresh < len(self._line)

"""One coin's book, rebuilt: who is next to trade at each price.

Rules
  1. An order that comes to rest joins its price's queue at the end; a smaller one keeps its turn.
  2. After each change the best bid is below the best ask.
"""

from bisect import bisect_left, insort
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice


@dataclass(eq=False, slots=True)
class Rest:
    oid: int
    side: str
    px: Decimal
    sz: Decimal
    is_quote: bool  # of the market's own participants


class Half:
    """Bids or asks."""

    def __init__(self, sign: int) -> None:
        self._sign = sign  # a key is a price that grows towards the other side
        self._keys: list[Decimal] = []
        self.queues: dict[Decimal, dict[int, Rest]] = {}  # by price, oldest first

    @property
    def best(self) -> Decimal | None:
        return self._keys[-1] * self._sign if self._keys else None

    def add(self, rest: Rest) -> None:
        if rest.px not in self.queues:
            insort(self._keys, rest.px * self._sign)
            self.queues[rest.px] = {}
        self.queues[rest.px][rest.oid] = rest

    def remove(self, rest: Rest) -> None:
        queue = self.queues[rest.px]
        del queue[rest.oid]
        if not queue:
            del self.queues[rest.px]
            del self._keys[bisect_left(self._keys, rest.px * self._sign)]

    def levels(self, depth: int) -> list[tuple[Decimal, Decimal, int]]:
        """Return price, size and count of the best levels."""
        found = []
        for key in islice(reversed(self._keys), depth):
            px = key * self._sign
            sizes = [rest.sz for rest in self.queues[px].values()]
            found.append((px, sum(sizes, Decimal(0)), len(sizes)))
        return found


class Book:
    def __init__(self) -> None:
        self.halves = {"B": Half(1), "A": Half(-1)}
        self.rests: dict[int, Rest] = {}

    @property
    def is_crossed(self) -> bool:
        bid, ask = self.halves["B"].best, self.halves["A"].best
        return bid is not None and ask is not None and bid >= ask

    def add(self, rest: Rest) -> None:
        self.rests[rest.oid] = rest
        self.halves[rest.side].add(rest)

    def remove(self, oid: int) -> None:
        rest = self.rests.pop(oid, None)
        if rest is not None:
            self.halves[rest.side].remove(rest)

    def next_to_trade(self, taker_side: str) -> Rest | None:
        """Return the first maker of a taker: best price, then oldest."""
        half = self.halves["A" if taker_side == "B" else "B"]
        return None if half.best is None else next(iter(half.queues[half.best].values()))

    def queued(self) -> list[tuple[str, Decimal, list[tuple[int, Decimal]]]]:
        """Return every price's orders in their turn, for comparing."""
        return [
            (side, px, [(rest.oid, rest.sz) for rest in half.queues[px].values()])
            for side, half in self.halves.items()
            for px in sorted(half.queues)
        ]

"""The lasting faults that are armed, and which of them strikes now. Pure.

Rules
  1. Equal seeds and equal traffic give equal faults.
  2. A fault is over after its `count` of strikes or its `for_ms` of venue time, whichever is first, or when cleared.
"""

from collections.abc import Iterator
from random import Random
from typing import Final, TypeVar

import msgspec

from common.errors import PeerFault
from common.units import Millis
from services.venue_sim.faults import AnyLasting, Lasting

ARMED_MAX: Final = 64  # more than any test arms; a script that never clears must not slow the venue down
F = TypeVar("F", bound=Lasting)


class Armed(msgspec.Struct):
    """A lasting fault that waits for its moment."""

    number: int
    fault: AnyLasting
    until_ms: int | None
    struck: int = 0

    def is_over(self, now: Millis) -> bool:
        count = getattr(self.fault, "count", None)
        return (count is not None and self.struck >= count) or (self.until_ms is not None and now >= self.until_ms)


class Armoury:
    """All lasting faults, oldest first; `dice` is seeded by the caller (rule 1)."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self._armed: dict[int, Armed] = {}
        self._last = 0

    def arm(self, fault: AnyLasting, now: Millis) -> int:
        """Return the number by which the fault can be cleared."""
        if len(self.live(now)) >= ARMED_MAX:
            raise PeerFault(f"{ARMED_MAX} faults are armed already; clear some")
        self._last += 1
        until = None if fault.for_ms is None else now + fault.for_ms
        self._armed[self._last] = Armed(self._last, fault, until)
        return self._last

    def clear(self, number: int | None) -> int:
        """Disarm one fault, or all; return how many."""
        gone = [each for each in self._armed if number is None or each == number]
        for each in gone:
            del self._armed[each]
        return len(gone)

    def live(self, now: Millis) -> list[Armed]:
        """Return what is armed now, and forget what is over."""
        if self._armed:
            self._armed = {number: armed for number, armed in self._armed.items() if not armed.is_over(now)}
        return list(self._armed.values())

    def of(self, kind: type[F], now: Millis) -> Iterator[tuple[Armed, F]]:
        """Iterate the live faults of a kind."""
        for armed in self.live(now):
            if isinstance(armed.fault, kind):
                yield armed, armed.fault

    def strikes(self, armed: Armed) -> bool:
        """Throw the dice for a fault whose scope fits; count when it strikes."""
        share = getattr(armed.fault, "share", 1.0)
        if share < 1 and self._dice.random() >= share:
            return False
        armed.struck += 1
        return True

    def between(self, low: int, high: int) -> int:
        """Draw a number, both ends included."""
        return self._dice.randint(low, high)

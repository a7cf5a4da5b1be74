"""Units that must never be mixed up.

Price and size are whole numbers on each coin's finest grid (common/instrument.py):
one tick is 10^-(6 - size decimals) USD, one lot is 10^-(size decimals) coin, so ticks x lots is exactly
a number of micro-USD (`Micros`) for every coin. Venue rule: perpetual prices have at most 6 decimals.
"""

from enum import StrEnum
from typing import Final, NewType

Nanos = NewType("Nanos", int)  # CLOCK_MONOTONIC, ns, comparable between the processes of one host
Millis = NewType("Millis", int)  # venue time, ms since the Unix epoch
Ticks = NewType("Ticks", int)
Lots = NewType("Lots", int)  # signed where it is a position or a change of one
Micros = NewType("Micros", int)  # 1e-6 USD

MICROSECOND: Final = 1_000
MILLISECOND: Final = 1_000_000
SECOND: Final = 1_000 * MILLISECOND
MICROS_PER_USD: Final = 1_000_000


class Side(StrEnum):
    """Side of an order of ours, or the taker's side of a public trade."""

    BUY = "buy"
    SELL = "sell"

    # Every price is looked up by side: Enum's own hash is a call into Python, and so is a property.
    __hash__ = str.__hash__

    def __init__(self, name: str) -> None:
        self.sign: Final = 1 if name == "buy" else -1  # +1 when it adds to the position, -1 when it takes away

    @property
    def opposite(self) -> "Side":
        return Side.SELL if self is Side.BUY else Side.BUY

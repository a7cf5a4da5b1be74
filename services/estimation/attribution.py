"""Profit and loss by cause: spread captured, adverse selection, inventory carry, funding and fees.

Whole numbers throughout: prices and mids in half ticks, so money is exact in half micro-USD.

Rules
  1. A fill captures lots x (mid - price): what it was better than the mid of that moment.
  2. Every move of the mid earns position x move. The part of it that fell on a fill's lots within ADVERSE_MS after
     the fill is adverse selection, measured when that time is over; all the rest is inventory carry.
  3. Fees and funding are order_management's, whose books are durable; this starts at zero with its first word.
  4. The parts sum to the equity change: cash of all fills, plus the position at the mid, funding received, fees paid.
  5. Where order_management's position differs, fills were missed: the difference is adopted at the mid, and said.
  6. A fill counts once, by tid; what is not positive, late or repeated changes nothing and is counted.
"""

from collections import deque
from decimal import Decimal
from typing import Final

import msgspec

from common.messages import Attribution, Fill, Position
from common.units import MICROS_PER_USD, Lots, Millis, Nanos

ADVERSE_MS: Final = 30_000  # later moves are the market's, not the taker's knowledge
PENDING_MAX: Final = 1_024  # fills of half a minute; one pushed out leaves its moves in the carry
TIDS_MAX: Final = 1_024  # fills remembered: repeats follow within seconds
HALF_MICROS_PER_USD: Final = 2 * MICROS_PER_USD


class _Young(msgspec.Struct, frozen=True):
    """A fill whose next half minute is not over."""

    due_ms: int
    lots: int  # signed
    mid: int  # half ticks, at the fill


class ProfitAndLoss:
    """One coin's, from the first proven position on. `mid` is bid + ask: the mid in half ticks."""

    def __init__(self) -> None:
        self._mid: int | None = None
        self._mid_ms = Millis(0)
        self._lots = 0
        self._cash = 0  # half micro-USD, as all money here
        self._spread = 0
        self._adverse = 0
        self._moves = 0  # position x move of the mid
        self._young: deque[_Young] = deque(maxlen=PENDING_MAX)
        self._tids: dict[int, None] = {}
        self._opened: Position | None = None  # the first word of order_management
        self._position: Position | None = None  # its last one
        self._adopted = 0
        self.refused = 0

    def on_mid(self, mid: int, at_ms: Millis) -> None:
        if mid <= 0 or at_ms < self._mid_ms:
            self.refused += 1
            return
        if self._mid is not None:
            self._moves += self._lots * (mid - self._mid)
        self._mid, self._mid_ms = mid, at_ms
        while self._young and self._young[0].due_ms <= at_ms:
            fill = self._young.popleft()
            self._adverse += fill.lots * (mid - fill.mid)

    def restart(self) -> None:
        """The market's stamps may go back."""
        self._mid_ms = Millis(0)

    def on_fill(self, fill: Fill) -> None:
        if self._opened is None or self._mid is None:
            return  # it is in the position that will be the first
        if fill.tid in self._tids or fill.ticks <= 0 or fill.lots <= 0:
            self.refused += 1
            return
        self._tids[fill.tid] = None
        if len(self._tids) > TIDS_MAX:
            del self._tids[next(iter(self._tids))]
        signed = fill.side.sign * fill.lots
        self._cash -= signed * 2 * fill.ticks
        self._spread += signed * (self._mid - 2 * fill.ticks)
        self._lots += signed
        self._young.append(_Young(self._mid_ms + ADVERSE_MS, signed, self._mid))

    def on_position(self, position: Position) -> None:
        """Take order_management's books; unproven ones say nothing."""
        if not position.proven or self._mid is None:
            return
        strange = position.lots - self._lots
        self._lots += strange
        self._cash -= strange * self._mid
        if self._opened is None:
            self._opened = position
        else:
            self._adopted += strange
        self._position = position

    def attribution(self, as_of: Nanos) -> Attribution | None:
        """Return the split; None before the first position and mid."""
        opened, position, mid = self._opened, self._position, self._mid
        if opened is None or position is None or mid is None:
            return None
        funding, fees = position.funding - opened.funding, opened.fees - position.fees
        return Attribution(
            coin=position.coin,
            as_of=as_of,
            spread_captured=_usd(self._spread),
            adverse_selection=_usd(self._adverse),
            inventory_carry=_usd(self._moves - self._adverse),
            funding=funding,
            fees=fees,
            equity_change=_usd(self._cash + self._lots * mid) + funding + fees,
            adopted_lots=Lots(self._adopted),
        )


def _usd(half_micros: int) -> Decimal:
    return Decimal(half_micros) / HALF_MICROS_PER_USD

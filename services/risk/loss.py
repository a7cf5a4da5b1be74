"""Daily loss: equity against its value at the start of the UTC day, by the venue's time.

Rules
  1. The first account state of a day is the day's start, recorded, so that a restart does not forgive anything.
  2. One state beyond the limit pulls quotes and asks for another; a second one within 2 s is a breach. One peer
     latched on a single phantom tick of equity.
  3. Equity that is no finite number is beyond every limit.
  4. Half of the limit widens.
"""

from decimal import Decimal
from typing import Final

from common.messages import DayRecord, Message
from common.units import SECOND, Millis, Nanos

DAY_MS: Final = 86_400_000
CONFIRM_WITHIN: Final = Nanos(2 * SECOND)


class DailyLoss:
    """Equity through one UTC day."""

    def __init__(self, max_usd: float) -> None:
        self._max = Decimal(str(max_usd))
        self._day: DayRecord | None = None
        self._suspected_at: Nanos | None = None
        self.loss = Decimal(0)
        self.breach = ""  # evidence, once there are two bad states

    def restore(self, row: Message) -> None:
        """Take one row of an earlier life, oldest first."""
        if isinstance(row, DayRecord):
            self._day = row

    @property
    def suspected(self) -> bool:
        """The last state was beyond the limit: quotes are pulled, another state is wanted at once."""
        return self._suspected_at is not None

    @property
    def half(self) -> bool:
        return 2 * self.loss > self._max

    def on_equity(self, equity: Decimal, venue_ms: Millis, now: Nanos) -> DayRecord | None:
        """Take one account state; return the row to record when a day begins."""
        began = None
        day = venue_ms // DAY_MS
        if equity.is_finite() and (self._day is None or day > self._day.day):
            self._day = began = DayRecord(day=day, equity=equity)
        if not self._beyond(equity):
            self._suspected_at = None
            self.breach = ""
        elif self._suspected_at is not None and now - self._suspected_at <= CONFIRM_WITHIN:
            start = self._day.equity if self._day else "unknown"
            self.breach = f"equity {equity} after {start} at the start of the day; {self._max} may be lost"
        else:
            self._suspected_at = now
        return began

    def _beyond(self, equity: Decimal) -> bool:
        if not equity.is_finite() or self._day is None:
            return True
        self.loss = self._day.equity - equity
        return self.loss > self._max

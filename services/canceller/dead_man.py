"""The venue's own dead man's switch, kept armed while all is well: scheduleCancel.

Venue rules: at least 5 s ahead, 10 triggers a day, and refused below 1,000,000 USD of lifetime volume; when it
fires, every order of the account goes, foreign ones too.
"""

from dataclasses import dataclass
from typing import Final

from common.messages.venue import ScheduleCancel
from common.units import MILLISECOND, SECOND, Millis, Nanos

RETRY_GAP: Final = Nanos(600 * SECOND)  # after a refusal: volume grows slowly


@dataclass(slots=True)
class DeadMan:
    """When to renew, and what the venue last said."""

    horizon_ms: int
    due: Nanos
    word: str = "not asked yet"  # "armed", "disarmed", or the venue's refusal

    def renewal(self, venue_now: Millis, now: Nanos) -> ScheduleCancel | None:
        """Return the action that moves the horizon, at a third of it."""
        if now < self.due:
            return None
        self.due = Nanos(now + self.horizon_ms * MILLISECOND // 3)
        return ScheduleCancel(Millis(venue_now + self.horizon_ms))

    def release(self) -> ScheduleCancel | None:
        """Return the action that disarms it, when it is armed."""
        return ScheduleCancel(None) if self.word == "armed" else None

    def on_answer(self, action: ScheduleCancel, error: str, now: Nanos) -> None:
        self.word = error or ("disarmed" if action.at_ms is None else "armed")
        if error:
            self.due = Nanos(now + RETRY_GAP)

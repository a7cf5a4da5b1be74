"""The venue's own dead man's switch, kept armed while all is well: scheduleCancel.

Venue rules: at least 5 s ahead, 10 triggers a day, and refused below 1,000,000 USD of lifetime volume; when it
fires, every order of the account goes, foreign ones too.

Rules
  1. It is renewed at a third of its horizon; an answer that is lost changes nothing of that, or the switch would fire
     on a mesh that is well.
  2. A refusal by the venue waits long, because volume grows slowly.
  3. What may be armed is released at a stop, so that it does not fire on the orders of others.
"""

from dataclasses import dataclass
from typing import Final

from common.messages.venue import ScheduleCancel
from common.units import MILLISECOND, SECOND, Millis, Nanos

RETRY_GAP: Final = Nanos(600 * SECOND)  # after a refusal


@dataclass(slots=True)
class DeadMan:
    """When to renew, and what the venue last said."""

    horizon_ms: int
    due: Nanos
    word: str = "not asked yet"  # "armed", "disarmed", the venue's refusal, or why there is no answer
    may_be_armed: bool = False

    def renewal(self, venue_now: Millis, now: Nanos) -> ScheduleCancel | None:
        """Return the action that moves the horizon, at a third of it."""
        if now < self.due:
            return None
        self.due = Nanos(now + self.horizon_ms * MILLISECOND // 3)
        return ScheduleCancel(Millis(venue_now + self.horizon_ms))

    def release(self) -> ScheduleCancel | None:
        """Return the action that disarms it, when it may be armed."""
        return ScheduleCancel(None) if self.may_be_armed else None

    def on_answer(self, action: ScheduleCancel, refusal: str, now: Nanos) -> None:
        """Take the venue's word."""
        self.word = refusal or ("disarmed" if action.at_ms is None else "armed")
        self.may_be_armed = self.word == "armed"
        if refusal:
            self.due = Nanos(now + RETRY_GAP)

    def on_failure(self, action: ScheduleCancel, reason: str) -> None:
        """Take note that no answer will come: the action may have arrived or not."""
        self.word = f"not known: {reason}"
        self.may_be_armed |= action.at_ms is not None

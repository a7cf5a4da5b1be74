"""Does the user stream tell what the venue did? A socket may live while its stream is dead.

Rules
  1. What an answer or a question proves of an order that was placed on this stream, the stream must tell within
     `user_stream` units; so must it a fill that was found by a question.
  2. When it does not, it is silent: the socket is dropped, and everything is pulled until recovery is through.
  3. A stream that was silent is not quoted on for `HOLD_FIRST` after that, longer each time, until one tells of an
     order again: what makes every new stream silent must not make us flicker.
"""

from typing import Final

from common.messages import Fill
from common.units import SECOND, Nanos
from services.order_management.tracked_order import TrackedOrder

HOLD_FIRST: Final = Nanos(5 * SECOND)
HOLD_DOUBLINGS_MAX: Final = 4


class UserStream:
    """Knows what is owed by the stream that is up, and since when it is up."""

    def __init__(self, limit: Nanos) -> None:
        self._limit = limit
        self._up_at: Nanos | None = None
        self._owed: dict[str, Nanos] = {}  # what -> when it must have been told; oldest first
        self._times = 0  # silent ones in a row
        self._held_until = Nanos(0)

    def up(self, now: Nanos) -> None:
        self._up_at = now
        self._owed.clear()

    def down(self) -> None:
        self._up_at = None
        self._owed.clear()

    # --- what is owed, and what is told -------------------------------------------------------------

    def owes(self, order: TrackedOrder, now: Nanos) -> None:
        """Something else than the stream proves that this order arrived."""
        if not order.streamed and not order.orphan:
            self._owe(order, order.cloid, now)

    def owes_fill(self, order: TrackedOrder, fill: Fill, now: Nanos) -> None:
        """A fill was found by a question."""
        self._owe(order, _name(fill), now)

    def tells(self, order: TrackedOrder) -> None:
        order.streamed = True
        self._owed.pop(order.cloid, None)
        self._times = 0

    def tells_fill(self, fill: Fill) -> None:
        self._owed.pop(_name(fill), None)

    # --- what follows -------------------------------------------------------------------------------

    def silent(self, now: Nanos) -> str:
        """Return what was not told in time, once; "" while there is nothing."""
        what, due = next(iter(self._owed.items()), ("", now))
        if not what or due > now:
            return ""
        self.down()
        self._held_until = Nanos(now + (HOLD_FIRST << min(self._times, HOLD_DOUBLINGS_MAX)))
        self._times += 1
        return what

    def reason(self, now: Nanos) -> str:
        """Return why nothing may rest (rule 3); "" when it may."""
        return "the user stream was silent" if now < self._held_until else ""

    def deadline(self, now: Nanos) -> Nanos | None:
        due = [*list(self._owed.values())[:1], *([self._held_until] if self._held_until > now else [])]
        return min(due, default=None)

    def _owe(self, order: TrackedOrder, what: str, now: Nanos) -> None:
        if self._up_at is not None and order.placed_at > self._up_at:
            self._owed.setdefault(what, Nanos(now + self._limit))


def _name(fill: Fill) -> str:
    return f"fill {fill.tid}"

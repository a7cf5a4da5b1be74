"""How often we may requote, by the requests that the venue still lets this address send.

It gives an address 10,000, and one more for every USD that it trades.

Rules
  1. With `PLENTY` requests left, or none heard of yet, every requote is at once. Below that the pause between two of
     them grows, up to `PAUSE_MAX` at `RESERVE`: quotes rest longer, they are never widened for it.
  2. At `RESERVE` and below nothing is placed: what is left belongs to cancels.
  3. A refusal for too many requests is a pause too, longer each time until the venue takes an action again.
  4. A pause keeps what rests. It holds back no pull, no sweep, no repeated cancel and no exposed order (requote.py).
"""

from dataclasses import dataclass
from typing import Final

from common.messages import AddressBudget, Posted
from common.units import SECOND, Nanos

PLENTY: Final = 6_000
RESERVE: Final = 3_000  # 30 % of what the venue gives an address at its beginning
PAUSE_MAX: Final = Nanos(10 * SECOND)  # venue rule: past the limit one request passes every 10 s
REFUSED_DOUBLINGS_MAX: Final = 3
REFUSALS: Final = ("Too many", "429")  # how the venue begins them, in an answer and at its front door


@dataclass(slots=True)
class Pace:
    """Asked before each requote, told of it after."""

    _left: int = PLENTY
    _moved_at: Nanos | None = None
    _refused_until: Nanos = Nanos(0)
    _refusals: int = 0

    def hear(self, budget: AddressBudget) -> None:
        self._left = budget.cap - budget.used

    def on_posted(self, posted: Posted, now: Nanos) -> None:
        """Rule 3."""
        texts = [posted.error, *(status.text for status in posted.statuses)]
        if any(text.startswith(REFUSALS) for text in texts):
            self._refused_until = Nanos(now + (PAUSE_MAX << min(self._refusals, REFUSED_DOUBLINGS_MAX)))
            self._refusals += 1
        elif not posted.error:
            self._refusals = 0

    def moved(self, now: Nanos) -> None:
        """A requote asked for something."""
        self._moved_at = now

    @property
    def places(self) -> bool:
        """Rule 2."""
        return self._left > RESERVE

    @property
    def pause(self) -> Nanos:
        """Rule 1."""
        missing = min(max(0, PLENTY - self._left), PLENTY - RESERVE)
        return Nanos(PAUSE_MAX * missing // (PLENTY - RESERVE))

    def due(self) -> Nanos:
        """Return from when on the next requote is welcome."""
        rested = Nanos(0) if self._moved_at is None else self._moved_at + self.pause
        return Nanos(max(rested, self._refused_until))

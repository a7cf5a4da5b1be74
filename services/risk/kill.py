"""From LATCHED to CONTAINED: nothing of ours can arrive any more, and nothing of ours rests.

Rules
  1. Each signed action that may still arrive is burnt: a noop with its own nonce, repeated every second until the
     venue took it, the nonce proved used, or its expiry passed by venue time. Not so a flatten: it is wanted.
  2. Only then do lists of open orders count: three without an order of ours, each asked 250 ms after the last.
  3. An order of ours in a list starts the count anew and is cancelled, with at least a second between attempts; the
     next list is asked for after 250 ms, then 500 ms and so on up to 4 s: lists are dear, and cancels take a moment.
  4. CONTAINED ends the moment a list shows one of ours again.
"""

from typing import Final

from common.units import MILLISECOND, SECOND, Millis, Nanos
from services.risk.decisions import FLATTEN_TAG, Decisions

BURN_PAUSE: Final = Nanos(SECOND)
CANCEL_PAUSE: Final = Nanos(SECOND)  # venue p99 from action to effect is 0.9 s
READ_PAUSE: Final = Nanos(250 * MILLISECOND)
EMPTY_READS: Final = 3
BACK_OFF_MAX: Final = 4  # doublings of the pause while something rests


class Burner:
    """Which nonces to burn now."""

    def __init__(self, decisions: Decisions) -> None:
        self._decisions = decisions
        self._next: dict[int, Nanos] = {}

    def due(self, now: Nanos) -> list[int]:
        """Return the nonces whose turn it is, oldest first, and note that they are being tried (rule 1)."""
        open_nonces = [item.nonce for item in self._decisions.open() if item.tag != FLATTEN_TAG]
        self._next = {nonce: at for nonce, at in self._next.items() if nonce in open_nonces}
        due = [nonce for nonce in open_nonces if self._next.get(nonce, now) <= now]
        self._next |= dict.fromkeys(due, Nanos(now + BURN_PAUSE))
        return due

    def deadline(self, now: Nanos) -> Nanos | None:
        return min((at for at in self._next.values() if at > now), default=None)


class Containment:
    """Counts proofs between a halt and its arming."""

    def __init__(self, decisions: Decisions) -> None:
        self._decisions = decisions
        self._settled_at: Nanos | None = None
        self._empty = 0
        self._resting = 0  # lists in a row that showed one of ours
        self._read_at: Nanos | None = None
        self._cancel_at: Nanos | None = None
        self.active = False
        self.contained = False

    def begin(self) -> None:
        self.active, self.contained = True, False
        self._settled_at = self._read_at = self._cancel_at = None
        self._empty = self._resting = 0

    def end(self) -> None:
        self.active = self.contained = False

    def wants_read(self, now: Nanos, venue_now: Millis | None) -> bool:
        """Say whether to ask for the open orders now (rule 2)."""
        if not self.active or self.contained:
            return False
        if self._settled_at is None and not self._decisions.may_arrive(venue_now):
            self._settled_at = now
            self._read_at = now
        if self._read_at is None or now < self._read_at:
            return False
        self._read_at = None
        return True

    def on_list(self, *, ours: bool, asked_at: Nanos, now: Nanos) -> bool:
        """Take a list of open orders; return whether to cancel what it shows (rule 3)."""
        if not self.active:
            return False
        pause = READ_PAUSE
        if ours:
            self.contained, self._empty = False, 0
            pause = Nanos(READ_PAUSE << min(self._resting, BACK_OFF_MAX))
            self._resting += 1
        elif self._settled_at is not None and asked_at >= self._settled_at:
            self._empty += 1
            self._resting = 0
            self.contained = self._empty >= EMPTY_READS
        if not self.contained and self._settled_at is not None:
            self._read_at = Nanos(now + pause)
        return ours and self.may_cancel(now)

    def may_cancel(self, now: Nanos) -> bool:
        """Say whether it is time for another attempt, and note it."""
        if self._cancel_at is not None and now < self._cancel_at:
            return False
        self._cancel_at = Nanos(now + CANCEL_PAUSE)
        return True

    def deadline(self, now: Nanos) -> Nanos | None:
        return self._read_at if self._read_at is not None and self._read_at > now else None

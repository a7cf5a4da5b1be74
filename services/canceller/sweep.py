"""Cancel everything of ours: read what rests, cancel it, read again, until the venue shows nothing.

Rules
  1. Only the venue's own list says what rests; an unanswered or failed read says nothing.
  2. Rounds are spaced, so that a venue that answers slowly or refuses is not flooded.
  3. An answer that never comes is a failure after a time of its own: a sweep cannot hang.
  4. A sweep ends when `empty_reads` reads in a row show nothing of ours, and not before `not_before`.
  5. Orders of others are swept, and read, only where a person asked for everything.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from common.cloid import is_ours
from common.messages import Cancel, CancelOutcome
from common.messages.venue import VenueOrder
from common.units import MILLISECOND, SECOND, Nanos

READ_GAP: Final = Nanos(250 * MILLISECOND)  # between a cancel or an empty read and the next read
RETRY_GAP: Final = Nanos(1 * SECOND)  # after a failed read or post
ANSWER_MAX: Final = Nanos(5 * SECOND)  # longer than the venue link's own time-outs: past it the answer is lost
BATCH_MAX: Final = 200  # venue rule: items per action
WAITERS_MAX: Final = 64  # requests that end with this sweep; more come from a peer gone mad


def batches(cancels: Iterable[Cancel]) -> Iterator[tuple[Cancel, ...]]:
    """Split into what one action each can hold: all by cloid or all by oid, and so many."""
    wanted = tuple(cancels)
    for kind in (tuple(c for c in wanted if c.cloid is not None), tuple(c for c in wanted if c.cloid is None)):
        for start in range(0, len(kind), BATCH_MAX):
            yield kind[start : start + BATCH_MAX]


@dataclass(slots=True)
class Sweep:
    """One cancel-all in progress."""

    reason: str
    counts: bool  # a firing that counts when something of ours rested
    empty_reads: int
    not_before: Nanos
    read_at: Nanos  # next read is due
    query_id: int | None = None
    waiting_since: Nanos = Nanos(0)
    post_ids: set[int] = field(default_factory=set)
    empty: int = 0
    rested: bool = False
    outcomes: dict[str, CancelOutcome] = field(default_factory=dict)
    waiters: list[tuple[str, int]] = field(default_factory=list)
    everybodys: bool = False  # a person asked for the orders of others too

    def join(self, reason: str, waiter: tuple[str, int] | None) -> None:
        """Serve one more cause with the same sweep; it must see a fresh read of its own."""
        self.reason = self.reason if reason in self.reason else f"{self.reason}; {reason}"[:200]
        self.empty = 0
        if waiter is not None and waiter not in self.waiters and len(self.waiters) < WAITERS_MAX:
            self.waiters.append(waiter)

    def resting(self, orders: Iterable[VenueOrder], tag: str) -> tuple[Cancel, ...]:
        """Return what must go of the venue's list: ours by cloid, those of others by oid."""
        ours = [Cancel(coin=order.coin, cloid=order.cloid) for order in orders if is_ours(order.cloid, tag)]
        others = [Cancel(coin=order.coin, oid=order.oid) for order in orders if not is_ours(order.cloid, tag)]
        return (*ours, *others) if self.everybodys else tuple(ours)

    @property
    def waiting(self) -> bool:
        return self.query_id is not None or bool(self.post_ids)

    def due(self, now: Nanos) -> bool:
        """Say whether the next read may be asked for; give up on answers that are lost."""
        if self.waiting and now >= self.waiting_since + ANSWER_MAX:
            self.post_ids.clear()
            self.on_failure(now)
        return not self.waiting and now >= self.read_at

    def asked(self, query_id: int, now: Nanos) -> None:
        self.query_id = query_id
        self.waiting_since = now

    def sent(self, post_id: int, now: Nanos) -> None:
        self.post_ids.add(post_id)
        self.waiting_since = now

    def on_read(self, ours: tuple[Cancel, ...], now: Nanos) -> bool:
        """Take the venue's list; return whether it asks for cancels."""
        self.query_id = None
        self.read_at = Nanos(now + READ_GAP)
        if ours:
            self.empty = 0
            self.rested = True
            return True
        if now >= self.not_before:
            self.empty += 1
        else:
            self.read_at = max(self.read_at, self.not_before)
        return False

    def on_failure(self, now: Nanos) -> None:
        self.query_id = None
        self.read_at = Nanos(now + RETRY_GAP)

    @property
    def done(self) -> bool:
        return self.empty >= self.empty_reads

    def deadline(self) -> Nanos:
        return Nanos(self.waiting_since + ANSWER_MAX) if self.waiting else self.read_at

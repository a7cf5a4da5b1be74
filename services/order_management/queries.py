"""Questions to the venue: each kind once in flight, repeated until answered, within the weight budget.

Rules
  1. One question of a kind is in flight at a time. Wanted again meanwhile, it is asked anew after the answer:
     an answer to an earlier question proves nothing about what happened since.
  2. A failed or unanswered question is asked again, later each time; it is never taken for an answer.
  3. Order statuses share an allowance, so that a burst of doubt does not spend the address's weight.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from common.actor import Ask
from common.messages.venue import OrderStatusQuery, Query
from common.units import MILLISECOND, SECOND, Nanos

RETRY_FIRST: Final = Nanos(500 * MILLISECOND)
RETRY_MAX: Final = Nanos(8 * SECOND)
ANSWER_MAX: Final = Nanos(10 * SECOND)  # the link answers or fails well before; this is for a link gone mad
STATUS_BURST_MAX: Final = 40  # every order of a full ladder at once; weight 2 each
STATUS_EVERY: Final = Nanos(SECOND // 2)  # refill: 2 x (40 + 120) of the 500 a minute that are ours


@dataclass(frozen=True, slots=True)
class _Wanted:
    query: Query
    due: Nanos
    tries: int = 0


@dataclass(frozen=True, slots=True)
class _Asked:
    key: str
    wanted: _Wanted
    at: Nanos


class Queries:
    """Keys name the kind: "open", "fills", "account", "meta", or "status <cloid>"."""

    def __init__(self) -> None:
        self._wanted: dict[str, _Wanted] = {}
        self._asked: dict[int, _Asked] = {}
        self._asked_ids: dict[str, int] = {}
        self._tokens = STATUS_BURST_MAX
        self._refilled_at = Nanos(0)

    def want(self, key: str, query: Query, at: Nanos) -> None:
        """Ask `query` at `at`, or earlier if that was wanted before."""
        old = self._wanted.get(key)
        due = at if old is None else min(at, old.due)
        self._wanted[key] = _Wanted(query, due, 0 if old is None else old.tries)

    def pending(self, key: str) -> bool:
        return key in self._wanted or key in self._asked_ids

    def answered(self, query_id: int) -> str | None:
        """Take an answer in; return its key, or None when nobody waits for it any more."""
        asked = self._asked.pop(query_id, None)
        if asked is None:
            return None
        del self._asked_ids[asked.key]
        return asked.key

    def failed(self, query_id: int, now: Nanos) -> str | None:
        """Take a failure in: the question will be asked again. Return its key as `answered` does."""
        asked = self._asked.pop(query_id, None)
        if asked is None:
            return None
        del self._asked_ids[asked.key]
        wait = min(RETRY_MAX, RETRY_FIRST << min(asked.wanted.tries, 8))
        again = self._wanted.get(asked.key, asked.wanted)
        due = Nanos(now + wait)
        self._wanted[asked.key] = replace(again, due=due, tries=asked.wanted.tries + 1)
        return asked.key

    def take(self, now: Nanos, new_id: Callable[[], int]) -> list[Ask]:
        """Return what is to be asked now."""
        for query_id in [one for one, asked in self._asked.items() if now >= asked.at + ANSWER_MAX]:
            self.failed(query_id, now)
        self._refill(now)
        asks = []
        for key in [key for key, wanted in self._wanted.items() if wanted.due <= now and key not in self._asked_ids]:
            wanted = self._wanted[key]
            if isinstance(wanted.query, OrderStatusQuery):
                if self._tokens == 0:
                    continue
                self._tokens -= 1
            del self._wanted[key]
            query_id = new_id()
            self._asked[query_id] = _Asked(key, wanted, now)
            self._asked_ids[key] = query_id
            asks.append(Ask(query_id, wanted.query))
        return asks

    def deadline(self) -> Nanos | None:
        due = [asked.at + ANSWER_MAX for asked in self._asked.values()]
        for key, wanted in self._wanted.items():
            if key in self._asked_ids:
                continue
            starved = self._tokens == 0 and isinstance(wanted.query, OrderStatusQuery)
            due.append(max(wanted.due, self._refilled_at + STATUS_EVERY) if starved else wanted.due)
        return Nanos(min(due)) if due else None

    def _refill(self, now: Nanos) -> None:
        gained = (now - self._refilled_at) // STATUS_EVERY
        if self._tokens + gained >= STATUS_BURST_MAX:
            self._tokens, self._refilled_at = STATUS_BURST_MAX, now
        elif gained:
            self._tokens += gained
            self._refilled_at = Nanos(self._refilled_at + gained * STATUS_EVERY)

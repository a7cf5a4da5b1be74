"""Risk's own questions to the venue: when each is due, and what they may cost together.

Rules
  1. Account state every 5 s, open orders every 10 s, own fills every 30 s, the request budget and one of our keys every
     minute, what the venue lets us trade of one coin every 30 s; sooner when something depends on it. Funding and
     transfers only then.
  2. One question of a kind at a time; a failed one is repeated after 1, 2, 4 s. No answer is never an empty answer.
  3. All questions together stay within this process's share of the venue's weight a minute; routine ones leave
     a third of it for urgent ones. Questions by cloid have a third of it and leave what three lists of open orders
     cost: a halt is proven by lists, and fills are read, however many orders are in doubt.
  4. Of the orders in doubt, the one whose last question is the longest ago is asked for first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from common.actor import Ask
from common.messages.venue import (
    AccountQuery,
    FillsQuery,
    FundingQuery,
    MetaQuery,
    OpenOrdersQuery,
    OrderStatusQuery,
    Query,
    RateLimitQuery,
    TransfersQuery,
)
from common.rate import TokenBucket
from common.units import MILLISECOND, SECOND, Millis, Nanos
from services.risk.agents import Agents
from services.risk.venue_limits import VenueLimits

OVERLAP_MS: Final = 60_000  # info servers lag behind each other; fills are counted once anyway
STATUS_PAUSE: Final = Nanos(SECOND)  # between two questions for the same order
STATUS_OPEN_MAX: Final = 20  # questions by cloid under way; the rest waits its turn
ANSWER_MAX: Final = Nanos(10 * SECOND)  # the client answers every question within this, if only with a failure
RETRY_MAX: Final = Nanos(4 * SECOND)
SOON: Final = Nanos(100 * MILLISECOND)  # how long to wait when the budget has run dry


class Kind(StrEnum):
    """What is asked as a whole; orders by cloid are asked besides."""

    META = "meta"
    ACCOUNT = "account"
    ORDERS = "orders"
    FILLS = "fills"
    REQUESTS = "requests"
    AGENTS = "agents"
    CAPACITY = "capacity"
    FUNDINGS = "fundings"
    TRANSFERS = "transfers"


# Venue rule: weight of each question; fills cost one more for every 20 in the answer.
WEIGHTS: Final = {
    Kind.CAPACITY: 20,
    Kind.META: 20,
    Kind.ACCOUNT: 2,
    Kind.ORDERS: 20,
    Kind.FILLS: 25,
    Kind.REQUESTS: 20,
    Kind.AGENTS: 60,
    Kind.FUNDINGS: 20,
    Kind.TRANSFERS: 20,
}
SINCE: Final = frozenset({Kind.FILLS, Kind.FUNDINGS, Kind.TRANSFERS})  # asked for from a moment on
STATUS_WEIGHT: Final = 2
LISTS_RESERVE: Final = 3.0 * WEIGHTS[Kind.ORDERS]
PERIODS: Final = {
    Kind.ACCOUNT: Nanos(5 * SECOND),
    Kind.ORDERS: Nanos(10 * SECOND),
    Kind.FILLS: Nanos(30 * SECOND),
    Kind.REQUESTS: Nanos(60 * SECOND),
    Kind.AGENTS: Nanos(60 * SECOND),
    Kind.CAPACITY: Nanos(30 * SECOND),
}


@dataclass(slots=True)
class Turn:
    """When one kind is due, and the question under way."""

    due_at: Nanos | None
    urgent: bool = False
    query_id: int | None = None
    asked_at: Nanos = Nanos(0)
    failures: int = 0


class Audit:
    """Gives out questions; told of every answer by its id."""

    def __init__(self, weight_per_minute: int, started_at: Nanos, agents: Agents, limits: VenueLimits) -> None:
        self._agents = agents
        self._limits = limits
        self._budget = TokenBucket(per_second=weight_per_minute / 60, burst=weight_per_minute)
        self._reserve = weight_per_minute / 3
        # What a minute sees of a bucket is its burst and its refill
        self._by_cloid = TokenBucket(per_second=weight_per_minute / 6 / 60, burst=weight_per_minute / 6)
        self._turns = {kind: Turn(due_at=started_at if kind in PERIODS else None) for kind in Kind}
        self._statuses: dict[int, str] = {}
        self._status_at: dict[str, Nanos] = {}
        self._query_id = 0
        self._dry_until: Nanos | None = None

    def want(self, kind: Kind, now: Nanos, pause: Nanos = Nanos(0)) -> None:
        """Ask soon: at once, also behind a question under way; or `pause` after the last one was asked."""
        turn = self._turns[kind]
        if pause and turn.query_id is not None:
            return
        due = Nanos(max(now, turn.asked_at + pause))
        turn.due_at = due if turn.due_at is None else min(turn.due_at, due)
        turn.urgent = True

    def questions(self, now: Nanos, since: Mapping[Kind, Millis], unproven: list[str]) -> list[Ask]:
        """Return what is to be asked now; what happened since a moment waits until that moment is known."""
        self._dry_until = None
        asks: list[Ask] = []
        for kind, turn in self._turns.items():
            if turn.query_id is not None and now - turn.asked_at >= ANSWER_MAX:
                turn.query_id = None
            if turn.due_at is None or turn.due_at > now or turn.query_id is not None:
                continue
            if (kind in SINCE and kind not in since) or (kind is Kind.AGENTS and not self._agents):
                continue
            if not self._afford(WEIGHTS[kind], 0.0 if turn.urgent else self._reserve, now):
                continue
            turn.query_id, turn.asked_at, turn.urgent = self._next_id(), now, False
            turn.due_at = Nanos(now + PERIODS[kind]) if kind in PERIODS else None
            asks.append(Ask(turn.query_id, self._query(kind, since)))
        return asks + self._status_questions(unproven, now)

    def on_answer(self, query_id: int) -> Kind | None:
        """Take note of an answer; None when nobody asked (any more)."""
        self._statuses.pop(query_id, None)
        for kind, turn in self._turns.items():
            if turn.query_id == query_id:
                turn.query_id, turn.failures = None, 0
                return kind
        return None

    def on_failure(self, query_id: int, now: Nanos) -> Kind | None:
        """Ask again, after a pause that grows; returns what was asked."""
        self._statuses.pop(query_id, None)
        for kind, turn in self._turns.items():
            if turn.query_id == query_id:
                turn.query_id = None
                pause = min(SECOND << min(turn.failures, 4), RETRY_MAX)
                turn.failures += 1
                turn.due_at, turn.urgent = Nanos(now + pause), True
                return kind
        return None

    def deadline(self, now: Nanos) -> Nanos | None:
        """Say when the next question may be asked."""
        due = [turn.due_at for turn in self._turns.values() if turn.due_at is not None and turn.query_id is None]
        due = [at for at in due if at > now]
        if self._dry_until is not None:
            due.append(self._dry_until)
        return min(due, default=None)

    def _status_questions(self, unproven: list[str], now: Nanos) -> list[Ask]:
        """Rule 4."""
        asks: list[Ask] = []
        before = self._status_at
        self._status_at = {cloid: before[cloid] for cloid in unproven if cloid in before}
        for cloid in sorted(unproven, key=lambda one: before.get(one, -STATUS_PAUSE)):
            if len(self._statuses) >= STATUS_OPEN_MAX or now - before.get(cloid, -STATUS_PAUSE) < STATUS_PAUSE:
                break
            if cloid in self._statuses.values():
                continue
            if not self._by_cloid.has(STATUS_WEIGHT, now) or not self._afford(STATUS_WEIGHT, LISTS_RESERVE, now):
                self._dry_until = Nanos(now + SOON)
                break
            self._by_cloid.take(STATUS_WEIGHT, now)
            query_id = self._next_id()
            self._statuses[query_id] = cloid
            self._status_at[cloid] = now
            asks.append(Ask(query_id, OrderStatusQuery(cloid)))
        return asks

    def _afford(self, weight: int, reserve: float, now: Nanos) -> bool:
        if self._budget.has(weight + reserve, now):
            return self._budget.take(weight, now)
        self._dry_until = Nanos(now + SOON)
        return False

    def _next_id(self) -> int:
        self._query_id += 1
        return self._query_id

    def _query(self, kind: Kind, since: Mapping[Kind, Millis]) -> Query:
        match kind:
            case Kind.META:
                return MetaQuery()
            case Kind.ACCOUNT:
                return AccountQuery()
            case Kind.ORDERS:
                return OpenOrdersQuery()
            case Kind.REQUESTS:
                return RateLimitQuery()
            case Kind.CAPACITY:
                return self._limits.query()
            case Kind.AGENTS:
                return self._agents.query()
            case Kind.FILLS:
                return FillsQuery(Millis(since[kind] - OVERLAP_MS))
            case Kind.FUNDINGS:
                return FundingQuery(Millis(since[kind] - OVERLAP_MS))
            case Kind.TRANSFERS:
                return TransfersQuery(self._agents.account, Millis(since[kind] - OVERLAP_MS))

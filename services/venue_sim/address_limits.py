"""What one client address may do, over all its connections. All clients of a local venue share one.

Rules (the venue's, per address)
  1. 1,200 weight a minute over HTTP: an action costs 1 + items/40, info by its type and by what it returned.
  2. 2,000 WebSocket messages a minute, 100 posts without an answer, 1,000 subscriptions, 10 users in them
     (2025; its texts of 2026 say 15).
  3. Connections: 100 at once (2025); 10 at once and 30 new ones a minute (2026).
  4. What is refused counts nothing.
"""

from collections import deque
from typing import Final

import msgspec

MINUTE_MS: Final = 60_000
ITEMS_PER_ACTION_WEIGHT: Final = 40
INFO_WEIGHT: Final = 20  # of types not named below
LIGHT_INFO: Final = {
    **dict.fromkeys(("l2Book", "allMids", "clearinghouseState", "orderStatus", "spotClearinghouseState"), 2),
    "exchangeStatus": 2,
    "userRole": 60,
}
# One more weight for so many items returned.
ITEMS_PER_WEIGHT: Final = {
    **dict.fromkeys(("recentTrades", "historicalOrders", "userFills", "userFillsByTime"), 20),
    **dict.fromkeys(("fundingHistory", "userFunding", "userNonFundingLedgerUpdates"), 20),
    "candleSnapshot": 60,
}


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one year."""

    weight_per_minute: int = 1_200
    messages_per_minute: int = 2_000
    posts_in_flight: int = 100
    subscriptions: int = 1_000
    users: int = 10
    connections: int = 100
    new_connections_per_minute: int | None = None


LIMITS: Final = {"2025": Limits(), "2026": Limits(users=15, connections=10, new_connections_per_minute=30)}


def action_weight(items: int) -> int:
    return 1 + items // ITEMS_PER_ACTION_WEIGHT


def info_weight(kind: str) -> int:
    """Return what a request costs before its answer is known."""
    return LIGHT_INFO.get(kind, INFO_WEIGHT)


def items_weight(kind: str, items: int) -> int:
    """Return what a long answer costs besides."""
    return items // ITEMS_PER_WEIGHT[kind] if kind in ITEMS_PER_WEIGHT else 0


class Window:
    """Counts what happened within the last minute."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._spent: deque[tuple[int, int]] = deque()  # (time ms, amount); at most `limit` entries
        self._total = 0

    def take(self, amount: int, now: int) -> bool:
        """Count `amount` if it still fits; say whether it did (rule 4)."""
        while self._spent and self._spent[0][0] <= now - MINUTE_MS:
            self._total -= self._spent.popleft()[1]
        if self._total + amount > self._limit:
            return False
        self.add(amount, now)
        return True

    def add(self, amount: int, now: int) -> None:
        """Count `amount` even past the limit: it was already given."""
        if amount:
            self._spent.append((now, amount))
            self._total += amount


class AddressLimits:
    """The state of one address."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.weight = Window(limits.weight_per_minute)
        self._messages = Window(limits.messages_per_minute)
        new = limits.new_connections_per_minute
        self._new_connections = None if new is None else Window(new)
        self._connections = 0
        self._posts = 0

    def connect(self, now: int) -> bool:
        """Say whether one more connection may open, and count it."""
        if self._connections >= self.limits.connections:
            return False
        if self._new_connections is not None and not self._new_connections.take(1, now):
            return False
        self._connections += 1
        return True

    def disconnect(self) -> None:
        self._connections -= 1

    def message(self, now: int) -> bool:
        return self._messages.take(1, now)

    def begin_post(self) -> bool:
        if self._posts >= self.limits.posts_in_flight:
            return False
        self._posts += 1
        return True

    def end_post(self) -> None:
        self._posts -= 1

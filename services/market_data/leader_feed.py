"""The leader's prices on their way through: the newest of each coin, one every PASS_EVERY. Pure.

A large venue changes its best prices a thousand times a second; nobody here answers so fast, and everyone downstream
would pay for it.
"""

from collections.abc import Iterable
from typing import Final

from common.messages import LeaderTop
from common.units import MILLISECOND, Nanos

PASS_EVERY: Final = Nanos(20 * MILLISECOND)  # well below the head start that a leader has


class LeaderFeed:
    """All coins that have a leader; `trouble` is what a person should know, "" while prices come."""

    def __init__(self, coins: Iterable[str]) -> None:
        self._passed_at = dict.fromkeys(coins, -PASS_EVERY)
        self._kept: dict[str, LeaderTop] = {}
        self.trouble = ""

    def hear(self, top: LeaderTop, now: Nanos) -> list[LeaderTop]:
        """Take a price; return what is passed on now."""
        if top.coin not in self._passed_at:
            return []
        self.trouble = ""
        self._kept[top.coin] = top
        return self.due(now)

    def due(self, now: Nanos) -> list[LeaderTop]:
        """Return what has waited for long enough."""
        going = [coin for coin in self._kept if now >= self._passed_at[coin] + PASS_EVERY]
        for coin in going:
            self._passed_at[coin] = now
        return [self._kept.pop(coin) for coin in going]

    @property
    def due_at(self) -> Nanos | None:
        return min((Nanos(self._passed_at[coin] + PASS_EVERY) for coin in self._kept), default=None)

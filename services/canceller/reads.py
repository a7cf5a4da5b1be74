"""What the canceller may still read of the venue this minute: a sweep must always find room. Pure.

Rules
  1. Account states and a sweep's own lists are asked for whenever they are due; the link refuses what does not fit.
  2. Any other list is asked for only while a sweep's `SWEEP_LISTS` would still fit after it.
"""

from typing import Final

from common.errors import ConfigFault
from common.hyperliquid.budget import MinuteBudget
from common.hyperliquid.wire import weight
from common.messages.venue import AccountQuery, OpenOrdersQuery, Query
from common.units import Nanos

SWEEP_LISTS: Final = 3  # what rests, whether it went, and once more after a cancel in vain


class Reads:
    """Counts as the link does."""

    def __init__(self, weight_per_min: int) -> None:
        self._budget = MinuteBudget(weight_per_min)

    def asked(self, query: Query, now: Nanos) -> None:
        self._budget.charge(weight(query), now)

    def may_list(self, now: Nanos) -> bool:
        """Rule 2."""
        return self._budget.spare(now) >= (1 + SWEEP_LISTS) * weight(OpenOrdersQuery())


def require_room(weight_per_min: int, account_read_ms: int) -> None:
    """Refuse a budget in which a list and a sweep do not fit beside the account's states."""
    states = -(-60_000 // account_read_ms) * weight(AccountQuery())
    needed = states + (1 + SWEEP_LISTS) * weight(OpenOrdersQuery())
    if weight_per_min < needed:
        raise ConfigFault(
            f"budget.canceller: {weight_per_min} a minute is too little, account states every {account_read_ms} ms, "
            f"a list and a sweep need {needed}; raise it, or canceller.account_read_ms"
        )

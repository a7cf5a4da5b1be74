"""scheduleCancel: cancels all orders of an account at a time that the account keeps pushing away.

Rules
  1. The time must be at least 5 s ahead; no time removes the schedule.
  2. Where a volume gate is configured, setting and unsetting need that much traded volume.
  3. At the time all open orders are cancelled (scheduledCancel) and the schedule is gone.
  4. It fires ten times a day (UTC) at most; after that no time is taken until midnight.
"""

from typing import Final

from common.units import Millis
from services.venue_sim import texts
from services.venue_sim.account import Account
from services.venue_sim.floor import Floor
from services.venue_sim.rules import DAY_MS

AHEAD_MS: Final = 5_000
FIRINGS_MAX: Final = 10  # a day


class DeadMan:
    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._armed: dict[str, Account] = {}

    def schedule(self, account: Account, at_ms: Millis | None) -> str:
        """Return the refusal's text, empty when set or removed."""
        required = self._floor.config.schedule_cancel_volume
        if account.budget.volume < required:
            return texts.schedule_gate(required, account.budget.volume)
        if at_ms is None:
            self._armed.pop(account.user, None)
            return ""
        if at_ms < self._floor.now_ms + AHEAD_MS:
            return texts.SCHEDULE_EARLY
        if account.cancel_day == self._today and account.cancels_today >= FIRINGS_MAX:
            return texts.SCHEDULE_COUNT
        self.arm(account, at_ms)
        return ""

    def arm(self, account: Account, at_ms: Millis) -> None:
        account.cancel_at = at_ms
        self._armed[account.user] = account

    def armed(self, user: str) -> Millis | None:
        """Return when everything of this account will be cancelled."""
        account = self._armed.get(user)
        return None if account is None else account.cancel_at

    def fire(self) -> None:
        """Cancel for every account whose time has come."""
        due = [
            account
            for account in self._armed.values()
            if account.cancel_at is not None and account.cancel_at <= self._floor.now_ms
        ]
        for account in due:
            del self._armed[account.user]
            fired = account.cancels_today if account.cancel_day == self._today else 0
            account.cancel_day, account.cancels_today = self._today, fired + 1
            for order in tuple(account.orders.values()):
                if order.oid in account.orders:
                    self._floor.remove(order, texts.SCHEDULED_CANCEL)

    @property
    def _today(self) -> int:
        return self._floor.now_ms // DAY_MS

"""How many actions an address may send.

Rules
  1. Budget: a buffer (10,000) and one request per whole USD ever traded. A batch of n costs n.
  2. Cancels have a larger cap: the smaller of cap + 100,000 and twice the cap.
  3. Over the cap one single request passes every 10 s; a refused one costs nothing and moves nothing.
  4. Requests that were bought beforehand are used first.
  5. An action that arrives after its expiresAfter costs 5.
"""

from typing import Final

from common.units import MICROS_PER_USD, Micros
from services.venue_sim.texts import budget_spent
from services.venue_sim.views import RateLimit

PASS_MS: Final = 10_000
CANCEL_EXTRA: Final = 100_000
EXPIRED_COST: Final = 5


class AddressBudget:
    def __init__(self, buffer: int) -> None:
        self.buffer = buffer
        self.used = 0
        self.reserved = 0
        self.volume = Micros(0)  # traded since inception
        self._passed_ms: int | None = None

    @property
    def cap(self) -> int:
        return self.buffer + self.volume // MICROS_PER_USD

    def spend(self, cost: int, now_ms: int, *, is_cancel: bool) -> str:
        """Charge an action; return the refusal's text, empty when it may run."""
        cap = min(self.cap + CANCEL_EXTRA, self.cap * 2) if is_cancel else self.cap
        if self.used + cost > cap + self.reserved:
            waited = self._passed_ms is None or now_ms - self._passed_ms >= PASS_MS
            if cost > 1 or not waited:
                return budget_spent(self.used + cost, cap, self.volume)
            self._passed_ms = now_ms
        self.used += cost
        return ""

    def fine(self) -> None:
        """Charge an expired action."""
        self.used += EXPIRED_COST

    def leave(self, requests: int) -> None:
        """Use up all but so many requests."""
        self.used = max(self.used, self.cap - requests)

    def view(self) -> RateLimit:
        return RateLimit(volume=self.volume, used=self.used, cap=self.cap, reserved=self.reserved)

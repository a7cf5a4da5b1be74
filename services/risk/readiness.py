"""Whether this process may sign orders, and what it says of itself.

Rules
  1. Nothing is approved before the halt directory was read, the venue's account, orders and fills were read, and
     everything that an earlier life signed can no longer arrive or was shown by the venue.
  2. Stopping closes the gate for good; after `STOP_MAX` this process ends whatever is still listed.
"""

from typing import Final

from common.actor import Effect, Exit
from common.messages import PostureLevel, ServiceState
from common.units import MILLISECOND, SECOND, Millis, Nanos
from services.risk.approvals import Refusal
from services.risk.facts import Facts
from services.risk.gate import VetoCode
from services.risk.halting import Halting
from services.risk.posture import Cause
from services.risk.venue_watch import VenueWatch

STOP_MAX: Final = Nanos(5 * SECOND)


class Readiness:
    """Knows what is missing between a start and the first signature, and that a stop was asked for."""

    def __init__(self, facts: Facts, halting: Halting, watch: VenueWatch, started_at: Nanos) -> None:
        orders = facts.settings.orders
        self._facts = facts
        self._halting = halting
        self._watch = watch
        self._life_ms = orders.order_expiry_ms + orders.margin_ms
        lost = facts.decisions.last_nonce == 0  # no journal: something unknown may be on its way
        self._burnt_from = Nanos(started_at + (self._life_ms * MILLISECOND if lost else 0))
        self._stop_at: Nanos | None = None
        self.burning = True  # what an earlier life signed

    @property
    def stopping(self) -> bool:
        return self._stop_at is not None

    def stop(self, now: Nanos) -> None:
        self._stop_at = now

    def deadline(self, now: Nanos) -> Nanos | None:
        """Say when a stop has lasted long enough."""
        end = None if self._stop_at is None else Nanos(self._stop_at + STOP_MAX)
        return end if end is not None and end > now else None

    def exits(self, now: Nanos) -> list[Effect]:
        """Rule 2."""
        if self._stop_at is None or now < self._stop_at + STOP_MAX:
            return []
        return [Exit(0, "stopped; not proven that no order of ours is open")]

    def follow_venue_time(self, now: Nanos) -> None:
        """Notice what can no longer arrive."""
        decisions = self._facts.decisions
        venue_now = self._facts.clock.venue_now(now)
        if venue_now is not None:
            decisions.prune(venue_now)
            self._facts.ledger.on_venue_time(venue_now, now)
            if decisions.since_ms is None:
                decisions.begin_at(Millis(venue_now + self._life_ms))
        if self.burning and now >= self._burnt_from and not decisions.open():
            self.burning = False

    # --- answers ---------------------------------------------------------------------------------------

    def missing(self, now: Nanos) -> str:
        """Say what is missing before anything may be approved (rule 1); "" when nothing is."""
        if self._halting.directory is None:
            return "halt directory not read"
        if self._watch.unread:
            return self._watch.unread
        if self._facts.clock.venue_now(now) is None:
            return "venue time unknown"
        return "orders of an earlier life may still arrive" if self.burning else ""

    def closed(self, now: Nanos) -> Refusal | None:
        """Say why this process signs no order at all."""
        if self.stopping:
            return VetoCode.STOPPING, "stopping"
        if self._halting.directory is not None and self._halting.closed(now):
            return VetoCode.HALTED, "halted"
        missing = self.missing(now)
        return (VetoCode.NOT_READY, missing) if missing else None

    def causes(self, now: Nanos) -> list[Cause]:
        closed = self.closed(now)
        if closed is None:
            return []
        level = PostureLevel.HALTED if closed[0] is VetoCode.HALTED else PostureLevel.PULL_QUOTES
        return [Cause(level, f"risk: {closed[1]}", hold=Nanos(0))]

    def state(self, now: Nanos) -> ServiceState:
        if self._halting.halted:
            return ServiceState.HALTED
        if self._halting.directory is None:
            return ServiceState.STARTING
        return ServiceState.RECONCILING if self.missing(now) else ServiceState.READY

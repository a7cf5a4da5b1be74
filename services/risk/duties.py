"""What risk does unasked besides judging: burn, set leverage, sell, sweep, ask the venue.

Rules
  1. Nonces of an earlier life, and in a halt all that are open, are burnt.
  2. Leverage is set to the configured value while ready, where nothing is held or may fill (leverages.py).
  3. order_management or the canceller silent: ours are read and cancelled, once per hold-off, quotes are pulled.
  4. In a halt every order is followed until its fate is proven (fates.py).
  5. Halted and contained: what is held is sold where the configuration says so (flatten.py).
"""

from common.actor import Effect
from common.units import Nanos
from services.risk.facts import Facts
from services.risk.fates import Fates
from services.risk.flatten import Flatten
from services.risk.halting import Halting
from services.risk.kill import Burner
from services.risk.own_actions import OwnActions
from services.risk.readiness import Readiness
from services.risk.venue_watch import VenueWatch


class Duties:
    """Does what is due."""

    def __init__(
        self,
        facts: Facts,
        own: OwnActions,
        halting: Halting,
        watch: VenueWatch,
        *,
        readiness: Readiness,
        flatten: Flatten,
        fates: Fates,
    ) -> None:
        self._facts = facts
        self._own = own
        self._halting = halting
        self._watch = watch
        self._readiness = readiness
        self._flatten = flatten
        self._fates = fates
        self._burner = Burner(facts.decisions)

    def due(self, now: Nanos) -> list[Effect]:
        """Return what is to be done now."""
        if not self._readiness.stopping and self._facts.roster.helpless(now):
            self._watch.sweep(now)
        effects = [*self._burn(now), *self._lever(now), *self._follow(now), *self._unwind(now)]
        return effects + list(self._watch.questions(now))

    def deadline(self, now: Nanos) -> Nanos | None:
        due = (
            self._watch.deadline(now),
            self._burner.deadline(now),
            self._halting.containment.deadline(now),
            self._flatten.deadline(now),
            self._fates.deadline(now),
        )
        return min((at for at in due if at is not None), default=None)

    def _burn(self, now: Nanos) -> list[Effect]:
        """Rule 1."""
        wanted = self._facts.linked and (self._readiness.burning or self._halting.halted)
        return [self._own.burn(nonce) for nonce in self._burner.due(now)] if wanted else []

    def _lever(self, now: Nanos) -> list[Effect]:
        """Rule 2."""
        return [] if self._readiness.closed(now) else self._own.leverage(now, self._facts.clock.venue_now(now))

    def _follow(self, now: Nanos) -> list[Effect]:
        """Rule 4."""
        files = self._halting.directory.files if self._halting.directory else ()
        return self._fates.due(
            now,
            coins=self._halting.coins,
            halts=tuple(file.name for file in files),
            contained=self._halting.contained,
        )

    def _unwind(self, now: Nanos) -> list[Effect]:
        """Rule 5."""
        contained = self._halting.contained and not self._readiness.stopping
        effects, findings = self._flatten.due(now, coins=self._halting.coins, contained=contained)
        return effects + self._watch.report(findings, now)

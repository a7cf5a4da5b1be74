"""Every opinion about this moment together: what restrains quoting, and what must end trading.

Rules
  1. Causes come from the monitors, the roster and the witnesses, order_management's own word, the agents, the halt
     directory and this process's readiness; the board makes one posture of them.
  2. A breach latches by itself, in the message that showed it.
  3. The gate proves itself at every unit.
"""

from common.actor import Effect
from common.messages import PendingExposure, Position
from common.units import Nanos
from services.risk import agreement
from services.risk.facts import Facts
from services.risk.halting import Halting
from services.risk.monitors.panel import Panel
from services.risk.readiness import Readiness
from services.risk.venue_watch import VenueWatch


class Judgement:
    """Asks those who judge, and acts on what they say."""

    def __init__(self, facts: Facts, halting: Halting, watch: VenueWatch, readiness: Readiness) -> None:
        self._facts = facts
        self._halting = halting
        self._watch = watch
        self._readiness = readiness
        self._comparison = agreement.Comparison(facts.settings)
        self._panel = Panel(facts)

    def on_peer(self, message: Position | PendingExposure) -> None:
        """Take order_management's own word."""
        if isinstance(message, Position):
            self._comparison.on_position(message)
        else:
            self._facts.on_pending(message)
            self._comparison.on_pending(message)

    def assess(self, now: Nanos, coin: str = "") -> None:
        """Let the monitors look at one coin, or at everything."""
        self._panel.assess(now, coin)

    def act(self, now: Nanos, *, unit: bool) -> list[Effect]:
        """Kill for what must end trading (rules 2 and 3), and write down what is worth a line."""
        effects: list[Effect] = []
        broken = agreement.broken(self._facts) if unit else []
        for cause, evidence in self._panel.breaches() + agreement.breaches(self._facts, now) + broken:
            effects += self._halting.kill(cause, evidence, now)
        effects += self._panel.rows()
        return effects + self._watch.report(self._comparison.findings(self._facts, now), now)

    def restrain(self, now: Nanos) -> None:
        """Rule 1."""
        causes = agreement.causes(self._facts, now) + self._panel.causes() + self._comparison.causes()
        causes += self._watch.agents.causes() + self._facts.leverages.causes(self._facts.ledger)
        causes += self._halting.causes() + self._readiness.causes(now)
        self._facts.board.update(causes, now)

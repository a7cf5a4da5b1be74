"""Every opinion about this moment together: what restrains quoting, and what must end trading.

Rules
  1. Causes come from the monitors, the roster and the witnesses, order_management's own word, the agents, the halt
     directory and this process's readiness; the board makes one posture of them.
  2. A breach latches by itself, in the message that showed it.
  3. The gate proves itself at every unit, and every monitor is asked afresh then.
  4. A glance judges what prices, a peer's word or time have changed, and only while nothing is being settled; what the
     rest of this module would say is known to be the same until `changes_at`.
"""

from collections.abc import Iterable

from common.actor import Effect
from common.messages import AssetContext, Book, Message, PendingExposure, Position, TopOfBook
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
        self._critical: list[tuple[str, str]] = []  # of this revision of the panel
        self._listed = 0
        self._judged = self._revisions()  # when causes were last gathered

    def on_peer(self, message: Position | PendingExposure) -> bool:
        """Take order_management's own word; say whether it changes what counts."""
        if isinstance(message, Position):
            self._comparison.on_position(message)
            return False
        self._comparison.on_pending(message)
        return self._facts.on_pending(message)

    def assess(self, now: Nanos, *, afresh: bool) -> None:
        """Let the monitors look at everything."""
        self._panel.assess(now, afresh=afresh)

    def act(self, now: Nanos, *, unit: bool) -> list[Effect]:
        """Kill for what must end trading (rules 2 and 3), and write down what is worth a line."""
        broken = agreement.broken(self._facts) if unit else []
        effects = self.kill(now, agreement.breaches(self._facts, now) + broken)
        found = self._comparison.findings(self._facts, now, self._facts.limits)
        return effects + self._watch.report(found, now)

    def restrain(self, now: Nanos) -> None:
        """Rule 1."""
        self._judged = self._revisions()
        causes = agreement.causes(self._facts, now) + self._panel.causes() + self._comparison.causes()
        causes += self._watch.agents.causes() + self._facts.leverages.causes(self._facts.ledger)
        causes += self._halting.causes() + self._readiness.causes(now)
        self._facts.board.update(causes, now)

    def glance(self, message: Message, now: Nanos) -> list[Effect]:
        """Rule 4."""
        effects: list[Effect] = []
        match message:
            case Book(coin=coin) | TopOfBook(coin=coin) | AssetContext(coin=coin) if coin in self._facts.limits:
                self._panel.assess(now, coin)
                effects = self.kill(now)
            case Position(coin=coin) | PendingExposure(coin=coin) if coin in self._facts.limits:
                effects = self._watch.report(self._comparison.findings(self._facts, now, (coin,)), now)
            case _:
                pass
        if self._revisions() == self._judged:
            self._facts.board.hold(now)
        else:
            self.restrain(now)
        return effects

    def calm(self, now: Nanos) -> bool:
        """Say whether nothing is being settled, so that glances are enough (rule 4)."""
        facts = self._facts
        settled = all(facts.ledger.position(coin).differs_since is None for coin in facts.limits)
        halted = self._halting.coins or self._readiness.closed(now) or self._facts.roster.helpless(now)
        return settled and not (halted or facts.losses.suspected or facts.earnings.differs or facts.ledger.unproven())

    def changes_at(self, now: Nanos) -> list[Nanos | None]:
        """Say when opinions may change by time alone."""
        facts = self._facts
        expiry_ms = facts.ledger.next_expiry_ms()
        return [
            *(self._panel.changes_at(now), facts.roster.changes_at(now), facts.clock.changes_at(now)),
            *(self._comparison.changes_at(), facts.earnings.settles_at(now)),
            None if expiry_ms is None else facts.clock.reached_at(expiry_ms, now),
        ]

    def kill(self, now: Nanos, breaches: Iterable[tuple[str, str]] = ()) -> list[Effect]:
        """Latch what monitors found to be critical, and these; rule 2."""
        if self._panel.revision != self._listed:
            self._listed, self._critical = self._panel.revision, self._panel.breaches()
        effects: list[Effect] = []
        for cause, evidence in (*self._critical, *breaches):
            effects += self._halting.kill(cause, evidence, now)
        return effects + self._panel.rows()

    def _revisions(self) -> tuple[int, int, int]:
        return self._panel.revision, self._facts.roster.revision, self._comparison.revision

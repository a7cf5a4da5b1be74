"""Whether those who must agree do: roster, clock, witnesses of a position, and the gate with itself.

Rules
  1. Venue time unknown or uncertain by more than 1.5 s: quotes are pulled.
  2. Two witnesses of a position that differ for 2 s pull its quotes; for `reconcile_breach_ms` they kill.
  3. A member of the roster that stays away for the recovery time kills (roster.py).
  4. order_management's own word that a position is unproven pulls the coin; a lasting difference is a finding.
  5. Money that moved otherwise than our own fills say pulls quotes (earnings.py).
  6. A gate that lets a known bad order through kills; it is probed at every unit.
"""

from collections.abc import Iterable
from typing import Final

from common.config import Settings
from common.messages import PendingExposure, Position, PostureLevel
from common.units import MILLISECOND, SECOND, Nanos
from services.risk.approvals import CLOCK_UNCERTAINTY_MS_MAX
from services.risk.audit import Kind
from services.risk.controls import Control
from services.risk.exposure_ledger import Finding
from services.risk.facts import Facts
from services.risk.gate import self_test
from services.risk.posture import Cause

DIFFERENCE_GRACE: Final = Nanos(2 * SECOND)  # an account state may overtake the fills that it holds
CONFIRM_PAUSE: Final = Nanos(250 * MILLISECOND)  # well within the 2 s that a second bad state must come in
FILLS_PAUSE: Final = Nanos(5 * SECOND)  # a difference lasts twice as long before it kills
PULL: Final = PostureLevel.PULL_QUOTES
MONEY: Final = (Kind.FUNDINGS, Kind.TRANSFERS)  # what moves it besides fills


def causes(facts: Facts, now: Nanos) -> list[Cause]:
    """Say what restrains quoting, the roster included."""
    found = facts.roster.causes(now)
    uncertainty = facts.clock.uncertainty_ms(now)
    if uncertainty is None or uncertainty > CLOCK_UNCERTAINTY_MS_MAX:
        found.append(Cause(PULL, "venue time uncertain", control=Control.DATA_STALENESS))
    for coin in facts.limits:
        since = facts.ledger.position(coin).differs_since
        if since is not None and now - since >= DIFFERENCE_GRACE:
            found.append(Cause(PULL, "position unproven", coin, control=Control.RECONCILIATION))
    return found + facts.earnings.causes(now)


def breaches(facts: Facts, now: Nanos) -> list[tuple[str, str]]:
    """Return cause and evidence of everything that must end trading."""
    found = []
    if lost := facts.roster.lost(now):
        found.append((f"{lost} absent", "longer than the recovery time"))
    for coin in facts.limits:
        position = facts.ledger.position(coin)
        breach = facts.settings.risk.reconcile_breach_ms * MILLISECOND
        if position.differs_since is not None and now - position.differs_since >= breach:
            evidence = f"venue {position.by_snapshot} lots, own fills {position.by_fills}"
            found.append((f"{coin} position difference", evidence))
    return found


def broken(facts: Facts) -> list[tuple[str, str]]:
    """Return which gate lets a known bad order through (rule 6)."""
    tests = ((coin, self_test(limits)) for coin, limits in facts.limits.items())
    return [(f"{coin} gate self-test", fault) for coin, fault in tests if fault]


def reads_wanted(facts: Facts, now: Nanos) -> list[tuple[Kind, Nanos]]:
    """Return what to ask the venue before its turn, and how long after the last question of the kind."""
    wanted = []
    if facts.losses.suspected:
        wanted.append((Kind.ACCOUNT, CONFIRM_PAUSE))
    since = [facts.ledger.position(coin).differs_since for coin in facts.limits]
    if any(at is not None and now - at >= SECOND for at in since):
        wanted.append((Kind.FILLS, FILLS_PAUSE))
    if facts.earnings.wants_read(now):
        wanted += [(kind, Nanos(0)) for kind in (Kind.FILLS, *MONEY)]
    return wanted


class Comparison:
    """order_management's positions and pending orders against ours (rule 4)."""

    def __init__(self, settings: Settings) -> None:
        self._breach = settings.risk.reconcile_breach_ms * MILLISECOND
        self._positions: dict[str, Position] = {}
        self._pending: dict[str, PendingExposure] = {}
        self._differs: dict[tuple[str, str], Nanos] = {}  # (kind, coin) -> since when
        self._told: set[tuple[str, str]] = set()
        self.revision = 0  # changes with `causes`

    def on_position(self, fact: Position) -> None:
        last = self._positions.get(fact.coin)
        self.revision += last is None or last.proven != fact.proven
        self._positions[fact.coin] = fact

    def on_pending(self, fact: PendingExposure) -> None:
        self._pending[fact.coin] = fact

    def causes(self) -> list[Cause]:
        facts = sorted(self._positions.items())
        return [
            Cause(PULL, "position unproven", coin, control=Control.RECONCILIATION)
            for coin, fact in facts
            if not fact.proven
        ]

    def findings(self, facts: Facts, now: Nanos, coins: Iterable[str]) -> list[Finding]:
        """Return each difference of these coins once, when it has lasted."""
        found: list[Finding] = []
        roster = facts.roster
        if roster.silent("order_management", now) or not roster.reconciled(roster.asker_epoch):
            self._differs.clear()  # what it said last is no news any more, or is not proven yet
            facts.earnings.forget_stated()
            return facts.earnings.findings(now)
        for coin in coins:
            if (said := self._positions.get(coin)) is not None:
                held = facts.ledger.position(coin).by_snapshot
                facts.earnings.on_stated(said, held, now)
                if self._lasts("position difference", coin, now, differs=said.lots != held):
                    evidence = f"order_management {said.lots} lots, risk {held} lots"
                    found.append(Finding(kind="position difference", coin=coin, evidence=evidence))
            if (open_ := self._pending.get(coin)) is not None:
                bid, ask = facts.ledger.pending(coin)
                differs = (open_.pending_bid, open_.pending_ask) != (bid, ask)
                if self._lasts("exposure difference", coin, now, differs=differs):
                    theirs = f"{open_.pending_bid} bid, {open_.pending_ask} ask"
                    evidence = f"order_management {theirs}, risk {bid} bid, {ask} ask"
                    found.append(Finding(kind="exposure difference", coin=coin, evidence=evidence))
        return found + facts.earnings.findings(now)

    def changes_at(self) -> Nanos | None:
        """Say when a difference that has not been told will have lasted."""
        return min(
            (Nanos(at + self._breach) for name, at in self._differs.items() if name not in self._told), default=None
        )

    def _lasts(self, kind: str, coin: str, now: Nanos, *, differs: bool) -> bool:
        """Say whether a difference has lasted, once."""
        name = (kind, coin)
        if not differs:
            self._differs.pop(name, None)
            self._told.discard(name)
            return False
        since = self._differs.setdefault(name, now)
        if now - since < self._breach or name in self._told:
            return False
        self._told.add(name)
        return True

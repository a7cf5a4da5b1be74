"""What risk watches besides orders: causes that restrain, and breaches that kill.

Rules
  1. Venue time unknown or uncertain by more than 1.5 s, or the account state stale: quotes are pulled.
  2. No references of a coin: its quotes are pulled.
  3. A position beyond the soft limit only reduces; beyond twice the soft limit it kills, by the venue's own word. A
     worst case never kills: after a restart it counts every recent order that is not yet proven gone.
  4. Two witnesses of a position that differ for 2 s pull its quotes; for `reconcile_breach_ms` they kill.
  5. Daily loss: half of the limit widens, one bad state pulls, two kill (loss.py).
  6. A member of the roster that stays away for the recovery time kills (roster.py).
  7. order_management's own word that a position is unproven pulls the coin; a lasting difference is a finding.
  8. A gate that lets a known bad order through kills.
"""

from typing import Final

from common.config import Settings
from common.messages import Position, PostureLevel
from common.units import MILLISECOND, SECOND, Lots, Nanos
from services.risk.approvals import CLOCK_UNCERTAINTY_MS_MAX
from services.risk.audit import Kind
from services.risk.exposure_ledger import Finding
from services.risk.facts import Facts
from services.risk.gate import self_test
from services.risk.posture import Cause

DIFFERENCE_GRACE: Final = Nanos(2 * SECOND)  # an account state may overtake the fills that it holds
CONFIRM_PAUSE: Final = Nanos(250 * MILLISECOND)  # well within the 2 s that a second bad state must come in
FILLS_PAUSE: Final = Nanos(5 * SECOND)  # a difference lasts twice as long before it kills
PULL: Final = PostureLevel.PULL_QUOTES


def causes(facts: Facts, now: Nanos) -> list[Cause]:
    """Say what restrains quoting, the roster included."""
    found = facts.roster.causes(now)
    uncertainty = facts.clock.uncertainty_ms(now)
    if uncertainty is None or uncertainty > CLOCK_UNCERTAINTY_MS_MAX:
        found.append(Cause(PULL, "venue time uncertain"))
    if facts.account_stale(now):
        found.append(Cause(PULL, "account state stale"))
    if facts.loss.suspected:
        found.append(Cause(PULL, "daily loss suspected"))
    if facts.loss.half:
        found.append(Cause(PostureLevel.WIDEN, "half of the daily loss"))
    for coin in facts.limits:
        found += _coin_causes(facts, coin, now)
    return found


def _coin_causes(facts: Facts, coin: str, now: Nanos) -> list[Cause]:
    found = []
    if fault := facts.feeds[coin].fault(now):
        found.append(Cause(PULL, fault, coin, name="references"))
    position = facts.ledger.position(coin)
    if position.differs_since is not None and now - position.differs_since >= DIFFERENCE_GRACE:
        found.append(Cause(PULL, "position unproven", coin))
    if _beyond(facts, coin, max(position.highest, -position.lowest), facts.soft[coin]):
        found.append(Cause(PostureLevel.REDUCE_ONLY, "position beyond the soft limit", coin))
    return found


def breaches(facts: Facts, now: Nanos) -> list[tuple[str, str]]:
    """Return cause and evidence of everything that must end trading."""
    found = []
    if facts.loss.breach:
        found.append(("daily loss", facts.loss.breach))
    if lost := facts.roster.lost(now):
        found.append((f"{lost} absent", "longer than the recovery time"))
    for coin in facts.limits:
        found += _coin_breaches(facts, coin, now)
    return found


def _coin_breaches(facts: Facts, coin: str, now: Nanos) -> list[tuple[str, str]]:
    found = []
    position = facts.ledger.position(coin)
    breach = facts.settings.risk.reconcile_breach_ms * MILLISECOND
    if position.differs_since is not None and now - position.differs_since >= breach:
        evidence = f"venue {position.by_snapshot} lots, own fills {position.by_fills}"
        found.append((f"{coin} position difference", evidence))
    runaway = 2 * facts.soft[coin]
    if _beyond(facts, coin, position.by_snapshot, runaway):
        found.append((f"{coin} position runaway", f"{position.by_snapshot} lots, beyond twice the soft limit"))
    if fault := self_test(facts.limits[coin]):
        found.append((f"{coin} gate self-test", fault))
    return found


def reads_wanted(facts: Facts, now: Nanos) -> list[tuple[Kind, Nanos]]:
    """Return what to ask the venue before its turn, and how long after the last question of the kind."""
    wanted = []
    if facts.loss.suspected and not facts.loss.breach:
        wanted.append((Kind.ACCOUNT, CONFIRM_PAUSE))
    since = [facts.ledger.position(coin).differs_since for coin in facts.limits]
    if any(at is not None and now - at >= SECOND for at in since):
        wanted.append((Kind.FILLS, FILLS_PAUSE))
    return wanted


def _beyond(facts: Facts, coin: str, lots: int, limit: int) -> bool:
    value = facts.value(coin, lots)
    return value is not None and value > limit


class Comparison:
    """order_management's positions against ours (rule 7)."""

    def __init__(self, settings: Settings) -> None:
        self._breach = settings.risk.reconcile_breach_ms * MILLISECOND
        self._positions: dict[str, Position] = {}
        self._differs: dict[str, Nanos] = {}
        self._told: set[str] = set()

    def on_position(self, fact: Position) -> None:
        self._positions[fact.coin] = fact

    def causes(self) -> list[Cause]:
        facts = sorted(self._positions.items())
        return [Cause(PULL, "position unproven", coin) for coin, fact in facts if not fact.proven]

    def findings(self, held: dict[str, Lots], now: Nanos) -> list[Finding]:
        """Return each difference once, when it has lasted."""
        found = []
        for coin, fact in sorted(self._positions.items()):
            if fact.lots == held.get(coin, fact.lots):
                self._differs.pop(coin, None)
                self._told.discard(coin)
                continue
            since = self._differs.setdefault(coin, now)
            if now - since >= self._breach and coin not in self._told:
                self._told.add(coin)
                evidence = f"order_management {fact.lots} lots, risk {held[coin]}"
                found.append(Finding(kind="position difference", coin=coin, evidence=evidence))
        return found

"""What the monitors' opinion rests on, and what of it has changed since the last look.

Rules
  1. A part that is equal to what it was gives no other opinion, so only the monitors that read a changed part are
     asked again. Ages are no part: what counts of them is whether a limit has passed.
  2. Nothing has to announce a change: each look compares with what is there.
  3. `changes_at` is the next moment at which a part may change by time alone.
"""

from typing import Final

from common.units import SECOND, Nanos
from services.risk.facts import ACCOUNT_AGE_MAX, READ_AGES, Facts

HOLDING: Final = 1  # position, pending exposure, and the limits at the dearest reference
MARKET: Final = 2  # the behaviour of prices
CONDUCT: Final = 4  # what our own orders did, and how long an inventory has been stuck
STREAMS: Final = 8  # what is stale, and references
MONEY: Final = 16  # of the account
MARGIN: Final = 32
BUDGET: Final = 64
EVERYTHING: Final = 127


class CoinGrounds:
    """Of one coin."""

    def __init__(self, facts: Facts, coin: str) -> None:
        self._facts = facts
        self._coin = coin
        self._position = facts.ledger.position(coin)
        self._feed, self._watch, self._activity = facts.feeds[coin], facts.watches[coin], facts.activity[coin]
        self._holding: object = None
        self._market: object = None
        self._conduct: object = None
        self._streams: object = None

    def look(self, now: Nanos) -> int:
        """Return the parts that have changed."""
        held, changed = self._position, 0
        holding = (
            *(held.by_snapshot, held.by_fills, *self._facts.pending(self._coin)),
            *(self._feed.last, self._facts.binding(self._coin)),
        )
        if holding != self._holding:
            self._holding, changed = holding, HOLDING
        market = self._watch.behaviour(now)
        if market is not self._market:
            self._market, changed = market, changed | MARKET
        conduct = (self._activity.conduct(now), self._stuck_s(now))
        if conduct != self._conduct:
            self._conduct, changed = conduct, changed | CONDUCT
        streams = (self._facts.linked, *self._feed.stale(now), self._feed.fault(now))
        if streams != self._streams:
            self._streams, changed = streams, changed | STREAMS
        return changed

    def changes_at(self, now: Nanos, *, found: int) -> Nanos | None:
        """Rule 3; `found` are the parts that monitors have found something in."""
        stuck_since, stuck_s = self._activity.unshrunk_since, self._facts.settings.monitors.stuck_s
        ends = [*self._feed.stale_at, self._activity.worsens_at(found=bool(found & CONDUCT))]
        if found & MARKET:
            ends.append(self._watch.milder_at)
        if stuck_since is not None:
            ends.append(Nanos(stuck_since + max(stuck_s, (now - stuck_since) // SECOND + 1) * SECOND))
        return min((end for end in ends if end is not None and end > now), default=None)

    def _stuck_s(self, now: Nanos) -> int:
        """Return for how many whole seconds an inventory has been stuck; 0 below the limit."""
        since = self._activity.unshrunk_since
        seconds = 0 if since is None else (now - since) // SECOND
        return seconds if seconds >= self._facts.settings.monitors.stuck_s else 0


class AccountGrounds:
    """Of the account as a whole."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._money: object = None
        self._margin: object = None
        self._budget: object = None
        self._streams: object = None

    def look(self, now: Nanos) -> int:
        """Return the parts that have changed."""
        facts, changed = self._facts, 0
        if facts.losses.money is not self._money:
            self._money, changed = facts.losses.money, MONEY
        margin = (facts.account, self._near())
        if margin != self._margin:
            self._margin, changed = margin, changed | MARGIN
        budget = facts.budget.left()
        if budget != self._budget:
            self._budget, changed = budget, changed | BUDGET
        streams = (facts.linked, *(at is None or now >= at for at in self._stale_at()))
        if streams != self._streams:
            self._streams, changed = streams, changed | STREAMS
        return changed

    def changes_at(self, now: Nanos, *, found: int) -> Nanos | None:  # noqa: ARG002  # the same question as of a coin
        return min((at for at in self._stale_at() if at is not None and at > now), default=None)

    def _near(self) -> float | None:
        """Return the distance to liquidation; None while no monitor minds it, so that not every price is a change."""
        distance = self._facts.liquidation_distance()
        near = distance is not None and distance < 2 * self._facts.settings.monitors.liquidation_distance
        return distance if near else None

    def _stale_at(self) -> list[Nanos | None]:
        """Return when each stream is older than it may be; None: it was never heard."""
        facts = self._facts
        ends = [None if facts.account is None else Nanos(facts.account_at + ACCOUNT_AGE_MAX + 1)]
        for kind, limit in READ_AGES.items():
            at = facts.read_at.get(kind)
            ends.append(None if at is None else Nanos(at + limit + 1))
        return ends

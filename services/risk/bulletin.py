"""What risk publishes, as full states: posture, exposure, halt, counts.

Rules
  1. Everything is repeated every unit, changed or not: a lost message heals with the next.
  2. Posture and Halt go out with the very message that changed them; so does the Exposure of a coin, unless only
     prices moved, which waits for the next unit, or an approval has to go out first, which takes a moment.
"""

from collections import Counter

from common.actor import Boot, Effect, Send
from common.messages import Exposure, Halt, Message, Posture, PostureLevel, RiskCounts
from common.units import Nanos, Side
from services.risk.approvals import Approvals
from services.risk.facts import Facts
from services.risk.gate import headroom, largest_order


class Bulletin:
    """Remembers what was said last."""

    def __init__(self, facts: Facts, approvals: Approvals, boot: Boot, unit: Nanos) -> None:
        self._facts = facts
        self._approvals = approvals
        self._epoch = boot.epoch
        self._unit = unit
        self._said: dict[tuple[str, str], Message] = {}
        self._revision = -1  # of the board, when the posture was said last
        self.due_at = boot.started_at

    def news(self, halt: Halt, findings: Counter[str], now: Nanos, *, exposures: bool) -> list[Effect]:
        """Return what is to be published now; without `exposures` nothing but time or prices came in."""
        repeat = now >= self.due_at
        if repeat:
            self.due_at = Nanos(now + self._unit)
        effects = [*self._posture(repeat=repeat), *self._say("", halt, repeat=repeat)]
        if repeat or exposures or len(effects) > 0:
            effects += self._exposures(now, repeat=repeat)
        if repeat:
            effects += [Send(self._facts.budget.statement()), Send(self._counts(findings))]
        return effects

    def posture(self, now: Nanos) -> list[Effect]:
        """Return the posture where it has changed, with what depends on it."""
        effects = self._posture(repeat=False)
        return effects + self._exposures(now, repeat=False) if effects else effects

    def _exposures(self, now: Nanos, *, repeat: bool) -> list[Effect]:
        exposures = {coin: self._exposure(coin, now) for coin in self._facts.limits}
        return [effect for coin, one in exposures.items() for effect in self._say(coin, one, repeat=repeat)]

    def _say(self, coin: str, message: Message, *, repeat: bool) -> list[Effect]:
        name = (type(message).__name__, coin)
        if not repeat and self._said.get(name) == message:
            return []
        self._said[name] = message
        return [Send(message)]

    def _posture(self, *, repeat: bool) -> list[Effect]:
        board = self._facts.board
        if not repeat and board.revision == self._revision:
            return []
        self._revision = board.revision
        coins: dict[str, PostureLevel] = {coin: board.level(coin) for coin in self._facts.limits}
        posture = Posture(level=board.level(), coins=coins, causes=board.texts(), risk_epoch=self._epoch)
        return self._say("", posture, repeat=repeat)

    def _exposure(self, coin: str, now: Nanos) -> Exposure:
        ledger = self._facts.ledger
        bid, ask = ledger.pending(coin)
        worst_max, worst_min = self._facts.worst(coin)
        seen = self._facts.room(coin, Side.SELL, now)
        return Exposure(
            coin=coin,
            position=ledger.position(coin).by_snapshot,
            pending_bid=bid,
            pending_ask=ask,
            worst_case_max_position=worst_max,
            worst_case_min_position=worst_min,
            headroom_bid=headroom(Side.BUY, self._facts.room(coin, Side.BUY, now)),
            headroom_ask=headroom(Side.SELL, seen),
            largest_order=largest_order(seen),
        )

    def _counts(self, findings: Counter[str]) -> RiskCounts:
        return RiskCounts(
            approvals=self._approvals.approvals,
            signatures=self._approvals.signatures,
            vetoes=dict(sorted((self._approvals.blocks + self._facts.board.trips).items())),
            findings=dict(sorted(findings.items())),
        )

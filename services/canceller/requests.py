"""Which cancels of a request go to the venue: a mad asker must not spend the budget. Pure.

Rules
  1. A cancel goes out when risk announced that order, or when the venue lists it as ours. Others wait for one list
     that all of them share; lists are dear, so the room that a sweep may need decides (reads.py).
  2. A cancel whose answer is outstanding is not repeated. A doubtful answer may be asked again, but only so often
     until the venue lists the order; after "success" it is not sent again, and the same answer is given, unless a list
     that was asked for later shows the order all the same.
  3. At most `max_cancels_per_s` cancels a second, and so many at once: one pull of everything fits.
  4. A refused cancel is answered with the reason, one by one: what the others of its request do is not affected.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

import msgspec

from common.cloid import is_ours
from common.config import Settings
from common.messages import Cancel, CancelOutcome, CancelRequest, VenueOpenOrders
from common.rate import TokenBucket
from common.units import SECOND, Nanos
from services.canceller.reads import Reads

KNOWN_MAX: Final = 20_000  # orders that risk announced or the venue listed; an older one is looked up again
OUTSTANDING_MAX: Final = Nanos(1_500_000_000)  # then the answer is late; order_management repeats after 2 s
TRIES_MAX: Final = 5  # between two lists that show the order: then it is not there
WAITING_MAX: Final = 64  # requests that share the next list; more come from a peer gone mad
LIST_WAIT: Final = Nanos(5 * SECOND)  # longer than the venue link's own time-outs: past it the answer is lost
SUCCESS: Final = "success"

REPEATED: Final = "asked already, answer outstanding"
TOO_MANY: Final = "too many cancels a second"
NOT_SHOWN: Final = "tried in vain, and not seen in the venue's list since"
NOT_LISTED: Final = "not open at the venue"
UNANNOUNCED: Final = "not announced by risk, and the venue's list was read a moment ago"


class _Order(msgspec.Struct):
    """What is known of one order that may be cancelled."""

    asked_at: Nanos | None = None  # a cancel is outstanding
    tries: int = 0  # since the venue last listed it
    gone_at: Nanos | None = None  # when the venue said so


class Verdict(msgspec.Struct, frozen=True):
    """What to send of a request, and what to answer at once."""

    cancels: tuple[Cancel, ...]
    refused: tuple[CancelOutcome, ...]


class Requests:
    """Knows the orders that may be cancelled, and the requests that wait for the venue's list."""

    def __init__(self, settings: Settings, tag: str, reads: Reads) -> None:
        per_s = settings.canceller.max_cancels_per_s
        self._tag = tag
        self._rate = TokenBucket(per_second=per_s, burst=per_s)
        self._reads = reads
        self._known: OrderedDict[str, _Order] = OrderedDict()
        self._cloids: dict[int, str] = {}  # by oid, of the last list
        self._waiting: list[tuple[CancelRequest, tuple[Cancel, ...]]] = []
        self._query_id: int | None = None
        self._queried_at = Nanos(0)

    def announce(self, cloids: Iterable[str]) -> None:
        """Take what risk has approved."""
        for cloid in cloids:
            self._known.setdefault(cloid, _Order())
        while len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)

    def judge(self, request: CancelRequest, now: Nanos) -> Verdict:
        """Sort a request's cancels: to send, to refuse, and to look up (which stay here)."""
        unknown = tuple(cancel for cancel in request.cancels if self._find(cancel) is None)
        verdict = self._admit((cancel for cancel in request.cancels if self._find(cancel) is not None), now)
        if not unknown:
            return verdict
        room = len(self._waiting) < WAITING_MAX
        if room and (self._listing(now) or self._reads.may_list(now)):
            self._waiting.append((request, unknown))
            return verdict
        return Verdict(verdict.cancels, verdict.refused + _refuse(unknown, UNANNOUNCED))

    def wants_list(self, now: Nanos) -> bool:
        """Say whether the venue's list must be asked for, once for all that wait."""
        return bool(self._waiting) and not self._listing(now) and self._reads.may_list(now)

    def asked(self, query_id: int, now: Nanos) -> None:
        self._query_id, self._queried_at = query_id, now

    def on_list(self, listed: VenueOpenOrders, now: Nanos) -> list[tuple[CancelRequest, Verdict]]:
        """Take any list of open orders; return what to do for those that waited for this one."""
        ours = [order for order in listed.orders if is_ours(order.cloid, self._tag)]
        self._cloids = {order.oid: order.cloid for order in ours if order.cloid}
        self.announce(self._cloids.values())
        for cloid in self._cloids.values():
            known = self._known[cloid]
            known.tries = 0
            if known.gone_at is not None and known.gone_at < listed.asked_at:
                known.gone_at = None
        if listed.query_id != self._query_id:
            return []
        waiting, self._waiting, self._query_id = self._waiting, [], None
        return [(request, self._listed(cancels, now)) for request, cancels in waiting]

    def on_failure(self, query_id: int) -> list[CancelRequest]:
        """Take the failure of a list; return whose requests it fails."""
        if query_id != self._query_id:
            return []
        waiting, self._waiting, self._query_id = self._waiting, [], None
        return [request for request, _ in waiting]

    def settle(self, cancels: Iterable[Cancel], outcomes: Iterable[CancelOutcome], now: Nanos) -> None:
        """Take the answer to what was sent, or that none will come."""
        for cancel in cancels:
            order = self._find(cancel)
            if order is not None:
                order.asked_at = None
        for outcome in outcomes:
            order = self._find(outcome.cancel)
            if order is not None and outcome.status == SUCCESS:
                order.gone_at = now

    def _find(self, cancel: Cancel) -> _Order | None:
        cloid = cancel.cloid if cancel.cloid is not None else self._cloids.get(cancel.oid or 0)
        return None if cloid is None else self._known.get(cloid)

    def _listing(self, now: Nanos) -> bool:
        return self._query_id is not None and now < self._queried_at + LIST_WAIT

    def _listed(self, cancels: tuple[Cancel, ...], now: Nanos) -> Verdict:
        verdict = self._admit((cancel for cancel in cancels if self._find(cancel) is not None), now)
        missing = _refuse((cancel for cancel in cancels if self._find(cancel) is None), NOT_LISTED)
        return Verdict(verdict.cancels, verdict.refused + missing)

    def _admit(self, cancels: Iterable[Cancel], now: Nanos) -> Verdict:
        """Rules 2 and 3, for orders that are known."""
        passed: list[Cancel] = []
        refused: list[CancelOutcome] = []
        for cancel in cancels:
            order = self._find(cancel)
            assert order is not None, "only known orders are admitted"
            reason = self._reason(order, now)
            if reason:
                refused.append(CancelOutcome(cancel=cancel, status=reason))
            else:
                order.asked_at = now
                order.tries += 1
                passed.append(cancel)
        return Verdict(tuple(passed), tuple(refused))

    def _reason(self, order: _Order, now: Nanos) -> str:
        """Say why a cancel is not sent; "" when it is."""
        if order.gone_at is not None:
            return SUCCESS
        if order.asked_at is not None and now < order.asked_at + OUTSTANDING_MAX:
            return REPEATED
        if order.tries >= TRIES_MAX:
            return NOT_SHOWN
        return "" if self._rate.take(1, now) else TOO_MANY


def _refuse(cancels: Iterable[Cancel], reason: str) -> tuple[CancelOutcome, ...]:
    return tuple(CancelOutcome(cancel=cancel, status=reason) for cancel in cancels)

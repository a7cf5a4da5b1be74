"""What this key ever signed, rebuilt from the journal: nonces, cloids, and what may still arrive.

Rules
  1. A nonce is above every recorded one and not below venue time; it is recorded before it is signed.
  2. An order is approved when its decision is in the journal; a cloid is approved once.
  3. A decision may still arrive until the venue showed one of its orders (an action arrives whole or not at all),
     its nonce was burnt or consumed, or its expiry plus margin passed by venue time.
  4. What was placed before this memory begins is not judged: with the home lost, old orders of ours are no crime.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from common.messages import DecisionRecord, Message, NonceRecord, OrderIntent
from common.units import Millis

APPROVED_MAX: Final = 200_000  # cloids remembered, about 30 MB; older ones are before this memory (rule 4)
NONCES_MAX: Final = 20_000  # of placing actions; a burn is asked for within seconds of the signature
QUOTE_TAG: Final = "quote"
FLATTEN_TAG: Final = "flatten"
ARM_TAG: Final = "arm"


@dataclass(slots=True, kw_only=True)
class Decision:
    """One signed action whose arrival is not settled."""

    nonce: int
    expires_after: Millis
    orders: tuple[OrderIntent, ...]
    tag: str


class Decisions:
    """The memory of one key."""

    def __init__(self, margin_ms: int) -> None:
        self._margin_ms = margin_ms
        self._approved: OrderedDict[int, int] = OrderedDict()  # cloid -> nonce
        self._open: OrderedDict[int, Decision] = OrderedDict()
        self._nonces: OrderedDict[int, None] = OrderedDict()
        self.last_nonce = 0
        self.since_ms: Millis | None = None  # begin of this memory by venue time; None until it is known

    # --- writing ---------------------------------------------------------------------------------

    def next_nonce(self, venue_now: Millis | None) -> int | None:
        """Return the nonce to use next; None when neither the venue's time nor an earlier nonce is known."""
        if venue_now is None and not self.last_nonce:
            return None
        return max(self.last_nonce + 1, venue_now or 0)

    def add(self, record: DecisionRecord) -> None:
        """Take what is about to be signed, or what the journal says was."""
        self.last_nonce = max(self.last_nonce, record.nonce)
        self._begin(Millis(record.expires_after + self._margin_ms))  # what was signed before it has arrived by then
        self._nonces[record.nonce] = None
        if len(self._nonces) > NONCES_MAX:
            self._nonces.popitem(last=False)
        for order in record.orders:
            self._approved[int(order.cloid, 16)] = record.nonce
        while len(self._approved) > APPROVED_MAX:
            _, oldest = self._approved.popitem(last=False)
            self.since_ms = Millis(oldest + 1)
        self._open[record.nonce] = Decision(
            nonce=record.nonce, expires_after=record.expires_after, orders=record.orders, tag=record.tag
        )

    def use(self, nonce: int) -> None:
        """Take the nonce of an action that places nothing."""
        self.last_nonce = max(self.last_nonce, nonce)

    def begin_at(self, venue_ms: Millis) -> None:
        """Judge from here on: the journal is new, or a person has looked at what was before."""
        self.since_ms = venue_ms

    # --- settling --------------------------------------------------------------------------------

    def arrived(self, cloid: str) -> None:
        """The venue showed this order, so its whole action arrived."""
        nonce = self._approved.get(_number(cloid))
        if nonce is not None:
            self._open.pop(nonce, None)

    def settle(self, nonce: int) -> Decision | None:
        """This nonce is used up at the venue, or was never signed; return what it would have placed."""
        return self._open.pop(nonce, None)

    def prune(self, venue_now: Millis) -> None:
        """Forget what can no longer arrive."""
        for nonce in [n for n, item in self._open.items() if item.expires_after + self._margin_ms < venue_now]:
            del self._open[nonce]

    # --- reading ---------------------------------------------------------------------------------

    def approved(self, cloid: str) -> bool:
        return _number(cloid) in self._approved

    def signed_with(self, nonce: int) -> bool:
        """Say whether a placing action was signed with this nonce."""
        return nonce in self._nonces

    def open(self) -> tuple[Decision, ...]:
        """Return what may still arrive, oldest first; call `prune` before."""
        return tuple(self._open.values())

    def may_arrive(self, venue_now: Millis | None) -> bool:
        """Say whether something signed could still be accepted: not yet expired by venue time."""
        return any(venue_now is None or item.expires_after >= venue_now for item in self._open.values())

    def unapproved(self, cloid: str, venue_ms: Millis) -> bool:
        """Say whether the venue took an order in our name at `venue_ms` that this key never signed (rule 4)."""
        return self.since_ms is not None and venue_ms >= self.since_ms and not self.approved(cloid)

    # --- the journal -----------------------------------------------------------------------------

    def _begin(self, venue_ms: Millis) -> None:
        if self.since_ms is None:
            self.since_ms = venue_ms

    def restore(self, row: Message) -> None:
        """Take one row of an earlier life, oldest first."""
        match row:
            case DecisionRecord():
                self.add(row)
                self.prune(Millis(self.last_nonce))
            case NonceRecord(tag=tag) if tag == ARM_TAG:
                self.use(row.nonce)
                self.begin_at(Millis(row.nonce))
            case NonceRecord():
                self.use(row.nonce)
            case _:
                pass


def _number(cloid: str) -> int:
    try:
        return int(cloid, 16)
    except ValueError:
        return -1

"""What we hold of one coin, from two witnesses: the venue's account state, and our own fills.

Rules
  1. By snapshot: the newest account state, plus every fill later than it.
  2. By fills: the last account state that agreed with the fills, plus every fill later than that.
  3. Nothing is overwritten without comparing venue times: an older account state changes nothing.
  4. Where the two differ, both are kept and the worse one binds, until a later state or a late fill settles it.
  5. A difference that lasts is for the caller to judge: `differs_since` says since when it has been seen.
"""

from dataclasses import dataclass, field
from typing import Final

from common.units import Lots, Millis, Nanos

FILLS_MAX: Final = 20_000  # since the last agreement; that many without one means that nothing ever agrees


@dataclass(slots=True)
class OwnPosition:
    """Counts each fill that it is given; the caller gives each one once."""

    known: bool = False  # false before the first account state
    by_snapshot: Lots = Lots(0)
    by_fills: Lots = Lots(0)
    differs_since: Nanos | None = None
    _snapshot_lots: Lots = Lots(0)
    _snapshot_ms: Millis = Millis(-1)
    _agreed_lots: Lots = Lots(0)
    _agreed_ms: Millis = Millis(-1)
    _fills: list[tuple[Millis, Lots]] = field(default_factory=list)  # later than the last agreement

    @property
    def highest(self) -> Lots:
        return max(self.by_snapshot, self.by_fills)

    @property
    def lowest(self) -> Lots:
        return min(self.by_snapshot, self.by_fills)

    @property
    def is_flat(self) -> bool:
        """Say whether both witnesses hold nothing."""
        return self.by_snapshot == self.by_fills == 0

    @property
    def snapshot_ms(self) -> Millis:
        return self._snapshot_ms

    def on_snapshot(self, lots: Lots, venue_ms: Millis, now: Nanos) -> None:
        """Take the account state of `venue_ms`; the first one is what everything starts from."""
        if self.known and venue_ms <= self._snapshot_ms:
            return
        if not self.known:
            self.known = True
            self._agreed_lots, self._agreed_ms = lots, venue_ms
        self._snapshot_lots, self._snapshot_ms = lots, venue_ms
        self._compare(now)

    def on_fill(self, lots: Lots, venue_ms: Millis, now: Nanos) -> None:
        """Take a fill, signed; one that the last agreement already holds changes nothing."""
        if self.known and venue_ms <= self._agreed_ms:
            return
        self._fills.append((venue_ms, lots))
        assert len(self._fills) <= FILLS_MAX, "fills and account states never agreed"
        self._compare(now)

    def rebase(self, now: Nanos) -> None:
        """A person has looked at a difference: the newest account state is what everything starts from."""
        self._agreed_lots, self._agreed_ms = self._snapshot_lots, self._snapshot_ms
        self._fills = [(at, lots) for at, lots in self._fills if at > self._agreed_ms]
        self._compare(now)

    def _compare(self, now: Nanos) -> None:
        if not self.known:
            return
        if self._agreed_lots + self._sum(self._agreed_ms, self._snapshot_ms) == self._snapshot_lots:
            self._agreed_lots, self._agreed_ms = self._snapshot_lots, self._snapshot_ms
            self._fills = [(at, lots) for at, lots in self._fills if at > self._agreed_ms]
            self.differs_since = None
        elif self.differs_since is None:
            self.differs_since = now
        later = self._sum(self._snapshot_ms, None)
        self.by_snapshot = Lots(self._snapshot_lots + later)
        self.by_fills = Lots(self._agreed_lots + self._sum(self._agreed_ms, None))

    def _sum(self, after: Millis, until: Millis | None) -> int:
        return sum(lots for at, lots in self._fills if at > after and (until is None or at <= until))

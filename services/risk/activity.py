"""What our own orders of one coin did lately, by risk's own ledger and streams.

Rules
  1. A fill counts when the ledger counts it, so once. A round trip is a return of the counted fills to or across
     where they were flat.
  2. Trouble is an order that the venue refused, one whose fate is unknown when its expiry has passed, and a cancel
     that failed. A post-only order that came too late is the market's doing, not trouble.
  3. A flicker is an order that the venue ended within half a second of its signature, without a fill.
  4. A markout is the move of the mid in our favour from a fill's price on, in bps, `MARKOUT_AFTER` later.
  5. Stuck is an inventory that has not shrunk since it was first as large as it is now.
  6. The same `Conduct` is returned until something was told or an entry of a window has ended.
"""

from collections import deque
from typing import Final

import msgspec

from common.config import Monitors
from common.hyperliquid.statuses import StatusMeaning, meaning
from common.messages import Fill
from common.messages.venue import VenueOrder
from common.units import MILLISECOND, SECOND, Lots, Nanos, Side, Ticks
from services.risk.windows import Window

MINUTE: Final = Nanos(60 * SECOND)
TEN_MINUTES: Final = Nanos(600 * SECOND)
FLICKER: Final = Nanos(500 * MILLISECOND)
MARKOUT_AFTER: Final = Nanos(5 * SECOND)
MARKOUT_PENDING_MAX: Final = 1_000  # fills within MARKOUT_AFTER; more are beyond every other limit
LATE_POST_ONLY: Final = "badAloPxRejected"
LIQUIDATED: Final = frozenset({"liquidatedCanceled", "marginCanceled"})
MILLI: Final = 1_000  # markouts are kept in thousandths of a bps: sums of whole numbers do not drift


class Conduct(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of one coin at one moment."""

    net_fills: Lots = Lots(0)  # signed, in a minute
    bought: int = 0  # fills in the fills window
    sold: int = 0
    round_trips: int = 0
    troubles: int = 0  # in a minute
    placed: int = 0  # in ten minutes
    filled: int = 0
    filled_minute: int = 0
    flickers: int = 0  # in a minute
    markout_bps: float = 0.0  # mean of ten minutes
    markouts: int = 0
    unshrunk_since: Nanos | None = None
    liquidated: str = ""  # the venue's own word for it
    overfilled: str = ""  # an order that filled more than it asked for


class Activity:
    """Told by the ledger."""

    def __init__(self, settings: Monitors) -> None:
        burst = Nanos(settings.fills_window_s * SECOND)
        self._net = Window(MINUTE)
        self._sides = {side: Window(burst) for side in Side}
        self._trips = Window(burst)
        self._troubles = Window(MINUTE)
        self._placed = Window(TEN_MINUTES)
        self._filled = Window(TEN_MINUTES)
        self._filled_minute = Window(MINUTE)
        self._flickers = Window(MINUTE)
        self._markouts = Window(TEN_MINUTES)
        self._windows = (
            *(self._net, *self._sides.values(), self._trips, self._troubles, self._placed),
            *(self._filled, self._filled_minute, self._flickers, self._markouts),
        )
        self._pending: deque[tuple[Nanos, Side, Ticks]] = deque(maxlen=MARKOUT_PENDING_MAX)
        self._carried = 0
        self._held = 0
        self.unshrunk_since: Nanos | None = None
        self._liquidated = ""
        self._overfilled = ""
        self._conduct: Conduct | None = None  # None: to be counted anew
        self._until: Nanos | None = None  # then time alone changes it

    def on_placed(self, now: Nanos) -> None:
        self._conduct = None
        self._placed.add(now)

    def on_trouble(self, now: Nanos) -> None:
        self._conduct = None
        self._troubles.add(now)

    def on_end(self, order: VenueOrder, status: str, *, age: Nanos, now: Nanos) -> None:
        """The venue ended an order."""
        self._conduct = None
        if status in LIQUIDATED:
            self._liquidated = f"{status} {order.cloid}"
        if meaning(status) is StatusMeaning.REJECTED and status != LATE_POST_ONLY:
            self._troubles.add(now)
        if order.lots == order.original_lots and age < FLICKER:
            self._flickers.add(now)

    def on_fill(self, fill: Fill, now: Nanos) -> None:
        """Rules 1 and 4."""
        self._conduct = None
        if fill.liquidation:
            self._liquidated = f"fill {fill.tid} of {fill.lots} lots"
        signed = fill.side.sign * fill.lots
        self._net.add(now, signed)
        self._sides[fill.side].add(now)
        self._filled.add(now)
        self._filled_minute.add(now)
        after = self._carried + signed
        if self._carried and (after == 0 or (after > 0) != (self._carried > 0)):
            self._trips.add(now)
        self._carried = after
        self._pending.append((now, fill.side, fill.ticks))

    def on_overfill(self, evidence: str) -> None:
        self._conduct = None
        self._overfilled = evidence

    def on_mid(self, mid_twice: int, now: Nanos) -> None:
        """Mark the fills that are old enough."""
        while self._pending and now - self._pending[0][0] >= MARKOUT_AFTER:
            self._conduct = None
            _, side, ticks = self._pending.popleft()
            self._markouts.add(now, side.sign * (mid_twice - 2 * ticks) * 10_000 * MILLI // (2 * ticks))

    def on_position(self, lots: Lots, now: Nanos) -> None:
        """Rule 5."""
        self._conduct = None
        if lots == 0:
            self.unshrunk_since = None
        elif self.unshrunk_since is None or abs(lots) < abs(self._held) or (lots > 0) != (self._held > 0):
            self.unshrunk_since = now
        self._held = lots

    def forgive(self) -> None:
        """A person has looked."""
        self._conduct = None
        self._liquidated = self._overfilled = ""

    def conduct(self, now: Nanos) -> Conduct:
        """Rule 6."""
        if self._conduct is None or (self._until is not None and now >= self._until):
            self._conduct = self._count(now)
            ends = [window.ends_at for window in self._windows]
            self._until = min((end for end in ends if end is not None), default=None)
        return self._conduct

    def worsens_at(self, *, found: bool) -> Nanos | None:
        """Say when time alone may change what monitors find: where nothing is found, only what may rise by it."""
        windows = self._windows if found else (self._net, self._markouts, self._filled, self._filled_minute)
        ends = [window.ends_at for window in windows]
        return min((end for end in ends if end is not None), default=None)

    def _count(self, now: Nanos) -> Conduct:
        markouts = self._markouts.count(now)
        return Conduct(
            net_fills=Lots(self._net.sum(now)),
            bought=self._sides[Side.BUY].count(now),
            sold=self._sides[Side.SELL].count(now),
            round_trips=self._trips.count(now),
            troubles=self._troubles.count(now),
            placed=self._placed.count(now),
            filled=self._filled.count(now),
            filled_minute=self._filled_minute.count(now),
            flickers=self._flickers.count(now),
            markout_bps=self._markouts.sum(now) / markouts / MILLI if markouts else 0.0,
            markouts=markouts,
            unshrunk_since=self.unshrunk_since,
            liquidated=self._liquidated,
            overfilled=self._overfilled,
        )

"""One order of ours, from intent to the venue's last word on it.

`remaining = size - filled` holds at all times: only fills move `filled`, never an acknowledgement's numbers.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from common.instrument import notional
from common.messages import LiveOrder, OrderIntent, OrderState, TimeInForce
from common.messages.orders import Cancel
from common.units import Lots, Micros, Millis, Nanos, Side, Ticks
from services.order_management.lifecycle import FINAL, MAY_STILL_FILL


@dataclass(slots=True, kw_only=True, eq=False)  # two orders are never equal
class TrackedOrder:
    """Known by its cloid from the first moment; the oid comes with the first venue fact."""

    cloid: str
    coin: str
    side: Side
    price: Ticks
    size: Lots  # unsigned, as sent
    placed_at: Nanos = Nanos(0)
    mid_ticks: float = 0.0  # when it was placed: what markouts are measured against
    queue_ahead: Lots | None = None  # estimated lots in front of it at its price; None: not known
    reduce_only: bool = False
    tif: TimeInForce = TimeInForce.ALO
    oid: int | None = None
    state: OrderState = OrderState.INTENT
    state_changed_at: Nanos = Nanos(0)
    # what it takes the place of, and what is to take its own: venue modifies, asked for or on their way
    replaces: str | None = None
    replaced_by: str | None = None
    # how it was approved
    approval_id: int | None = None
    nonce: int | None = None
    expires_after: Millis | None = None
    # what was filled
    filled: Lots = Lots(0)
    fill_value: Micros = field(default=Micros(0))
    fill_tids: set[int] = field(default_factory=set)
    last_fill_at: Nanos | None = None
    # what the venue said last
    heard_at: Nanos = Nanos(0)
    streamed: bool = False  # told of by the user stream
    told_filled: Lots = Lots(0)  # the most that it said was filled while the order rests
    gone_at: Nanos | None = None  # when it said that the order left the book
    gone_filled: Lots | None = None  # and how much of it was filled by then, as far as it said
    denials: int = 0  # answers in a row that know no such order, after it must have arrived
    absences: int = 0  # lists in a row without it, since the first denial
    listings: int = 0  # lists in a row with it, while nobody here knows who placed it
    # what is to be done
    check_at: Nanos | None = None  # look at it again then
    cancel_asked_at: Nanos | None = None  # first time
    cancel_tries: int = 0
    stuck: bool = False  # reported: its cancel does not come through
    fills_missing: bool = False  # reported: gone, but its fills do not add up to what the venue said
    orphan: bool = False  # ours by its cloid, but placed by nobody that this journal knows

    # --- fills -------------------------------------------------------------------------------------

    def record_fill_with_price(self, tid: int, amount: Lots, fill_price: Ticks, now: Nanos | None = None) -> bool:
        """Count a fill once per tid; `now` is None for one read from the journal. Return whether it is new."""
        if tid in self.fill_tids:
            return False
        self.fill_tids.add(tid)
        self.filled = Lots(self.filled + amount)
        self.fill_value = Micros(self.fill_value + notional(fill_price, amount))
        if now is not None:
            self.last_fill_at = now
        return True

    def remaining(self) -> Lots:
        return Lots(max(0, self.size - self.filled))

    def is_filled(self) -> bool:
        return self.filled >= self.size

    def average_fill_price(self) -> Decimal | None:
        """Return ticks, between the grid's points; None before the first fill."""
        return Decimal(self.fill_value) / self.filled if self.filled else None

    def fill_count(self) -> int:
        return len(self.fill_tids)

    def time_since_last_fill(self, now: Nanos) -> Nanos | None:
        return None if self.last_fill_at is None else Nanos(now - self.last_fill_at)

    def quiet_for(self, now: Nanos) -> Nanos:
        """Return how long the venue has said nothing of it: no word, and no fill."""
        return Nanos(now - max(self.heard_at, self.last_fill_at or 0))

    def age(self, now: Nanos) -> Nanos:
        return Nanos(now - self.placed_at)

    # --- where it stands -----------------------------------------------------------------------------

    @property
    def terminal(self) -> bool:
        """True when no fact can be missing any more."""
        return self.state in FINAL or (self.state is OrderState.FILLED_DURING_CANCEL and self.is_filled())

    @property
    def may_still_fill(self) -> bool:
        return self.state in MAY_STILL_FILL and not (self.state is OrderState.FILLED_DURING_CANCEL and self.is_filled())

    @property
    def unacknowledged(self) -> bool:
        """True while no venue fact says that it ever arrived."""
        return self.oid is None and self.nonce is not None and self.may_still_fill

    @property
    def complete(self) -> bool:
        """True when the venue said that it is gone, and every fill that it spoke of is here."""
        return self.gone_at is not None and self.gone_filled is not None and self.filled >= self.gone_filled

    @property
    def loose_sizes(self) -> bool:
        """True when the venue's sizes do not tell its fills: reduce-only shrinks, and an orphan's past is unknown."""
        return self.reduce_only or self.orphan

    @property
    def being_cancelled(self) -> bool:
        return self.state in (OrderState.CANCEL_PENDING, OrderState.FILLED_DURING_CANCEL, OrderState.CANCEL_CONFIRMED)

    @property
    def modifiable(self) -> bool:
        """True when it is known to rest, and every fill that the venue spoke of is counted."""
        known = self.state in (OrderState.RESTING, OrderState.PARTIALLY_FILLED) and self.oid is not None
        return known and self.gone_at is None and not self.orphan and self.told_filled <= self.filled

    def pending(self) -> Lots:
        """Return what may still be filled, at its worst."""
        return self.remaining() if self.may_still_fill else Lots(0)

    def intent(self) -> OrderIntent:
        return OrderIntent(
            cloid=self.cloid,
            coin=self.coin,
            side=self.side,
            ticks=self.price,
            lots=self.size,
            tif=self.tif,
            reduce_only=self.reduce_only,
        )

    def cancel(self) -> Cancel:
        return Cancel(coin=self.coin, cloid=self.cloid, oid=self.oid)

    def live(self) -> LiveOrder:
        return LiveOrder(
            cloid=self.cloid,
            oid=self.oid,
            side=self.side,
            ticks=self.price,
            lots=self.remaining(),
            reduce_only=self.reduce_only,
            state=self.state,
        )

"""What the parts of order_management share: orders, books, questions, venue time, names and findings."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from common.actor import Effect, Record
from common.cloid import is_ours
from common.config import Settings
from common.ledger import Ledger
from common.messages import FindingRecord
from common.messages.orders import ComparedState
from common.messages.venue import FillsQuery, OpenOrdersQuery, OrderStatusQuery
from common.units import MILLISECOND, SECOND, Millis, Nanos
from common.venue_clock import VenueClock
from services.order_management.order_store import OrderStore
from services.order_management.queries import Queries
from services.order_management.tracked_order import TrackedOrder
from services.order_management.user_stream import UserStream

FINDINGS_MAX: Final = 1_000  # of one kind, written down by one process; what comes after is only counted
FILLS_OVERLAP_MS: Final = 60_000  # fills are read again from so long before the last moment known complete
LIST_LAG: Final = Nanos(1 * SECOND)  # venue: a read may come from a server that is this far behind
EPOCH_SHIFT: Final = 31  # request ids begin with the epoch, so an answer to an earlier process is nobody's


@dataclass(slots=True, kw_only=True)
class Desk:
    """One per process; the parts hold no state of each other."""

    settings: Settings
    epoch: int
    tag: str
    account: str  # address that owns the positions
    store: OrderStore
    ledger: Ledger
    queries: Queries = field(default_factory=Queries)
    clock: VenueClock = field(default_factory=VenueClock)
    counts: dict[str, int] = field(default_factory=dict)
    user_stream: UserStream = field(init=False)
    cursor_ms: Millis = Millis(0)  # every fill until then is counted
    compared: ComparedState | None = None  # the older state of ledger_identity.py
    rows: int = 0  # written since the last checkpoint
    _ids: int = 0

    def __post_init__(self) -> None:
        liveness = self.settings.liveness
        self.user_stream = UserStream(liveness.units(liveness.user_stream))

    def new_id(self) -> int:
        self._ids += 1
        return (self.epoch << EPOCH_SHIFT) + self._ids

    def count(self, name: str, times: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + times

    def finding(self, kind: str, coin: str, evidence: str) -> list[Effect]:
        """Two sources differ: write it down, count it, correct nothing."""
        name = f"finding.{kind}"
        self.count(name)
        if self.counts[name] > FINDINGS_MAX:
            return []
        return [Record(FindingRecord(kind=kind, coin=coin, evidence=evidence))]

    def ours(self, cloid: str | None) -> bool:
        return is_ours(cloid, self.tag)

    def explained(self) -> ComparedState | None:
        """Return the state up to which equity is explained, unless it knew what was booked only since."""
        since, booked = self.compared, self.ledger.booked_from
        return None if since is None or (booked is not None and booked <= since.venue_ms) else since

    # --- venue time --------------------------------------------------------------------------------

    def past_arrival(self, order: TrackedOrder, at: Nanos, now: Nanos) -> bool:
        """Return whether at `at` (not after `now`) the order could not arrive any more, by venue time."""
        venue_now = self.clock.venue_now(now)
        if venue_now is None or order.expires_after is None:
            return False
        venue_at = venue_now - (now - at) // MILLISECOND
        return venue_at > order.expires_after + self.settings.orders.margin_ms

    @property
    def late_fill_window(self) -> Nanos:
        return Nanos(self.settings.orders.late_fill_window_ms * MILLISECOND)

    # --- questions ---------------------------------------------------------------------------------

    def want_status(self, order: TrackedOrder, at: Nanos) -> None:
        self.queries.want(f"status {order.cloid}", OrderStatusQuery(order.cloid), at)

    def want_fills(self, at: Nanos) -> None:
        since = Millis(max(0, self.cursor_ms - FILLS_OVERLAP_MS))
        self.queries.want("fills", FillsQuery(since), at)

    def read_all_fills(self) -> None:
        """Distrust the cursor: the next read of fills begins where the books begin."""
        self.cursor_ms = min((books.opened_ms for books in self.ledger.coins.values()), default=Millis(0))

    def want_list(self, at: Nanos) -> None:
        self.queries.want("open", OpenOrdersQuery(), at)


def nonces(orders: Iterable[TrackedOrder]) -> list[int]:
    """Return each nonce once, in order."""
    return sorted({order.nonce for order in orders if order.nonce is not None})

"""One mesh on trial: a fault of the venue, looks at our orders, and two rules at the end.

Rules
  1. No cloid is accepted twice, and no order of ours rests for 10 s without order_management naming it.
  2. When the fault is over, `mm status`, risk and the venue have the same positions, and the same fills as sets.
"""

import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from common.config import load
from common.errors import HouseError
from common.journal import Journal
from common.mesh import snapshot
from common.messages import Exposure, FillRecord, LiveOrders, Message
from common.wiring import wiring
from tests.mesh.judge import Orphans
from tests.mesh.live import LiveMesh
from tests.mesh.test_trading import check_only_approved_orders, positions_agree

ORPHAN_S_MAX: Final = 10
SNAPSHOT_S_MAX: Final = 2.0
# the monitors that many requotes and many faults would set off, and what is not on trial here
MANY_ORDERS: Final = {
    "troubles_max": 10_000,
    "flickers_max": 100_000,
    "fills_max": 10_000,
    "round_trips_max": 10_000,
    "open_interest_min_usd": 1e12,  # the synthetic market has little of it
}
LOOK_S: Final = 0.5  # between two looks: they cost the mesh its processors


class Trial:
    """The mesh with a fault, and a look at its orders whenever something is waited for."""

    def __init__(self, mesh: LiveMesh) -> None:
        self.mesh = mesh
        self.orphans = Orphans(mesh.judge)
        self._look_at = time.monotonic()

    def wait(self, what: str, condition: Callable[[], object], seconds: float) -> None:
        def looked() -> object:
            if time.monotonic() >= self._look_at:
                self.look()
                self._look_at = time.monotonic() + LOOK_S
            return condition()

        self.mesh.wait(what, looked, seconds)

    def wait_for(self, seconds: float, condition: Callable[[], object] = lambda: True) -> None:
        """Look for so long, and see that the condition holds all the while."""
        until = time.monotonic() + seconds

        def over() -> bool:
            assert condition()
            return time.monotonic() >= until

        self.wait(f"{seconds} s passed", over, seconds)

    def look(self) -> None:
        self.mesh.judge.refresh()
        statements = [said for said in self.said("order_management") if isinstance(said, LiveOrders)]
        self.orphans.look({order.cloid for said in statements for order in said.orders})

    def said(self, service: str) -> list[Message]:
        """Return what a service says of itself now; nothing while it is dead."""
        try:
            return list(snapshot(wiring(self.mesh.home, "cli"), service, SNAPSHOT_S_MAX).values())
        except HouseError:
            return []

    def fault(self, name: str, /, **parameters: object) -> int:
        return self.mesh.venue.fault(name, user=self.mesh.public["account"], **parameters)

    def struck(self) -> int:
        """Return how often the faults struck that are armed."""
        return sum(each["struck"] for each in self.mesh.venue.armed())

    def accepted(self) -> int:
        """Return how many orders of ours the venue ever took, as far as its log was read."""
        return len(self.orphans.taken)

    def has_placed(self, orders: int) -> bool:
        return self.accepted() >= orders

    def check(self) -> None:
        """Both rules, and that quoting is back."""
        self.mesh.venue.clear()
        self.wait("quotes again", self.mesh.quoting, 30)
        self.wait("positions agree", lambda: positions_agree(self.mesh) and self._agrees(), 30)
        assert self.mesh.status()["halted"] is False
        check_only_approved_orders(self.mesh)
        assert self.orphans.longest_ms <= (ORPHAN_S_MAX + self.mesh.canary.stall_s) * 1_000

    def _agrees(self) -> bool:
        """Compare the venue's fills with those that order_management wrote down, and its positions with risk's."""
        told = Counter((fill.coin, fill.tid) for fill in self.mesh.judge.refresh().fills())
        with Journal.read_only(self.mesh.home.database("order_management")) as journal:
            rows = [row for _, row in journal.rows((FillRecord,))]
        if Counter((row.fill.coin, row.fill.tid) for row in rows if isinstance(row, FillRecord)) != told:
            return False
        settings = load(self.mesh.home.config)
        held = {
            said.coin: settings.instrument(said.coin).size(said.position)
            for said in self.said("risk")
            if isinstance(said, Exposure)
        }
        return all(held.get(coin, Decimal(0)) == size for coin, size in self.mesh.judge.positions().items())

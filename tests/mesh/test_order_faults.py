"""Orders of a real mesh under the venue's faults; the venue's log and its checker judge.

The exact bounds and the 2,000 orders with lost answers are tested on virtual time
(tests/common/simulation/test_order_faults.py); a kill at each single step is tests/services/order_management/.

Rules
  1. No cloid is accepted twice, and no order of ours rests for 10 s without order_management naming it.
  2. When the fault is over, `mm status`, risk and the venue have the same positions, and the same fills as sets.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from typing import Final

import pytest

from common.config import load
from common.errors import HouseError
from common.journal import Journal
from common.mesh import snapshot
from common.messages import Exposure, FillRecord, LiveOrders, Message
from common.wiring import wiring
from common.witness_check import check
from tests.mesh.judge import Orphans
from tests.mesh.live import TEST_UNIT_MS, LiveMesh
from tests.mesh.test_trading import check_only_approved_orders, positions_agree

pytestmark = pytest.mark.mesh

LEVELS: Final = 4
CHANGES = {
    "venue_sim": {"faults": True, "trade_rate": 2.0},
    "strategy": {"levels": LEVELS},
    "orders": {"price_tolerance": 0.01, "queue_tolerance": 0.01},  # requotes at nearly every price
    # what many requotes and many faults would set off, and what is not on trial here
    "monitors": {
        "troubles_max": 10_000,
        "flickers_max": 100_000,
        "fills_max": 10_000,
        "round_trips_max": 10_000,
        "open_interest_min_usd": 1e12,  # the synthetic market has little of it
    },
}
ORPHAN_S_MAX: Final = 10
LOST_ACKS_S: Final = 45
LOST_ACKS_ORDERS_MIN: Final = 300  # in that time, on a busy machine
ROWS_UNTIL_KILLED: Final = (60, 1, 2, 100, 3, 7, 1, 30, 12, 1, 90, 5)  # few: in the middle of a recovery
SNAPSHOT_S_MAX: Final = 2.0


class Trial:
    """The mesh with a fault, and a look at its orders whenever something is waited for."""

    def __init__(self, mesh: LiveMesh) -> None:
        self.mesh = mesh
        self.orphans = Orphans(mesh.judge)

    def wait(self, what: str, condition: Callable[[], object], seconds: float) -> None:
        def looked() -> object:
            self.look()
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
        return len({order.oid for order in self.mesh.judge.orders()})

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


@pytest.fixture
def trial(mesh: LiveMesh) -> Iterator[Trial]:
    """Give the module's mesh as it quotes; whatever happens, no fault outlives a test."""
    yield Trial(mesh)
    mesh.venue.clear()


def test_lost_acks(trial: Trial) -> None:
    """5 % of all answers to actions never come, over as many orders as fit in the time."""
    before = trial.accepted()
    trial.fault("lose_ack", share=0.05)
    trial.wait_for(LOST_ACKS_S)
    assert trial.accepted() >= before + LOST_ACKS_ORDERS_MIN
    assert trial.struck() >= 5
    trial.check()


def test_silent_user_stream(trial: Trial) -> None:
    """Answers come, order updates and fills do not: pulled within eight units of what should have been told."""
    mark = trial.mesh.judge.refresh().seq
    for channel in ("orderUpdates", "userFills"):
        trial.fault("freeze_stream", channel=channel)
    for coin in ("BTC", "ETH"):
        trial.wait(f"{coin} pulled", partial(trial.mesh.judge.pulled, coin, mark), 8 * TEST_UNIT_MS / 1_000)
    trial.check()


def test_dropped_sockets(trial: Trial) -> None:
    """The account's sockets are aborted every 5 s for 30 s."""
    for _ in range(6):
        trial.fault("drop_socket")
        trial.wait_for(5)
    trial.check()


def test_replayed_duplicated_and_reordered_messages(trial: Trial) -> None:
    """Old fills are told as if they were new; every message twice, and they overtake each other."""
    for channel in ("orderUpdates", "userFills"):
        trial.fault("duplicate_messages", channel=channel, after_ms=300)
        trial.fault("reorder_messages", channel=channel, window_ms=1_000)
    for _ in range(4):
        trial.wait_for(5)
        trial.fault("replay_fills", fills=50)
    assert trial.struck() >= 50
    trial.check()


def test_failing_cancels(trial: Trial) -> None:
    """No cancel succeeds for 30 s: nothing is placed on top of what goes on resting."""

    def nothing_on_top() -> bool:
        sides = Counter((order.coin, order.side) for order in trial.mesh.judge.resting().values())
        return max(sides.values(), default=0) <= LEVELS

    trial.fault("failed_cancels")
    trial.wait_for(30, nothing_on_top)
    assert trial.struck() >= 5
    trial.check()


def test_fill_before_ack(trial: Trial) -> None:
    """The answer to an order waits until its fill was told, or for two seconds."""
    trial.fault("fill_before_ack", delay_ms=2_000)
    trial.wait_for(15)
    assert trial.struck() >= 5
    trial.check()


def test_killed_again_and_again(trial: Trial) -> None:
    """`kill -9` of order_management after so many rows of its journal, in the middle of quoting and of recoveries."""
    newest = 0
    for rows in ROWS_UNTIL_KILLED:
        newest = newest_row(trial.mesh, newest)
        trial.wait(f"{rows} more rows", partial(written, trial.mesh, newest, rows), 25)
        old = trial.mesh.kill("order_management")
        trial.mesh.wait_restarted("order_management", old)
    trial.check()


def newest_row(mesh: LiveMesh, after: int) -> int:
    with Journal.read_only(mesh.home.database("order_management")) as journal:
        return max((seq for seq, _ in journal.rows(after=after)), default=after)


def written(mesh: LiveMesh, after: int, rows: int) -> bool:
    return newest_row(mesh, after) >= after + rows


def test_the_log_is_lawful(mesh: LiveMesh) -> None:
    """After all that the independent checker finds nothing in the venue's log."""
    report = check(mesh.judge.refresh().lines)
    assert report.ok, report.findings[:5]

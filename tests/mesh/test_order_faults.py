"""Orders of a real mesh under the venue's faults; the venue's log and its checker judge.

What must hold is in trial.py; lost answers have a mesh of their own (test_lost_acks.py). The exact bounds are tested on
virtual time (tests/common/simulation/test_order_faults.py); a kill at each single step is
tests/services/order_management/test_kills.py.
"""

from collections import Counter
from functools import partial
from typing import Final

import pytest

from common.journal import Journal
from common.witness_check import check
from tests.mesh.live import TEST_UNIT_MS, LiveMesh
from tests.mesh.trial import MANY_ORDERS, Trial

pytestmark = pytest.mark.mesh

LEVELS: Final = 4
CHANGES = {
    "venue_sim": {"faults": True, "trade_rate": 2.0},
    "strategy": {"levels": LEVELS},
    "orders": {"price_tolerance": 0.01, "queue_tolerance": 0.01},  # requotes at nearly every price
    "monitors": MANY_ORDERS,
}
ROWS_UNTIL_KILLED: Final = (60, 1, 2, 100, 3, 7, 1, 30, 12, 1, 90, 5)  # few: in the middle of a recovery


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
    trial.wait("five answers were late", lambda: trial.struck() >= 5, 30)
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

"""Hostile processes with a service's own key: the venue sees nothing beyond the limits."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from common import config
from services.cli.configuration import ROOT
from services.cli.supervision import Supervisor
from tests.mesh.limits import Limits
from tests.mesh.live import LiveMesh, live_mesh
from tests.mesh.test_trading import check_only_approved_orders

pytestmark = pytest.mark.mesh

SECONDS = 12
CANCELS_MAX = 4_000  # of 10,000 a second that are asked for: what the canceller's own limits and sweeps leave


@pytest.fixture(scope="module")
def mesh() -> Iterator[LiveMesh]:
    with live_mesh() as living:
        living.wait_ready()
        living.wait_quoting()
        yield living


def let_loose(mesh: LiveMesh, service: str) -> int:
    """Put the rogue in the place of the service for a while; return the last line of the log before."""
    supervisor = Supervisor(mesh.home.run())
    supervisor.stop(service)
    mark = mesh.judge.refresh().seq
    command = [sys.executable, "-m", "tests.mesh.rogue", service, str(mesh.home.path), str(SECONDS)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS * 5, check=False)
    assert ended.returncode == 0, ended.stderr[-2_000:]
    supervisor.start(service)
    return mark


@pytest.mark.parametrize("service", ["strategy", "order_management"])
def test_a_rogue_reaches_nothing_beyond_the_limits(mesh: LiveMesh, service: str) -> None:
    """Orders get through, all of them approved and small; risk and canceller live on in the same processes."""
    before = {name: mesh.pid(name) for name in ("risk", "canceller")}
    mark = let_loose(mesh, service)
    assert {name: mesh.pid(name) for name in before} == before
    judge = mesh.judge.refresh()
    limits = Limits(config.load(mesh.home.config), judge.user).follow(judge.lines)
    assert limits.faults == []
    assert limits.accepted > 0
    check_only_approved_orders(mesh)
    ours = [action for action in judge.actions(after=mark) if action.user == judge.user]
    assert {action.action["type"] for action in ours} <= {
        *("order", "batchModify", "cancelByCloid", "cancel", "noop", "scheduleCancel")
    }
    assert sum(len(action.action.get("cancels", [])) for action in ours) <= CANCELS_MAX

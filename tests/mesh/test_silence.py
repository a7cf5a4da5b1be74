"""Who cancels when the others are dead: the canceller, risk, and in the end the venue itself."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mesh.live import LiveMesh, live_mesh

pytestmark = pytest.mark.mesh

UNIT_S = 0.3
CHANGES = {"liveness": {"unit_ms": 300}, "crash_budget": {"starts": 50, "throttle_max_s": 0.5}}
CANCELLER_S = 8 * UNIT_S + 2  # its limit, then a list and a cancel
HORIZON_S = 9
MESH = ("risk", "order_management", "canceller", "strategy", "market_data", "estimation", "metrics")


@contextlib.contextmanager
def frozen(mesh: LiveMesh, *services: str) -> Iterator[int]:
    """Stop these processes without ending them; give the last line of the log before."""
    mark = mesh.judge.refresh().seq
    pids = [mesh.kill(service, signal.SIGSTOP) for service in services]
    try:
        yield mark
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def cancelled_by(mesh: LiveMesh, name: str, mark: int) -> bool:
    """Say whether this service's key asked for cancels after the mark."""
    actions = mesh.judge.refresh().actions(after=mark)
    return any(
        action.signer == mesh.public["agents"][name] and action.action["type"].startswith("cancel")
        for action in actions
    )


def command_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def nothing_rests(mesh: LiveMesh) -> bool:
    return mesh.judge.refresh().resting() == {}


def test_with_risk_and_order_management_frozen_the_canceller_empties_the_venue(mesh: LiveMesh) -> None:
    """Both who cancel first are silent: the third does, with its own key, and does not fight them afterwards."""
    with frozen(mesh, "risk", "order_management") as mark:
        mesh.wait("nothing rests", lambda: nothing_rests(mesh), CANCELLER_S)
        assert cancelled_by(mesh, "canceller", mark)
        assert not cancelled_by(mesh, "risk", mark)
    mesh.wait_ready()
    mesh.wait_quoting(40)
    assert mesh.status()["halted"] is False


def test_with_the_canceller_frozen_risk_pulls_the_quotes(mesh: LiveMesh) -> None:
    """Approvals need it alive: order_management's cancels are lost with it, so risk cancels with its own key."""
    with frozen(mesh, "canceller") as mark:
        mesh.wait("nothing rests", lambda: nothing_rests(mesh), CANCELLER_S + 10)
        assert cancelled_by(mesh, "risk", mark)
    mesh.wait_ready()
    mesh.wait_quoting(40)
    assert mesh.status()["halted"] is False


def test_with_all_dead_the_venue_cancels() -> None:
    """ScheduleCancel is armed while the mesh lives; nobody of ours is there when it fires."""
    with live_mesh({"canceller": {"schedule_horizon_ms": HORIZON_S * 1_000}}) as mesh:
        mesh.wait_ready()
        mesh.wait_quoting()
        supervisor = next(pid for pid in mesh.processes() if b"supervisord" in command_of(pid))
        os.kill(supervisor, signal.SIGSTOP)  # or it would bring them back
        try:
            for service in MESH:
                mesh.kill(service)
            assert "scheduledCancel" not in {order.status for order in mesh.judge.refresh().orders()}
            mesh.wait("nothing rests", lambda: nothing_rests(mesh), HORIZON_S)
            assert "scheduledCancel" in {order.status for order in mesh.judge.orders()}
        finally:
            os.kill(supervisor, signal.SIGCONT)

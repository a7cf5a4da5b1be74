"""`kill -9` and SIGSTOP of each process: it returns alone, quotes go and return, fills count once."""

import signal
from functools import partial

import pytest

from tests.mesh.live import LiveMesh
from tests.mesh.test_trading import check_only_approved_orders, positions_agree

pytestmark = pytest.mark.mesh

# A restart must take longer than the shortest silence that pulls quotes, or there is nothing to see.
CHANGES = {"liveness": {"unit_ms": 300}, "crash_budget": {"starts": 50, "throttle_max_s": 3.0}}
UNIT_S = 0.3
PULL_S = 8 * UNIT_S  # the slowest of the silences that pull quotes
COINS = ("BTC", "ETH")


def check_recovered(mesh: LiveMesh) -> None:
    """The mesh quotes again, agrees with the venue, and one ordinary crash latched nothing."""
    mesh.wait_ready(30)
    mesh.wait_quoting(30)
    mesh.wait("positions agree", lambda: positions_agree(mesh), 20)
    check_only_approved_orders(mesh)
    assert mesh.status()["halted"] is False


def wait_pulled(mesh: LiveMesh, mark: int, seconds: float = PULL_S) -> None:
    """Wait until the venue's log shows nothing of ours in each coin, at some moment after the mark."""
    for coin in COINS:
        mesh.wait(f"{coin} pulled", partial(mesh.judge.pulled, coin, mark), seconds)


@pytest.mark.parametrize("service", ["market_data", "estimation", "strategy", "metrics", "canceller", "venue_sim"])
def test_killed_it_comes_back_alone(mesh: LiveMesh, service: str) -> None:
    """Supervisord restarts this one; the others keep their processes."""
    others = {name: mesh.pid(name) for name in ("market_data", "strategy", "risk", "canceller") if name != service}
    mark = mesh.judge.refresh().seq
    old = mesh.kill(service)
    if service in {"market_data", "estimation", "strategy"}:
        wait_pulled(mesh, mark)
    mesh.wait_restarted(service, old)
    check_recovered(mesh)
    assert {name: mesh.pid(name) for name in others} == others


def test_while_risk_is_dead_nothing_new_is_signed_and_quotes_go(mesh: LiveMesh) -> None:
    """Without risk there is no signature; what rests is cancelled by the others."""
    stopped = mesh.kill("risk", signal.SIGSTOP)  # so that it cannot come back before the quotes are gone
    mark = mesh.judge.refresh().seq
    frozen_ms = mesh.judge.lines[-1].t
    wait_pulled(mesh, mark)
    assert mesh.judge.refresh().resting() == {}
    while_frozen = mesh.judge.placing(after=mark)
    assert mesh.kill("risk") == stopped
    mesh.wait_restarted("risk", stopped)
    check_recovered(mesh)
    in_flight_ms = 1_000  # a nonce is the venue's time at the signature; what was on its way may still arrive
    assert all(action.nonce <= frozen_ms + in_flight_ms for action in while_frozen)


def test_killed_order_management_recovers(mesh: LiveMesh) -> None:
    """Its orders are found at the venue, cancelled, verified; its fills are counted once."""
    mark = mesh.judge.refresh().seq
    old = mesh.kill("order_management")
    wait_pulled(mesh, mark, 15)
    mesh.wait_restarted("order_management", old)
    check_recovered(mesh)


@pytest.mark.parametrize("service", ["market_data", "estimation", "strategy"])
def test_frozen_it_pulls_the_quotes(mesh: LiveMesh, service: str) -> None:
    """A process that neither dies nor works is as good as dead; when it wakes, quoting resumes."""
    mark = mesh.judge.refresh().seq
    mesh.kill(service, signal.SIGSTOP)
    try:
        wait_pulled(mesh, mark)
        assert mesh.judge.refresh().resting() == {}
    finally:
        mesh.kill(service, signal.SIGCONT)
    check_recovered(mesh)

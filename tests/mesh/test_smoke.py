"""The one mesh test of `make test`: it starts, quotes, survives a kill, and leaves nothing behind."""

import signal
from functools import partial

import pytest

from tests.mesh.live import live_mesh

pytestmark = [pytest.mark.mesh, pytest.mark.smoke]


def test_the_mesh_quotes_survives_a_kill_and_leaves_nothing() -> None:
    """If this fails, nothing else about the running system is true."""
    with live_mesh() as mesh:
        mesh.wait_ready()
        mesh.wait_quoting()
        mark = mesh.judge.seq
        old = mesh.kill("strategy", signal.SIGSTOP)  # so that it cannot come back before its quotes are gone
        for coin in ("BTC", "ETH"):
            mesh.wait(f"{coin} pulled", partial(mesh.judge.pulled, coin, mark), 8)
        mesh.kill("strategy")
        mesh.wait_restarted("strategy", old)
        mesh.wait_quoting()
        assert mesh.judge.duplicates() == []
        assert mesh.mm("down").returncode == 0
        assert mesh.judge.refresh().resting() == {}
        mesh.wait("all processes ended", lambda: not mesh.processes(), 5)

"""The one mesh test of `make test`: it starts, quotes, survives a kill, and leaves nothing behind."""

import pytest

from tests.mesh.live import live_mesh

pytestmark = [pytest.mark.mesh, pytest.mark.smoke]


def test_the_mesh_quotes_survives_a_kill_and_leaves_nothing() -> None:
    """If this fails, nothing else about the running system is true."""
    with live_mesh() as mesh:
        mesh.wait_ready()
        mesh.wait_quoting()
        mark = mesh.judge.seq
        old = mesh.kill("strategy")
        for coin in ("BTC", "ETH"):
            mesh.wait(f"{coin} pulled", lambda c=coin: mesh.judge.refresh().was_empty(c, mark), 8)  # type: ignore[misc]
        mesh.wait_restarted("strategy", old)
        mesh.wait_quoting()
        assert mesh.judge.duplicates() == []
        assert mesh.mm("down").returncode == 0
        assert mesh.judge.refresh().resting() == {}
        mesh.wait("all processes ended", lambda: not mesh.processes(), 5)

"""The real mesh on a real venue that breaks on request: it goes on, and the venue's log is sound."""

import pytest

from common.halt import HaltDir
from common.witness_check import verify
from tests.mesh.live import LiveMesh, live_mesh

pytestmark = pytest.mark.mesh


def equity_that_is_no_number(mesh: LiveMesh) -> None:
    """C12: NaN trips instead of switching the control off: nothing rests, nothing is placed any more."""
    mesh.venue.fault("absurd_account", value="NaN")
    mesh.wait("halted for loss", lambda: "loss" in {file.cause for file in HaltDir(mesh.home.halt).read().files}, 20)
    mesh.wait("nothing rests", lambda: not mesh.judge.refresh().resting(), 20)
    contained = mesh.mm("halt", "--reason", "the proof", "--timeout", "60", timeout_s=120)
    assert contained.returncode == 0, contained.stdout + contained.stderr
    mark = mesh.judge.refresh().seq
    mesh.venue.fault("manual_trade", coin="BTC", side="buy", size="0.001")  # what would move every quote
    mesh.wait("the trade", lambda: mesh.judge.refresh().seq > mark + 20, 20)
    ours = mesh.public["agents"]["risk"]
    assert [action for action in mesh.judge.placing(after=mark) if action.signer == ours] == []


def test_lost_acks_and_a_dropped_socket() -> None:
    """Quotes come back after both; every fault is in the log, and the log holds to the rules."""
    with live_mesh({"venue_sim": {"faults": True}}) as mesh:
        mesh.wait_ready()
        mesh.wait_quoting()
        number = mesh.venue.fault("lose_ack", share=0.3, for_ms=10_000)
        assert mesh.venue.fault("drop_socket", channel="orderUpdates") == 0

        def struck() -> bool:
            return all(each["struck"] for each in mesh.venue.armed())

        mesh.wait("a lost ack", struck, 10)
        mesh.venue.clear(number)
        mesh.wait_ready()
        mesh.wait_quoting()
        equity_that_is_no_number(mesh)
        mesh.mm("down")
        report = verify(mesh.home.witness)
        assert report.ok, "\n".join(map(str, report.findings[:20]))

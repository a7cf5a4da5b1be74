"""The real mesh on a real venue that breaks on request: it goes on, and the venue's log is sound."""

import pytest

from common.witness_check import verify
from tests.mesh.live import live_mesh

pytestmark = pytest.mark.mesh


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
        mesh.mm("down")
        report = verify(mesh.home.witness)
        assert report.ok, "\n".join(map(str, report.findings[:20]))

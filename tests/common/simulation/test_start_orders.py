"""No order of starting deadlocks the mesh: nobody's READY waits for another's."""

import random

import pytest

from services.replay.seating import ORDER
from tests.common.simulation.test_driver import check_ready, check_truth
from tests.common.simulation.whole_mesh import WholeMesh

GAP_S = 1.5
SETTLE_S = 30

SHUFFLED = [tuple(random.Random(seed).sample(ORDER, len(ORDER))) for seed in range(3)]


@pytest.mark.truth
@pytest.mark.parametrize("order", [tuple(reversed(ORDER)), *SHUFFLED], ids=lambda order: "-".join(order)[:40])
def test_every_order_of_starting_ends_ready(order: tuple[str, ...]) -> None:
    """One after the other, each a while alone: then all are READY, quote, and agree with the venue."""
    mesh = WholeMesh(17, start=False)
    for name in order:
        mesh.simulation.start(name)
        mesh.run_for(GAP_S)
    mesh.run_for(SETTLE_S)
    check_ready(mesh)
    assert mesh.judge.resting()
    check_truth(mesh)

"""What `mm up --seconds` judges at its end."""

import pytest

from common.messages import HaltDirectory, LiveOrders
from common.units import Side
from services.cli.status import ServiceStatus, Status, assemble
from services.cli.up import Judgement
from tests.services.cli.samples import live_order, settings


def seen(state: str, *, quoted: bool) -> Status:
    live = LiveOrders(coin="BTC", orders=(live_order(Side.BUY, 10),) if quoted else ())
    return assemble(
        settings=settings(),
        endpoints={},
        services={"risk": ServiceStatus(state=state)},
        facts={"order_management": {("LiveOrders", "BTC"): live}},
        halt=HaltDirectory(),
    )


@pytest.mark.parametrize(
    ("looks", "both", "verdict"),
    [
        ([], False, "was never READY and never quoting"),
        ([("STARTING", False)], False, "was never READY and never quoting"),
        ([("READY", False)], False, "was never quoting"),
        ([("DEGRADED", True)], False, "was never READY"),
        ([("DEGRADED", True), ("READY", False)], False, "was never READY while quoting"),
        ([("READY", True)], True, "was READY and quoted"),
        ([("STARTING", False), ("READY", True), ("DOWN", False)], True, "was READY and quoted"),
    ],
)
def test_ready_and_quoting_at_the_same_time(looks: list[tuple[str, bool]], both: bool, verdict: str) -> None:
    """One alone is not what the mesh is for; once both, it has shown it."""
    judgement = Judgement()
    for state, quoted in looks:
        judgement.see(seen(state, quoted=quoted))
    assert (judgement.both, judgement.verdict) == (both, verdict)

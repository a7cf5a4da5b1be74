"""Coming back after a loss, on virtual time, as a class and as a whole."""

from decimal import Decimal

import pytest

from common.messages import ArmRecord, ArmRequest, Exposure, HaltFile
from common.units import SECOND, Millis, Nanos
from services.risk.ramp import Ramp
from tests.services.risk.scene import SETTINGS, Scene

BEGAN = 1_000_000


def armed(cause: str) -> ArmRecord:
    return ArmRecord(reason="x", cleared=(HaltFile(name="1", cause=cause),), at_ms=Millis(BEGAN))


@pytest.mark.parametrize(
    ("minutes", "ppm"),
    [(-1, 500_000), (0, 500_000), (15, 750_000), (29.994, 999_900), (30, 1_000_000), (99, 1_000_000)],
)
def test_from_half_to_all(minutes: float, ppm: int) -> None:
    """Rule 2: evenly over half an hour, never outside of it."""
    ramp = Ramp(SETTINGS.risk)
    ramp.restore(armed("loss"))
    assert ramp.ppm(Millis(BEGAN + int(minutes * 60_000))) == ppm
    assert ramp.ppm(None) == 500_000


@pytest.mark.parametrize(("cause", "ppm"), [("drawdown", 500_000), ("operator", 1_000_000)])
def test_only_after_a_loss(cause: str, ppm: int) -> None:
    """Rule 1: a halt for another reason comes back whole."""
    ramp = Ramp(SETTINGS.risk)
    ramp.restore(armed(cause))
    assert ramp.ppm(Millis(BEGAN)) == ppm


def test_headroom_grows_back_after_a_drawdown() -> None:
    """Halted by a drawdown, armed by a person, half of the room at once, all of it after half an hour, restarts too."""
    scene = Scene().ready()
    full = scene.last(Exposure).headroom_bid
    scene.equity = Decimal(94_000)
    scene.wait(5.5)
    assert {latch.cause for latch in scene.latches} == {"loss", "drawdown"}
    scene.now = Nanos(scene.now + 86_400 * SECOND)  # the loss of the day is over when it is
    scene.live()
    scene.wait(40)
    names = " ".join(file.name for file in scene.directory.files)
    scene.send(ArmRequest(request_id=1, command=names.encode(), signature=b"good"))
    scene.wait(15)
    assert not scene.directory.halted
    assert scene.last(Exposure).headroom_bid == pytest.approx(full / 2, rel=0.02)
    again = Scene(scene.rows, epoch=8, now=scene.now)
    again.equity = scene.equity
    again.ready()
    assert again.last(Exposure).headroom_bid == pytest.approx(full / 2, rel=0.02)
    again.now = Nanos(again.now + 1_800 * SECOND)
    again.live()
    again.wait(6)
    assert again.last(Exposure).headroom_bid == full

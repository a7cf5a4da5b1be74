"""What risk says, and when."""

from common.messages import (
    AddressBudget,
    Approval,
    Approved,
    Exposure,
    Halt,
    HaltDirectory,
    Posture,
    RiskCounts,
    StreamFills,
    Wake,
)
from tests.services.risk.scene import Scene, bid, fill_of


def test_everything_is_repeated_every_unit() -> None:
    """Rule 1: a lost message heals: posture, exposure and counts are said again without any change."""
    scene = Scene().ready()
    scene.sent.clear()
    scene.wait(1)
    assert len(scene.told(Posture)) == 4
    assert len(scene.told(Exposure)) == 8
    assert len(scene.told(RiskCounts)) == 4
    assert len(scene.told(AddressBudget)) == 4


def test_own_fills_move_position_and_exposure() -> None:
    """Rule 2: a fill on the own stream leaves the worst case as it is: what was pending is held now."""
    scene = Scene().ready()
    order = bid(1)
    scene.send(scene.request(order))
    scene.update(order, 9, "open")
    scene.wait(0.25)
    fill = fill_of(order, 300, scene.venue_ms, 1)
    scene.fills.append(fill)
    scene.positions["BTC"] = 300
    scene.send(StreamFills(fills=(fill,), snapshot=False, received_at=scene.now))
    told = [fact for fact in scene.told(Exposure) if fact.coin == "BTC"][-1]
    assert (told.position, told.pending_bid, told.worst_case_max_position) == (300, 500, 800)


def test_changes_go_out_at_once() -> None:
    """Rule 2: a reservation changes one coin's exposure, after the answer; prices alone wait for the unit."""
    scene = Scene().ready()
    scene.sent.clear()
    scene.prices("BTC", 600_100)
    assert scene.told(Exposure) == []
    scene.send(scene.request(bid(1)))
    assert [type(send.message) for send in scene.sent] == [Approval, Approved]
    assert scene.risk.deadline() == scene.now
    scene.send(Wake())
    assert {fact.coin for fact in scene.told(Exposure)} == {"BTC"}
    scene.sent.clear()
    scene.send(HaltDirectory(readable=False))
    assert len(scene.told(Posture)) == 1
    told = scene.last(Halt)
    assert (told.halted, told.latched, told.contained, told.causes) == (True, True, False, ())

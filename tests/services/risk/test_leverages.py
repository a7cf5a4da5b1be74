"""Leverage that another hand has changed: noticed, put right while flat, only reduced while held."""

import pytest

from common.messages import Approval, PostureLevel, VenueCapacity
from common.messages.venue import UpdateLeverage
from common.units import Lots, Nanos
from services.risk.leverages import CHANGED, SET_PAUSE, Leverages
from tests.services.risk.scene import SETTINGS, Scene, bid, codes

SOON_S = 66  # both coins are asked for in turn, each half a minute


def stated(leverage: int | None, *, is_cross: bool = True, coin: str = "BTC") -> VenueCapacity:
    return VenueCapacity(query_id=1, coin=coin, buy=Lots(1), sell=Lots(1), leverage=leverage, is_cross=is_cross)


def test_what_is_due() -> None:
    """Rule 2: once where nothing is known; again and again where it is wrong, and never where it is right."""
    leverages = Leverages(SETTINGS)
    assert leverages.due(Nanos(0)) == ["BTC", "ETH"]
    leverages.on_capacity(stated(10, coin="ETH"))
    assert leverages.due(Nanos(0)) == ["BTC"]
    leverages.on_set("BTC", Nanos(0))
    assert leverages.due(SET_PAUSE) == []
    leverages.on_capacity(stated(None))
    leverages.on_capacity(stated(3, coin="DOGE"))
    assert leverages.due(SET_PAUSE) == []
    leverages.on_capacity(stated(9))
    assert leverages.due(Nanos(SET_PAUSE - 1)) == []
    assert leverages.due(SET_PAUSE) == ["BTC"]


@pytest.mark.parametrize(("leverage", "is_cross"), [(9, True), (11, True), (10, False)])
def test_a_change_is_a_finding_once(leverage: int, is_cross: bool) -> None:
    """Rule 4: from right to wrong; what was wrong from the start is none, nor is what stays so."""
    leverages = Leverages(SETTINGS)
    wrong = stated(leverage, is_cross=is_cross)
    assert leverages.on_capacity(wrong) == []
    assert leverages.on_capacity(stated(10)) == []
    (found,) = leverages.on_capacity(wrong)
    assert (found.kind, found.coin, found.fatal) == (CHANGED, "BTC", False)
    assert f"leverage is {leverage}" in found.evidence
    assert leverages.on_capacity(wrong) == []


def levered(scene: Scene) -> list[str]:
    return [sign.action.coin for sign in scene.signs if isinstance(sign.action, UpdateLeverage)]


def started(**positions: int) -> Scene:
    scene = Scene()
    scene.leverages = {"BTC": 10, "ETH": 10}
    scene.positions.update(positions)
    return scene.ready()


def test_what_is_right_is_not_set() -> None:
    """Rule 2: the venue has said so before we were ready."""
    scene = started()
    scene.wait(SOON_S)
    assert levered(scene) == []
    assert scene.level() is PostureLevel.NORMAL


def test_another_hand_is_noticed_and_put_right() -> None:
    """Rules 2 to 4: the flat coin is pulled, set, read at once and quoted again; the other one goes on."""
    scene = started()
    scene.leverages["BTC"] = 3
    scene.wait(SOON_S)
    assert scene.leverages == {"BTC": 10, "ETH": 10}
    assert levered(scene) == ["BTC"]
    assert scene.risk._watch.findings[CHANGED] == 1
    assert (scene.level(), scene.level("ETH")) == (PostureLevel.NORMAL, PostureLevel.NORMAL)


def test_a_venue_that_keeps_its_own_is_not_quoted_on() -> None:
    """Rules 2 and 3: pulled for as long as it lasts, and tried again every ten seconds."""
    scene = started()
    scene.leverages["BTC"], scene.stubborn = 3, True
    scene.wait(SOON_S)
    assert (scene.level(), scene.level("ETH")) == (PostureLevel.PULL_QUOTES, PostureLevel.NORMAL)
    assert 2 <= len(levered(scene)) <= SOON_S / 10
    scene.send(scene.request(bid(1)))
    assert codes(scene.last(Approval)) == {"posture"}
    assert "BTC: leverage is 3 cross at the venue, 10 cross is configured" in scene.risk.detail
    scene.stubborn = False
    scene.wait(11)
    assert scene.level() is PostureLevel.NORMAL


def test_what_is_held_is_only_reduced() -> None:
    """Rule 3: by the next account state; nothing is set while it is held."""
    scene = started(BTC=500)
    scene.leverages["BTC"] = 3
    scene.wait(6)
    assert scene.level() is PostureLevel.REDUCE_ONLY
    scene.send(scene.request(bid(1)))
    assert codes(scene.last(Approval)) == {"reduce_only"}
    scene.wait(20)
    assert levered(scene) == []
    assert scene.risk._watch.findings[CHANGED] == 1

"""What must be read before anything is approved."""

from typing import Any

import msgspec
import pytest

from common.messages import (
    VenueMeta,
)
from common.units import Nanos
from services.risk.agents import Agents
from services.risk.audit import Audit, Kind
from services.risk.recovery import Recovery, universe_fault
from services.risk.venue_limits import VenueLimits
from tests.services.risk.scene import SETTINGS, Scene


def test_a_universe_that_contradicts_ends_the_process() -> None:
    """Rule 2: a wrong asset index would trade another coin."""
    scene = Scene()
    instrument = SETTINGS.instruments()["BTC"]
    scene.send(VenueMeta(query_id=999, universe=(instrument,)))
    assert scene.exits[0].code == 78
    assert "coins.ETH" in scene.exits[0].reason


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({}, ""),
        ({"asset": 5}, "coins.BTC: asset 0 with 5 size decimals; the venue says 5 and 5"),
        ({"size_decimals": 4}, "coins.BTC: asset 0 with 5 size decimals; the venue says 0 and 4"),
        ({"leverage_max": 10}, ""),
        ({"leverage_max": 9}, "coins.BTC.leverage: 10; the venue allows 9"),
        ({"coin": "XBT"}, "coins.BTC: the venue has no such coin"),
    ],
)
def test_the_universe(changed: dict[str, Any], fault: str) -> None:
    """Rule 2: assets and sizes must be the venue's, leverage no more than it allows."""
    coins = SETTINGS.instruments()
    meta = VenueMeta(query_id=1, universe=(coins["ETH"], msgspec.structs.replace(coins["BTC"], **changed)))
    assert universe_fault(SETTINGS, meta) == fault


def test_only_later_answers_count() -> None:
    """Rule 1: a question that was under way when the socket came up says nothing about now."""
    audit, recovery = Audit(10_000, Nanos(0), Agents("0xus", {}), VenueLimits(["BTC"])), Recovery()
    recovery.on_answer(Kind.ORDERS, Nanos(0))
    recovery.begin(audit, Nanos(10))
    for kind in Kind:
        recovery.on_answer(kind, Nanos(9))
    assert len(recovery.missing) == 4
    for kind in Kind:
        recovery.on_answer(kind, Nanos(10))
    assert not recovery.missing
    recovery.begin(audit, Nanos(20))
    assert recovery.missing == ("account", "fills", "orders")

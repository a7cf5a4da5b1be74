"""Rules of services/venue_sim/dead_man.py, one story each."""

import msgspec

from common.units import Micros, Millis
from services.venue_sim.api import OrderEvent, ScheduleCancel
from services.venue_sim.dead_man import FIRINGS_MAX
from services.venue_sim.rules import DAY_MS
from tests.services.venue_sim.stage import ALICE, BOB, BUY, Stage, config, order


def schedule(stage: Stage, after_ms: int | None) -> str:
    """Ask in a block of its own, for a time counted from that block; return the error."""
    number = stage.ask(ALICE, ScheduleCancel(None if after_ms is None else Millis(stage.now + 70 + after_ms)))
    stage.block()
    return stage.answer(number).error


def test_at_least_five_seconds_ahead() -> None:
    """Rule 1: 4,999 ms are too early, 5,000 are not; no time removes the schedule."""
    stage = Stage()
    stage.rest(ALICE, order(BUY, "99000", "0.01"))
    assert schedule(stage, 4_999) == "Scheduled cancel time too early, must be at least 5 seconds from now."
    assert schedule(stage, 5_000) == ""
    assert schedule(stage, None) == ""
    stage.block(10_000)
    assert len(stage.info.open_orders(ALICE)) == 1


def test_volume_gate() -> None:
    """Rule 2: with the gate, setting and unsetting need the volume."""
    stage = Stage(msgspec.structs.replace(config(), schedule_cancel_volume=Micros(1_000_000 * 1_000_000)))
    stage.exchange._floor.accounts[ALICE].budget.volume = Micros(12_066_750_000)
    text = "Cannot set scheduled cancel time until enough volume traded. Required: $1000000. Traded: $12066.75."
    assert (schedule(stage, 6_000), schedule(stage, None)) == (text, text)
    stage.exchange._floor.accounts[ALICE].budget.volume = Micros(1_000_000 * 1_000_000)
    assert schedule(stage, 6_000) == ""


def test_fires_at_its_time() -> None:
    """Rule 3: at the time everything of the account goes, once; others keep theirs."""
    stage = Stage()
    (mine,) = stage.rest(ALICE, order(BUY, "99000", "0.01"))
    stage.rest(BOB, order(BUY, "99000", "0.01"))
    schedule(stage, 5_000)
    stage.block(4_999)
    assert len(stage.info.open_orders(ALICE)) == 1
    stage.block(1)
    assert stage.told(ALICE) == [(mine, "scheduledCancel", "0.01")]
    assert [event.non_user_cancel for event in stage.events(OrderEvent)] == [True]
    assert len(stage.info.open_orders(BOB)) == 1
    stage.rest(ALICE, order(BUY, "99000", "0.01"))
    stage.block(20_000)
    assert len(stage.info.open_orders(ALICE)) == 1


def test_ten_firings_a_day() -> None:
    """Rule 4: after the tenth firing no time is taken until midnight UTC."""
    stage = Stage()
    for _ in range(FIRINGS_MAX):
        assert schedule(stage, 5_000) == ""
        stage.block(5_000)
    assert schedule(stage, 5_000) == "Scheduled cancel already triggered 10 times today."
    stage.block(DAY_MS - stage.now % DAY_MS)
    assert schedule(stage, 5_000) == ""

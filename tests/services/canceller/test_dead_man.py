"""The venue's dead man's switch: moved in time, left alone after a refusal, released only when armed."""

import pytest

from common.messages.venue import ScheduleCancel
from common.units import MILLISECOND, SECOND, Millis, Nanos
from services.canceller.dead_man import RETRY_GAP, DeadMan

HORIZON_MS = 15_000
VENUE_NOW = Millis(1_000_000)


def dead_man() -> DeadMan:
    return DeadMan(HORIZON_MS, due=Nanos(0))


def test_it_is_renewed_at_a_third_of_its_horizon() -> None:
    """Two renewals may fail before the venue fires."""
    switch = dead_man()
    assert switch.renewal(VENUE_NOW, Nanos(0)) == ScheduleCancel(Millis(VENUE_NOW + HORIZON_MS))
    third = HORIZON_MS * MILLISECOND // 3
    assert switch.renewal(VENUE_NOW, Nanos(third - 1)) is None
    assert switch.renewal(Millis(VENUE_NOW + 5_000), Nanos(third)) == ScheduleCancel(Millis(1_020_000))


def test_a_refusal_waits_long() -> None:
    """The venue refuses until enough was traded, which no haste changes; its words are kept."""
    switch = dead_man()
    asked = switch.renewal(VENUE_NOW, Nanos(0))
    assert asked is not None
    switch.on_answer(asked, "too little volume", Nanos(SECOND))
    assert switch.word == "too little volume"
    assert switch.renewal(VENUE_NOW, Nanos(SECOND + RETRY_GAP - 1)) is None
    assert switch.renewal(VENUE_NOW, Nanos(SECOND + RETRY_GAP)) is not None


@pytest.mark.parametrize(
    ("at_ms", "error", "word", "released"),
    [
        (VENUE_NOW, "", "armed", True),
        (None, "", "disarmed", False),
        (VENUE_NOW, "refused", "refused", False),
    ],
)
def test_only_an_armed_switch_is_released(at_ms: Millis | None, error: str, word: str, released: bool) -> None:
    """Disarming what is not armed would cost a request and say nothing."""
    switch = dead_man()
    assert switch.release() is None
    switch.on_answer(ScheduleCancel(at_ms), error, Nanos(0))
    assert switch.word == word
    assert switch.release() == (ScheduleCancel(None) if released else None)

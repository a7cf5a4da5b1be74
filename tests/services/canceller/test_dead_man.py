"""The venue's dead man's switch: moved in time, left alone after a refusal, released only when armed."""

import pytest

from common.actor import Post
from common.messages import PostFailed
from common.messages.venue import ScheduleCancel
from common.units import MILLISECOND, SECOND, Millis, Nanos
from services.canceller.dead_man import RETRY_GAP, DeadMan
from tests.services.canceller.test_core import SETTINGS, UNIT_S, Story

HORIZON_MS = 15_000
VENUE_NOW = Millis(1_000_000)


def dead_man() -> DeadMan:
    return DeadMan(HORIZON_MS, due=Nanos(0))


def test_it_is_renewed_at_a_third_of_its_horizon() -> None:
    """Rule 1: two renewals may fail before the venue fires."""
    switch = dead_man()
    assert switch.renewal(VENUE_NOW, Nanos(0)) == ScheduleCancel(Millis(VENUE_NOW + HORIZON_MS))
    third = HORIZON_MS * MILLISECOND // 3
    assert switch.renewal(VENUE_NOW, Nanos(third - 1)) is None
    assert switch.renewal(Millis(VENUE_NOW + 5_000), Nanos(third)) == ScheduleCancel(Millis(1_020_000))


def test_a_lost_answer_is_no_refusal() -> None:
    """Rule 1: the next renewal comes in time, whatever became of this one; rule 3: it may be armed."""
    switch = dead_man()
    asked = switch.renewal(VENUE_NOW, Nanos(0))
    assert asked is not None
    switch.on_failure(asked, "connection lost")
    assert switch.word == "not known: connection lost"
    assert switch.renewal(VENUE_NOW, Nanos(HORIZON_MS * MILLISECOND // 3)) is not None
    assert switch.release() == ScheduleCancel(None)
    switch.on_answer(ScheduleCancel(None), "", Nanos(0))
    switch.on_failure(ScheduleCancel(None), "connection lost")
    assert switch.release() is None


def test_a_refusal_waits_long() -> None:
    """Rule 2: the venue refuses until enough was traded, which no haste changes; its words are kept."""
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
    """Rule 3: disarming what is not armed would cost a request and say nothing."""
    switch = dead_man()
    assert switch.release() is None
    switch.on_answer(ScheduleCancel(at_ms), error, Nanos(0))
    assert switch.word == word
    assert switch.release() == (ScheduleCancel(None) if released else None)


@pytest.mark.parametrize("sent", [True, False])
def test_a_lost_renewal_is_renewed_in_time(sent: bool) -> None:
    """Rule 9: the venue's switch must not fire on a healthy mesh because one answer was lost."""
    story = Story()
    renewals = 0
    for unit in range(80):
        story.alive().until(unit * UNIT_S)
        renewals += len([sign for sign in story.signed() if isinstance(sign.action, ScheduleCancel)])
        for post in story.take(Post):
            story.send(PostFailed(post_id=post.post_id, sent=sent, reason="lost"))
        story.ignore()
    assert renewals == 1 + int(79 * UNIT_S * 3_000 / SETTINGS.canceller.schedule_horizon_ms)

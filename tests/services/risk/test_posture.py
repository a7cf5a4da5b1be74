"""Causes, their sum, and the way back."""

from common.messages import PostureLevel
from common.units import SECOND, Nanos
from services.risk.posture import HOLD_OFF, Cause, PostureBoard

PULL = Cause(PostureLevel.PULL_QUOTES, "book stale", "BTC")
WIDEN = Cause(PostureLevel.WIDEN, "losing")


def board(*causes: Cause) -> PostureBoard:
    made = PostureBoard()
    made.update(causes, Nanos(0))
    return made


def test_the_strictest_wins_at_once() -> None:
    """Rules 1 and 4: for its coin, and never milder than the whole."""
    made = board()
    made.update([PULL, WIDEN], Nanos(1))
    assert made.level("BTC") is PostureLevel.PULL_QUOTES
    assert made.level("ETH") is made.level() is PostureLevel.WIDEN
    assert made.texts() == ("BTC: book stale", "losing")


def test_going_back_takes_the_hold_off() -> None:
    """Rule 2: five seconds after it was last there, not a nanosecond before."""
    made = board()
    made.update([PULL], Nanos(1))
    made.update([PULL], Nanos(SECOND))
    made.update([], Nanos(SECOND + 1))
    assert made.deadline(Nanos(SECOND + 1)) == SECOND + HOLD_OFF
    made.update([], Nanos(SECOND + HOLD_OFF - 1))
    assert made.level("BTC") is PostureLevel.PULL_QUOTES
    made.update([], Nanos(SECOND + HOLD_OFF))
    assert made.level("BTC") is PostureLevel.NORMAL
    assert made.deadline(Nanos(SECOND + HOLD_OFF)) is None


def test_a_cause_of_its_own_hold_off() -> None:
    """Rule 2: none for a start or a halt, a longer one for a canceller that fires again."""
    made = board()
    made.update([Cause(PostureLevel.HALTED, "halted", hold=Nanos(0))], Nanos(1))
    made.update([], Nanos(2))
    assert made.level() is PostureLevel.NORMAL


def test_what_was_never_good_is_not_held() -> None:
    """Rule 3: the first clearing is immediate; the second is not."""
    made = board(PULL)
    made.update([], Nanos(1))
    assert made.level("BTC") is PostureLevel.NORMAL
    made.update([PULL], Nanos(2))
    made.update([], Nanos(3))
    assert made.level("BTC") is PostureLevel.PULL_QUOTES


def test_texts_of_one_name_are_one_cause() -> None:
    """Rule 3: "no mark" that turns into "no book" is still the same start."""
    made = board(Cause(PostureLevel.PULL_QUOTES, "no mark", "BTC", name="references"))
    made.update([Cause(PostureLevel.PULL_QUOTES, "no book", "BTC", name="references")], Nanos(1))
    assert made.texts() == ("BTC: no book",)
    made.update([], Nanos(2))
    assert made.texts() == ()

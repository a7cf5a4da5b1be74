"""Burning and containing, without anything around it."""

from common.messages import DecisionRecord
from common.units import MILLISECOND, SECOND, Millis, Nanos
from services.risk.decisions import Decisions
from services.risk.kill import Burner, Containment
from tests.services.risk.scene import bid


def decisions(*nonces: int) -> Decisions:
    made = Decisions(margin_ms=2_000)
    for nonce in nonces:
        made.add(
            DecisionRecord(
                approval_id=1,
                asker="order_management",
                epoch=1,
                nonce=nonce,
                expires_after=Millis(nonce + 2_000),
                orders=(bid(nonce),),
                vetoes=(),
                tag="quote",
            )
        )
    return made


def at(seconds: float) -> Nanos:
    return Nanos(int(seconds * SECOND))


def test_each_nonce_is_burnt_every_second_until_settled() -> None:
    """Rule 1: oldest first; what was settled or shown is left alone."""
    memory = decisions(10, 11)
    burner = Burner(memory)
    assert burner.due(at(0)) == [10, 11]
    assert burner.due(at(0.999)) == []
    assert burner.deadline(at(0)) == at(1)
    memory.settle(10)
    assert burner.due(at(1)) == [11]
    memory.arrived(bid(11).cloid)
    assert burner.due(at(2)) == []
    assert burner.deadline(at(2)) is None


def begun(*nonces: int) -> Containment:
    containment = Containment(decisions(*nonces))
    containment.begin()
    return containment


def empty(containment: Containment, asked: float, now: float) -> None:
    assert not containment.on_list(ours=False, asked_at=at(asked), now=at(now))


def test_lists_count_only_when_nothing_can_arrive() -> None:
    """Rule 2: the last moment at which the venue may still accept is the expiry itself."""
    containment = begun(1_000)
    assert not containment.wants_read(at(0), None)
    assert not containment.wants_read(at(1), Millis(3_000))
    empty(containment, 1, 1)
    assert containment.wants_read(at(2), Millis(3_001))
    assert not containment.wants_read(at(2), Millis(3_001))
    empty(containment, 1.9, 2)  # asked too early
    for number in range(3):
        assert not containment.contained
        empty(containment, 2 + number, 2 + number)
    assert containment.contained


def test_reads_are_a_quarter_second_apart() -> None:
    """Rule 2: each is asked 250 ms after the last answer."""
    containment = begun()
    assert containment.wants_read(at(0), Millis(0))
    empty(containment, 0, 0.1)
    assert containment.deadline(at(0.1)) == at(0.35)
    assert not containment.wants_read(Nanos(at(0.35) - 1), Millis(0))
    assert containment.wants_read(at(0.35), Millis(0))
    assert containment.deadline(at(0.35)) is None


def test_one_of_ours_starts_the_count_anew() -> None:
    """Rule 3: two empty lists before it are worth nothing; cancels keep a second's distance."""
    containment = begun()
    containment.wants_read(at(0), Millis(0))
    empty(containment, 0, 0)
    empty(containment, 0.3, 0.3)
    assert containment.on_list(ours=True, asked_at=at(0.6), now=at(0.6))
    assert not containment.on_list(ours=True, asked_at=at(0.9), now=Nanos(at(1.6) - 1))
    assert containment.on_list(ours=True, asked_at=at(1.6), now=at(1.6))
    for number in (2, 3):
        empty(containment, number, number)
    assert not containment.contained
    empty(containment, 4, 4)
    assert containment.contained


def test_lists_slow_down_while_something_rests() -> None:
    """Rule 3: 250 ms, then twice as long each time, up to four seconds; an empty one is fast again."""
    containment = begun()
    containment.wants_read(at(0), Millis(0))
    pauses = []
    for second in range(0, 60, 10):
        containment.on_list(ours=True, asked_at=at(second), now=at(second))
        due = containment.deadline(at(second))
        assert due is not None
        pauses.append((due - at(second)) // MILLISECOND)
    assert pauses == [250, 500, 1_000, 2_000, 4_000, 4_000]
    empty(containment, 70, 70)
    assert containment.deadline(at(70)) == at(70.25)


def test_contained_is_lost_again() -> None:
    """Rule 4: a later list that shows one of ours ends it."""
    containment = begun()
    containment.wants_read(at(0), Millis(0))
    for number in range(3):
        empty(containment, number, number)
    assert containment.contained
    assert not containment.wants_read(at(9), Millis(0))
    assert containment.on_list(ours=True, asked_at=at(10), now=at(10))
    assert not containment.contained


def test_no_halt_nothing_to_contain() -> None:
    """Before and after a halt lists are nobody's proof."""
    containment = Containment(decisions())
    assert not containment.on_list(ours=True, asked_at=at(1), now=at(1))
    assert not containment.wants_read(at(1), Millis(0))

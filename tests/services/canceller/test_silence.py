"""Silence's rules, both sides of its limits, and how many firings are too many."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.messages import Heartbeat, ServiceState
from common.units import SECOND, Nanos
from services.canceller.silence import FIRING_WINDOW, Firings, Silence

WATCHED = ("risk", "order_management")
LIMIT = Nanos(2 * SECOND)


def silence(started_at: int = 0) -> Silence:
    return Silence(WATCHED, LIMIT, Nanos(started_at))


def beat(service: str, *, stopping: bool = False) -> Heartbeat:
    return Heartbeat(service=service, epoch=1, state=ServiceState.READY, stopping=stopping)


@pytest.mark.parametrize(("now", "silent"), [(LIMIT - 1, ()), (LIMIT, WATCHED)])
def test_the_limit_runs_from_the_start(now: int, silent: tuple[str, ...]) -> None:
    """Rule 1: who was never heard has as long as everybody, from this process's own start."""
    assert silence().silent(Nanos(now)) == silent
    assert silence(SECOND).silent(Nanos(now + SECOND)) == silent


def test_a_word_restarts_its_own_limit_only() -> None:
    """Rule 1: each by itself; others' words are not listened to."""
    watch = silence()
    watch.hear(beat("risk"), Nanos(SECOND))
    watch.hear(beat("strategy"), Nanos(SECOND))
    assert watch.silent(LIMIT) == ("order_management",)
    assert watch.silent(Nanos(SECOND + LIMIT)) == WATCHED
    assert sorted(watch.heard) == ["risk"]


def test_an_own_pause_is_nobodys_silence() -> None:
    """Rule 2: every limit starts anew, also of those who were heard."""
    watch = silence()
    watch.hear(beat("risk"), Nanos(0))
    watch.forgive(Nanos(10 * SECOND))
    assert watch.silent(Nanos(10 * SECOND + LIMIT - 1)) == ()
    assert watch.silent(Nanos(10 * SECOND + LIMIT)) == WATCHED


def test_an_announced_stop_is_blameless() -> None:
    """Rule 3: only if each of the silent had announced it, and a new life takes it back."""
    watch = silence()
    assert not watch.blameless(("risk",))
    watch.hear(beat("risk", stopping=True), Nanos(0))
    assert watch.blameless(("risk",))
    assert not watch.blameless(WATCHED)
    watch.hear(beat("risk"), Nanos(1))
    assert not watch.blameless(("risk",))


def test_the_limit_of_firings_is_one_too_many() -> None:
    """The last one within the window tells, and the count begins anew; the total goes on."""
    firings = Firings(3)
    assert [firings.add(Nanos(n * SECOND)) for n in range(6)] == [False, False, True] * 2
    assert firings.total == 6


@pytest.mark.parametrize(("last", "too_many"), [(FIRING_WINDOW - 1, True), (FIRING_WINDOW, False)])
def test_old_firings_do_not_count(last: int, too_many: bool) -> None:
    """A firing leaves the window when it is exactly as old as the window is long."""
    firings = Firings(2)
    firings.add(Nanos(0))
    assert firings.add(Nanos(last)) is too_many


@given(st.lists(st.tuples(st.sampled_from(["risk", "order_management", "strategy"]), st.integers(0, 50)), max_size=30))
def test_silence_is_exactly_the_limit(beats: list[tuple[str, int]]) -> None:
    """A watched service is silent from the limit on, counted from its last word or the start."""
    silence = Silence(("risk", "order_management"), Nanos(10), Nanos(0))
    last = {"risk": 0, "order_management": 0}
    for service, at in sorted(beats, key=lambda pair: pair[1]):
        silence.hear(beat(service), Nanos(at))
        if service in last:
            last[service] = at
    for now in range(70):
        assert silence.silent(Nanos(now)) == tuple(name for name in last if now - last[name] >= 10)

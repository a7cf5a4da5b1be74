"""Time on the way: how long, from which model, and in which order."""

from random import Random
from statistics import median, pstdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.delays import DELAY_MS_MAX, ConstantDelay, Delay, LognormalDelay, RecordedDelay, UniformDelay
from services.venue_sim import latency
from services.venue_sim.latency import Line, is_none, sampler

DELAYS = st.one_of(
    st.builds(ConstantDelay, ms=st.integers(0, 900)),
    st.builds(UniformDelay, least_ms=st.integers(0, 300), most_ms=st.integers(300, 900)),
    st.builds(LognormalDelay, median_ms=st.floats(1.0, 300.0), sigma=st.floats(0.1, 1.0)),
    st.builds(RecordedDelay, ms=st.lists(st.integers(0, 900), min_size=1, max_size=5).map(tuple)),
)


def drawn(delay: Delay, count: int = 2_000, seed: int = 1) -> list[int]:
    draw = sampler(delay, Random(seed))
    return [draw() for _ in range(count)]


def test_models() -> None:
    """Rule 1: each draws what it says, and the same again from the same seed."""
    assert set(drawn(ConstantDelay(ms=30))) == {30}
    assert {min(found) for found in [drawn(UniformDelay(least_ms=5, most_ms=9))]} == {5}
    assert max(drawn(UniformDelay(least_ms=5, most_ms=9))) == 9
    assert set(drawn(RecordedDelay(ms=(7, 11, 300)))) == {7, 11, 300}
    spread = drawn(LognormalDelay(median_ms=80.0, sigma=0.5))
    assert median(spread) == pytest.approx(80, rel=0.05)
    assert pstdev(spread) > 30
    assert (
        spread
        == drawn(LognormalDelay(median_ms=80.0, sigma=0.5))
        != drawn(LognormalDelay(median_ms=80.0, sigma=0.5), seed=2)
    )
    assert max(drawn(LognormalDelay(median_ms=50_000.0, sigma=3.0))) == DELAY_MS_MAX


def test_what_is_none() -> None:
    """Zero, however it is said, is no delay."""
    assert is_none(ConstantDelay())
    assert is_none(UniformDelay(least_ms=0, most_ms=0))
    assert not is_none(UniformDelay(least_ms=0, most_ms=1))
    assert not is_none(ConstantDelay(ms=1))
    assert Line[str](ConstantDelay(), Random(1)).is_idle


def test_arrives_in_time() -> None:
    """Not a millisecond before its time, and once."""
    line = Line[str](ConstantDelay(ms=300), Random(1))
    line.send("a", 1_000)
    assert line.arrived(1_299) == []
    assert line.arrived(1_300) == ["a"]
    assert line.arrived(9_999) == []


@given(DELAYS, st.integers(), st.lists(st.tuples(st.integers(1, 3), st.integers(0, 50)), max_size=60))
@settings(max_examples=60)
def test_order_is_kept(delay: Delay, seed: int, story: list[tuple[int, int]]) -> None:
    """Rule 2: what has one key arrives in order, whatever the delays; nothing is lost."""
    line, now, sent = Line[tuple[int, int]](delay, Random(seed)), 0, dict[int, list[int]]()
    for serial, (key, pause) in enumerate(story):
        now += pause
        line.send((key, serial), now, key)
        sent.setdefault(key, []).append(serial)
    heard: dict[int, list[int]] = {}
    for key, serial in line.arrived(now + DELAY_MS_MAX):
        heard.setdefault(key, []).append(serial)
    assert heard == sent


def test_without_a_key_they_overtake() -> None:
    """HTTP requests of different connections have no order."""
    line = Line[int](UniformDelay(least_ms=0, most_ms=500), Random(3))
    for number in range(50):
        line.send(number, number)
    arrived = line.arrived(1_000)
    assert sorted(arrived) == list(range(50)) != arrived


def test_who_has_gone_hears_nothing() -> None:
    """What is under way to a closed connection is dropped, what goes to others is not."""
    line = Line[str](ConstantDelay(ms=100), Random(1))
    line.send("one", 0, 1)
    line.send("two", 0, 2)
    line.forget(lambda key: key == 1)
    assert line.arrived(100) == ["two"]


def test_overflow_arrives_early() -> None:
    """Past the limit the oldest arrive before their time instead of eating the memory."""
    line = Line[int](ConstantDelay(ms=1_000), Random(1))
    for number in range(latency.UNDER_WAY_MAX + 2):
        line.send(number, 0)
    assert line.arrived(1) == [0, 1]

"""Sums and extremes against a list that forgets nothing."""

from hypothesis import given, settings
from hypothesis import strategies as st

from common.units import Nanos
from services.risk.windows import ENTRIES_MAX, Extremes, Window

SPAN = 10
moves = st.lists(st.tuples(st.integers(0, 7), st.integers(-5, 5)), max_size=40)


@settings(max_examples=60, deadline=None)
@given(moves)
def test_windows_agree_with_a_list(steps: list[tuple[int, int]]) -> None:
    """Rule 1: at every moment the sum, the count, the lowest and the highest of what is younger than the span."""
    window, extremes = Window(Nanos(SPAN)), Extremes(Nanos(SPAN))
    seen: list[tuple[int, int]] = []
    now = 0
    for pause, value in steps:
        now += pause
        window.add(Nanos(now), value)
        extremes.add(Nanos(now), value)
        seen.append((now, value))
        for at in (now, now + 4):
            young = [value for when, value in seen if at - when < SPAN]
            if at == now:
                assert (window.sum(Nanos(at)), window.count(Nanos(at))) == (sum(young), len(young))
                assert extremes.range(Nanos(at)) == (min(young), max(young))


def test_the_span_itself_is_excluded() -> None:
    """Rule 1: gone at the very moment."""
    window, extremes = Window(Nanos(SPAN)), Extremes(Nanos(SPAN))
    window.add(Nanos(0), 3)
    extremes.add(Nanos(0), 3)
    assert (window.sum(Nanos(9)), extremes.range(Nanos(9))) == (3, (3, 3))
    assert (window.sum(Nanos(10)), extremes.range(Nanos(10))) == (0, None)


def test_windows_are_bounded() -> None:
    """Rule 2: the oldest goes first."""
    window = Window(Nanos(SPAN))
    for number in range(ENTRIES_MAX + 1):
        window.add(Nanos(0), int(number == 0))
    assert (window.sum(Nanos(0)), window.count(Nanos(0))) == (0, ENTRIES_MAX)

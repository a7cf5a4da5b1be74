"""Extremes of what was seen lately, against the plain way."""

from math import floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.estimation.recent import STEPS, Recent

SPAN_S = 5.0


def test_nothing_was_seen() -> None:
    """Neither before the first value, nor once the last is too old."""
    one = Recent(SPAN_S)
    assert one.range(0.0) is None
    one.add(3.0, 1.0)
    assert one.range(1.0) == (3.0, 3.0)
    assert one.range(1.0 + SPAN_S + SPAN_S / STEPS) is None
    one.clear()
    assert one.range(1.0) is None


@pytest.mark.parametrize(("later_s", "remembered"), [(SPAN_S, True), (SPAN_S + SPAN_S / STEPS, False)])
def test_a_value_is_remembered_for_the_span(later_s: float, remembered: bool) -> None:
    """Rule 1: both sides of its end."""
    one = Recent(SPAN_S)
    one.add(9.0, 1.0)
    one.add(5.0, 1.0 + later_s)
    assert one.range(1.0 + later_s) == (5.0, 9.0 if remembered else 5.0)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(-1e9, 1e9), st.floats(-1, 4)), min_size=1, max_size=80))
def test_it_is_the_range_of_its_steps(rows: list[tuple[float, float]]) -> None:
    """Rules 1 and 2: whatever comes, late values too; memory stays bounded."""
    one, seen, at_s, newest_s = Recent(SPAN_S), list[tuple[int, float]](), 0.0, 0.0
    for value, dt_s in rows:
        at_s = max(0.0, at_s + dt_s)
        newest_s = max(newest_s, at_s)
        one.add(value, at_s)
        number = max([floor(at_s / (SPAN_S / STEPS)), *(step for step, _ in seen[-1:])])
        seen.append((number, value))
        first = floor(newest_s / (SPAN_S / STEPS)) - STEPS
        lately = [value for step, value in seen if step >= first]
        assert one.range(newest_s) == (min(lately), max(lately))
    assert len(one._steps) <= STEPS + 1

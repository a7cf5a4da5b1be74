"""Plots are well-formed SVG whatever the numbers are."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.replay import plots

NUMBERS = st.floats(-1e12, 1e12)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 1e6), NUMBERS), min_size=1, max_size=20))
def test_lines_stay_inside_the_frame(curve: list[tuple[float, float]]) -> None:
    """A flat curve, a single point and huge numbers too."""
    svg = ET.fromstring(plots.lines("a < b", "USD", {"x": curve}))  # noqa: S314  # our own text
    line = next(node for node in svg.iter() if node.tag == "polyline")
    for point in line.attrib["points"].split():
        x, y = map(float, point.split(","))
        assert plots.LEFT - 1 <= x <= plots.WIDTH
        assert 0 <= y <= plots.HEIGHT


def test_what_is_no_number_is_left_out() -> None:
    """A NaN in one place must not empty the whole plot."""
    curve = [(0.0, float("nan")), (1.0, 2.0), (2.0, 3.0)]
    svg = plots.lines("t", "u", {"x": curve}, [plots.Mark(1, 2, "red")], [(0, 1)])
    assert "nan" not in svg
    assert svg.count("<circle") == 1
    assert svg.count("<rect") == 1


def test_nothing_to_draw_says_so() -> None:
    """An empty frame would look like a flat line."""
    assert plots.lines("t", "u", {"x": []}) == "<p>t: nothing to draw</p>"
    assert plots.bars("t", "u", []) == "<p>t: nothing to draw</p>"


@pytest.mark.parametrize("value", [-2.0, 0.0, 3.0])
def test_bars_begin_at_zero(value: float) -> None:
    """Whatever the sign, with their errors."""
    svg = ET.fromstring(plots.bars("t", "bps", [("one & two", value, 0.5)]))  # noqa: S314  # our own text
    bar = next(node for node in svg.iter() if node.tag == "rect")
    assert float(bar.attrib["height"]) >= 0.5

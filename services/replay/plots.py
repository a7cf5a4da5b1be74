"""Line plots and bars as SVG text, without any library: a report is one file that opens anywhere."""

from collections.abc import Sequence
from html import escape
from math import isfinite
from typing import Final

import msgspec

WIDTH: Final = 860
HEIGHT: Final = 220
LEFT: Final = 90  # room for the labels of the y axis
BOTTOM: Final = 28
TOP: Final = 26
TICKS: Final = 5
COLOURS: Final = ("#1f6feb", "#d1242f", "#1a7f37", "#9a6700")


class Mark(msgspec.Struct, frozen=True):
    """A single point on a plot."""

    x: float
    y: float
    colour: str


class Scale(msgspec.Struct, frozen=True):
    """A stretch of numbers on a stretch of pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def lines(
    title: str,
    unit: str,
    curves: dict[str, Sequence[tuple[float, float]]],
    marks: Sequence[Mark] = (),
    shades: Sequence[tuple[float, float]] = (),
) -> str:
    """Draw curves of (seconds, value); `shades` are stretches of time with a grey ground."""
    points = [point for curve in curves.values() for point in curve if isfinite(point[1])]
    if not points:
        return f"<p>{escape(title)}: nothing to draw</p>"
    times = [point[0] for point in points]
    x = Scale(min(times), max(*times, min(times) + 1), LEFT, WIDTH - 10)
    y = Scale(*_stretch([point[1] for point in points]), HEIGHT - BOTTOM, TOP)
    parts = [_frame(title, unit, x, y)]
    for start, end in shades:
        left, right = (min(max(x(at), LEFT), WIDTH - 10) for at in (start, end))
        parts.append(
            f'<rect x="{left:.1f}" y="{TOP}" width="{max(right - left, 1):.1f}" height="{HEIGHT - TOP - BOTTOM}" '
            'fill="#8b949e" opacity="0.25"/>'
        )
    for colour, (name, curve) in zip(COLOURS, curves.items(), strict=False):
        path = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in curve if isfinite(value))
        parts.append(
            f'<polyline fill="none" stroke="{colour}" stroke-width="1.2" points="{path}">'
            f"<title>{escape(name)}</title></polyline>"
        )
    parts += [f'<circle cx="{x(m.x):.1f}" cy="{y(m.y):.1f}" r="2.5" fill="{m.colour}"/>' for m in marks]
    return _svg(parts)


def bars(title: str, unit: str, values: Sequence[tuple[str, float, float | None]]) -> str:
    """Draw (name, value, standard error or None)."""
    if not values:
        return f"<p>{escape(title)}: nothing to draw</p>"
    reach = [value + sign * (error or 0) for _, value, error in values for sign in (1, -1)]
    y = Scale(*_stretch([0.0, *reach]), HEIGHT - BOTTOM, TOP)
    x = Scale(0, len(values), LEFT, WIDTH - 10)
    parts = [_frame(title, unit, None, y)]
    for place, (name, value, error) in enumerate(values):
        left, middle = x(place + 0.25), x(place + 0.5)
        top, height = min(y(value), y(0)), abs(y(value) - y(0))
        colour = COLOURS[2] if value >= 0 else COLOURS[1]
        parts.append(
            f'<rect x="{left:.1f}" y="{top:.1f}" width="{x(0.5) - x(0):.1f}" height="{max(height, 0.5):.1f}" '
            f'fill="{colour}"><title>{escape(name)}: {value:.4g}</title></rect>'
        )
        if error is not None:
            parts.append(
                f'<line x1="{middle:.1f}" x2="{middle:.1f}" y1="{y(value - error):.1f}" y2="{y(value + error):.1f}" '
                'stroke="#24292f"/>'
            )
        parts.append(f'<text x="{middle:.1f}" y="{HEIGHT - 10}" text-anchor="middle">{escape(name)}</text>')
    return _svg(parts)


def _stretch(values: Sequence[float]) -> tuple[float, float]:
    """Return the range with some air; a flat one gets some around it."""
    low, high = min(values), max(values)
    air = (high - low) * 0.04 or abs(high) * 0.01 or 1.0
    return low - air, high + air


def _frame(title: str, unit: str, x: Scale | None, y: Scale) -> str:
    parts = [f'<text x="{LEFT}" y="16" class="title">{escape(title)} [{escape(unit)}]</text>']
    for place in range(TICKS + 1):
        value = y.low + (y.high - y.low) * place / TICKS
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - 10}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#d0d7de"/>'
            f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:,.6g}</text>'
        )
        if x is not None:
            at = x.low + (x.high - x.low) * place / TICKS
            parts.append(f'<text x="{x(at):.1f}" y="{HEIGHT - 10}" text-anchor="middle">{at:,.0f} s</text>')
    return "".join(parts)


def _svg(parts: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">{"".join(parts)}</svg>'

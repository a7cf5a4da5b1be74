"""Figures for people: aligned tables with units, percentiles by nearest rank, machine facts."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from textwrap import fill
from typing import Final

import zmq

GAP: Final = "  "
WIDTH: Final = 120  # characters of a note's line


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The first `words` columns are words and stand left, the others are figures and stand right."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    notes: tuple[str, ...] = ()
    words: int = 1

    def text(self) -> str:
        lines = [self.columns, *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        body = [GAP + GAP.join(map(self._cell, range(len(widths)), widths, line)).rstrip() for line in lines]
        notes = (fill(note, WIDTH, initial_indent="  * ", subsequent_indent="    ") for note in self.notes)
        return "\n".join([self.title, *body, *notes])

    def _cell(self, number: int, width: int, text: str) -> str:
        return text.ljust(width) if number < self.words else text.rjust(width)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that `share` of all values do not exceed; NaN of none."""
    if not values:
        return float("nan")
    return sorted(values)[max(1, ceil(share * len(values))) - 1]


def spread(values: Sequence[float], shares: Sequence[float], form: str = ",.0f") -> tuple[str, ...]:
    """Return how many there are, the percentiles and the largest, as cells of a table."""
    cuts = (*(percentile(values, share) for share in shares), percentile(values, 1))
    return (f"{len(values):,}", *(format(cut, form) for cut in cuts))


def machine() -> str:
    """Say what these figures were measured on."""
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    model = names[0].partition(":")[2].strip() if names else platform.machine()
    return (
        f"{len(os.sched_getaffinity(0))} cores ({model}), load {os.getloadavg()[0]:.1f} at the start, "
        f"Python {platform.python_version()}, ZeroMQ {zmq.zmq_version()}, {platform.system()} {platform.release()}"
    )

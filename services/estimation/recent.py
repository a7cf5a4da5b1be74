"""The lowest and highest of what was seen lately, in steps: O(1), whatever comes.

Rules
  1. The span is STEPS steps; what lies in the step of now or in one of the STEPS before it counts, so a value is
     remembered for the span at least and for one step more at most.
  2. Times never go back: an older value is counted in the step that is open.
"""

from collections import deque
from math import floor
from typing import Final

STEPS: Final = 10


class Recent:
    """One series of numbers, times in seconds."""

    def __init__(self, span_s: float) -> None:
        self._step_s = span_s / STEPS
        self._steps: deque[tuple[int, float, float]] = deque(maxlen=STEPS + 1)  # number, lowest, highest

    def add(self, value: float, at_s: float) -> None:
        number = floor(at_s / self._step_s)
        if self._steps and number <= self._steps[-1][0]:
            number, lowest, highest = self._steps.pop()
            value_low, value_high = min(lowest, value), max(highest, value)
        else:
            value_low = value_high = value
        self._steps.append((number, value_low, value_high))

    def range(self, at_s: float) -> tuple[float, float] | None:
        """Return the lowest and the highest of the span before `at_s`; None where nothing was seen in it."""
        first = floor(at_s / self._step_s) - STEPS
        steps = [step for step in self._steps if step[0] >= first]
        if not steps:
            return None
        return min(lowest for _, lowest, _ in steps), max(highest for _, _, highest in steps)

    def clear(self) -> None:
        self._steps.clear()

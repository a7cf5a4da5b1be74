"""What the venue's core costs does not depend on the depth of its book."""

import pytest

from tests.bench.exchange_core import cost_ratio, memory

RATIO_MAX = 1.5
ATTEMPTS = 3
GROWTH_MIB_MAX = 40  # of the second half of the actions; what is remembered is full by then


@pytest.mark.truth
@pytest.mark.timed
def test_depth_costs_nothing() -> None:
    """An action at 50,000 resting orders costs at most one and a half times that at 1,000."""
    ratios: list[float] = []
    while not ratios or (min(ratios) > RATIO_MAX and len(ratios) < ATTEMPTS):  # other processes disturb it
        ratios.append(cost_ratio())
    assert min(ratios) <= RATIO_MAX, ratios


@pytest.mark.truth
@pytest.mark.timed
def test_memory_is_bounded() -> None:
    """What accounts leave behind is forgotten at its limits: the second half of a long life needs no more memory."""
    (_, _before), (_, half), (_, end) = memory(200_000)
    assert end - half < GROWTH_MIB_MAX, (half, end)

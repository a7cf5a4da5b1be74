"""The bench of estimators: each is in it, keeps nothing, and costs late what it cost early."""

import pytest

from tests.bench.estimators import cost, estimators, fit_slices, hawkes_against_the_sum

LATE = 20_000
RATIO_MAX = 2.0  # on a shared machine; what grows with its past costs twenty times as much
BLOCKS_MAX = 0.2  # what grows with its past keeps one or more
ATTEMPTS = 3


@pytest.mark.truth
@pytest.mark.timed
@pytest.mark.parametrize("name", estimators())
def test_constant_time_and_memory(name: str) -> None:
    """Event 20,000 costs what event 1,000 did, within noise, and leaves nothing behind; one try of three is enough."""
    tries = (cost(estimators()[name](), late=LATE) for _ in range(ATTEMPTS))
    assert any(one.late_us / one.early_us < RATIO_MAX and one.blocks_kept < BLOCKS_MAX for one in tries)


@pytest.mark.truth
@pytest.mark.timed
def test_the_sum_grows_and_the_recursion_does_not() -> None:
    """Ten times the past makes the O(n) version several times as slow."""
    (_, few), (_, many) = (hawkes_against_the_sum(past) for past in (500, 5_000))
    assert many > 3 * few


def test_a_fit_takes_many_slices() -> None:
    """Each of bounded work: a pass over 2,000 events is four of them."""
    slices = fit_slices(2_000)
    assert len(slices) >= 4
    assert len(slices) % 4 == 0

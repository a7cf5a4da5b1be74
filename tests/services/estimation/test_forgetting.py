"""Forgetting: weights by clock time, moments as numpy has them, rates that watch."""

from math import exp, inf, isclose, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.estimation.forgetting import Comoments, Forgetting, Rate, decay, effective, gamma_interval


def test_an_old_value_weighs_half() -> None:
    """Rule 1: after one half-life."""
    mean = Forgetting(10.0)
    assert (mean.mean, mean.effective_samples) == (0.0, 0.0)
    mean.add(1.0)
    mean.fade(10.0)
    mean.add(4.0)
    assert mean.mean == pytest.approx((0.5 * 1 + 4) / 1.5)
    assert mean.total == pytest.approx(4.5)
    assert mean.effective_samples == pytest.approx(1.5**2 / 1.25)
    mean.fade(1e6)
    assert mean.effective_samples == 0.0


def test_weights_are_taken() -> None:
    """A value over 3 s counts three times one over 1 s."""
    mean = Forgetting(inf)
    mean.add(1.0, 3.0)
    mean.add(5.0)
    assert mean.mean == 2.0


def test_silence_makes_samples_fewer() -> None:
    """Rule 2: the classical ratio alone would stay at the number of a steady state for ever."""
    assert effective(10.0, 5.0) == 20.0
    assert effective(5.0, 1.0) == 10.0
    assert effective(0.0, 0.0) == 0.0


pairs = st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.floats(0, 30)), min_size=2, max_size=60)


@settings(max_examples=60)
@given(pairs, st.floats(1, 100))
def test_moments_are_those_of_numpy(rows: list[tuple[float, float, float]], half_life_s: float) -> None:
    """Rule 3: means and covariance under the same weights, to 1e-9 of the numbers' size."""
    moments = Comoments(half_life_s)
    for x, y, dt_s in rows:
        moments.add(x, y, dt_s)
    ages = np.cumsum([0.0, *(row[2] for row in rows[:0:-1])])[::-1]
    weights = np.exp(-decay(half_life_s) * ages)
    xs, ys = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    mean_x, mean_y = np.average(xs, weights=weights), np.average(ys, weights=weights)
    covariance = float(np.average((xs - mean_x) * (ys - mean_y), weights=weights))
    scale = 1 + np.max(np.abs(xs)) * np.max(np.abs(ys))
    assert isclose(moments.mean_x, mean_x, rel_tol=1e-9, abs_tol=1e-9 * scale)
    assert isclose(moments.mean_y, mean_y, rel_tol=1e-9, abs_tol=1e-9 * scale)
    assert isclose(moments.covariance, covariance, rel_tol=1e-9, abs_tol=1e-9 * scale)
    assert isclose(moments.effective_samples, effective(weights.sum(), (weights**2).sum()), rel_tol=1e-9)


def test_tiny_variances_survive() -> None:
    """Rule 3: numbers of 1e-8 that differ in their ninth digit, where a mean of squares would be all noise."""
    moments = Comoments(inf)
    values = [1e-8 * (1 + 1e-9 * (i % 2)) for i in range(1_000)]
    for value in values:
        moments.add(value, value, 1.0)
    assert moments.covariance == pytest.approx(float(np.var(values)), rel=1e-6)


def test_no_moment_of_nothing() -> None:
    """Zero before the first sample."""
    assert (Comoments(1.0).covariance, Comoments(1.0).effective_samples) == (0.0, 0.0)


def test_a_rate_is_events_over_time_watched() -> None:
    """Without forgetting it is a count over seconds; a prior is so many seconds of watching."""
    rate = Rate(inf, prior=2.0, prior_s=10.0)
    assert rate.per_s() == 2.0
    for _ in range(5):
        rate.watch(2.0)
        rate.add()
    assert rate.per_s() == pytest.approx((20 + 5) / 20)
    assert rate.per_s(5.0) == pytest.approx(25 / 25)
    assert rate.effective_samples == 5
    assert Rate(inf).per_s() == 0.0


def test_a_rate_forgets() -> None:
    """What was two half-lives ago weighs a quarter, time and events alike; looking ahead changes nothing."""
    rate = Rate(10.0)
    rate.watch(1.0)
    rate.add()
    ahead = rate.per_s(20.0)
    assert rate.watched_s == pytest.approx((1 - exp(-log(2) / 10)) / (log(2) / 10))
    rate.watch(20.0)
    assert rate.per_s() == pytest.approx(ahead)
    assert rate.per_s() == pytest.approx(0.25 / (10 / log(2) * (1 - 0.5**2.1)))


@pytest.mark.parametrize(
    ("shape", "low", "high"),
    [(4.0, 1.0899, 8.7673), (10.0, 4.7954, 17.0848), (100.0, 81.364, 120.53)],  # tables of chi-square, halved
)
def test_gamma_interval(shape: float, low: float, high: float) -> None:
    """95 % of the distribution, to 2 %; the rate scales it."""
    assert gamma_interval(shape, 1.0) == pytest.approx((low, high), rel=0.02)
    assert gamma_interval(shape, 2.0) == pytest.approx((low / 2, high / 2), rel=0.02)

"""Stochastic volatility: Heston's parameters from returns alone, guards, and agreement with numpy."""

from math import exp, inf, isfinite, nan, sqrt
from random import Random
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.estimation.stochastic_volatility import StochasticVolatility

WINDOW_S = 10.0
THETA = 1e-9  # (3.2e-5 per sqrt(second)) squared: a quiet BTC
KAPPA = 0.01  # kappa_v D = 0.1
XI = sqrt(KAPPA * THETA)  # stationary Var(V) = theta^2 / 2
RHO = -0.5


def heston(seeds: int, windows: int, chance: np.random.Generator) -> list[list[float]]:
    """Simulate returns of one second, `seeds` paths at once: V exactly, by its noncentral chi-square transition.

    The return's part along W is what V's own step says of it, (dV - kappa (theta - V) dt) / xi; the rest is normal.
    """
    steps, kept = windows * 10, exp(-KAPPA)
    scale = XI * XI * (1 - kept) / (4 * KAPPA)
    freedom = 4 * KAPPA * THETA / (XI * XI)
    variance = np.full(seeds, THETA)
    returns = np.empty((steps, seeds))
    for i in range(steps):
        after = scale * chance.noncentral_chisquare(freedom, variance * kept / scale)
        mean = (variance + after) / 2
        along = (after - variance - KAPPA * (THETA - mean)) / XI
        returns[i] = RHO * along + np.sqrt((1 - RHO * RHO) * mean) * chance.standard_normal(seeds)
        variance = after
    paths: list[list[float]] = returns.T.tolist()
    return paths


def estimator(half_life_s: float = inf) -> StochasticVolatility:
    return StochasticVolatility(window_s=WINDOW_S, half_life_s=half_life_s)


@pytest.mark.truth
def test_truth_from_returns() -> None:
    """20 paths of 20,000 windows: theta, kappa_v and xi within 20 % on average, rho within 0.1; each path ready.

    One path's estimates scatter by 2 % (theta), 14 % (kappa_v), 8 % (xi) and 0.04 (rho), the means of 20 by a root of
    20 less: 0.5, 3.1, 1.8 % and 0.01. They lie 2 % off at most, where 20 % is 5.8 of these sd away or more; rho is 0.05
    too small, for windows blur the leverage within them, and 0.1 is 5 sd away: one in a million.
    """
    found = []
    for path in heston(20, 20_000, np.random.default_rng(11)):
        one = estimator()
        for change in path:
            one.add(change, 1.0)
        assert one.is_ready()
        found.append((one.theta, one.kappa_v, one.xi, one.rho, one.variance_of_variance))
    theta, kappa, xi, rho, variance = (fmean(column) for column in zip(*found, strict=True))
    assert theta == pytest.approx(THETA, rel=0.2)
    assert kappa == pytest.approx(KAPPA, rel=0.2)
    assert xi == pytest.approx(XI, rel=0.2)
    assert rho == pytest.approx(RHO, abs=0.1)
    assert variance == pytest.approx(THETA**2 / 2, rel=0.3)


@pytest.mark.truth
def test_truth_of_constant_volatility() -> None:
    """20 paths of 20,000 windows without any stochastic volatility: not ready, and nothing is claimed.

    Ready needs c2 beyond 4.5 of its sd under this very hypothesis: one in 300,000 a path, one in 15,000 of 20.
    """
    chance = np.random.default_rng(5)
    for _ in range(20):
        one = estimator()
        for change in chance.normal(0, sqrt(THETA), 200_000).tolist():
            one.add(change, 1.0)
        assert not one.is_ready()
        assert (one.kappa_v, one.xi, one.rho, one.variance_of_variance) == (0.0, 0.0, 0.0, 0.0)
        assert one.theta == pytest.approx(THETA, rel=0.02)


def wandering(count: int, seed: int = 1) -> list[float]:
    """Returns whose variance wanders slowly around THETA."""
    random, level, made = Random(seed), 0.0, []
    for _ in range(count):
        level = 0.995 * level + random.gauss(0, 0.1)
        made.append(random.gauss(0, sqrt(THETA * exp(level))))
    return made


def test_moments_are_those_of_numpy() -> None:
    """Rules 1 and 2, to 1e-9: theta, kappa_v, xi and rho from whole arrays of windows."""
    returns = np.array(wandering(6_000))
    one = estimator()
    for change in returns.tolist():
        one.add(change, 1.0)
    windows = returns.reshape(-1, 10)
    v, r = (windows**2).sum(axis=1) / WINDOW_S, windows.sum(axis=1)
    c1, c2 = (float(np.cov(v[:-lag], v[lag:], bias=True)[0, 1]) for lag in (1, 2))
    kappa, variance = np.log(c1 / c2) / WINDOW_S, c1 * c1 / c2
    xi = sqrt(2 * kappa * variance / v.mean())
    leverage = float(np.cov(r[1:-1], v[2:] - v[:-2], bias=True)[0, 1])
    assert one.is_ready()
    assert one.theta == pytest.approx(v.mean(), rel=1e-9)
    assert one.kappa_v == pytest.approx(kappa, rel=1e-9)
    assert one.variance_of_variance == pytest.approx(variance, rel=1e-9)
    assert one.xi == pytest.approx(xi, rel=1e-9)
    assert one.rho == pytest.approx(leverage / (r.std() * xi * sqrt(v.mean() * WINDOW_S)), rel=1e-9)


def test_guards_are_relative() -> None:
    """Rule 3: the same path a thousand times smaller is as ready, with the same kappa_v and rho."""
    large, small = estimator(), estimator()
    for change in wandering(6_000):
        large.add(change, 1.0)
        small.add(change / 1_000, 1.0)
    assert large.is_ready()
    assert small.is_ready()
    assert small.kappa_v == pytest.approx(large.kappa_v)
    assert small.rho == pytest.approx(large.rho)
    assert small.xi == pytest.approx(large.xi / 1_000)


def test_not_ready_of_little() -> None:
    """Rule 3: a few windows prove nothing, nor do windows without any return."""
    one = estimator()
    assert not one.is_ready()
    for change in wandering(290):
        one.add(change, 1.0)
    assert not one.is_ready()
    still = estimator()
    for _ in range(1_000):
        still.add(0.0, 1.0)
    assert not still.is_ready()


def test_expected_variance() -> None:
    """It starts at the variance now and ends at theta; not ready, it is what it is now."""
    one = estimator()
    assert one.expected_variance(5.0, 60.0) == 5.0
    for change in wandering(6_000):
        one.add(change, 1.0)
    now = 4 * one.theta
    assert one.expected_variance(now, 1e-6) == pytest.approx(now)
    assert one.expected_variance(now, 1e9) == pytest.approx(one.theta, rel=1e-3)
    pull = one.kappa_v * 60
    assert one.expected_variance(now, 60.0) == pytest.approx(one.theta * (1 + 3 * (1 - exp(-pull)) / pull))


def test_a_gap_joins_nothing() -> None:
    """Rule 4: the open window is dropped, and the first after the gap is no neighbour of the last before it."""
    one = estimator()
    for _ in range(3):
        for change in wandering(25):
            one.add(change, 1.0)
        one.restart()
    assert one._variance.effective_samples == pytest.approx(6)
    assert one._lag_1.effective_samples == pytest.approx(3)
    assert one._lag_2.effective_samples == 0


@pytest.mark.parametrize(
    ("change", "dt_s"), [(nan, 1.0), (inf, 1.0), (-inf, 1.0), (1e-4, 0.0), (1e-4, -1.0), (1e-4, nan)]
)
def test_nonsense_changes_nothing(change: float, dt_s: float) -> None:
    """Rule 5: counted, and the next good return finds the state as it was."""
    clean, dirty = estimator(), estimator()
    for number, good in enumerate(wandering(1_000)):
        clean.add(good, 1.0)
        if number == 500:
            dirty.add(change, dt_s)
        dirty.add(good, 1.0)
    assert dirty.refused == 1
    assert (dirty.theta, dirty.kappa_v, dirty.rho) == (clean.theta, clean.kappa_v, clean.rho)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(allow_nan=True), st.floats(allow_nan=True)), max_size=80), st.floats(0, 1e6))
def test_never_nan(rows: list[tuple[float, float]], horizon_s: float) -> None:
    """Whatever comes in, what is claimed is finite once ready, and rho is a correlation."""
    one = StochasticVolatility(window_s=2.0, half_life_s=100.0)
    for change, dt_s in rows:
        one.add(change, dt_s)
    if one.is_ready():
        for value in (one.theta, one.kappa_v, one.xi, one.rho, one.expected_variance(one.theta, horizon_s)):
            assert isfinite(value)
    assert -1 <= one.rho <= 1

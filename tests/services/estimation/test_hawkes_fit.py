"""Fits in slices: a slice's size changes nothing, and what was found is a maximum within bounds."""

from math import exp, log
from random import Random

import pytest

from services.estimation.hawkes_fit import BRANCHING_FIT_MAX, EVENTS_MIN, PASSES_MAX, HawkesFit, Mark
from tests.services.estimation.test_hawkes import ogata


def events(count: int, seed: int = 1, *, alpha: float = 0.5, beta: float = 1.0) -> list[Mark]:
    random = Random(seed)
    return [(at, random.uniform(0.5, 1.5)) for at in ogata(random, 1.0, alpha, beta, count)]


def run(fit: HawkesFit, slice_events: int = 500) -> HawkesFit:
    slices = 0
    while not fit.done:
        fit.advance(slice_events)
        slices += 1
        assert slices <= PASSES_MAX * (1 + len(fit._events) // slice_events), "a fit ends"
    return fit


def likelihood(rows: list[Mark], alpha: float, beta: float) -> float:
    """The definition, in a straight line: log-intensities less the integral, with mu tied to the rate."""
    span, mean = rows[-1][0] - rows[0][0], sum(mark for _, mark in rows) / len(rows)
    mu = len(rows) / span * (1 - alpha * mean / beta)
    total, faded, last = -mu * span, 0.0, rows[0][0]
    for at, mark in rows:
        faded *= exp(-beta * (at - last))
        total += log(mu + alpha * faded) - alpha / beta * mark * (1 - exp(-beta * (rows[-1][0] - at)))
        faded, last = faded + mark, at
    return total


def test_a_maximum() -> None:
    """No neighbour is likelier, and the state handed on is the faded sum of marks."""
    rows = events(1_500)
    fit = run(HawkesFit(rows, alpha=0.2, beta=4.0))
    assert fit.found
    best = likelihood(rows, fit.alpha, fit.beta)
    for factor in (0.9, 1.1):
        assert likelihood(rows, fit.alpha * factor, fit.beta) < best
        assert likelihood(rows, fit.alpha, fit.beta * factor) < best
    assert fit.excitement == pytest.approx(sum(mark * exp(-fit.beta * (rows[-1][0] - at)) for at, mark in rows))
    assert fit.last_s == rows[-1][0]


@pytest.mark.parametrize("slice_events", [1, 7, 500, 10_000])
def test_slices_change_nothing(slice_events: int) -> None:
    """Rule 1: a fit in one piece and one in single events find the same bits."""
    rows = events(300)
    whole, sliced = run(HawkesFit(rows, alpha=0.2, beta=4.0)), run(HawkesFit(rows, alpha=0.2, beta=4.0), slice_events)
    assert (sliced.alpha, sliced.beta, sliced.excitement) == (whole.alpha, whole.beta, whole.excitement)


@pytest.mark.parametrize(("count", "found"), [(EVENTS_MIN - 1, False), (EVENTS_MIN, True)])
def test_few_events_find_nothing(count: int, *, found: bool) -> None:
    """Rule 4: both sides of the limit."""
    assert run(HawkesFit(events(count), alpha=0.4, beta=1.0)).found is found


def test_events_of_one_moment_find_nothing() -> None:
    """No time, no rate."""
    assert not run(HawkesFit([(5.0, 1.0)] * 1_000, alpha=0.4, beta=1.0)).found
    assert not run(HawkesFit([], alpha=0.4, beta=1.0)).found


def test_the_branching_ratio_stays_below_its_bound() -> None:
    """Rule 3: from a start beyond it, on a stream that all but explodes."""
    fit = run(HawkesFit(events(2_000, alpha=0.99), alpha=5.0, beta=1.0))
    assert 0.8 < fit.branching <= BRANCHING_FIT_MAX + 1e-9


def test_a_stream_without_memory_has_little_branching() -> None:
    """A Poisson stream begets nothing."""
    random, at, rows = Random(2), 0.0, []
    for _ in range(3_000):
        at += random.expovariate(1.0)
        rows.append((at, 1.0))
    assert run(HawkesFit(rows, alpha=0.5, beta=1.0)).branching < 0.15

"""Momentum guard: which moves pull which side, for how long, and what they are compared with."""

from math import inf, nan, sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.units import Millis
from services.estimation.momentum import GAP_MS_MAX, HOLD_MS, KEPT_MAX, MomentumGuard

SIGMA, THRESHOLD, PRICE = 1e-4, 5.0, 100.0


def guard(*rows: tuple[int, float]) -> MomentumGuard:
    """Return one that saw these times in ms and moves from PRICE in sigmas of one second."""
    made = MomentumGuard(threshold=THRESHOLD)
    for at_ms, move in rows:
        made.add(PRICE * (1 + move * SIGMA), SIGMA, Millis(at_ms))
    return made


def pulls(made: MomentumGuard) -> tuple[bool, bool]:
    return made.pulls_bids, made.pulls_asks


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("way", "after_ms", "sigmas"),
    [([(0, 0.0), (400, 2.5)], 1_000, 5.0), ([(0, 0.0)], 500, 5.0 * sqrt(0.5))],
)
def test_both_windows(way: list[tuple[int, float]], after_ms: int, sigmas: float, sign: int) -> None:
    """Rule 1: both sides of the limit, in both windows; up pulls asks, down pulls bids."""
    path = [(at_ms, sign * move) for at_ms, move in way]
    trips = pulls(guard(*path, (after_ms, sign * sigmas * 1.001)))
    assert trips == ((False, True) if sign > 0 else (True, False))
    assert pulls(guard(*path, (after_ms, sign * sigmas * 0.999))) == (False, False)


def test_a_crawl_is_no_run() -> None:
    """Rule 1: as far, but over ten seconds."""
    assert pulls(guard(*((100 * i, 0.1 * i) for i in range(100)))) == (False, False)


def test_compared_with_the_price_of_then() -> None:
    """Rule 1: the last price not later than a window's start stood at its start; an older one is none."""
    assert pulls(guard((0, 0.0), (200, 3.0), (1_201, 6.0))) == (False, False)
    assert pulls(guard((0, 0.0), (700, 0.0), (1_000, 4.0))) == (False, True)


@pytest.mark.parametrize(("at_ms", "held"), [(1_500 + HOLD_MS - 1, True), (1_500 + HOLD_MS, False)])
def test_hold(at_ms: int, *, held: bool) -> None:
    """Rule 2: a second after the last move beyond the threshold, which at 1.5 s is that of the second before."""
    made = guard((0, 0.0), (500, 0.0), (1_000, 6.0), (1_500, 6.0), (2_000, 6.0), (at_ms, 6.0))
    assert pulls(made) == (False, held)


def test_a_gap_is_no_move() -> None:
    """Rule 4: both sides of the limit."""
    assert pulls(guard((0, 0.0), (GAP_MS_MAX, 9.0))) == (False, True)
    assert pulls(guard((0, 0.0), (GAP_MS_MAX + 1, 9.0))) == (False, False)


def test_a_restart_compares_nothing() -> None:
    """After a broken feed, whose stamps may have been higher."""
    made = guard((90_000, 0.0))
    made.restart()
    made.add(PRICE * 1.1, SIGMA, Millis(5))
    assert (pulls(made), made.refused) == ((False, False), 0)


@pytest.mark.parametrize(
    ("mid", "sigma", "at_ms"),
    [
        *((odd, SIGMA, 2_000) for odd in (nan, inf, 0.0, -1.0)),
        *((PRICE * 2, odd, 2_000) for odd in (nan, inf, 0.0, -1.0)),
        (PRICE * 2, SIGMA, 999),
    ],
)
def test_nonsense_changes_nothing(mid: float, sigma: float, at_ms: int) -> None:
    """Rule 5: counted."""
    made = guard((1_000, 0.0))
    made.add(mid, sigma, Millis(at_ms))
    assert (pulls(made), made.refused) == ((False, False), 1)
    made.add(PRICE, SIGMA, Millis(1_500))
    assert pulls(made) == (False, False)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 300), st.floats(-20, 20)), max_size=150))
def test_bounded_and_even_handed(rows: list[tuple[int, float]]) -> None:
    """Rule 5: memory has its limit, and the mirrored path pulls the mirrored side."""
    at_ms, up, down = 0, MomentumGuard(threshold=THRESHOLD), MomentumGuard(threshold=THRESHOLD)
    for dt_ms, move in rows:
        at_ms += dt_ms
        factor = 1 + move * SIGMA
        up.add(PRICE * factor, SIGMA, Millis(at_ms))
        down.add(PRICE / factor, SIGMA, Millis(at_ms))
        assert len(up._kept) <= KEPT_MAX
    moves = [abs(move) for _, move in rows]
    if all(move < 2.4 for move in moves):
        assert pulls(up) == (False, False)
    assert (up._rose_ms is None) == (down._fell_ms is None) or max(moves) > 2.4

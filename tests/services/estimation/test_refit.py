"""Refits: once a minute, in bounded slices, with what was found adopted."""

from common.units import SECOND, Micros, Nanos, Side
from services.estimation.cascade import CascadeDetector
from services.estimation.hawkes_fit import EVENTS_MIN, PASSES_MAX
from services.estimation.refit import FIT_EVERY, SLICE_EVENTS, SLICE_EVERY, Refit


def detector(events: int) -> CascadeDetector:
    one = CascadeDetector(pull_at=0.5, usd_per_tick=0.1)
    for number in range(events):
        one.burst(Side.SELL, Micros(10**9), number * 0.5 + number // 5)
    return one


def until_done(refit: Refit) -> int:
    """Work at every deadline; return how many slices that took."""
    slices = 0
    while refit.due is not None:
        due = refit.due
        refit.work(Nanos(due - 1))
        assert refit.due == due, "nothing is done early"
        refit.work(due)
        slices += 1
        assert refit.due is None or refit.due == due + SLICE_EVERY
    return slices


def test_nothing_to_fit_costs_no_deadline() -> None:
    """Too few events: not even a first slice."""
    refit = Refit(detector(EVENTS_MIN - 1))
    refit.begin(Nanos(0))
    assert refit.due is None
    refit.work(Nanos(SECOND))


def test_slices_until_it_is_adopted() -> None:
    """Rules 1 and 2: slices 20 ms apart, no more than the passes allow, and another baseline for the next burst."""
    one = detector(1_200)
    refit = Refit(one)
    before = one.belief(2_000.0).ratio, one._sides[Side.SELL].alpha
    refit.begin(Nanos(0))
    assert refit.due == SLICE_EVERY
    slices = until_done(refit)
    assert 1_200 // SLICE_EVENTS < slices <= 1 + PASSES_MAX * (1 + 1_200 // SLICE_EVENTS)
    assert one._sides[Side.SELL].alpha != before[1]


def test_once_a_minute() -> None:
    """Rule 1: both sides of the limit, and never two at once."""
    refit = Refit(detector(EVENTS_MIN))
    refit.begin(Nanos(0))
    first = refit.due
    refit.begin(Nanos(1))
    assert refit.due == first
    until_done(refit)
    refit.begin(Nanos(FIT_EVERY - 1))
    assert refit.due is None
    refit.begin(FIT_EVERY)
    assert refit.due == FIT_EVERY + SLICE_EVERY

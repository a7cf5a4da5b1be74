"""The sweep guard's rules, both sides of each limit."""

from common.units import SECOND, Nanos, Side
from services.strategy.sweep_guard import SweepGuard
from tests.market import at
from tests.services.strategy.facts import fill

RECOVERY = Nanos(100 * SECOND)


def guard(*seconds: float, side: Side = Side.BUY) -> SweepGuard:
    swept = SweepGuard(3, RECOVERY)
    for tid, second in enumerate(seconds):
        swept.hear(fill(tid, side), at(second))
    return swept


def test_the_last_fill_of_a_sweep_pulls() -> None:
    """Rule 1: the third within two seconds, at once; not at two seconds, and not for the other side."""
    assert guard(1, 2, 2.99).pulls(Side.BUY, at(2.99))
    assert not guard(1, 2, 3).pulls(Side.BUY, at(3))
    assert not guard(1, 2).pulls(Side.BUY, at(2))
    assert not guard(1, 2, 2.5).pulls(Side.SELL, at(2.5))


def test_sizes_come_back() -> None:
    """Rule 2: gone for ten seconds, half after fifty more, whole after a hundred; a new sweep begins anew."""
    swept = guard(1, 1, 1)
    assert (swept.pulls(Side.BUY, at(10.9)), swept.pulls(Side.BUY, at(11))) == (True, False)
    assert [swept.size_factor(Side.BUY, at(seconds)) for seconds in (5, 11, 61, 111, 999)] == [0, 0, 0.5, 1, 1]
    assert swept.size_factor(Side.SELL, at(5)) == 1
    for tid in (7, 8, 9):
        swept.hear(fill(tid), at(61))
    assert swept.pulls(Side.BUY, at(62))


def test_a_fill_counts_once() -> None:
    """Rule 3: what is heard again after a reconnect is no sweep."""
    swept = SweepGuard(3, RECOVERY)
    for _ in range(9):
        swept.hear(fill(1), at(1))
    assert not swept.pulls(Side.BUY, at(1))

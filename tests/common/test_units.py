"""Sides and signs agree."""

from common.units import MICROSECOND, MILLISECOND, SECOND, Side


def test_sides_are_opposite() -> None:
    """Buying adds, selling takes away, and each is the other's opposite."""
    assert (Side.BUY.sign, Side.SELL.sign) == (1, -1)
    assert [side.opposite for side in Side] == [Side.SELL, Side.BUY]


def test_times_are_nanoseconds() -> None:
    """Every duration in the house counts from the nanosecond."""
    assert (MICROSECOND, MILLISECOND, SECOND) == (10**3, 10**6, 10**9)

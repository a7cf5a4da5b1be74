"""The token bucket, on both sides of burst and rate."""

from common.rate import TokenBucket
from common.units import SECOND, Nanos


def test_burst_then_rate() -> None:
    """Rule 1: three at once, the fourth after a whole half second and not a nanosecond before."""
    bucket = TokenBucket(per_second=2, burst=3)
    assert [bucket.take(1, Nanos(0)) for _ in range(4)] == [True, True, True, False]
    assert not bucket.take(1, Nanos(SECOND // 2 - 1))
    assert bucket.take(1, Nanos(SECOND // 2))
    assert not bucket.take(1, Nanos(SECOND // 2))


def test_a_long_rest_fills_no_more_than_the_burst() -> None:
    """Rule 1: an hour of silence earns three, not thousands."""
    bucket = TokenBucket(per_second=2, burst=3)
    assert bucket.has(3, Nanos(3_600 * SECOND))
    assert not bucket.has(4, Nanos(3_600 * SECOND))


def test_time_that_runs_backwards_changes_nothing() -> None:
    """Rule 2: neither a gift nor a loss."""
    bucket = TokenBucket(per_second=1, burst=1)
    assert bucket.take(1, Nanos(10 * SECOND))
    assert not bucket.take(1, Nanos(0))
    assert not bucket.take(1, Nanos(11 * SECOND - 1))
    assert bucket.take(1, Nanos(11 * SECOND))


def test_a_refused_take_costs_nothing() -> None:
    """Rule 1: what is not there is not owed either."""
    bucket = TokenBucket(per_second=1, burst=2)
    assert not bucket.take(3, Nanos(0))
    assert bucket.take(2, Nanos(0))

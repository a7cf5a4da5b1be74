"""Time shares: by hand, and their sum."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.units import Nanos, Side
from services.strategy.time_shares import TimeShares


def test_by_hand() -> None:
    """Six ns of one, four of the other; before any time has passed there is nothing to say."""
    shares = TimeShares(Nanos(0))
    shares.note("", "flat", Nanos(0))
    assert shares.shares(Side.BUY) == {}
    shares.note("stale_book", "flat", Nanos(6))
    shares.note("stale_book", "flat", Nanos(10))
    assert shares.shares(Side.BUY) == {"quoted": 0.6, "stale_book": 0.4}
    assert shares.shares(Side.SELL) == {"flat": 1.0}


@given(st.lists(st.tuples(st.sampled_from(["", "flat", "swept"]), st.integers(0, 10**9)), min_size=1, max_size=30))
@settings(max_examples=50)
def test_they_sum_to_one(notes: list[tuple[str, int]]) -> None:
    """Whatever happened when."""
    shares, now = TimeShares(Nanos(0)), 0
    for reason, passed in notes:
        shares.note(reason, "", Nanos(now))
        now += passed
    shares.note("", "", Nanos(now + 1))
    assert sum(shares.shares(Side.BUY).values()) == pytest.approx(1)

"""Venue time, once a second of each source."""

from common.hyperliquid.stamp_pace import STAMP_EVERY, StampPace
from common.units import Nanos


def test_one_a_second_of_each_source() -> None:
    """The second itself passes again, and what was held back moves nothing."""
    pace, at = StampPace(), Nanos(5)
    assert pace.passes("bbo", at)
    assert not pace.passes("bbo", Nanos(at + STAMP_EVERY - 1))
    assert pace.passes("trades", Nanos(at + STAMP_EVERY - 1))
    assert pace.passes("bbo", Nanos(at + STAMP_EVERY))
    assert not pace.passes("trades", Nanos(at + STAMP_EVERY))

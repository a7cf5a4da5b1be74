"""Fair price: the microprice's bounds and its fall back to the mid."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.touch import Touch
from common.units import Lots, Millis, Nanos, Ticks
from services.estimation.fair_price import fair_ticks
from tests.market import ASK, BID, top


def touch(bid_lots: int, ask_lots: int, *, bid: int = BID, ask: int = ASK) -> Touch:
    return Touch.of(top(1, bid=bid, ask=ask, bid_lots=bid_lots, ask_lots=ask_lots))


@pytest.mark.parametrize(
    ("bid_lots", "ask_lots", "tilt", "fair"),
    [
        (100, 100, 1.0, BID + 5),
        (300, 100, 1.0, BID + 7.5),  # the size-weighted mid: (bid * 100 + ask * 300) / 400
        (100, 300, 1.0, BID + 2.5),
        (300, 100, 0.5, BID + 6.25),
        (300, 100, 0.0, BID + 5),
    ],
)
def test_tilt(bid_lots: int, ask_lots: int, tilt: float, fair: float) -> None:
    """A larger bid lifts the fair price, by the configured share of the size-weighted mid's way."""
    assert fair_ticks(touch(bid_lots, ask_lots), tilt) == pytest.approx(fair)


def test_a_thin_touch_is_no_opinion() -> None:
    """Below 10 USD on either side the mid is taken: 9 lots of BTC at 113,000 are 10.17 USD, 8 are less."""
    assert fair_ticks(touch(9, 900), 1.0) != BID + 5
    assert fair_ticks(touch(8, 900), 1.0) == BID + 5
    assert fair_ticks(touch(900, 8), 1.0) == BID + 5


def test_no_market_no_price() -> None:
    """A crossed or one-sided touch has no fair price."""
    assert fair_ticks(Touch.of(top(1, bid=None)), 1.0) is None
    assert fair_ticks(touch(1, 1, ask=BID), 1.0) is None


prices = st.integers(1, 10**9)
sizes = st.integers(0, 10**9)


@given(prices, prices, sizes, sizes, st.floats(0, 1))
def test_bounds(bid: int, ask: int, bid_lots: int, ask_lots: int, tilt: float) -> None:
    """Whatever the touch, the fair price lies within the spread and within the tilt's share of it."""
    seen = Touch(
        venue_ms=Millis(1), bid=(Ticks(bid), Lots(bid_lots)), ask=(Ticks(ask), Lots(ask_lots)), received_at=Nanos(1)
    )
    fair = fair_ticks(seen, tilt)
    if fair is None:
        assert not seen.two_sided
        return
    assert abs(fair - (bid + ask) / 2) <= tilt * (ask - bid) / 2 + 1e-6

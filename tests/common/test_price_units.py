"""Price units: bps and price units say the same of a market."""

from math import exp, sqrt

import pytest

from common.price_units import depth_bps, k_per_price, sigma_price


def test_depth() -> None:
    """10 USD above 100,000 is one basis point, below it minus one."""
    assert depth_bps(100_010, 100_000) == pytest.approx(1.0)
    assert depth_bps(99_990, 100_000) == pytest.approx(-1.0)


@pytest.mark.parametrize("mid", [0.5, 4_300.0, 1_130_000.0])
def test_the_intensity_is_the_same_in_both_units(mid: float) -> None:
    """A exp(-k depth) does not care whether depth is 2 bps or their worth in price."""
    price = mid * (1 + 2 / 10_000)
    assert exp(-1.3 * depth_bps(price, mid)) == pytest.approx(exp(-k_per_price(1.3, mid) * (price - mid)))


def test_sigma() -> None:
    """1e-4 of 100,000 USD in a second is 10 USD, in four seconds 20."""
    assert sigma_price(1e-4, 100_000) == pytest.approx(10)
    assert sigma_price(1e-4, 100_000) * sqrt(4) == pytest.approx(20)

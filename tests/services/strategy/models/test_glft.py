"""GLFT against its formula, in bps and in price units, and its risk aversion as the operator sets it."""

from math import log, sqrt

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.price_units import k_per_price, sigma_price
from common.sections import Strategy, largest_shift
from common.units import Side
from services.strategy.market import Arrival
from services.strategy.models.glft import c1, c2, gamma_of, quote
from services.strategy.models.interface import Distances, Setup, View
from tests.services.strategy.test_ladder import MARKET

REFERENCE = Arrival(a_per_s=0.2, k_per_bps=1.3)
SETUP = Setup(chosen=Strategy(full_inventory_shift=3.0), orders_at_limit=12.0, sigma_bps=1.0, arrival=REFERENCE)


def quoted(inventory: float = 0.0, *, sigma: float = 1e-4, setup: Setup = SETUP) -> Distances:
    market = msgspec.structs.replace(MARKET, sigma_per_sqrt_s=sigma)
    return quote(View(market=market, inventory=inventory), setup)


def half_spread(distances: Distances) -> float:
    return sum(distances.parts[Side.BUY].values())


@given(st.floats(0.05, 0.95), st.floats(2, 100), st.floats(0.1, 20), st.floats(0.01, 20), st.floats(0.05, 10))
@settings(max_examples=100)
def test_at_the_limit_the_shift_is_what_was_asked_for(
    share: float, orders: float, sigma: float, a: float, k: float
) -> None:
    """Rule 1: at the reference point and a full position, S half-spreads within 1 %, for every legal S."""
    shift = largest_shift(orders) * share
    setup = Setup(
        chosen=Strategy(full_inventory_shift=shift),
        orders_at_limit=orders,
        sigma_bps=sigma,
        arrival=Arrival(a_per_s=a, k_per_bps=k),
    )
    market = msgspec.structs.replace(
        MARKET, sigma_per_sqrt_s=sigma / 10_000, arrivals=dict.fromkeys(Side, setup.arrival)
    )
    full = quote(View(market=market, inventory=1.0), setup)
    assert full.skew / half_spread(full) == pytest.approx(-shift, rel=0.01)


def test_inventory_leans_against_itself() -> None:
    """Zero only when flat; long moves down, short up, in proportion."""
    assert quoted(0.0).skew == 0
    assert quoted(0.5).skew < 0 < quoted(-0.5).skew
    assert quoted(1.0).skew == pytest.approx(2 * quoted(0.5).skew)


def test_twice_the_volatility() -> None:
    """Sigma c2 / 2 more of half-spread, twice the skew; gamma is held."""
    gamma = gamma_of(SETUP)
    more = half_spread(quoted(sigma=2e-4)) - half_spread(quoted())
    assert more == pytest.approx(c2(gamma, REFERENCE) / 2)
    assert quoted(1.0, sigma=2e-4).skew == pytest.approx(2 * quoted(1.0).skew)


def test_the_formula_in_price_units() -> None:
    """The published formula in USD and coins, at 113,000 USD and orders of 0.0044 coin, gives the same in bps."""
    gamma_bps, mid, order = gamma_of(SETUP), 113_000.0, 0.0044
    bp = mid / 10_000
    gamma = gamma_bps / bp / order  # per USD and coin
    k, sigma = k_per_price(REFERENCE.k_per_bps, mid), sigma_price(1e-4, mid)
    xi_order = gamma * order
    first = log(1 + xi_order / k) / xi_order
    second = sqrt(gamma / (2 * REFERENCE.a_per_s * order * k) * (1 + xi_order / k) ** (k / xi_order + 1))
    assert c1(gamma_bps, REFERENCE) == pytest.approx(first / bp)
    assert half_spread(quoted()) == pytest.approx((first + order / 2 * sigma * second) / bp)
    assert quoted(1.0).skew == pytest.approx(-sigma * second * 12 * order / bp)


def test_each_side_has_its_own_arrivals() -> None:
    """Fewer sellers who come deep: bids move out, asks stay; the skew takes the mean of both."""
    market = msgspec.structs.replace(
        MARKET, arrivals={Side.BUY: Arrival(a_per_s=0.2, k_per_bps=0.5), Side.SELL: REFERENCE}
    )
    found, before = quote(View(market=market, inventory=1.0), SETUP), quoted(1.0)
    assert sum(found.parts[Side.BUY].values()) > half_spread(before)
    assert found.parts[Side.SELL] == before.parts[Side.SELL]
    assert found.skew < before.skew

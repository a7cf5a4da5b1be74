"""Avellaneda-Stoikov against its formula, and its risk aversion against the operator's words."""

from math import log

import pytest

from common.sections import Strategy
from common.units import Side
from services.strategy.market import Arrival
from services.strategy.models.avellaneda_stoikov import gamma_of, quote
from services.strategy.models.interface import Setup, View
from tests.services.strategy.test_ladder import MARKET


@pytest.mark.parametrize("shift", [0.1, 1.0, 3.0, 20.0])
@pytest.mark.parametrize("horizon_s", [1.0, 60.0])
def test_the_formula_and_the_shift(shift: float, horizon_s: float) -> None:
    """Gamma sigma^2 T / 2 + ln(1 + gamma/k) / gamma; at the limit S half-spreads within 1 %."""
    setup = Setup(
        chosen=Strategy(full_inventory_shift=shift, horizon_s=horizon_s),
        orders_at_limit=12.0,
        sigma_bps=1.0,
        arrival=Arrival(a_per_s=0.2, k_per_bps=1.3),
    )
    gamma, full = gamma_of(setup), quote(View(market=MARKET, inventory=1.0), setup)
    half_spread = sum(full.parts[Side.BUY].values())
    assert half_spread == pytest.approx(gamma * horizon_s / 2 + log(1 + gamma / 1.3) / gamma)
    assert full.skew == pytest.approx(-gamma * horizon_s * 12)
    assert full.skew / half_spread == pytest.approx(-shift, rel=0.01)
    assert quote(View(market=MARKET, inventory=0.0), setup).skew == 0

"""The baseline by hand."""

import pytest

from common.sections import Strategy
from common.units import Side
from services.strategy.market import Arrival
from services.strategy.models.interface import Setup, View
from services.strategy.models.symmetric import quote
from tests.services.strategy.test_ladder import MARKET


@pytest.mark.parametrize(("inventory", "skew"), [(0.0, 0.0), (0.5, -2.5), (-0.5, 2.5), (1.0, -5.0), (1e-9, -5e-9)])
def test_by_hand(inventory: float, skew: float) -> None:
    """3 bps and 1 bp per sqrt(second) over 4 s; one half-spread of skew at the limit, never lost."""
    setup = Setup(
        chosen=Strategy(horizon_s=4.0), orders_at_limit=12.0, sigma_bps=1.0, arrival=Arrival(a_per_s=0.2, k_per_bps=1.3)
    )
    found = quote(View(market=MARKET, inventory=inventory), setup)
    assert found.parts[Side.SELL] == {"base": 3.0, "volatility": pytest.approx(2.0)}
    assert found.skew == pytest.approx(skew)

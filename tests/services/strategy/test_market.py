"""A market that is quoted on is positive, finite, and near its own mid."""

from math import inf, nan

import msgspec
import pytest

from tests.market import BID
from tests.services.strategy.test_ladder import MARKET


@pytest.mark.parametrize(
    ("fair", "sigma", "sane"),
    [
        (BID + 5.0, 1e-9, True),
        (0.0, 1.0, False),
        (nan, 1.0, False),
        (inf, 1.0, False),
        (BID + 5.0, 0.0, False),
        (BID + 5.0, nan, False),
        (BID + 5.0, 1.1, False),
        (BID * 1.0148, 1.0, True),  # the gap is 150 bps of the mid
        (BID * 1.0152, 1.0, False),
        (BID * 0.9848, 1.0, False),
    ],
)
def test_sanity(fair: float, sigma: float, *, sane: bool) -> None:
    """Estimates must be positive and finite, and belong to the market that is quoted."""
    assert msgspec.structs.replace(MARKET, fair_ticks=fair, sigma_per_sqrt_s=sigma).is_sane(150.0) is sane


@pytest.mark.parametrize(("field", "value"), [("confidence", 1.1), ("confidence", nan), ("jump_ratio", nan)])
def test_shares_are_shares(field: str, value: float) -> None:
    """What the premia are made of is a number."""
    assert not msgspec.structs.replace(MARKET, **{field: value}).is_sane(150.0)


def test_the_wilder_of_now_and_soon() -> None:
    """The half-spread has to last for the next minute, too."""
    assert MARKET.sigma_bps == pytest.approx(1)
    assert msgspec.structs.replace(MARKET, sigma_ahead_per_sqrt_s=3e-4).sigma_bps == pytest.approx(3)
    assert msgspec.structs.replace(MARKET, sigma_ahead_per_sqrt_s=1e-5).sigma_bps == pytest.approx(1)

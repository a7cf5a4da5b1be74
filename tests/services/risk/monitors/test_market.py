"""Monitors of the market, on both sides of every limit."""

import pytest

from services.risk.monitors import market as monitors
from tests.services.risk.monitors.states import market, outcome


@pytest.mark.parametrize(("bps", "expected"), [(50.0, ""), (50.1, "WIDEN"), (100.0, "WIDEN"), (100.1, "PULL_QUOTES")])
def test_flash(bps: float, expected: str) -> None:
    """Rule 1: 100 bps in five seconds pull, half of them widen; the pull is held for its cool-down."""
    found = monitors.flash(market(move_bps=bps))
    assert outcome(found) == expected
    assert found.hold == (30_000_000_000 if expected == "PULL_QUOTES" else 5_000_000_000)


@pytest.mark.parametrize(
    ("sigma", "jumps", "expected"),
    [
        (0.002, 0.5, ""),
        (0.00201, 0.5, "WIDEN"),
        (0.00101, 0.9, ""),
        (0.00101, 0.91, "WIDEN"),
        (0.001, 0.99, ""),
    ],
)
def test_volatility(sigma: float, jumps: float, expected: str) -> None:
    """Rule 2: either alone beyond its limit, jumps only where there is volatility at all."""
    assert outcome(monitors.volatility(market(sigma_per_sqrt_s=sigma, jump_share=jumps))) == expected
    assert outcome(monitors.volatility(market(jump_share=jumps))) == ""


@pytest.mark.parametrize(("severity", "expected"), [(0.49, ""), (0.5, "WIDEN"), (0.99, "WIDEN"), (1.0, "PULL_QUOTES")])
def test_cascade(severity: float, expected: str) -> None:
    """Rule 3."""
    assert outcome(monitors.cascade(market(cascade=severity))) == expected


@pytest.mark.parametrize(("drop", "expected"), [(0.1, ""), (0.101, "PULL_QUOTES")])
def test_open_interest(drop: float, expected: str) -> None:
    """Rule 4: a tenth in five minutes."""
    assert outcome(monitors.open_interest(market(open_interest_drop=drop))) == expected


@pytest.mark.parametrize(("bps", "expected"), [(50.0, ""), (50.1, "PULL_QUOTES")])
def test_spread(bps: float, expected: str) -> None:
    """Rule 4: 50 bps; an unknown spread is the references' matter."""
    assert outcome(monitors.spread(market(spread_bps=bps))) == expected
    assert outcome(monitors.spread(market())) == ""


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("rate", "expected"), [(0.001, ""), (0.0011, "WIDEN")])
def test_funding(rate: float, sign: int, expected: str) -> None:
    """Rule 4: a tenth of a percent an hour, whoever pays."""
    assert outcome(monitors.funding(market(funding_per_h=sign * rate))) == expected
    assert outcome(monitors.funding(market())) == ""

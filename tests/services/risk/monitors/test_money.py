"""Loss, drawdown and margin, on both sides of every limit."""

from decimal import Decimal

import pytest

from services.risk.losses import Money
from services.risk.monitors.money import drawdown, loss, margin
from services.risk.risk_state import RiskState
from tests.services.risk.monitors.states import outcome, state


def account(equity: str, *, day: str = "100000", hour: str = "", peak: str = "", bad: int = 0) -> RiskState:
    money = Money(
        equity=Decimal(equity),
        known=True,
        day_start=Decimal(day),
        hour_start=Decimal(hour or day),
        peak=Decimal(peak or day),
        unrealised=Decimal(-10),
        bad_states=bad,
    )
    return state(money=money)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (state(), ""),  # nothing read yet
        (account("100001"), ""),
        (account("99750"), ""),  # half of 500 an hour
        (account("99749.999999"), "WIDEN"),
        (account("99500"), "WIDEN"),
        (account("99499.999999"), "PULL_QUOTES"),
        (account("99499.999999", bad=1), "PULL_QUOTES"),
        (account("99499.999999", bad=2), "HALTED"),
        (account("99500", hour="99500"), ""),  # half of 1,000 a day
        (account("99499.999999", hour="99500"), "WIDEN"),
        (account("99000", hour="99000"), "WIDEN"),
        (account("98999.999999", hour="99000", bad=2), "HALTED"),
        (account("90", day="100"), "WIDEN"),  # a tenth of a small account
        (account("89.999999", day="100"), "PULL_QUOTES"),
        (account("NaN", bad=2), "HALTED"),
    ],
)
def test_loss(seen: RiskState, expected: str) -> None:
    """Rule 1: 500 USD an hour, 1,000 a day, and no more than a tenth of what the day began with."""
    assert outcome(loss(seen)) == expected


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (state(), ""),
        (account("97500"), ""),
        (account("97499.999999"), "WIDEN"),
        (account("95000"), "WIDEN"),
        (account("94999.999999"), "PULL_QUOTES"),
        (account("94999.999999", bad=2), "HALTED"),
        (account("20", day="20"), ""),
        (account("19.999999", day="20"), "PULL_QUOTES"),
        (account("Infinity", bad=2), "HALTED"),
    ],
)
def test_drawdown(seen: RiskState, expected: str) -> None:
    """Rules 1 and 2: 5 % below the peak; 20 USD are the floor."""
    assert outcome(drawdown(seen)) == expected


@pytest.mark.parametrize(
    ("used", "distance", "expected"),
    [
        (0.8, None, ""),
        (0.81, None, "REDUCE_ONLY"),
        (0.0, 0.1, ""),
        (0.0, 0.0999, "WIDEN"),
        (0.0, 0.05, "WIDEN"),
        (0.0, 0.0499, "REDUCE_ONLY"),
    ],
)
def test_margin(used: float, distance: float | None, expected: str) -> None:
    """Rule 3: 80 % of equity as margin; a move of 5 % must be survived, 10 % are better."""
    assert outcome(margin(state(margin_used_share=used, liquidation_distance=distance))) == expected


def test_the_message_holds_the_figures() -> None:
    """A person must see what was lost, and how much of it is not realised yet."""
    text = loss(account("99000", peak="100100")).message
    assert "equity 99000, day -1000 (realised -990), hour -1000, best of the day 100" in text

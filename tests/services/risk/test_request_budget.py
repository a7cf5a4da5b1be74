"""What may still be sent, by the venue's count and ours."""

import pytest

from common.messages import AddressBudget, PostureLevel
from services.risk.request_budget import RequestBudget
from tests.services.risk.scene import Scene


@pytest.mark.parametrize(("used", "signed", "left"), [(0, 0, 1.0), (5_000, 1_000, 0.4), (9_990, 20, 0.0)])
def test_left(used: int, signed: int, left: float) -> None:
    """Rule 1: the venue's count less what was signed since, of ten thousand."""
    budget = RequestBudget()
    assert budget.left() == 1
    budget.on_answer(used, 10_000)
    budget.on_signed(signed)
    assert budget.left() == pytest.approx(left)
    assert budget.statement() == AddressBudget(used=used + signed, cap=10_000)


@pytest.mark.parametrize(
    ("used", "level"), [(7_000, PostureLevel.NORMAL), (8_500, PostureLevel.WIDEN), (9_500, PostureLevel.PULL_QUOTES)]
)
def test_a_scarce_budget_restrains(used: int, level: PostureLevel) -> None:
    """Asked at the start and every minute: quotes go before cancels do."""
    scene = Scene()
    scene.requests_used = used
    scene.ready()
    assert scene.level() is level

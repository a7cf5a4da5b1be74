"""What one order counts."""

import pytest

from common.units import Millis, Nanos
from services.risk.ledger_entry import UNCAPPED, Entry
from tests.services.risk.scene import bid


@pytest.mark.parametrize(
    ("total", "filled", "cap", "leaves"),
    [
        (-1, 0, UNCAPPED, 10),
        (-1, 4, UNCAPPED, 6),
        (-1, 11, UNCAPPED, 0),
        (4, 0, UNCAPPED, 4),
        (4, 4, UNCAPPED, 0),
        (-1, 0, 6, 6),
        (-1, 2, 6, 6),
        (-1, 5, 6, 5),
        (4, 1, 0, 0),
    ],
)
def test_leaves(total: int, filled: int, cap: int, leaves: int) -> None:
    """Its total less its fills, never more than the cap, never below nothing."""
    order = bid(1, lots=10)
    entry = Entry(order=order, expires_after=Millis(0), noticed_at=Nanos(0), total=total, filled=filled, cap=cap)
    assert entry.leaves == leaves

"""Daily loss, on both sides of its limit and of its two seconds."""

from decimal import Decimal

import pytest

from common.messages import DayRecord
from common.units import SECOND, Millis, Nanos
from services.risk.loss import DAY_MS, DailyLoss

DAY = 20_000
NOON = Millis(DAY * DAY_MS + DAY_MS // 2)


def started(equity: str = "10000") -> DailyLoss:
    loss = DailyLoss(1_000.0)
    assert loss.on_equity(Decimal(equity), NOON, Nanos(0)) == DayRecord(day=DAY, equity=Decimal(equity))
    return loss


@pytest.mark.parametrize(("equity", "bad"), [("9000", False), ("8999.999999", True)])
def test_the_limit_itself_is_allowed(equity: str, bad: bool) -> None:
    """Rule 2: a thousand may be lost, a millionth more is suspect, twice is a breach."""
    loss = started()
    loss.on_equity(Decimal(equity), NOON, Nanos(SECOND))
    assert loss.suspected is bad
    assert loss.breach == ""
    loss.on_equity(Decimal(equity), NOON, Nanos(2 * SECOND))
    assert bool(loss.breach) is bad


def test_one_phantom_tick_is_forgiven() -> None:
    """Rule 2: a good state in between begins anew."""
    loss = started()
    for number, equity in enumerate(("1", "9999", "1")):
        loss.on_equity(Decimal(equity), NOON, Nanos(number * SECOND))
        assert loss.breach == ""
    assert loss.suspected


@pytest.mark.parametrize(("pause", "breach"), [(2 * SECOND, True), (2 * SECOND + 1, False)])
def test_the_second_state_comes_within_two_seconds(pause: int, breach: bool) -> None:
    """Rule 2: later it is a first one again."""
    loss = started()
    loss.on_equity(Decimal(1), NOON, Nanos(0))
    loss.on_equity(Decimal(1), NOON, Nanos(pause))
    assert bool(loss.breach) is breach
    assert loss.suspected


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_no_number_is_beyond_every_limit(text: str) -> None:
    """Rule 3: also as the very first word of a day, which it does not begin."""
    for loss in (DailyLoss(1_000.0), started()):
        for at in (1, 2):
            assert loss.on_equity(Decimal(text), NOON, Nanos(at)) is None
        assert loss.breach


def test_a_restart_forgives_nothing() -> None:
    """Rule 1: the day's start is in the journal."""
    loss = DailyLoss(1_000.0)
    loss.restore(DayRecord(day=DAY, equity=Decimal(10_000)))
    assert loss.on_equity(Decimal(8_000), NOON, Nanos(0)) is None
    assert loss.suspected


def test_midnight_begins_a_day() -> None:
    """Rule 1: by venue time; the next day's first state is its start, an older day never is."""
    loss = started()
    loss.on_equity(Decimal(9_500), NOON, Nanos(1))
    midnight = Millis((DAY + 1) * DAY_MS)
    assert loss.on_equity(Decimal(9_500), Millis(midnight - 1), Nanos(2)) is None
    assert loss.on_equity(Decimal(9_400), midnight, Nanos(3)) == DayRecord(day=DAY + 1, equity=Decimal(9_400))
    assert loss.loss == 0
    assert loss.on_equity(Decimal(9_300), Millis(midnight - 1), Nanos(4)) is None


@pytest.mark.parametrize(("equity", "half"), [("9500", False), ("9499.99", True)])
def test_half_of_it_widens(equity: str, half: bool) -> None:
    """Rule 4: five hundred are allowed."""
    loss = started()
    loss.on_equity(Decimal(equity), NOON, Nanos(1))
    assert loss.half is half

"""The state that monitors read: worst cases, their limits, and the balance of the book."""

import msgspec
import pytest

from common.units import Lots, Nanos, Ticks
from services.risk.activity import Conduct
from services.risk.pending_exposure import (
    check_pending_exposure_risk,
    log_pending_exposure_warning,
)
from services.risk.risk_state import Limits, RiskState
from tests.services.risk.scene import SETTINGS

LIMITS = Limits(risk=SETTINGS.risk, monitors=SETTINGS.monitors, soft=Lots(100), hard=Lots(125))


def state(position: int = 0, bid: int = 0, ask: int = 0) -> RiskState:
    plain = RiskState(limits=LIMITS, coin="BTC", position=Lots(position), mark=Ticks(600_000))
    return plain.with_pending_exposure(Lots(bid), Lots(ask))


def test_with_pending_exposure() -> None:
    """Rules 1 and 2: a new state; bids raise the worst case, asks lower it, the old state stays as it was."""
    before = RiskState(limits=LIMITS, position=Lots(10))
    after = before.with_pending_exposure(Lots(30), Lots(50))
    assert (after.pending_bid_exposure, after.pending_ask_exposure, after.net_pending_change) == (30, 50, -20)
    assert (after.worst_case_max_position, after.worst_case_min_position) == (40, -40)
    assert before.worst_case_max_position == 0
    two = msgspec.structs.replace(before, position_by_fills=Lots(-5)).with_pending_exposure(Lots(1), Lots(1))
    assert (two.worst_case_max_position, two.worst_case_min_position) == (11, -6)


@pytest.mark.parametrize(("position", "bid", "exceeds"), [(60, 40, False), (60, 41, True), (-60, 160, False)])
def test_worst_case_exceeds_long_limit(position: int, bid: int, exceeds: bool) -> None:
    """Rule 3: the limit itself is allowed."""
    assert state(position, bid=bid).worst_case_exceeds_long_limit() is exceeds
    assert state(position, bid=bid).worst_case_exceeds_limits() is exceeds


@pytest.mark.parametrize(("position", "ask", "exceeds"), [(-60, 40, False), (-60, 41, True), (60, 160, False)])
def test_worst_case_exceeds_short_limit(position: int, ask: int, exceeds: bool) -> None:
    """Rule 3: the same below zero."""
    assert state(position, ask=ask).worst_case_exceeds_short_limit() is exceeds
    assert state(position, ask=ask).worst_case_exceeds_limits() is exceeds


@pytest.mark.parametrize(("bid", "ask", "lots"), [(5, 5, 15), (0, 40, 30), (0, 0, 10)])
def test_worst_case_position_value(bid: int, ask: int, lots: int) -> None:
    """The larger of both ends, at the mark."""
    assert state(10, bid, ask).worst_case_position_value() == lots * 600_000
    assert state(-10, bid, ask).value == 6_000_000


@pytest.mark.parametrize(("bid", "ask", "balanced"), [(0, 0, True), (100, 90, True), (89, 100, False), (0, 1, False)])
def test_is_book_balanced(bid: int, ask: int, balanced: bool) -> None:
    """Rule 4: within a tenth of the larger side; two zeros are balanced."""
    assert state(bid=bid, ask=ask).is_book_balanced() is balanced
    assert state(bid=ask, ask=bid).is_book_balanced() is balanced


def test_time_stuck() -> None:
    """Counted from when the inventory last shrank; a flat one is not stuck."""
    assert state().with_conduct(Conduct(unshrunk_since=Nanos(3)), Nanos(10)).stuck_for == 7
    assert state().with_conduct(Conduct(), Nanos(10)).stuck_for == 0


def test_pending_exposure_within_limits() -> None:
    """The limit itself, on both sides, is no warning."""
    assert check_pending_exposure_risk(Lots(0), Lots(100), Lots(100), Lots(100)) is None


def test_pending_exposure_exceeds_long() -> None:
    """One lot more of bids: the long side, with its exposures."""
    warning = check_pending_exposure_risk(Lots(20), Lots(81), Lots(100), Lots(100))
    assert warning is not None
    assert warning.sides == "long"
    assert "position 20, bids 81 lead to 101, asks 100 to -80" in warning.text


def test_pending_exposure_exceeds_short() -> None:
    """One lot more of asks: the short side."""
    warning = check_pending_exposure_risk(Lots(-20), Lots(100), Lots(81), Lots(100))
    assert warning is not None
    assert warning.sides == "short"


def test_pending_exposure_exceeds_both() -> None:
    """One warning for both sides, written down as one row."""
    warning = check_pending_exposure_risk(Lots(0), Lots(101), Lots(102), Lots(100))
    assert warning is not None
    assert warning.sides == "both"
    assert "beyond 100 lots on both" in str(log_pending_exposure_warning("BTC", warning))

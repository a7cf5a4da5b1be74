"""Position, worst case, velocity and stuck inventory, on both sides of every limit."""

import pytest

from common.units import SECOND, Lots, Nanos
from services.risk.monitors.inventory import position, stuck, velocity, worst_case
from services.risk.risk_state import UNPRICED
from tests.services.risk.monitors.states import LIMITS, conduct, outcome, state


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("lots", "expected"), [(10_000, ""), (10_001, "REDUCE_ONLY"), (15_999, "REDUCE_ONLY"), (16_000, "HALTED")]
)
def test_position(lots: int, sign: int, expected: str) -> None:
    """Rule 1: the hard limit is allowed; twice the soft one is a runaway."""
    assert outcome(position(state(position=Lots(sign * lots)))) == expected


def test_the_runaway_is_the_venue_s_word() -> None:
    """Rule 1: our own count alone reduces and never kills; without any price nothing is judged."""
    assert outcome(position(state(position_by_fills=Lots(99_000)))) == "REDUCE_ONLY"
    unpriced = type(LIMITS)(risk=LIMITS.risk, monitors=LIMITS.monitors)
    assert unpriced.soft == UNPRICED
    assert outcome(position(state(position=Lots(99_000), limits=unpriced))) == ""


def test_worst_case_position_warning() -> None:
    """Rule 2: one lot beyond the soft limit is a medium warning with side and exposures, and blocks nothing."""
    found = worst_case(state(position=Lots(5_000)).with_pending_exposure(Lots(3_001), Lots(0)))
    assert outcome(found) == "MEDIUM"
    assert "on long: position 5000, bids 3001 lead to 8001" in found.message
    assert "one-sided book" in found.message
    both = worst_case(state().with_pending_exposure(Lots(8_100), Lots(8_100)))
    assert "on both" in both.message
    assert "; balanced book, 4860000000 micro-USD at worst" in both.message
    doubted = state(position=Lots(0), position_by_fills=Lots(8_001)).with_pending_exposure(Lots(0), Lots(0))
    assert "witnesses" in worst_case(doubted).message


def test_worst_case_position_ok() -> None:
    """Rule 2: the soft limit itself, on both sides."""
    assert outcome(worst_case(state().with_pending_exposure(Lots(8_000), Lots(8_000)))) == ""


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("lots", "expected"),
    [
        (5_000, ""),
        (5_001, "WIDEN"),
        (10_000, "WIDEN"),
        (10_001, "PULL_QUOTES"),
        (20_000, "PULL_QUOTES"),
        (20_001, "HALTED"),
    ],
)
def test_velocity(lots: int, sign: int, expected: str) -> None:
    """Rule 3: half of the hard limit a minute, twice that, four times that."""
    assert outcome(velocity(conduct(net_fills=Lots(sign * lots)))) == expected


@pytest.mark.parametrize(
    ("lots", "seconds", "expected"),
    [(4_000, 9_999, ""), (4_001, 899, ""), (4_001, 900, "REDUCE_ONLY"), (-4_001, 900, "REDUCE_ONLY")],
)
def test_stuck(lots: int, seconds: int, expected: str) -> None:
    """Rule 4: more than half of the soft limit for a quarter of an hour."""
    assert outcome(stuck(state(position=Lots(lots), stuck_for=Nanos(seconds * SECOND)))) == expected

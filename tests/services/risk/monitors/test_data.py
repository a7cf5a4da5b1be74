"""Streams, references and the request budget, on both sides of every limit."""

import pytest

from common.units import SECOND, Nanos
from services.risk.monitors.data import rate_limit, references, staleness
from services.risk.risk_state import Stream
from tests.services.risk.monitors.states import outcome, state


@pytest.mark.parametrize(("age", "expected"), [(SECOND, ""), (SECOND + 1, "PULL_QUOTES"), (None, "PULL_QUOTES")])
def test_staleness(age: int | None, expected: str) -> None:
    """Rule 1: each stream by its own limit; one that was never heard is stale, and the message names it."""
    fresh = Stream("account", Nanos(0), Nanos(SECOND))
    found = staleness(state(streams=(fresh, Stream("book", None if age is None else Nanos(age), Nanos(SECOND)))))
    assert outcome(found) == expected
    assert found.message == ("stale: book" if expected else "")


def test_a_socket_that_is_down() -> None:
    """Rule 1: however fresh its last word is."""
    assert outcome(staleness(state(connected=False))) == "PULL_QUOTES"


def test_references() -> None:
    """Rule 2: whatever keeps them from counting is the message."""
    assert outcome(references(state())) == ""
    assert references(state(reference_fault="mid and mark too far apart")).message == "mid and mark too far apart"


@pytest.mark.parametrize(("left", "expected"), [(0.2, ""), (0.199, "WIDEN"), (0.1, "WIDEN"), (0.099, "PULL_QUOTES")])
def test_rate_limit(left: float, expected: str) -> None:
    """Rule 3: a fifth and a tenth."""
    assert outcome(rate_limit(state(budget_left=left))) == expected

"""Requests left at the venue against the pause between requotes: both sides of each limit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.messages import AddressBudget, Posted
from common.messages.venue import ActionStatus
from common.units import SECOND, Nanos
from services.order_management.pace import PAUSE_MAX, PLENTY, RESERVE, Pace
from tests.services.order_management.parts import seconds

T = seconds(100)


def left(requests: int) -> Pace:
    pace = Pace()
    pace.hear(AddressBudget(used=500, cap=500 + requests))
    pace.moved(T)
    return pace


@pytest.mark.parametrize(
    ("requests", "pause_s", "places"),
    [
        (2 * PLENTY, 0, True),
        (PLENTY, 0, True),
        (PLENTY - 300, 1, True),
        ((PLENTY + RESERVE) // 2, 5, True),
        (RESERVE + 1, 9.996666666, True),
        (RESERVE, 10, False),
        (0, 10, False),
        (-5_000, 10, False),
    ],
)
def test_the_pause_grows_as_the_budget_falls(requests: int, pause_s: float, places: bool) -> None:
    """Rules 1 and 2."""
    pace = left(requests)
    assert (pace.due(), pace.places) == (T + seconds(pause_s), places)


def test_nothing_heard_is_no_reason_to_wait() -> None:
    """Rule 1: and the first requote of a life waits for nobody."""
    pace = Pace()
    assert (pace.due(), pace.places) == (0, True)
    pace.moved(T)
    assert pace.due() == T
    short = Pace()
    short.hear(AddressBudget(used=1, cap=2))
    assert short.due() == 0


@pytest.mark.parametrize(
    ("posted", "wait_s"),
    [
        (Posted(post_id=1, error="Too many cumulative requests sent (10001 > 10000)"), 10),
        (Posted(post_id=1, error="429 Too Many Requests"), 10),
        (Posted(post_id=1, statuses=(ActionStatus(kind="error", text="Too many open orders"),)), 10),
        (Posted(post_id=1, error="Invalid nonce: duplicate nonce 4290"), 0),
        (Posted(post_id=1, statuses=(ActionStatus(kind="resting", oid=1),)), 0),
    ],
)
def test_a_refusal_for_too_many_is_a_pause(posted: Posted, wait_s: float) -> None:
    """Rule 3: whichever way the venue says it, and nothing else that it says."""
    pace = left(PLENTY)
    pace.on_posted(posted, T)
    assert pace.due() == T + seconds(wait_s)


def test_refusals_in_a_row_wait_longer() -> None:
    """Rule 3: 10, 20, 40, 80 s and no more, until an action is taken again."""
    pace, refusal = left(PLENTY), Posted(post_id=1, error="429")
    waits = []
    for _ in range(5):
        pace.on_posted(refusal, T)
        waits.append((pace.due() - T) // SECOND)
    assert waits == [10, 20, 40, 80, 80]
    pace.on_posted(Posted(post_id=2, error="Invalid nonce"), T)
    pace.on_posted(refusal, T)
    assert pace.due() == T + 8 * PAUSE_MAX, "another refusal takes nothing"
    pace.on_posted(Posted(post_id=3), T)
    pace.on_posted(refusal, T)
    assert pace.due() == T + PAUSE_MAX


@given(st.integers(-20_000, 20_000), st.integers(-20_000, 20_000))
def test_law_less_budget_never_means_more_requotes(one: int, other: int) -> None:
    """Rule 1: the pause falls as the budget grows, and is bounded."""
    low, high = sorted((one, other))
    assert 0 <= left(high).pause <= left(low).pause <= PAUSE_MAX
    assert left(low).places <= left(high).places
    assert left(low).due() == Nanos(T + left(low).pause)

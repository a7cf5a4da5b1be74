"""The sliding minute, and the patience between connections."""

from random import Random

from hypothesis import example, given
from hypothesis import strategies as st

from common.hyperliquid.budget import CONNECTIONS_PER_MIN_MAX, MINUTE, WAIT_MAX, WAIT_MIN, MinuteBudget, ReconnectPace
from common.units import SECOND, Nanos


def test_limit() -> None:
    """Rule 1: the limit itself fits, one more does not, and a refusal spends nothing."""
    budget = MinuteBudget(10)
    assert budget.take(10, Nanos(0))
    assert not budget.take(1, Nanos(0))
    assert not budget.take(1, Nanos(MINUTE - 1))
    assert budget.take(10, MINUTE)


def test_refusal_is_free() -> None:
    """Rule 1: what was refused leaves room for what is cheaper."""
    budget = MinuteBudget(10)
    assert not budget.take(11, Nanos(0))
    assert budget.take(10, Nanos(0))


def test_charge_afterwards() -> None:
    """Rule 2: a debt blocks until enough of the minute is over."""
    budget = MinuteBudget(10)
    assert budget.take(5, Nanos(0))
    budget.charge(20, Nanos(SECOND))
    budget.charge(0, Nanos(SECOND))
    assert budget.spare(Nanos(SECOND)) == -15
    assert not budget.take(1, MINUTE)
    assert budget.take(10, Nanos(MINUTE + SECOND))


@given(st.lists(st.tuples(st.integers(0, 20 * SECOND), st.integers(1, 30)), max_size=60))
def test_no_minute_exceeds_the_limit(costs: list[tuple[int, int]]) -> None:
    """Rule 1: in no sixty seconds, wherever they begin, is more spent than the limit."""
    budget, now, spent = MinuteBudget(100), 0, []
    for pause, cost in costs:
        now += pause
        if budget.take(cost, Nanos(now)):
            spent.append((now, cost))
    for begin, _ in spent:
        assert sum(cost for at, cost in spent if begin <= at < begin + MINUTE) <= 100


def test_pace() -> None:
    """Rule 3: at once, then doubling from 0.1 to 5 s with chance in it; data starts it anew."""
    pace = ReconnectPace(Random(1).random)
    now = Nanos(0)
    waits = []
    for _ in range(10):
        waits.append(pace.wait(now))
        now = Nanos(now + waits[-1])
    assert waits[0] == 0
    assert WAIT_MIN <= waits[1] < 2 * WAIT_MIN
    assert all(WAIT_MAX / 2 <= wait <= WAIT_MAX for wait in waits[6:])
    assert len(set(waits)) == len(waits)
    pace.succeeded()
    assert WAIT_MIN <= pace.wait(now) < 2 * WAIT_MIN


@given(st.lists(st.booleans(), min_size=80, max_size=120), st.integers())
@example([True] * 100, 1)
def test_connections_a_minute(successes: list[bool], seed: int) -> None:
    """Rule 3: even a venue that accepts and drops at once sees no more than its limit in any minute."""
    pace, now, made = ReconnectPace(Random(seed).random), Nanos(0), []
    for success in successes:
        now = Nanos(now + pace.wait(now))
        made.append(now)
        if success:
            pace.succeeded()
    assert all(sum(begin <= at < begin + MINUTE for at in made) <= CONNECTIONS_PER_MIN_MAX for begin in made)

"""Two witnesses of one position."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from common.units import Lots, Millis, Nanos
from services.risk.own_position import OwnPosition


def started(lots: int = 10, at_ms: int = 100) -> OwnPosition:
    position = OwnPosition()
    position.on_snapshot(Lots(lots), Millis(at_ms), Nanos(0))
    return position


def fill(position: OwnPosition, lots: int, at_ms: int, now: int = 1) -> None:
    position.on_fill(Lots(lots), Millis(at_ms), Nanos(now))


def test_unknown_before_the_first_account_state() -> None:
    """Rule 1: fills alone are no position; those later than the first state count with it."""
    position = OwnPosition()
    fill(position, 3, 99)
    fill(position, 4, 101)
    assert not position.known
    position.on_snapshot(Lots(10), Millis(100), Nanos(1))
    assert (position.known, position.by_snapshot, position.by_fills) == (True, 14, 14)


def test_fills_up_to_the_state_are_in_it() -> None:
    """Rule 1: the millisecond of the state itself is in it, the next is not."""
    position = started()
    fill(position, 1, 100)
    fill(position, 2, 101)
    assert position.by_snapshot == 12


def test_an_older_state_changes_nothing() -> None:
    """Rule 3: compared by venue time."""
    position = started()
    position.on_snapshot(Lots(99), Millis(100), Nanos(1))
    position.on_snapshot(Lots(98), Millis(50), Nanos(1))
    assert position.by_snapshot == 10


def test_a_state_that_overtakes_its_fill_settles_when_the_fill_comes() -> None:
    """Rules 2, 4 and 5: both are kept meanwhile, the worse binds, and the late fill ends the difference."""
    position = started()
    position.on_snapshot(Lots(13), Millis(200), Nanos(7))
    assert (position.highest, position.lowest, position.differs_since) == (13, 10, 7)
    position.on_snapshot(Lots(13), Millis(210), Nanos(9))
    assert position.differs_since == 7
    fill(position, 3, 150)
    assert (position.highest, position.lowest) == (13, 13)
    assert position.differs_since is None


def test_a_fill_that_the_state_denies_differs() -> None:
    """Rule 4: fills say more than the venue: kept apart until a person looks."""
    position = started()
    fill(position, -5, 150)
    position.on_snapshot(Lots(10), Millis(200), Nanos(3))
    assert (position.highest, position.lowest, position.differs_since) == (10, 5, 3)
    position.rebase(Nanos(4))
    assert (position.highest, position.lowest) == (10, 10)
    assert position.differs_since is None


def test_the_fills_bind_where_they_are_worse() -> None:
    """Rule 4: on the high side as on the low side."""
    position = started()
    fill(position, 5, 150)
    position.on_snapshot(Lots(10), Millis(200), Nanos(3))
    assert (position.highest, position.lowest) == (15, 10)


def test_agreement_forgets_old_fills() -> None:
    """Rule 2: what an agreed state holds does not count again, even when it is delivered again."""
    position = started()
    fill(position, 5, 150)
    position.on_snapshot(Lots(15), Millis(200), Nanos(3))
    fill(position, 5, 150)
    assert (position.by_snapshot, position.by_fills, position._fills) == (15, 15, [])


@given(st.lists(st.tuples(st.integers(101, 200), st.integers(-9, 9)), max_size=12), st.randoms(use_true_random=False))
def test_any_order_gives_the_same_end(trades: list[tuple[int, int]], chance: Random) -> None:
    """Rules 1 to 4: fills and true states in any order end at the true position without a difference."""
    position = started(0)
    states = [(at, sum(lots for when, lots in trades if when <= at)) for at in (120, 160, 200)]
    deeds = [("fill", at, lots) for at, lots in trades] + [("state", at, lots) for at, lots in states]
    chance.shuffle(deeds)
    for kind, at, lots in deeds:
        if kind == "fill":
            fill(position, lots, at)
        else:
            position.on_snapshot(Lots(lots), Millis(at), Nanos(1))
    position.on_snapshot(Lots(states[-1][1]), Millis(201), Nanos(2))
    assert (position.by_snapshot, position.by_fills, position.differs_since) == (states[-1][1], states[-1][1], None)

"""Running sums of what may still fill."""

from hypothesis import given
from hypothesis import strategies as st

from common.units import Lots, Side, Ticks
from services.order_management.exposure import OrderExposure


def two_sided() -> OrderExposure:
    exposure = OrderExposure()
    exposure.count("a", Side.BUY, Ticks(100), Lots(10))
    exposure.count("b", Side.BUY, Ticks(99), Lots(5))
    exposure.count("c", Side.SELL, Ticks(110), Lots(7))
    return exposure


def test_pending_exposure_empty() -> None:
    """Nothing open can do nothing."""
    exposure = OrderExposure()
    assert exposure.pending_exposure() == (0, 0)
    assert exposure.resting_notional() == (0, 0)


def test_pending_exposure_with_orders() -> None:
    """Each side is the sum of its leaves."""
    assert two_sided().pending_exposure() == (15, 7)


def test_pending_exposure_excludes_partial_fills() -> None:
    """Rule 1: what is filled counts no more; what has ended counts nothing."""
    exposure = two_sided()
    exposure.count("a", Side.BUY, Ticks(100), Lots(4))
    assert exposure.pending_exposure() == (9, 7)
    exposure.count("a", Side.BUY, Ticks(100), Lots(0))
    assert exposure.pending_exposure() == (5, 7)
    exposure.count("a", Side.BUY, Ticks(100), Lots(0))
    assert exposure.pending_exposure() == (5, 7)


def test_net_pending_change() -> None:
    """Bids add, asks take away."""
    assert two_sided().net_pending_change() == 8


def test_worst_case_positions() -> None:
    """All of one side and nothing of the other, both ways, from a long and from a short."""
    assert two_sided().worst_case_positions(Lots(3)) == (18, -4)
    assert two_sided().worst_case_positions(Lots(-20)) == (-5, -27)


def test_resting_notional() -> None:
    """Leaves at their own prices, and nothing left over when they are gone."""
    exposure = two_sided()
    assert exposure.resting_notional() == (10 * 100 + 5 * 99, 770)
    exposure.count("b", Side.BUY, Ticks(99), Lots(1))
    assert exposure.resting_notional() == (1_099, 770)


words = st.tuples(st.sampled_from("abcd"), st.sampled_from(Side), st.integers(1, 1_000), st.integers(0, 50))


@given(st.lists(words, max_size=40), st.integers(-100, 100))
def test_law_sums_equal_enumeration(told: list[tuple[str, Side, int, int]], position: int) -> None:
    """Rule 2: the sums are those of the last words, and the worst case is the worst of all subsets that may fill."""
    exposure = OrderExposure()
    last: dict[str, tuple[Side, int, int]] = {}
    for name, side, price, lots in told:
        exposure.count(name, side, Ticks(price), Lots(lots))
        last[name] = (side, price, lots)
    sums = {side: sum(lots for at, _, lots in last.values() if at is side) for side in Side}
    assert exposure.pending_exposure() == (sums[Side.BUY], sums[Side.SELL])
    reachable = {position}
    for side, _, lots in last.values():
        reachable |= {one + side.sign * lots for one in reachable}
    assert exposure.worst_case_positions(Lots(position)) == (max(reachable), min(reachable))
    value = sum(price * lots for side, price, lots in last.values() if side is Side.BUY)
    assert exposure.resting_notional()[0] == value

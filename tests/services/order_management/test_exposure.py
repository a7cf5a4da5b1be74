"""Running sums of what may still fill."""

from hypothesis import given
from hypothesis import strategies as st

from common.units import Lots, Side, Ticks
from services.order_management.exposure import OrderExposure

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
    assert exposure.worst_case_positions(Lots(position)) == (min(reachable), max(reachable))
    value = sum(price * lots for side, price, lots in last.values() if side is Side.BUY)
    assert exposure.resting_notional()[0] == value

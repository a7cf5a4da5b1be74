"""Markouts: signs, origins, horizons, kinds, errors; what cannot be measured is left out."""

from math import inf, nan, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.messages import Fill, Markout, OrderState, Regime
from common.units import Millis, Side
from services.estimation.markouts import (
    AHEAD_MAX_MS,
    HORIZONS_S,
    LEVEL_MAX,
    MID_AGE_MAX_MS,
    ORDERS_MAX,
    PENDING_MAX,
    TIDS_MAX,
    Markouts,
)
from tests.services.estimation.fills import fill, listed, order

PRICE = 1_000_000.0


def bps(move: float) -> float:
    return PRICE * (1 + move / 10_000)


def markouts() -> Markouts:
    return Markouts(half_life_s=1e9)


def mids(one: Markouts, *rows: tuple[int, float]) -> Markouts:
    """Let the mid be so many bps above PRICE at these ms."""
    for ms, move in rows:
        one.on_mid(bps(move), Millis(ms))
    return one


def found(one: Markouts, kind: str, of: str) -> dict[int, Markout]:
    return {said.horizon_s: said for said in one.markouts() if (said.kind, said.of) == (kind, of)}


@pytest.mark.parametrize(("side", "sign"), [(Side.BUY, 1), (Side.SELL, -1)])
def test_from_placement_and_from_the_fill(side: Side, sign: int) -> None:
    """Placed at a mid of +1 bp, filled at 0, mid at +3 after a second: a buyer gained 2 and 3, a seller lost them."""
    one = mids(markouts(), (0, 0.0))
    one.on_orders(listed(order("0xa", side=side)), bps(1))
    one.on_fill(fill(100, 1, side=side), Regime.NORMAL)
    mids(one, (1_100, 3.0))
    said = found(one, "side", side.value)[1]
    assert said.from_fill_bps == pytest.approx(3 * sign, rel=1e-6)
    assert said.from_placement_bps == pytest.approx(2 * sign, rel=1e-3)
    assert (said.effective_samples, said.placement_samples) == (1.0, 1.0)
    assert (said.from_fill_error_bps, said.from_placement_error_bps) == (None, None)


def test_each_horizon_sees_the_mid_of_its_end() -> None:
    """Rule 3: the last mid by then, not the first after it."""
    one = mids(markouts(), (0, 0.0))
    one.on_fill(fill(0, 1), Regime.NORMAL)
    mids(one, *((500 * step, step / 2) for step in range(1, 200)))
    said = found(one, "side", "buy")
    assert {horizon: round(value.from_fill_bps, 6) for horizon, value in said.items()} == {
        horizon: pytest.approx(horizon) for horizon in HORIZONS_S
    }
    late = mids(markouts(), (0, 0.0))
    late.on_fill(fill(0, 1), Regime.NORMAL)
    mids(late, (900, 1.0), (1_001, 50.0))
    assert found(late, "side", "buy")[1].from_fill_bps == pytest.approx(1.0)


@pytest.mark.parametrize(("age_ms", "measured"), [(MID_AGE_MAX_MS, True), (MID_AGE_MAX_MS + 1, False)])
def test_a_gap_measures_nothing(age_ms: int, *, measured: bool) -> None:
    """Rule 3: both sides of the limit."""
    one = mids(markouts(), (100_000, 0.0))
    one.on_fill(fill(99_000 + age_ms, 1), Regime.NORMAL)
    mids(one, (200_000, 1.0))
    assert (1 in found(one, "side", "buy")) is measured


def test_kinds() -> None:
    """Rule 4: one fill counts by its side, its level and its regime."""
    one = mids(markouts(), (0, 0.0))
    one.on_orders(listed(order("0xa", 999_990), order("0xb", 1_000_000)), bps(0))
    one.on_fill(fill(0, 1), Regime.EXTREME)
    mids(one, (1_000, 1.0))
    assert {(said.kind, said.of) for said in one.markouts()} == {
        *(("side", "buy"), ("level", "1"), ("regime", "extreme"))
    }


def test_levels() -> None:
    """Rule 2: by distinct better prices of the side that will stay, when first seen; asks the other way round."""
    one = markouts()
    one.on_orders(
        listed(
            *(order("0xa", 100), order("0xb", 90), order("0xc", 90), order("0xd", 80)),
            *(order("0xe", 200, side=Side.SELL), order("0xf", 210, side=Side.SELL)),
            order("0x1", 110, state=OrderState.CANCEL_PENDING),
        ),
        bps(0),
    )
    levels = {cloid: placed.level for cloid, placed in one._placed.items()}
    assert levels == {"0xa": 0, "0xb": 1, "0xc": 1, "0xd": 2, "0xe": 0, "0xf": 1, "0x1": 0}
    one.on_orders(listed(order("0xd", 80)), bps(0))
    assert one._placed["0xd"].level == 2
    one.on_orders(listed(*(order(f"0x9{number}", 1_000 - number) for number in range(20))), bps(0))
    assert max(placed.level for placed in one._placed.values()) == LEVEL_MAX


def test_an_order_seen_late_has_no_placement() -> None:
    """Rule 1: acknowledged when first seen, unknown, or seen before any mid: only the fill's price serves."""
    one = mids(markouts(), (0, 0.0))
    one.on_orders(listed(order("0xa", oid=5)), bps(0))
    one.on_orders(listed(order("0xb")), None)
    for tid, cloid in enumerate(("0xa", "0xb", "0xc", None)):
        one.on_fill(fill(0, tid, cloid=cloid), Regime.NORMAL)
    mids(one, (1_000, 1.0))
    said = found(one, "side", "buy")[1]
    assert said.effective_samples == pytest.approx(4)
    assert said.placement_samples == 0.0


def test_a_fill_after_its_order_is_gone_still_finds_it() -> None:
    """Lists and fills may come in either order."""
    one = mids(markouts(), (0, 0.0))
    one.on_orders(listed(order("0xa")), bps(2))
    one.on_orders(listed(), bps(9))
    one.on_fill(fill(0, 1), Regime.NORMAL)
    mids(one, (1_000, 3.0))
    assert found(one, "side", "buy")[1].from_placement_bps == pytest.approx(1.0, rel=1e-3)


def test_the_standard_error() -> None:
    """Rule 3: of n markouts it is their deviation over sqrt(n - 1)."""
    one, moves = mids(markouts(), (0, 0.0)), [1.0, -2.0, 4.0, 0.5, 3.0]
    for number, move in enumerate(moves):
        at = 10_000 * (number + 1)
        one.on_fill(fill(at, number), Regime.NORMAL)
        mids(one, (at, 0.0), (at + 1_000, move), (at + 5_000, 0.0), (at + 9_999, 0.0))
    said = found(one, "side", "buy")[1]
    assert said.from_fill_bps == pytest.approx(np.mean(moves), rel=1e-6)
    assert said.from_fill_error_bps == pytest.approx(np.std(moves) / sqrt(len(moves) - 1), rel=1e-6)


def test_it_forgets() -> None:
    """An old fill weighs half after one half-life, by the time of its markout."""
    one = mids(Markouts(half_life_s=100.0), (0, 0.0))
    one.on_fill(fill(0, 1), Regime.NORMAL)
    mids(one, (1_000, 1.0), (100_000, 0.0))
    one.on_fill(fill(100_000, 2), Regime.NORMAL)
    mids(one, (101_000, 4.0))
    assert found(one, "side", "buy")[1].from_fill_bps == pytest.approx((0.5 * 1 + 4) / 1.5, rel=1e-6)


@pytest.mark.parametrize(
    "odd", [fill(1, 1), fill(1, 9, ticks=0), fill(1, 9, ticks=-1), fill(1, 9, lots=0), fill(2 + AHEAD_MAX_MS, 9)]
)
def test_odd_fills_change_nothing(odd: Fill) -> None:
    """Rule 5: repeated, empty, or from the future: counted, and no fill."""
    one = mids(markouts(), (1, 0.0))
    one.on_fill(fill(1, 1), Regime.NORMAL)
    one.on_fill(odd, Regime.NORMAL)
    assert (one.fills, one.refused) == (1, 1)
    mids(one, (1_001, 1.0))
    assert found(one, "side", "buy")[1].effective_samples == 1.0


@pytest.mark.parametrize("odd", [nan, inf, -inf, 0.0, -1.0])
def test_odd_mids_change_nothing(odd: float) -> None:
    """Rule 5: counted; a late one as well."""
    one = mids(markouts(), (500, 0.0))
    one.on_fill(fill(500, 1), Regime.NORMAL)
    one.on_mid(odd, Millis(1_500))
    one.on_mid(bps(99), Millis(499))
    assert one.refused == 2
    assert one.markouts() == ()


def test_a_restart_lets_time_go_back() -> None:
    """The stamps of a broken feed do not keep later ones out."""
    one = mids(markouts(), (10**9, 0.0))
    one.restart()
    one.on_mid(bps(0), Millis(1_000))
    assert one.refused == 0


def test_memory_is_bounded() -> None:
    """Orders, fills that wait, and fills that are remembered."""
    one = mids(markouts(), (0, 0.0))
    for number in range(ORDERS_MAX + 10):
        one.on_orders(listed(order(f"0x{number}")), bps(0))
    for tid in range(TIDS_MAX + 10):
        one.on_fill(fill(0, tid), Regime.NORMAL)
    assert len(one._placed) == ORDERS_MAX
    assert len(one._tids) == TIDS_MAX
    assert all(len(watched) == PENDING_MAX for watched in one._watched)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 3_000), st.floats(-50, 50), st.sampled_from(Side)), min_size=1, max_size=40))
def test_opposite_sides_mirror(rows: list[tuple[int, float, Side]]) -> None:
    """The same fills on the other side have the same markouts with the other sign."""
    straight, mirrored, at = markouts(), markouts(), 0
    for tid, (dt_ms, move, side) in enumerate(rows):
        at += dt_ms
        for one, taken in ((straight, side), (mirrored, side.opposite)):
            one.on_mid(bps(move), Millis(at))
            one.on_fill(fill(at, tid, side=taken), Regime.NORMAL)
    for side in Side:
        for horizon, said in found(straight, "side", side.value).items():
            other = found(mirrored, "side", side.opposite.value)[horizon]
            assert other.from_fill_bps == pytest.approx(-said.from_fill_bps)
            assert other.effective_samples == said.effective_samples

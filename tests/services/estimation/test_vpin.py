"""VPIN: buckets of volume against a straightforward batch, staleness, nonsense."""

from math import nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.units import MICROS_PER_USD, Micros, Side
from services.estimation.vpin import BUCKETS, STALE_S, Vpin

USD = MICROS_PER_USD


def filled(*trades: tuple[Side, int], bucket_usd: float = 10.0) -> Vpin:
    """Return one that saw these sides and dollars, a second apart."""
    vpin = Vpin(bucket_usd=bucket_usd)
    for number, (side, usd) in enumerate(trades):
        vpin.add(side, Micros(usd * USD), float(number))
    return vpin


def test_balanced_and_one_sided() -> None:
    """Rule 2: 0 when each bucket is half bought, 1 when all are bought, 0.2 when six of ten dollars are."""
    rounds = BUCKETS
    assert filled(*[(Side.BUY, 5), (Side.SELL, 5)] * rounds).value(2.0 * rounds) == 0.0
    assert filled(*[(Side.BUY, 10)] * rounds).value(1.0 * rounds) == 1.0
    assert filled(*[(Side.BUY, 6), (Side.SELL, 4)] * rounds).value(2.0 * rounds) == pytest.approx(0.2)


def test_none_before_all_buckets() -> None:
    """Rule 3: both sides of the limit."""
    assert filled(*[(Side.BUY, 10)] * (BUCKETS - 1), (Side.BUY, 9)).value(50.0) is None
    assert filled(*[(Side.BUY, 10)] * (BUCKETS - 1), (Side.BUY, 9), (Side.SELL, 1)).value(50.0) is not None
    assert Vpin(bucket_usd=1.0).value(0.0) is None


def test_stale() -> None:
    """Rule 3: a minute after the last trade, not before, and back with the next trade."""
    vpin = filled((Side.BUY, 500))
    assert vpin.value(STALE_S) == 1.0
    assert vpin.value(STALE_S + 0.001) is None
    vpin.add(Side.BUY, Micros(1), STALE_S + 1)
    assert vpin.value(STALE_S + 1) == 1.0


def test_old_buckets_leave() -> None:
    """Rule 2: fifty balanced ones later nothing one-sided is left."""
    vpin = filled(*[(Side.SELL, 10)] * BUCKETS, *[(Side.BUY, 5), (Side.SELL, 5)] * BUCKETS)
    assert vpin.value(200.0) == 0.0


@pytest.mark.parametrize(("notional", "at_s"), [(0, 11.0), (-1, 11.0), (5, 9.0), (5, nan)])
def test_nonsense_changes_nothing(notional: int, at_s: float) -> None:
    """Rule 4: counted; a restart lets time go back."""
    vpin = Vpin(bucket_usd=10.0)
    vpin.add(Side.BUY, Micros(500 * USD), 10.0)
    vpin.add(Side.SELL, Micros(notional * USD), at_s)
    assert vpin.refused == 1
    assert vpin.value(10.0) == 1.0
    vpin.restart()
    vpin.add(Side.BUY, Micros(1), 1.0)
    assert vpin.refused == 1


def batch(trades: list[tuple[Side, int]], bucket: int) -> float | None:
    """Lay all volume out in single micro-dollars of the bucket's size and cut it."""
    line = [side.sign for side, volume in trades for _ in range(volume)]
    cut = [line[start : start + bucket] for start in range(0, len(line) - bucket + 1, bucket)]
    last = cut[-BUCKETS:]
    return sum(abs(sum(one)) for one in last) / (BUCKETS * bucket) if len(last) == BUCKETS else None


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 200)), min_size=1, max_size=40), st.integers(2, 7))
def test_incremental_equals_batch(trades: list[tuple[Side, int]], bucket: int) -> None:
    """Rule 1: also where a trade fills many buckets, exactly."""
    vpin = Vpin(bucket_usd=bucket / MICROS_PER_USD)
    for side, volume in trades:
        vpin.add(side, Micros(volume), 0.0)
    assert vpin.value(0.0) == batch(trades, bucket)

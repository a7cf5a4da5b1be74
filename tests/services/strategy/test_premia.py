"""Premia by hand: each adds what it should, under its name, and the sum is bounded once."""

from math import exp, sqrt, tanh

import msgspec
import pytest

from common.sections import Strategy
from common.units import Side
from services.strategy.market import Arrival, Market
from services.strategy.models.interface import Distances
from services.strategy.premia import Shape, shape
from tests.services.strategy.test_ladder import MARKET

MODEL = Distances(parts={side: {"model": 2.0} for side in Side}, skew=-0.5)


def shaped(market: Market = MARKET, *, widen: bool = False, model: Distances = MODEL, **chosen: float) -> Shape:
    return shape(msgspec.structs.replace(Strategy(), **chosen), market, model, widen=widen)


def seen(**changes: object) -> Market:
    return msgspec.structs.replace(MARKET, **changes)


def test_what_is_always_there() -> None:
    """The model's own, the fee, and 0.2 s of latency at 1 bp per sqrt(second); all others are zero."""
    parts = shaped().parts[Side.BUY]
    assert {name: bps for name, bps in parts.items() if bps} == {
        "model": 2.0,
        "fee": 1.5,
        "latency": pytest.approx(sqrt(0.2)),
    }
    assert shaped().half_spread[Side.BUY] == pytest.approx(3.5 + sqrt(0.2))
    assert shaped().shift == -0.5


@pytest.mark.parametrize(
    ("market", "part", "bps"),
    [
        (seen(adverse_bps={Side.BUY: 1.2}), "adverse", 1.2),
        (seen(jump_ratio=4.0), "jump", 1.0),  # twice the volatility, one bp more of it
        (seen(jump_ratio=0.5), "jump", 0.0),
        (seen(jump_ratio=1e9), "jump", 9.0),
        (seen(vpin=0.75), "vpin", 0.5),
        (seen(vpin=0.5), "vpin", 0.0),
        (seen(confidence=0.25), "cold", 1.5),
        (seen(arrivals=dict.fromkeys(Side, Arrival(a_per_s=1.0, k_per_bps=1.0, confidence=0.0))), "cold", 2.0),
        (seen(sigma_fast_per_sqrt_s=0.0004), "latency", 4 * sqrt(0.2)),
    ],
)
def test_each_premium(market: Market, part: str, bps: float) -> None:
    """Added in bps to the bid's half-spread, whatever else there is."""
    before, after = shaped(), shaped(market)
    assert after.parts[Side.BUY][part] == pytest.approx(bps)
    moved = after.parts[Side.BUY][part] - before.parts[Side.BUY][part]
    assert after.half_spread[Side.BUY] - before.half_spread[Side.BUY] == pytest.approx(moved)


def test_widen_and_costs() -> None:
    """Risk's Widen is five bps; a level has to earn fee and adverse selection."""
    assert shaped(widen=True).half_spread[Side.SELL] - shaped().half_spread[Side.SELL] == pytest.approx(5)
    assert shaped(seen(adverse_bps={Side.BUY: 1.2})).cost == {Side.BUY: 2.7, Side.SELL: 1.5}


def test_bounds() -> None:
    """Capped once, at the end, but never below what is measured as cost; floored; the difference is published."""
    wide = Distances(parts={side: {"model": 80.0} for side in Side}, skew=0.0)
    capped = shaped(model=wide, widen=True)
    assert capped.half_spread[Side.BUY] == 50
    assert sum(capped.parts[Side.BUY].values()) == pytest.approx(50)
    costly = shaped(seen(adverse_bps={Side.BUY: 60.0}), model=wide)
    assert costly.half_spread[Side.BUY] == pytest.approx(61.5 + sqrt(0.2))
    assert costly.half_spread[Side.SELL] == 50
    floored = shaped(half_spread_min_bps=9.0)
    assert floored.half_spread[Side.BUY] == 9
    assert floored.parts[Side.BUY]["bounds"] == pytest.approx(5.5 - sqrt(0.2))


@pytest.mark.parametrize(
    ("funding", "due_s", "bps"),
    [(1e-4, 0.0, -1.0), (-1e-4, 0.0, 1.0), (1e-4, 600.0, -exp(-1)), (0.1, 0.0, -(3.5 + sqrt(0.2))), (0.0, 0.0, 0.0)],
)
def test_funding_leans_to_the_paid_side(funding: float, due_s: float, bps: float) -> None:
    """Where longs pay, both quotes are lower, the nearer the payment the more, at most by a half-spread."""
    assert shaped(seen(funding_per_hour=funding, funding_due_s=due_s)).shifts["funding"] == pytest.approx(bps)
    assert shaped(seen(funding_per_hour=funding), funding_hold_s=0.0).shifts["funding"] == 0


def test_flow_tilts() -> None:
    """Both quotes follow the pressure, by a fifth of a bp at most."""
    assert shaped(seen(imbalance=1.0)).shifts["flow"] == pytest.approx(0.2 * tanh(1))
    assert shaped(seen(imbalance=-1e9)).shifts["flow"] == pytest.approx(-0.2)


def test_a_leader_moves_both_sides() -> None:
    """By its tilt, as it is; no half-spread changes."""
    still, led = shaped(), shaped(seen(leader_bps=1.25))
    assert led.shifts["leader"] == 1.25
    assert led.shift == still.shift + 1.25
    assert led.half_spread == still.half_spread

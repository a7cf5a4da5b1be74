"""The own feed's behaviour: moves, volatility, jumps, open interest."""

import pytest

from common.messages import AssetContext
from common.units import SECOND, Lots, Nanos, Ticks
from services.risk.price_watch import RETURNS_MIN, PriceWatch
from tests.services.risk.scene import SETTINGS


def at(seconds: float) -> Nanos:
    return Nanos(int(seconds * SECOND))


def watch() -> PriceWatch:
    return PriceWatch(SETTINGS.monitors, SETTINGS.instrument("BTC"))


def touch(made: PriceWatch, mid: int, seconds: float) -> None:
    made.on_touch(Ticks(mid - 5), Ticks(mid + 5), at(seconds))


def interest(made: PriceWatch, coins: float | None, seconds: float) -> None:
    context = AssetContext(
        coin="BTC", mark=Ticks(600_000), oracle=Ticks(1), funding=0.0002, open_interest=coins, received_at=at(seconds)
    )
    made.on_context(context, at(seconds))


def test_a_move_lasts_for_the_window() -> None:
    """Rule 1: highest against lowest within five seconds, also when nothing more is said."""
    made = watch()
    touch(made, 100_000, 0)
    touch(made, 101_000, 4)
    assert made.behaviour(at(4.9)).move_bps == pytest.approx(100)
    assert made.behaviour(at(5)).move_bps == 0
    assert made.behaviour(at(5)).spread_bps == pytest.approx(10 / 101_000 * 10_000)


def test_volatility_and_jumps() -> None:
    """Rule 2: too few returns say nothing; even steps have no jumps, one big step among small ones is one."""
    made = watch()
    mid = 1_000_000
    for second in range(RETURNS_MIN):
        touch(made, mid, second)
        mid += 100 * (-1) ** second
    assert made.behaviour(at(20)).sigma_per_sqrt_s is None
    touch(made, mid, 20)
    calm = made.behaviour(at(20))
    assert calm.sigma_per_sqrt_s == pytest.approx(1e-4, rel=0.01)
    assert calm.jump_share == 0
    touch(made, mid + 5_000, 21)
    wild = made.behaviour(at(21))
    assert wild.jump_share is not None
    assert wild.jump_share > 0.9


def test_a_market_that_stands_still_has_no_jumps() -> None:
    """Rule 2: no variance, no share of it."""
    made = watch()
    for second in range(RETURNS_MIN + 1):
        touch(made, 1_000_000, second)
    assert made.behaviour(at(21)).jump_share == 0


def test_a_cascade_needs_both() -> None:
    """Rule 3: half of the move's limit and all of the interest's are half a cascade."""
    made = watch()
    interest(made, 1_000.0, 0)
    interest(made, 900.0, 1)
    assert made.behaviour(at(1)).open_interest_drop == pytest.approx(0.1)
    assert made.behaviour(at(1)).cascade == 0
    touch(made, 100_000, 1)
    touch(made, 100_500, 2)
    assert made.behaviour(at(2)).cascade == pytest.approx(0.5)
    assert made.behaviour(at(2)).funding_per_h == 0.0002
    interest(made, 83.0, 3)  # 4,980,000 USD
    assert made.behaviour(at(3)).open_interest_drop == pytest.approx(0.917)
    interest(made, None, 4)
    assert made.behaviour(at(4)).open_interest_drop == 0
    small = watch()
    interest(small, 83.0, 0)
    interest(small, 8.0, 1)
    assert small.behaviour(at(1)).open_interest_drop == 0


def test_a_reconnect_begins_anew() -> None:
    """Rule 4: a move across the gap is none that was seen."""
    made = watch()
    touch(made, 100_000, 0)
    made.on_depth(((Ticks(1), Lots(5)), (Ticks(1), Lots(6))), ((Ticks(2), Lots(7)),))
    assert made.depth == 7
    made.forget()
    touch(made, 110_000, 1)
    assert made.behaviour(at(1)).move_bps == 0
    assert made.depth == 0

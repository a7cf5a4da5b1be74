"""Two strategies side by side: by volume, with an error, and no winner without one."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec
import pytest

from services.replay.comparison import FILLS_MIN, WINDOW_S, WINDOWS_MIN, compared, windows
from services.replay.measures import CoinMeasure, CoinReport, Point
from services.replay.venue_link import EPOCH_MS
from tests.services.replay.test_measures import BTC

NAMES = ("glft", "symmetric")


def coin(gains: Sequence[float], *, fills: int = FILLS_MIN, volume: int = 10_000) -> CoinReport:
    """Gain so much in each window; a point at its middle."""
    curve = [Point((n + 0.5) * WINDOW_S, 100_000.0, sum(gains[: n + 1]), 0.0) for n in range(len(gains))]
    empty = CoinMeasure(BTC, EPOCH_MS).report(EPOCH_MS, Decimal(0))
    net = Decimal(str(sum(gains)))
    return msgspec.structs.replace(empty, net_pnl_usd=net, fills=fills, volume_usd=Decimal(volume), curve=tuple(curve))


def noisy(mean: float) -> list[float]:
    return [mean + 0.1 * (-1) ** n for n in range(20)]


def test_the_better_one_is_named_with_its_lead() -> None:
    """Twice the volume and the same gain is half as good; 1 USD on 10,000 USD is a bps."""
    said = compared(NAMES, ([coin(noisy(1.0))], [coin(noisy(1.0), volume=20_000)]))
    assert [side.net_bps for side in said.sides] == pytest.approx([20, 10])
    assert said.difference_bps == pytest.approx(10)
    assert said.error_bps is not None
    assert said.verdict.startswith("glft was better by 10.00 bps (standard error ")
    turned = compared(NAMES, ([coin(noisy(-1.0))], [coin(noisy(1.0))]))
    assert turned.verdict.startswith("symmetric was better by 40.00 bps")


def test_a_difference_within_its_error_is_none() -> None:
    """Both gain, in other windows."""
    said = compared(NAMES, ([coin(noisy(0.5))], [coin([-each for each in noisy(-0.51)])]))
    assert said.verdict.startswith("Neither is better: ")


@pytest.mark.parametrize(
    ("fills", "count", "enough"),
    [
        (FILLS_MIN, WINDOWS_MIN + 1, True),  # the last window may be a part, and does not count
        (FILLS_MIN - 1, WINDOWS_MIN + 1, False),
        (FILLS_MIN, WINDOWS_MIN, False),
    ],
)
def test_small_samples_say_so(fills: int, count: int, *, enough: bool) -> None:
    """Of fills and of windows."""
    said = compared(NAMES, ([coin([1.0] * count, fills=fills)], [coin([0.0] * count)]))
    assert said.verdict.startswith("The sample is too small") != enough


def test_nothing_traded_is_no_division() -> None:
    """Zero volume has no bps and no error."""
    said = compared(NAMES, ([coin([0.0] * 20, fills=0, volume=0)], [coin(noisy(1.0))]))
    assert (said.sides[0].net_bps, said.error_bps) == (0.0, None)


def test_windows_are_gains() -> None:
    """The first from zero; a window without a point is passed over, its gain falls into the next."""
    curve = [Point(s, 0.0, usd, 0.0) for s, usd in ((10, 1.0), (29, 2.0), (31, 2.5), (100, 5.0), (121, 9.0))]
    assert windows(curve) == [2.0, 0.5, 2.5]
    assert windows([]) == []

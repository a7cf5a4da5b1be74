"""Two strategies on the same recording, side by side. Pure.

Rules
  1. What they earned is divided by what they traded: bps of volume, for a strategy that trades more is not better.
  2. The difference has the standard error of its windows of WINDOW_S, taken as independent, volumes taken as known.
  3. One is called better only beyond ERRORS_MIN standard errors, and from FILLS_MIN fills of each on.
"""

from collections.abc import Sequence
from math import sqrt
from statistics import stdev
from typing import Final

import msgspec

from services.replay.measures import CoinReport, MarkoutMean, Point

WINDOW_S: Final = 30.0  # what is gained from one fill is mostly known by then
WINDOWS_MIN: Final = 10  # fewer tell nothing of their spread
FILLS_MIN: Final = 30  # of each strategy; fewer are a handful of sweeps
ERRORS_MIN: Final = 2.0
BPS: Final = 10_000


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy in one coin."""

    strategy: str
    coin: str
    net_pnl_usd: float
    volume_usd: float
    net_bps: float  # of the volume
    fills: int
    uptime_both: float
    markouts: tuple[MarkoutMean, ...]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    sides: tuple[Side, ...]
    difference_bps: float  # of volume, all coins, the first less the second
    error_bps: float | None
    verdict: str


def compared(names: tuple[str, str], reports: tuple[Sequence[CoinReport], Sequence[CoinReport]]) -> Comparison:
    """Compare what two strategies came to, in the same coins and the same time."""
    sides = [_side(name, coin) for name, coins in zip(names, reports, strict=True) for coin in coins]
    volumes = [float(sum(coin.volume_usd for coin in coins)) for coins in reports]
    fills = [sum(coin.fills for coin in coins) for coins in reports]
    nets = [float(sum(coin.net_pnl_usd for coin in coins)) for coins in reports]
    first, second = (net / volume * BPS if volume else 0.0 for net, volume in zip(nets, volumes, strict=True))
    error = _error_bps(reports, volumes) if all(volumes) else None
    earned = f"{names[0]} {first:+.2f} bps of its volume ({fills[0]} fills), {names[1]} {second:+.2f} bps ({fills[1]})"
    difference = first - second
    if min(fills) < FILLS_MIN or error is None:
        verdict = f"The sample is too small to tell: {earned}; at least {FILLS_MIN} fills of each are needed."
    elif abs(difference) <= ERRORS_MIN * error:
        verdict = (
            f"Neither is better: {earned}; the difference of {difference:+.2f} bps is within {ERRORS_MIN:g} standard "
            f"errors of {error:.2f}."
        )
    else:
        better = names[difference < 0]
        verdict = f"{better} was better by {abs(difference):.2f} bps (standard error {error:.2f}): {earned}."
    return Comparison(sides=tuple(sides), difference_bps=difference, error_bps=error, verdict=verdict)


def _side(name: str, coin: CoinReport) -> Side:
    net, volume = float(coin.net_pnl_usd), float(coin.volume_usd)
    return Side(
        strategy=name,
        coin=coin.coin,
        net_pnl_usd=net,
        volume_usd=volume,
        net_bps=net / volume * BPS if volume else 0.0,
        fills=coin.fills,
        uptime_both=coin.uptime_both,
        markouts=coin.markouts,
    )


def _error_bps(reports: tuple[Sequence[CoinReport], Sequence[CoinReport]], volumes: list[float]) -> float | None:
    """Apply rule 2."""
    gains = [
        [sum(parts) / volume for parts in zip(*(windows(coin.curve) for coin in coins), strict=False)]
        for coins, volume in zip(reports, volumes, strict=True)
    ]
    differences = [one - other for one, other in zip(*gains, strict=False)]
    if len(differences) < WINDOWS_MIN:
        return None
    return float(stdev(differences)) * sqrt(len(differences)) * BPS


def windows(curve: Sequence[Point]) -> list[float]:
    """Return what each whole window of WINDOW_S gained, USD."""
    ends: dict[int, float] = {}
    for point in curve:
        ends[int(point.s // WINDOW_S)] = point.net_pnl_usd
    whole = list(ends.values())[:-1]  # the last may be a part
    return [value - before for before, value in zip([0.0, *whole], whole, strict=False)]

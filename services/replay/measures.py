"""What a replay came to by the venue's own log: fills, money, time.

Rules
  1. Money is split as services/estimation/attribution.py says, but fed with what the venue wrote.
  2. A markout is the signed move of the mid after a fill, from the fill's price; its mean has the standard error of
     fills as independent samples, which those of one sweep are not.
  3. Uptime counts a side as quoted while the venue has an open order of ours on it. Time counts from `quote_from_ms`.
  4. The identity: cash of all fills less fees plus funding must be what the venue's account says, to 1e-6 USD.
"""

from bisect import bisect_right
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from math import sqrt
from typing import Final, TypeVar

import msgspec

from common import witness
from common.instrument import Instrument
from common.messages import Attribution, Fill, Position
from common.units import MILLISECOND, Lots, Millis, Nanos, Side, Ticks
from services.estimation.attribution import ProfitAndLoss

HORIZONS_S: Final = (1, 5, 30, 60)
CURVE_POINTS_MAX: Final = 2_000  # of each curve in the report; a plot has fewer pixels
OPEN: Final = frozenset({"open", "triggered"})
BPS: Final = 10_000
_T = TypeVar("_T")
QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)


class MarkoutMean(msgspec.Struct, frozen=True, kw_only=True):
    """Gains after fills at one horizon; positive is ours. No error of fewer than two fills."""

    horizon_s: int
    fills: int
    mean_bps: float
    error_bps: float | None


class Point(msgspec.Struct, frozen=True, array_like=True):
    """One moment of the curves."""

    s: float  # since the beginning
    mid: float
    net_pnl_usd: float  # position at the mid
    position_usd: float


class FillMark(msgspec.Struct, frozen=True, array_like=True):
    """One fill on the price plot."""

    s: float
    px: float
    side: str


class CoinReport(msgspec.Struct, frozen=True, kw_only=True):
    """One coin's day. USD amounts are exact decimals; shares are of the time since quoting was first possible."""

    coin: str
    net_pnl_usd: Decimal
    spread_captured_usd: Decimal
    adverse_selection_usd: Decimal
    inventory_carry_usd: Decimal
    funding_usd: Decimal
    fees_usd: Decimal
    fills: int
    volume_usd: Decimal
    fill_ratio: float  # filled of what was placed, in lots
    markouts: tuple[MarkoutMean, ...]
    position_quantiles_usd: dict[str, float]  # by time
    drawdown_max_usd: float
    uptime_bid: float
    uptime_ask: float
    uptime_both: float
    curve: tuple[Point, ...]
    fill_marks: tuple[FillMark, ...]


class CoinMeasure:
    """Collects what the log says of one coin and our account."""

    def __init__(self, instrument: Instrument, began_ms: int) -> None:
        self._instrument = instrument
        self._began_ms = began_ms
        self._money = ProfitAndLoss()
        self._mid: int | None = None  # half ticks
        self._mids: list[tuple[int, int]] = []  # (ms, half ticks), as they changed
        self._lots = 0
        self._opened = False
        self._fees = Decimal(0)
        self._cash = Decimal(0)  # of fills, fees apart
        self._filled = 0
        self._placed = 0
        self._volume = Decimal(0)
        self._fills: list[tuple[int, Side, int]] = []  # (ms, side, ticks)
        self._held: list[tuple[int, int]] = [(began_ms, 0)]  # (ms, lots), as they changed
        self._open: dict[int, str] = {}  # oid -> side
        self._sides: list[tuple[int, bool, bool]] = [(began_ms, False, False)]
        self._curve: list[Point] = []
        self.quote_from_ms: int | None = None

    def see(self, line: witness.AnyLine) -> None:
        match line:
            case witness.Bbo(bid_px=str(bid), ask_px=str(ask)):
                self._on_mid(line.t, self._instrument.ticks(bid) + self._instrument.ticks(ask))
            case witness.Order():
                self._on_order(line)
            case witness.Fill():
                self._on_fill(line)
            case _:
                pass

    @property
    def cash_usd(self) -> Decimal:
        """Return what fills and fees moved; funding apart."""
        return self._cash - self._fees

    @property
    def lots(self) -> int:
        return self._lots

    def sample(self, at_ms: int) -> None:
        """Note one point of the curves; called about once a second of venue time."""
        found = self._attribution(Decimal(0))
        if found is None or self._mid is None:
            return
        mid = self._usd(self._mid) / 2
        value = float(self._lots * mid * self._lot)
        seconds = (at_ms - self._began_ms) / 1_000
        self._curve.append(Point(seconds, float(mid), float(found.equity_change), value))

    def report(self, until_ms: int, funding: Decimal) -> CoinReport:
        parts = self._attribution(funding)
        start = self.quote_from_ms or until_ms
        bid, ask, both = self._uptime(start, until_ms)
        zero = Decimal(0)
        return CoinReport(
            coin=self._instrument.coin,
            net_pnl_usd=parts.equity_change if parts else zero,
            spread_captured_usd=parts.spread_captured if parts else zero,
            adverse_selection_usd=parts.adverse_selection if parts else zero,
            inventory_carry_usd=parts.inventory_carry if parts else zero,
            funding_usd=parts.funding if parts else zero,
            fees_usd=parts.fees if parts else zero,
            fills=len(self._fills),
            volume_usd=self._volume,
            fill_ratio=self._filled / self._placed if self._placed else 0.0,
            markouts=tuple(self._markout(horizon, until_ms) for horizon in HORIZONS_S),
            position_quantiles_usd=self._inventory(start, until_ms),
            drawdown_max_usd=drawdown([point.net_pnl_usd for point in self._curve]),
            uptime_bid=bid,
            uptime_ask=ask,
            uptime_both=both,
            curve=tuple(thinned(self._curve)),
            fill_marks=tuple(
                FillMark((at_ms - self._began_ms) / 1_000, float(self._usd(ticks)), "B" if side is Side.BUY else "A")
                for at_ms, side, ticks in thinned(self._fills)
            ),
        )

    # --- lines ---------------------------------------------------------------------------------------

    def _on_mid(self, at_ms: int, mid: int) -> None:
        self._mid = mid
        self._mids.append((at_ms, mid))
        self._money.on_mid(mid, Millis(at_ms))
        if not self._opened:
            self._opened = True
            self._money.on_position(self._position(Decimal(0)))

    def _on_order(self, line: witness.Order) -> None:
        if line.status in OPEN and Decimal(line.sz):
            if line.oid not in self._open:
                self._placed += self._instrument.lots(line.orig_sz)
            self._open[line.oid] = line.side
            self.quote_from_ms = self.quote_from_ms or line.t
        else:
            if line.oid not in self._open and line.status == "filled":
                self._placed += self._instrument.lots(line.orig_sz)
            self._open.pop(line.oid, None)
        sides = set(self._open.values())
        self._sides.append((line.t, "B" in sides, "A" in sides))

    def _on_fill(self, line: witness.Fill) -> None:
        side = Side.BUY if line.side == "B" else Side.SELL
        ticks, lots = self._instrument.ticks(line.px), self._instrument.lots(line.sz)
        fill = Fill(
            coin=line.coin,
            side=side,
            ticks=Ticks(ticks),
            lots=Lots(lots),
            venue_ms=Millis(line.t),
            tid=line.tid,
            oid=line.oid,
            cloid=line.cloid,
            start_position=Lots(self._lots),
            fee=Decimal(line.fee),
            closed_pnl=Decimal(line.closed_pnl),
            crossed=line.crossed,
        )
        self._money.on_fill(fill)
        notional = Decimal(line.px) * Decimal(line.sz)
        self._lots += side.sign * lots
        self._cash -= side.sign * notional
        self._volume += notional
        self._fees += fill.fee
        self._filled += lots
        self._fills.append((line.t, side, ticks))
        self._held.append((line.t, self._lots))

    # --- numbers -------------------------------------------------------------------------------------

    def _attribution(self, funding: Decimal) -> Attribution | None:
        self._money.on_position(self._position(funding))
        return self._money.attribution(Nanos(self._began_ms * MILLISECOND))

    def _position(self, funding: Decimal) -> Position:
        return Position(
            coin=self._instrument.coin,
            lots=Lots(self._lots),
            entry=None,
            realized_pnl=Decimal(0),
            fees=self._fees,
            funding=funding,
            fills=len(self._fills),
            as_of_ms=Millis(self._began_ms),
            proven=True,
        )

    def _markout(self, horizon_s: int, until_ms: int) -> MarkoutMean:
        gains = []
        for at_ms, side, ticks in self._fills:
            due = at_ms + horizon_s * 1_000
            place = bisect_right(self._mids, (due, 1 << 62)) - 1
            if due <= until_ms and place >= 0:
                gains.append(side.sign * (self._mids[place][1] / 2 - ticks) / ticks * BPS)
        count = len(gains)
        mean = sum(gains) / count if count else 0.0
        error = None
        if count > 1:
            error = sqrt(sum((gain - mean) ** 2 for gain in gains) / (count - 1) / count)
        return MarkoutMean(horizon_s=horizon_s, fills=count, mean_bps=mean, error_bps=error)

    def _uptime(self, start_ms: int, until_ms: int) -> tuple[float, float, float]:
        whole = until_ms - start_ms
        quoted = [0, 0, 0]
        for (at, bid, ask), (end, _, _) in pairwise([*self._sides, (until_ms, False, False)]):
            span = max(0, min(end, until_ms) - max(at, start_ms))
            for place, is_on in enumerate((bid, ask, bid and ask)):
                quoted[place] += span * is_on
        bid_share, ask_share, both = (part / whole if whole > 0 else 0.0 for part in quoted)
        return bid_share, ask_share, both

    def _inventory(self, start_ms: int, until_ms: int) -> dict[str, float]:
        """Return quantiles by time of the position, in USD at the last mid."""
        if self._mid is None:
            return {}
        usd = float(self._usd(self._mid)) / 2 * float(self._lot)
        spans = sorted(
            (lots, max(0, min(end, until_ms) - max(at, start_ms)))
            for (at, lots), (end, _) in pairwise([*self._held, (until_ms, 0)])
        )
        whole = sum(span for _, span in spans)
        found: dict[str, float] = {}
        for quantile in QUANTILES:
            left = quantile * whole
            for lots, span in spans:
                left -= span
                if left <= 0:
                    found[f"{quantile:.0%}"] = lots * usd
                    break
        return found

    @property
    def _lot(self) -> Decimal:
        return Decimal(1).scaleb(-self._instrument.size_decimals)

    def _usd(self, ticks: int) -> Decimal:
        return self._instrument.price(Ticks(ticks))


def drawdown(curve: list[float]) -> float:
    """Return the largest fall from an earlier height, the beginning counted as zero."""
    peak, worst = 0.0, 0.0
    for value in curve:
        peak = max(peak, value)
        worst = max(worst, peak - value)
    return worst


def thinned(points: Sequence[_T]) -> list[_T]:
    """Return every n-th point, the last one always, so that CURVE_POINTS_MAX are not exceeded by more than it."""
    step = max(1, -(-len(points) // CURVE_POINTS_MAX))
    kept = list(points[::step])
    if (len(points) - 1) % step:
        kept.append(points[-1])
    return kept

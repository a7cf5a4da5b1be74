"""A replay's numbers from lines of the venue's log that are written by hand."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import witness
from common.instrument import Instrument
from services.replay.measures import CURVE_POINTS_MAX, CoinMeasure, drawdown, thinned
from services.replay.venue_link import ACCOUNT, EPOCH_MS

BTC = Instrument(coin="BTC", asset=0, size_decimals=5, leverage_max=40)


class Log:
    """Says lines at seconds since the beginning."""

    def __init__(self) -> None:
        self.measure = CoinMeasure(BTC, EPOCH_MS)
        self._seq = 0

    def head(self, s: float) -> dict[str, Any]:
        self._seq += 1
        return {"seq": self._seq, "t": EPOCH_MS + round(s * 1_000), "block": self._seq}

    def mid(self, s: float, usd: int) -> "Log":
        bid, ask = str(usd - 1), str(usd + 1)
        self.measure.see(witness.Bbo(**self.head(s), coin="BTC", bid_px=bid, bid_sz="1.0", ask_px=ask, ask_sz="1.0"))
        return self

    def order(self, s: float, oid: int, side: str, status: str, left: str = "0.01") -> "Log":
        line = witness.Order(
            **self.head(s),
            user=ACCOUNT,
            coin="BTC",
            oid=oid,
            cloid=None,
            side=side,
            px="100000.0",
            sz=left,
            orig_sz="0.01",
            status=status,
            tif="Alo",
            reduce_only=False,
            placed_ms=0,
        )
        self.measure.see(line)
        return self

    def fill(self, s: float, tid: int, side: str, px: str, fee: str = "0.15") -> "Log":
        line = witness.Fill(
            **self.head(s),
            user=ACCOUNT,
            coin="BTC",
            oid=tid,
            cloid=None,
            side=side,
            px=px,
            sz="0.01",
            start_position="0.0",
            dir="Open Long",
            closed_pnl="0.0",
            fee=fee,
            crossed=False,
            tid=tid,
            liquidation=False,
        )
        self.measure.see(line)
        return self


def test_the_parts_of_a_round_trip() -> None:
    """Bought 10 under the mid, the mid fell 30, sold 10 over it: two spreads, less the fall, less fees."""
    log = Log().mid(0, 100_000).fill(1, 1, "B", "99990.0").mid(2, 99_970).fill(100, 2, "A", "99980.0").mid(140, 99_970)
    report = log.measure.report(EPOCH_MS + 140_000, Decimal("-0.05"))
    assert report.spread_captured_usd == Decimal("0.2")
    assert report.adverse_selection_usd == Decimal("-0.3")
    assert report.inventory_carry_usd == 0
    assert (report.fees_usd, report.funding_usd) == (Decimal("-0.3"), Decimal("-0.05"))
    assert report.net_pnl_usd == Decimal("-0.45")
    assert log.measure.cash_usd == Decimal("-0.4")
    assert (report.fills, report.volume_usd) == (2, Decimal("1999.7"))


def test_a_fall_later_than_the_takers_knowledge_is_carry() -> None:
    """Half a minute separates the one from the other."""
    log = Log().mid(0, 100_000).fill(1, 1, "B", "99990.0").mid(31, 100_000).mid(40, 99_900)
    report = log.measure.report(EPOCH_MS + 40_000, Decimal(0))
    assert (report.adverse_selection_usd, report.inventory_carry_usd) == (Decimal(0), Decimal(-1))


def test_markouts_are_signed_gains_with_an_error() -> None:
    """A buy before a rise and a sale before the same rise cancel; the error says how little that proves."""
    log = Log().mid(0, 100_000).fill(10, 1, "B", "100000.0").fill(10, 2, "A", "100000.0").mid(10.5, 100_100)
    one, five, _, sixty = log.measure.report(EPOCH_MS + 16_000, Decimal(0)).markouts
    assert one.fills == 2
    assert one.mean_bps == pytest.approx(0)
    assert one.error_bps == pytest.approx(10)
    assert five.fills == 2
    assert (sixty.fills, sixty.mean_bps, sixty.error_bps) == (0, 0.0, None)


def test_uptime_counts_what_the_venue_had_open() -> None:
    """From the first order on: a bid for 10 s, an ask for 5 of them, then 10 s of nothing."""
    log = Log().mid(0, 100_000).order(5, 1, "B", "open").order(10, 2, "A", "open")
    log.order(15, 1, "B", "canceled").order(15, 2, "A", "filled", "0.0")
    report = log.measure.report(EPOCH_MS + 25_000, Decimal(0))
    assert (report.uptime_bid, report.uptime_ask, report.uptime_both) == (0.5, 0.25, 0.25)


def test_the_fill_ratio_counts_each_order_once() -> None:
    """A partial fill says "open" again; an order that is filled at once was placed all the same."""
    log = Log().mid(0, 100_000).order(1, 1, "B", "open").order(2, 1, "B", "open", "0.005").fill(3, 7, "B", "100000.0")
    log.order(4, 2, "B", "filled", "0.0")
    assert log.measure.report(EPOCH_MS + 5_000, Decimal(0)).fill_ratio == 0.5


def test_inventory_is_weighted_by_time() -> None:
    """Flat for 80 s, then long for 20: the median is flat, the 95 % quantile is not."""
    log = Log().mid(0, 100_000).order(0, 1, "B", "open").fill(80, 1, "B", "100000.0")
    quantiles = log.measure.report(EPOCH_MS + 100_000, Decimal(0)).position_quantiles_usd
    assert quantiles["50%"] == quantiles["75%"] == 0
    assert quantiles["95%"] == pytest.approx(1_000)


def test_nothing_at_all_is_a_report_too() -> None:
    """A coin that never had a book."""
    report = CoinMeasure(BTC, EPOCH_MS).report(EPOCH_MS, Decimal(0))
    assert (report.net_pnl_usd, report.uptime_both) == (Decimal(0), 0.0)
    assert (report.curve, report.position_quantiles_usd) == ((), {})


@given(st.lists(st.floats(-1e6, 1e6), max_size=50))
def test_drawdown_is_never_negative_and_zero_on_the_way_up(curve: list[float]) -> None:
    """The beginning counts as zero, so a loss from the first moment on is one."""
    assert drawdown(curve) >= max(0.0, -min(curve, default=0.0))
    assert drawdown(sorted(max(0.0, value) for value in curve)) == 0


@pytest.mark.parametrize("count", [0, 1, CURVE_POINTS_MAX, CURVE_POINTS_MAX + 1, 3 * CURVE_POINTS_MAX + 5])
def test_curves_are_thinned_and_keep_their_ends(count: int) -> None:
    """A day has 86,400 seconds; a plot does not."""
    kept = thinned(range(count))
    assert len(kept) <= CURVE_POINTS_MAX + 1
    assert kept[:1] + kept[-1:] == [*range(count)][:1] + [*range(count)][-1:]

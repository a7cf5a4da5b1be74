"""What the strategy hears, in short, and a strategy that has just heard everything."""

from decimal import Decimal
from typing import Final

import msgspec

from common.config import Settings
from common.messages import (
    ArrivalEstimate,
    ArrivalSide,
    CascadeEstimate,
    Estimate,
    Exposure,
    FeedHealth,
    Fill,
    FlowEstimate,
    Markout,
    MarkoutEstimate,
    Position,
    Posture,
    PostureLevel,
    QuoteTarget,
    VolatilityEstimate,
)
from common.units import Lots, Millis, Side, Ticks
from services.strategy.core import Inbox, Strategy
from tests.market import BID, BOOT, SETTINGS, at, top
from tests.script import Script

ONE_COIN: Final = msgspec.structs.replace(SETTINGS, coins={"BTC": SETTINGS.coins["BTC"]})
# Prices that can be worked out by hand: 3 bps and one second's volatility, nothing added.
PLAIN: Final = msgspec.structs.replace(
    SETTINGS.strategy,
    model="symmetric",
    full_inventory_shift=1.0,
    maker_fee_bps=0.0,
    latency_ms=0.0,
    cold_premium_bps=0.0,
    flow_tilt_bps=0.0,
)
BTC: Final = msgspec.structs.replace(ONE_COIN, strategy=PLAIN)
LIMIT: Final = 5_309  # lots: 6,000 USD at 113,001
FRESH: Final = FeedHealth(coin="BTC", fresh=True, reason="", book_age_ms=1, context_age_ms=1)


def estimate(
    seconds: float,
    *,
    coin: str = "BTC",
    fair: float = BID + 5.0,
    sigma: float = 1e-4,
    warm: bool = True,
    confidence: float = 1.0,
    jump_ratio: float = 1.0,
    pull_bids: bool = False,
    pull_asks: bool = False,
    tilt: float = 0.0,
) -> Estimate:
    return Estimate(
        coin=coin,
        as_of=at(seconds),
        book_venue_ms=Millis(int(seconds * 1_000)),
        mid_ticks=BID + 5.0,
        fair_ticks=fair,
        sigma_per_sqrt_s=sigma,
        sigma_total_per_sqrt_s=sigma,
        jump_ratio=jump_ratio,
        effective_samples=100.0,
        confidence=confidence,
        warm=warm,
        pull_bids=pull_bids,
        pull_asks=pull_asks,
        leader_tilt_bps=tilt,
        leader_at=at(seconds),
    )


def arrivals(
    seconds: float, *, a: float = 0.2, k: float = 1.3, confidence: float = 1.0, warm: bool = True
) -> ArrivalEstimate:
    side = ArrivalSide(
        a_per_s=a,
        k_per_bps=k,
        k_low_per_bps=k,
        k_high_per_bps=k,
        effective_samples=100.0,
        confidence=confidence,
        warm=warm,
    )
    return ArrivalEstimate(coin="BTC", as_of=at(seconds), bids=side, asks=side)


def flow(
    seconds: float,
    *,
    vpin: float | None = None,
    imbalance: float = 0.0,
    funding: float | None = 0.0,
    due_s: float = 0.0,
) -> FlowEstimate:
    return FlowEstimate(
        coin="BTC",
        as_of=at(seconds),
        order_flow_imbalance=imbalance,
        flow_1s_usd_per_s=0.0,
        flow_5s_usd_per_s=0.0,
        flow_30s_usd_per_s=0.0,
        vpin=vpin,
        funding_per_hour=funding,
        funding_due_s=due_s,
        effective_samples=100.0,
        confidence=1.0,
        warm=True,
    )


def cascade(
    seconds: float, *, side: Side = Side.SELL, factor: float = 1.0, pull_bids: bool = False, warm: bool = True
) -> CascadeEstimate:
    """Sellers are forced, unless said otherwise."""
    return CascadeEstimate(
        coin="BTC",
        as_of=at(seconds),
        side=side,
        ratio=10.0,
        severity=1 - factor,
        size_factor=factor,
        pull_bids=pull_bids,
        pull_asks=False,
        effective_samples=100.0,
        confidence=1.0,
        warm=warm,
    )


def markout(
    seconds: float, bps: float, error: float | None = 0.5, *, side: Side = Side.BUY, horizon_s: int = 5
) -> MarkoutEstimate:
    """Fills of one side moved by so much, from their price; a gain is positive."""
    found = Markout(
        kind="side",
        of=side.value,
        horizon_s=horizon_s,
        from_fill_bps=bps,
        from_fill_error_bps=error,
        effective_samples=10.0,
        from_placement_bps=0.0,
        from_placement_error_bps=None,
        placement_samples=0.0,
    )
    return MarkoutEstimate(coin="BTC", as_of=at(seconds), fills=10, missed=0, markouts=(found,))


def volatility(
    seconds: float, *, fast: float = 0.0, ahead: float = 0.0, ready: bool = True, warm: bool = True
) -> VolatilityEstimate:
    return VolatilityEstimate(
        coin="BTC",
        as_of=at(seconds),
        sigma_fast_per_sqrt_s=fast,
        sigma_slow_per_sqrt_s=0.0,
        sigma_median_per_sqrt_s=0.0,
        expected_sigma_per_sqrt_s=ahead,
        theta_per_s=0.0,
        kappa_v_per_s=0.0,
        xi_per_s=0.0,
        rho=0.0,
        variance_of_variance_per_s2=0.0,
        ready=ready,
        effective_samples=100.0,
        confidence=1.0,
        warm=warm,
    )


def fill(tid: int, side: Side = Side.BUY) -> Fill:
    return Fill(
        coin="BTC",
        side=side,
        ticks=Ticks(BID),
        lots=Lots(10),
        venue_ms=Millis(1),
        tid=tid,
        oid=tid,
        cloid=None,
        start_position=Lots(0),
        fee=Decimal(0),
        closed_pnl=Decimal(0),
        crossed=False,
    )


def position(lots: int, *, coin: str = "BTC", proven: bool = True) -> Position:
    return Position(
        coin=coin,
        lots=Lots(lots),
        entry=None,
        realized_pnl=Decimal(0),
        fees=Decimal(0),
        funding=Decimal(0),
        fills=0,
        as_of_ms=Millis(1),
        proven=proven,
    )


def exposure(
    lots: int,
    *,
    coin: str = "BTC",
    headroom_bid: int | None = None,
    headroom_ask: int | None = None,
    pending_bid: int = 0,
    pending_ask: int = 0,
) -> Exposure:
    return Exposure(
        coin=coin,
        position=Lots(lots),
        pending_bid=Lots(pending_bid),
        pending_ask=Lots(pending_ask),
        worst_case_max_position=Lots(lots + pending_bid),
        worst_case_min_position=Lots(lots - pending_ask),
        headroom_bid=Lots(max(0, LIMIT - lots) if headroom_bid is None else headroom_bid),
        headroom_ask=Lots(max(0, LIMIT + lots) if headroom_ask is None else headroom_ask),
        largest_order=Lots(LIMIT),
    )


def posture(level: PostureLevel = PostureLevel.NORMAL, **coins: PostureLevel) -> Posture:
    return Posture(level=level, coins=coins, causes=(), risk_epoch=1)


def story(settings: Settings = BTC, *, lots: int = 0, level: PostureLevel = PostureLevel.NORMAL) -> Script[Inbox]:
    """Return a strategy that has just heard everything, at 1 s; what it said last is still to be taken."""
    script: Script[Inbox] = Script(Strategy(settings, BOOT))
    script.at(1).ignore()
    return script.send(posture(level), FRESH, top(1), estimate(1), position(lots), exposure(lots))


def last(script: Script[Inbox]) -> QuoteTarget:
    return script.take(QuoteTarget)[-1]


def reasons(script: Script[Inbox]) -> tuple[str, str]:
    target = last(script)
    return target.reason_bid, target.reason_ask


def said(settings: Settings = BTC, *, lots: int = 0, level: PostureLevel = PostureLevel.NORMAL) -> QuoteTarget:
    return last(story(settings, lots=lots, level=level))


def shifted(target: QuoteTarget) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    return [(q.ticks, q.lots) for q in target.bids], [(q.ticks, q.lots) for q in target.asks]

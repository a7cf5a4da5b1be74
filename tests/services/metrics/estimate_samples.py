"""What estimation says once a second, and the numbers that metrics make of it."""

from decimal import Decimal
from typing import Final

from common.messages import (
    ArrivalEstimate,
    ArrivalSide,
    Attribution,
    CascadeEstimate,
    FlowEstimate,
    LeaderEstimate,
    Markout,
    MarkoutEstimate,
    Message,
    VolatilityEstimate,
)
from common.units import SECOND, Lots, Nanos, Side

NOW: Final = Nanos(5 * SECOND)

Shown = dict[str, dict[tuple[str, ...], float]]


def volatility(*, ready: bool = True) -> VolatilityEstimate:
    return VolatilityEstimate(
        coin="BTC",
        as_of=NOW,
        sigma_fast_per_sqrt_s=1.0,
        sigma_slow_per_sqrt_s=2.0,
        sigma_median_per_sqrt_s=3.0,
        expected_sigma_per_sqrt_s=4.0,
        theta_per_s=5.0,
        kappa_v_per_s=6.0,
        xi_per_s=7.0,
        rho=-0.5,
        variance_of_variance_per_s2=8.0,
        ready=ready,
        effective_samples=9.0,
        confidence=0.9,
        warm=True,
    )


def arrival_side(a_per_s: float) -> ArrivalSide:
    return ArrivalSide(
        a_per_s=a_per_s,
        k_per_bps=1.3,
        k_low_per_bps=1.0,
        k_high_per_bps=1.6,
        effective_samples=40.0,
        confidence=0.8,
        warm=False,
    )


def arrivals() -> ArrivalEstimate:
    return ArrivalEstimate(coin="BTC", as_of=NOW, bids=arrival_side(0.2), asks=arrival_side(0.3))


def flow(*, vpin: float | None = 0.4) -> FlowEstimate:
    return FlowEstimate(
        coin="BTC",
        as_of=NOW,
        order_flow_imbalance=-2.0,
        flow_1s_usd_per_s=1.0,
        flow_5s_usd_per_s=2.0,
        flow_30s_usd_per_s=3.0,
        vpin=vpin,
        funding_per_hour=1e-5,
        funding_due_s=1_200.0,
        effective_samples=50.0,
        confidence=0.7,
        warm=True,
    )


def cascade() -> CascadeEstimate:
    return CascadeEstimate(
        coin="BTC",
        as_of=NOW,
        side=Side.SELL,
        ratio=30.0,
        severity=0.6,
        size_factor=0.4,
        pull_bids=True,
        pull_asks=False,
        effective_samples=12.0,
        confidence=0.5,
        warm=True,
    )


def leader(*, age_ms: int | None = 250) -> LeaderEstimate:
    return LeaderEstimate(
        coin="BTC",
        as_of=NOW,
        age_ms=age_ms,
        tilt_bps=1.5,
        error_bps=0.5,
        deviation_bps=2.0,
        followed=0.75,
        effective_samples=80.0,
        confidence=0.9,
        warm=True,
        refused=3,
    )


def markouts(*, error: float | None = 0.25, placement_samples: float = 3.0) -> MarkoutEstimate:
    one = Markout(
        kind="side",
        of="buy",
        horizon_s=5,
        from_fill_bps=1.5,
        from_fill_error_bps=0.5,
        effective_samples=4.0,
        from_placement_bps=-0.5,
        from_placement_error_bps=error,
        placement_samples=placement_samples,
    )
    return MarkoutEstimate(coin="BTC", as_of=NOW, fills=7, missed=2, markouts=(one,))


def attribution() -> Attribution:
    return Attribution(
        coin="BTC",
        as_of=NOW,
        spread_captured=Decimal(3),
        adverse_selection=Decimal(-2),
        inventory_carry=Decimal("0.5"),
        funding=Decimal("0.25"),
        fees=Decimal("-0.75"),
        equity_change=Decimal(1),
        adopted_lots=Lots(-4),
    )


def _quality(name: str, samples: float, confidence: float, *, warm: bool) -> Shown:
    return {
        "mm_estimate_samples": {("BTC", name): samples},
        "mm_estimate_confidence": {("BTC", name): confidence},
        "mm_estimate_warm": {("BTC", name): float(warm)},
    }


def _arrival_quality(value: float) -> dict[tuple[str, ...], float]:
    return {("BTC", "arrivals_buy"): value, ("BTC", "arrivals_sell"): value}


MARKOUT: Final = ("BTC", "side", "buy", "5")

ESTIMATES: Final[list[tuple[Message, Shown]]] = [
    (
        volatility(),
        {
            "mm_sigma_variant_per_sqrt_second": {
                ("BTC", "fast"): 1.0,
                ("BTC", "slow"): 2.0,
                ("BTC", "median"): 3.0,
                ("BTC", "expected"): 4.0,
            },
            "mm_variance_process": {
                ("BTC", "theta"): 5.0,
                ("BTC", "kappa_v"): 6.0,
                ("BTC", "xi"): 7.0,
                ("BTC", "rho"): -0.5,
                ("BTC", "variance"): 8.0,
            },
            **_quality("volatility", 9.0, 0.9, warm=True),
        },
    ),
    (
        arrivals(),
        {
            "mm_arrivals_at_mid_per_second": {("BTC", "buy"): 0.2, ("BTC", "sell"): 0.3},
            "mm_arrivals_decay_per_bps": {
                ("BTC", side, bound): value
                for side in ("buy", "sell")
                for bound, value in (("value", 1.3), ("low", 1.0), ("high", 1.6))
            },
            "mm_estimate_samples": _arrival_quality(40.0),
            "mm_estimate_confidence": _arrival_quality(0.8),
            "mm_estimate_warm": _arrival_quality(0.0),
        },
    ),
    (
        flow(),
        {
            "mm_order_flow_imbalance": {("BTC",): -2.0},
            "mm_trade_flow_usd_per_second": {("BTC", "1"): 1.0, ("BTC", "5"): 2.0, ("BTC", "30"): 3.0},
            "mm_vpin": {("BTC",): 0.4},
            "mm_funding_per_hour": {("BTC",): 1e-5},
            "mm_funding_due_seconds": {("BTC",): 1_200.0},
            **_quality("flow", 50.0, 0.7, warm=True),
        },
    ),
    (
        cascade(),
        {
            "mm_cascade_severity": {("BTC", "buy"): 0.0, ("BTC", "sell"): 0.6},
            "mm_cascade_ratio": {("BTC", "sell"): 30.0},
            "mm_cascade_size_factor": {("BTC", "buy"): 1.0, ("BTC", "sell"): 0.4},
            "mm_guard_pulls": {("BTC", "buy", "cascade"): 1.0, ("BTC", "sell", "cascade"): 0.0},
            **_quality("cascade", 12.0, 0.5, warm=True),
        },
    ),
    (
        leader(),
        {
            "mm_leader_price_age_seconds": {("BTC",): 0.25},
            "mm_leader_tilt_bps": {("BTC",): 1.5},
            "mm_leader_error_bps": {("BTC",): 0.5},
            "mm_leader_deviation_bps": {("BTC",): 2.0},
            "mm_leader_followed_share": {("BTC",): 0.75},
            "mm_leader_refused_total": {("BTC",): 3.0},
            **_quality("leader", 80.0, 0.9, warm=True),
        },
    ),
    (
        markouts(),
        {
            "mm_markout_fills_total": {("BTC",): 7.0},
            "mm_markout_fills_missed_total": {("BTC",): 2.0},
            "mm_markout_bps": {(*MARKOUT, "fill"): 1.5, (*MARKOUT, "placement"): -0.5},
            "mm_markout_error_bps": {(*MARKOUT, "fill"): 0.5, (*MARKOUT, "placement"): 0.25},
            "mm_markout_samples": {(*MARKOUT, "fill"): 4.0, (*MARKOUT, "placement"): 3.0},
        },
    ),
    (
        attribution(),
        {
            "mm_pnl_part_usd": {
                ("BTC", "spread_captured"): 3.0,
                ("BTC", "adverse_selection"): -2.0,
                ("BTC", "inventory_carry"): 0.5,
                ("BTC", "funding"): 0.25,
                ("BTC", "fees"): -0.75,
            },
            "mm_pnl_change_usd": {("BTC",): 1.0},
            "mm_pnl_adopted_lots": {("BTC",): -4.0},
        },
    ),
]

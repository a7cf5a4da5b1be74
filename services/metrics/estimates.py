"""What estimation says as samples of metrics: (name, labels, value); None where it says nothing."""

from collections.abc import Iterator
from decimal import Decimal
from typing import TypeAlias, assert_never

from common.messages import (
    ArrivalEstimate,
    Attribution,
    CascadeEstimate,
    Estimate,
    FlowEstimate,
    LeaderEstimate,
    MarkoutEstimate,
    Regime,
    VolatilityEstimate,
)
from common.units import Side

Sample: TypeAlias = tuple[str, tuple[str, ...], Decimal | float | None]
Slow: TypeAlias = (
    VolatilityEstimate
    | ArrivalEstimate
    | FlowEstimate
    | CascadeEstimate
    | LeaderEstimate
    | MarkoutEstimate
    | Attribution
)


def of_estimate(estimate: Estimate, one_tick: float) -> Iterator[Sample]:
    coin = estimate.coin
    yield "mm_fair_price", (coin,), estimate.fair_ticks * one_tick
    yield "mm_sigma_per_sqrt_second", (coin,), estimate.sigma_per_sqrt_s
    yield "mm_sigma_total_per_sqrt_second", (coin,), estimate.sigma_total_per_sqrt_s
    yield "mm_jump_ratio", (coin,), estimate.jump_ratio
    for regime in Regime:
        yield "mm_regime", (coin, regime.value), estimate.regime is regime
    yield "mm_guard_pulls", (coin, Side.BUY.value, "momentum"), estimate.pull_bids
    yield "mm_guard_pulls", (coin, Side.SELL.value, "momentum"), estimate.pull_asks
    yield from _quality(coin, "price", estimate.effective_samples, estimate.confidence, warm=estimate.warm)


def of_slow(message: Slow) -> Iterator[Sample]:
    match message:
        case VolatilityEstimate():
            yield from _volatility(message)
        case ArrivalEstimate():
            yield from _arrivals(message)
        case FlowEstimate():
            yield from _flow(message)
        case CascadeEstimate():
            yield from _cascade(message)
        case LeaderEstimate():
            yield from _leader(message)
        case MarkoutEstimate():
            yield from _markouts(message)
        case Attribution():
            yield from _attribution(message)
        case _:
            assert_never(message)


def _quality(coin: str, estimator: str, samples: float, confidence: float, *, warm: bool) -> Iterator[Sample]:
    yield "mm_estimate_samples", (coin, estimator), samples
    yield "mm_estimate_confidence", (coin, estimator), confidence
    yield "mm_estimate_warm", (coin, estimator), warm


def _volatility(said: VolatilityEstimate) -> Iterator[Sample]:
    coin, ready = said.coin, said.ready
    yield "mm_sigma_variant_per_sqrt_second", (coin, "fast"), said.sigma_fast_per_sqrt_s
    yield "mm_sigma_variant_per_sqrt_second", (coin, "slow"), said.sigma_slow_per_sqrt_s
    yield "mm_sigma_variant_per_sqrt_second", (coin, "median"), said.sigma_median_per_sqrt_s
    yield "mm_sigma_variant_per_sqrt_second", (coin, "expected"), said.expected_sigma_per_sqrt_s
    yield "mm_variance_process", (coin, "theta"), said.theta_per_s if ready else None
    yield "mm_variance_process", (coin, "kappa_v"), said.kappa_v_per_s if ready else None
    yield "mm_variance_process", (coin, "xi"), said.xi_per_s if ready else None
    yield "mm_variance_process", (coin, "rho"), said.rho if ready else None
    yield "mm_variance_process", (coin, "variance"), said.variance_of_variance_per_s2 if ready else None
    yield from _quality(coin, "volatility", said.effective_samples, said.confidence, warm=said.warm)


def _arrivals(said: ArrivalEstimate) -> Iterator[Sample]:
    for side, arrivals in ((Side.BUY.value, said.bids), (Side.SELL.value, said.asks)):
        yield "mm_arrivals_at_mid_per_second", (said.coin, side), arrivals.a_per_s
        yield "mm_arrivals_decay_per_bps", (said.coin, side, "value"), arrivals.k_per_bps
        yield "mm_arrivals_decay_per_bps", (said.coin, side, "low"), arrivals.k_low_per_bps
        yield "mm_arrivals_decay_per_bps", (said.coin, side, "high"), arrivals.k_high_per_bps
        name = f"arrivals_{side}"
        yield from _quality(said.coin, name, arrivals.effective_samples, arrivals.confidence, warm=arrivals.warm)


def _flow(said: FlowEstimate) -> Iterator[Sample]:
    coin = said.coin
    yield "mm_order_flow_imbalance", (coin,), said.order_flow_imbalance
    yield "mm_trade_flow_usd_per_second", (coin, "1"), said.flow_1s_usd_per_s
    yield "mm_trade_flow_usd_per_second", (coin, "5"), said.flow_5s_usd_per_s
    yield "mm_trade_flow_usd_per_second", (coin, "30"), said.flow_30s_usd_per_s
    yield "mm_vpin", (coin,), said.vpin
    yield "mm_funding_per_hour", (coin,), said.funding_per_hour
    yield "mm_funding_due_seconds", (coin,), said.funding_due_s
    yield from _quality(coin, "flow", said.effective_samples, said.confidence, warm=said.warm)


def _cascade(said: CascadeEstimate) -> Iterator[Sample]:
    coin = said.coin
    for side in Side:
        at_work = side is said.side
        yield "mm_cascade_severity", (coin, side.value), said.severity if at_work else 0.0
        yield "mm_cascade_ratio", (coin, side.value), said.ratio if at_work else None
        yield "mm_cascade_size_factor", (coin, side.value), said.size_factor if at_work else 1.0
    yield "mm_guard_pulls", (coin, Side.BUY.value, "cascade"), said.pull_bids
    yield "mm_guard_pulls", (coin, Side.SELL.value, "cascade"), said.pull_asks
    yield from _quality(coin, "cascade", said.effective_samples, said.confidence, warm=said.warm)


def _leader(said: LeaderEstimate) -> Iterator[Sample]:
    coin = said.coin
    yield "mm_leader_price_age_seconds", (coin,), None if said.age_ms is None else said.age_ms / 1_000
    yield "mm_leader_tilt_bps", (coin,), said.tilt_bps
    yield "mm_leader_error_bps", (coin,), said.error_bps
    yield "mm_leader_deviation_bps", (coin,), said.deviation_bps
    yield "mm_leader_followed_share", (coin,), said.followed
    yield "mm_leader_refused_total", (coin,), said.refused
    yield from _quality(coin, "leader", said.effective_samples, said.confidence, warm=said.warm)


def _markouts(said: MarkoutEstimate) -> Iterator[Sample]:
    yield "mm_markout_fills_total", (said.coin,), said.fills
    yield "mm_markout_fills_missed_total", (said.coin,), said.missed
    for one in said.markouts:
        for since, value, error, samples in (
            ("fill", one.from_fill_bps, one.from_fill_error_bps, one.effective_samples),
            ("placement", one.from_placement_bps, one.from_placement_error_bps, one.placement_samples),
        ):
            labels = (said.coin, one.kind, one.of, str(one.horizon_s), since)
            yield "mm_markout_bps", labels, value if samples else None
            yield "mm_markout_error_bps", labels, error
            yield "mm_markout_samples", labels, samples


def _attribution(said: Attribution) -> Iterator[Sample]:
    coin = said.coin
    yield "mm_pnl_part_usd", (coin, "spread_captured"), said.spread_captured
    yield "mm_pnl_part_usd", (coin, "adverse_selection"), said.adverse_selection
    yield "mm_pnl_part_usd", (coin, "inventory_carry"), said.inventory_carry
    yield "mm_pnl_part_usd", (coin, "funding"), said.funding
    yield "mm_pnl_part_usd", (coin, "fees"), said.fees
    yield "mm_pnl_change_usd", (coin,), said.equity_change
    yield "mm_pnl_adopted_lots", (coin,), said.adopted_lots

"""What is said of one coin: the beliefs of its estimators as messages, as of the market seen."""

from typing import Final

from common.messages import (
    ArrivalEstimate,
    CascadeEstimate,
    Estimate,
    FlowEstimate,
    LeaderEstimate,
    MarkoutEstimate,
    Message,
    VolatilityEstimate,
)
from common.units import MILLISECOND, Nanos, Side
from services.estimation.coin import CoinEstimators, View
from services.estimation.leader import LeaderBelief, LeaderFollower

HORIZON_S: Final = 60.0  # of the expected volatility: about as long as an order rests
PRIOR_SAMPLES: Final = 10.0  # where nothing was seen yet, zero is as good as ten samples
FUNDING_EVERY_S: Final = 3_600  # the venue pays at each full hour


def estimate(coin: CoinEstimators, view: View, lead: LeaderBelief | None = None) -> Estimate:
    beliefs = view.sigma
    leads = lead is not None and lead.tilt_bps != 0
    return Estimate(
        coin=coin.instrument.coin,
        as_of=view.at,
        book_venue_ms=view.touch.venue_ms,
        mid_ticks=view.mid,
        fair_ticks=view.fair,
        sigma_per_sqrt_s=max(view.floor, beliefs.clean),
        sigma_total_per_sqrt_s=max(view.floor, beliefs.total),
        jump_ratio=beliefs.jump_ratio,
        effective_samples=beliefs.effective_samples,
        confidence=beliefs.confidence,
        warm=beliefs.warm,
        missed=coin.missed,
        regime=beliefs.regime,
        pull_bids=coin.guard.pulls_bids,
        pull_asks=coin.guard.pulls_asks,
        leader_tilt_bps=lead.tilt_bps if lead and leads else 0.0,
        leader_at=(coin.leader.leader_at if coin.leader and leads else None) or Nanos(0),
    )


def leader(coin: str, follower: LeaderFollower, lead: LeaderBelief, now: Nanos) -> LeaderEstimate:
    at = follower.leader_at
    return LeaderEstimate(
        coin=coin,
        as_of=now,
        age_ms=None if at is None else (now - at) // MILLISECOND,
        tilt_bps=lead.tilt_bps,
        error_bps=lead.error_bps,
        deviation_bps=lead.deviation_bps,
        followed=lead.followed,
        effective_samples=lead.effective_samples,
        confidence=lead.confidence,
        warm=lead.warm,
        refused=follower.refused,
    )


def cascade(coin: CoinEstimators, view: View) -> CascadeEstimate:
    belief = coin.cascade.belief(view.touch.venue_ms / 1_000)
    return CascadeEstimate(
        coin=coin.instrument.coin,
        as_of=view.at,
        side=belief.side,
        ratio=belief.ratio,
        severity=belief.severity,
        size_factor=belief.size_factor,
        pull_bids=belief.should_pull and belief.side is Side.SELL,
        pull_asks=belief.should_pull and belief.side is Side.BUY,
        effective_samples=belief.effective_samples,
        confidence=_confidence(belief.effective_samples),
        warm=view.sigma.warm,
    )


def every_second(coin: CoinEstimators, view: View) -> list[Message]:
    """Return what changes too slowly to be said with every touch."""
    said: list[Message] = [_volatility(coin, view), _arrivals(coin, view), _flow(coin, view), cascade(coin, view)]
    if coin.markouts.fills or coin.missed_fills:
        said.append(
            MarkoutEstimate(
                coin=coin.instrument.coin,
                as_of=view.at,
                fills=coin.markouts.fills,
                missed=coin.missed_fills,
                markouts=coin.markouts.markouts(),
            )
        )
    attribution = coin.profit_and_loss.attribution(view.at)
    if attribution is not None:
        said.append(attribution)
    return said


def _volatility(coin: CoinEstimators, view: View) -> VolatilityEstimate:
    beliefs, process = view.sigma, coin.stochastic
    expected = process.expected_variance(beliefs.clean**2, HORIZON_S) ** 0.5
    return VolatilityEstimate(
        coin=coin.instrument.coin,
        as_of=view.at,
        sigma_fast_per_sqrt_s=max(view.floor, beliefs.fast),
        sigma_slow_per_sqrt_s=max(view.floor, beliefs.slow),
        sigma_median_per_sqrt_s=max(view.floor, beliefs.median),
        expected_sigma_per_sqrt_s=max(view.floor, expected),
        theta_per_s=process.theta,
        kappa_v_per_s=process.kappa_v,
        xi_per_s=process.xi,
        rho=process.rho,
        variance_of_variance_per_s2=process.variance_of_variance,
        ready=process.is_ready(),
        effective_samples=process.effective_samples,
        confidence=beliefs.confidence,
        warm=beliefs.warm,
    )


def _arrivals(coin: CoinEstimators, view: View) -> ArrivalEstimate:
    return ArrivalEstimate(
        coin=coin.instrument.coin,
        as_of=view.at,
        bids=coin.arrivals[Side.SELL].belief(),
        asks=coin.arrivals[Side.BUY].belief(),
    )


def _flow(coin: CoinEstimators, view: View) -> FlowEstimate:
    at_s = view.touch.venue_ms / 1_000
    fast, middle, slow = coin.trade_flow.usd_per_s(at_s)
    samples = coin.order_flow.effective_samples
    return FlowEstimate(
        coin=coin.instrument.coin,
        as_of=view.at,
        order_flow_imbalance=coin.order_flow.imbalance,
        flow_1s_usd_per_s=fast,
        flow_5s_usd_per_s=middle,
        flow_30s_usd_per_s=slow,
        vpin=coin.vpin.value(at_s),
        funding_per_hour=coin.funding_per_hour,
        funding_due_s=FUNDING_EVERY_S - at_s % FUNDING_EVERY_S,
        effective_samples=samples,
        confidence=_confidence(samples),
        warm=view.sigma.warm,
    )


def _confidence(samples: float) -> float:
    return samples / (samples + PRIOR_SAMPLES)

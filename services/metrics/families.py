"""Every metric there is: name, kind, labels, and the sentence that Prometheus shows.

A family is listed here only when services/metrics/core.py feeds it: a test compares both.
"""

from enum import StrEnum
from typing import Final

import msgspec


class Kind(StrEnum):
    GAUGE = "gauge"
    COUNTER = "counter"  # since the start of the service that counts; its restart is a reset


class Family(msgspec.Struct, frozen=True):
    """One metric; `labels` name the positions of the keys of its samples."""

    kind: Kind
    labels: tuple[str, ...]
    text: str


_COIN: Final = ("coin",)
_COIN_SIDE: Final = ("coin", "side")
_COIN_ESTIMATOR: Final = ("coin", "estimator")
_MARKOUT: Final = ("coin", "kind", "of", "horizon", "since")
_SERVICE: Final = ("service",)


def _gauge(labels: tuple[str, ...], text: str) -> Family:
    return Family(Kind.GAUGE, labels, text)


def _counter(labels: tuple[str, ...], text: str) -> Family:
    return Family(Kind.COUNTER, labels, text)


FAMILIES: Final[dict[str, Family]] = {
    # --- processes ---
    "mm_service_state": _gauge(("service", "state"), "1 for the state that the service reports, 0 for the others"),
    "mm_service_epoch": _gauge(_SERVICE, "boot epoch; grows at every start"),
    "mm_service_uptime_seconds": _gauge(_SERVICE, "time since the process started"),
    "mm_service_stopping": _gauge(_SERVICE, "1 when the service announced that it stops"),
    "mm_loop_lag_seconds": _gauge(_SERVICE, "how late the last heartbeat left its loop"),
    "mm_missed_messages_total": _counter(("service", "topic"), "messages of this sender that never arrived here"),
    "mm_refused_messages_total": _counter((), "messages that name a coin which is not configured, or too many labels"),
    "mm_alerts_total": _counter(("severity",), "alerts that were raised, repetitions merged"),
    "mm_alert_failures_total": _counter((), "alerts that could not be written or posted"),
    # --- market ---
    "mm_mid_price": _gauge(_COIN, "USD, middle of best bid and ask; absent while a side is empty"),
    "mm_spread_bps": _gauge(_COIN, "best ask minus best bid, of the mid"),
    "mm_feed_fresh": _gauge(_COIN, "1 when market data of the coin can be traded on"),
    "mm_book_age_seconds": _gauge(_COIN, "age of the book since it was received"),
    "mm_context_age_seconds": _gauge(_COIN, "age of mark and oracle since they were received"),
    "mm_feed_duplicates_total": _counter(_COIN, "books that came twice"),
    "mm_feed_refused_total": _counter(_COIN, "books that were crossed, malformed or out of order"),
    "mm_feed_reconnects_total": _counter(_COIN, "connections to the venue after the first"),
    # --- belief ---
    "mm_fair_price": _gauge(_COIN, "USD, what estimation believes the coin is worth"),
    "mm_sigma_per_sqrt_second": _gauge(_COIN, "volatility without jumps, fraction per square root of a second"),
    "mm_sigma_total_per_sqrt_second": _gauge(_COIN, "volatility with jumps"),
    "mm_jump_ratio": _gauge(_COIN, "share of the variance that came in jumps"),
    "mm_regime": _gauge(("coin", "regime"), "1 for the regime that volatility and jumps make, 0 for the others"),
    "mm_estimate_confidence": _gauge(_COIN_ESTIMATOR, "0 to 1: share of the market in it, the rest being a prior's"),
    "mm_estimate_samples": _gauge(_COIN_ESTIMATOR, "effective samples behind the estimate"),
    "mm_estimate_warm": _gauge(_COIN_ESTIMATOR, "1 once the estimate rests on live samples"),
    "mm_sigma_variant_per_sqrt_second": _gauge(
        ("coin", "variant"), "volatility at the fast and slow half-life, from medians, and expected over a minute"
    ),
    "mm_variance_process": _gauge(("coin", "parameter"), "Heston's parameters of the variance, per second; when ready"),
    "mm_arrivals_at_mid_per_second": _gauge(
        _COIN_SIDE, "A: market orders that fill this side, extrapolated to the mid"
    ),
    "mm_arrivals_decay_per_bps": _gauge(
        ("coin", "side", "bound"), "k: decay of arrivals with depth, and its 95 % bounds"
    ),
    "mm_order_flow_imbalance": _gauge(_COIN, "mean sizes of the touch that were pushed, positive upwards"),
    "mm_trade_flow_usd_per_second": _gauge(("coin", "halflife"), "takers' buying less selling"),
    "mm_vpin": _gauge(_COIN, "one-sidedness of the last 50 buckets of volume, 0 to 1; absent when stale"),
    "mm_funding_per_hour": _gauge(_COIN, "share of the position's value that longs pay"),
    "mm_funding_due_seconds": _gauge(_COIN, "time until the next funding payment"),
    "mm_cascade_severity": _gauge(_COIN_SIDE, "0 to 1, by the takers' side"),
    "mm_cascade_ratio": _gauge(_COIN_SIDE, "intensity of sweeping orders over its baseline, stronger side alone"),
    "mm_cascade_size_factor": _gauge(_COIN_SIDE, "0 to 1, for sizes that these takers would run over"),
    "mm_leader_price_age_seconds": _gauge(_COIN, "age of the other venue's price, as estimation said it last"),
    "mm_leader_tilt_bps": _gauge(
        _COIN, "move of our fair price that the other venue foretells; 0 while it says nothing"
    ),
    "mm_leader_error_bps": _gauge(_COIN, "standard deviation of what half a second later was not foretold"),
    "mm_leader_deviation_bps": _gauge(_COIN, "other venue over ours, against its own slow mean"),
    "mm_leader_followed_share": _gauge(_COIN, "0 to 1: share of such a deviation that our venue makes up"),
    "mm_leader_refused_total": _counter(_COIN, "prices of the other venue that were none or late"),
    "mm_guard_pulls": _gauge(("coin", "side", "guard"), "1 while a guard wants this side of our quotes pulled"),
    "mm_markout_bps": _gauge(_MARKOUT, "mean move of the mid after our fills, a gain is positive"),
    "mm_markout_error_bps": _gauge(_MARKOUT, "standard error of the mean"),
    "mm_markout_samples": _gauge(_MARKOUT, "effective fills behind the mean"),
    "mm_markout_fills_total": _counter(_COIN, "fills that estimation heard"),
    "mm_markout_fills_missed_total": _counter(_COIN, "fills that never reached estimation"),
    "mm_pnl_part_usd": _gauge(
        ("coin", "part"), "profit by cause since estimation started; the parts sum to the change"
    ),
    "mm_pnl_change_usd": _gauge(_COIN, "change of equity since estimation started, at the mid"),
    "mm_pnl_adopted_lots": _gauge(_COIN, "position that came without a fill, signed"),
    "mm_target_levels": _gauge(_COIN_SIDE, "orders that strategy wants on this side"),
    "mm_quote_time_share": _gauge(
        ("coin", "side", "reason"), "share of the time that this side was quoted, or not, by reason; the sum is 1"
    ),
    # --- orders ---
    "mm_open_orders": _gauge(_COIN_SIDE, "orders of ours that may still fill"),
    "mm_order_events_total": _counter(("event",), "actions, states reached and findings of order_management"),
    "mm_pending_bid_exposure": _gauge(_COIN, "coins that open bids may still buy"),
    "mm_pending_ask_exposure": _gauge(_COIN, "coins that open asks may still sell"),
    "mm_net_pending_change": _gauge(_COIN, "pending bids minus pending asks, in coins"),
    "mm_worst_case_max_position": _gauge(_COIN, "position if every bid fills and no ask, in coins"),
    "mm_worst_case_min_position": _gauge(_COIN, "position if every ask fills and no bid, in coins"),
    "mm_foreign_orders": _gauge(
        _COIN, "open orders of others on this account: counted in the worst case, never touched"
    ),
    "mm_resting_notional_usd": _gauge(_COIN_SIDE, "price times size of what rests"),
    # --- money ---
    "mm_ledger_residual_usd": _gauge((), "change of equity in the last minute that nothing in our books explains"),
    "mm_transfers_usd": _gauge((), "deposits and transfers since order_management started, received is positive"),
    "mm_account_unrealized_pnl_usd": _gauge((), "of all coins, at the venue's mark"),
    "mm_fills_total": _counter(_COIN, "fills counted into the position"),
    "mm_fill_volume_usd_total": _counter(("coin", "side", "role"), "traded notional heard since this process started"),
    "mm_position": _gauge(_COIN, "coins, signed"),
    "mm_position_drift": _gauge(_COIN, "ours minus the venue's at the time of its last account state, in coins"),
    "mm_position_proven": _gauge(_COIN, "1 when position and venue agree"),
    "mm_entry_price": _gauge(_COIN, "USD, average; absent when flat"),
    "mm_realized_pnl_usd": _gauge(_COIN, "gross of fees"),
    "mm_unrealized_pnl_usd": _gauge(_COIN, "position times (mid - entry)"),
    "mm_fees_usd": _gauge(_COIN, "paid; rebates make it smaller"),
    "mm_funding_usd": _gauge(_COIN, "received minus paid"),
    "mm_equity_usd": _gauge((), "account value as the venue states it"),
    "mm_margin_used_usd": _gauge((), "margin in use as the venue states it"),
    "mm_withdrawable_usd": _gauge((), "withdrawable as the venue states it"),
    # --- safety ---
    "mm_posture": _gauge((), "0 normal, 1 widen, 2 reduce only, 3 pull quotes, 4 halted"),
    "mm_coin_posture": _gauge(_COIN, "posture of one coin, numbered like mm_posture"),
    "mm_halted": _gauge((), "1 when trading is stopped until a person arms it"),
    "mm_halt_latched": _gauge((), "1 when the halt is durable and risk confirmed it"),
    "mm_halt_contained": _gauge((), "1 when nothing of ours can arrive or rest any more"),
    "mm_address_requests_used": _gauge((), "requests that this address ever sent, by the venue's count and ours since"),
    "mm_address_requests_cap": _gauge((), "requests that it may send in all; grows by one for each USD traded"),
    "mm_address_requests_headroom": _gauge(
        (), "requests left; below 6,000 requotes pause, the last 3,000 are for cancels"
    ),
    "mm_halt_causes": _gauge((), "files in the halt directory, as risk reads it"),
    "mm_risk_approvals_total": _counter((), "requests that risk approved"),
    "mm_risk_signatures_total": _counter((), "actions that risk signed"),
    "mm_risk_block_total": _counter(("control",), "orders that risk vetoed, by the control that did"),
    "mm_risk_findings_total": _counter(("kind",), "differences between two sources that risk found"),
    "mm_risk_position": _gauge(_COIN, "position in risk's own ledger, in coins"),
    "mm_risk_pending_exposure": _gauge(_COIN_SIDE, "coins of orders that risk signed and that may still fill"),
    "mm_risk_worst_case_max_position": _gauge(_COIN, "by risk's own ledger, in coins"),
    "mm_risk_worst_case_min_position": _gauge(_COIN, "by risk's own ledger, in coins"),
    "mm_risk_headroom": _gauge(_COIN_SIDE, "coins that risk would still approve"),
    "mm_canceller_firing": _gauge((), "1 while the canceller cancels everything by itself"),
    "mm_canceller_firings_total": _counter((), "times that the canceller had to cancel for a silent service"),
    "mm_schedule_cancel_armed": _gauge((), "1 when the venue's dead man's switch is armed"),
}

# Ages grow while nothing arrives, so they are made at the moment of the scrape from the time last seen.
AGES: Final[dict[str, Family]] = {
    "mm_heartbeat_age_seconds": _gauge(_SERVICE, "time since the last heartbeat arrived"),
    "mm_alert_path_age_seconds": _gauge((), "time since the alert path's own heartbeat got through: one a minute"),
    "mm_canceller_venue_read_age_seconds": _gauge((), "time since the canceller's last good read of the account"),
}

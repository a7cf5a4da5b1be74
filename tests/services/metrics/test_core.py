"""Metrics' rules, one test each; every message moves its metric."""

from typing import Final, cast, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.actor import Exit
from common.messages import (
    AddressBudget,
    Halt,
    HaltFile,
    LiveOrders,
    Missed,
    OrderCounts,
    Posture,
    PostureLevel,
    QuoteShares,
    Regime,
    RiskCounts,
    ServiceState,
    Stopping,
    Wake,
)
from common.units import SECOND, Nanos
from services.metrics.core import SERIES_MAX, Inbox, Labels, MetricsCore
from services.metrics.families import AGES, FAMILIES
from tests.script import Script
from tests.services.cli.samples import books
from tests.services.metrics.estimate_samples import ESTIMATES
from tests.services.metrics.samples import (
    BTC,
    NOW,
    account,
    beat,
    estimate,
    exposure,
    fill,
    health,
    live,
    pending,
    position,
    status,
    target,
    top,
)


def core() -> MetricsCore:
    return MetricsCore({"BTC": BTC})


BTC_LABEL: Final = ("BTC",)
BUY: Final = ("BTC", "buy")
SELL: Final = ("BTC", "sell")
PRICE: Final = ("BTC", "price")

MOVES: Final[list[tuple[Inbox, dict[str, dict[Labels, float]]]]] = [
    (
        beat(),
        {
            "mm_service_state": {("risk", state.value): float(state == "READY") for state in ServiceState},
            "mm_service_epoch": {("risk",): 7},
            "mm_service_uptime_seconds": {("risk",): 2.5},
            "mm_service_stopping": {("risk",): 0},
            "mm_loop_lag_seconds": {("risk",): 0.0015},
        },
    ),
    (
        Missed(sender="order_management", topic="Fill", coin="BTC", count=3),
        {"mm_missed_messages_total": {("order_management", "Fill"): 3}},
    ),
    (top(), {"mm_mid_price": {BTC_LABEL: 100_000}, "mm_spread_bps": {BTC_LABEL: 0.2}}),
    (
        health(),
        {
            "mm_feed_fresh": {BTC_LABEL: 1},
            "mm_book_age_seconds": {BTC_LABEL: 0.25},
            "mm_context_age_seconds": {BTC_LABEL: 0.9},
            "mm_feed_duplicates_total": {BTC_LABEL: 1},
            "mm_feed_refused_total": {BTC_LABEL: 2},
            "mm_feed_reconnects_total": {BTC_LABEL: 3},
        },
    ),
    (
        estimate(),
        {
            "mm_fair_price": {BTC_LABEL: 100_000.05},
            "mm_sigma_per_sqrt_second": {BTC_LABEL: 0.0001},
            "mm_sigma_total_per_sqrt_second": {BTC_LABEL: 0.0002},
            "mm_jump_ratio": {BTC_LABEL: 0.25},
            "mm_regime": {("BTC", regime.value): float(regime == "normal") for regime in Regime},
            "mm_guard_pulls": {(*BUY, "momentum"): 0, (*SELL, "momentum"): 0},
            "mm_estimate_confidence": {PRICE: 0.5},
            "mm_estimate_samples": {PRICE: 60},
            "mm_estimate_warm": {PRICE: 1},
        },
    ),
    *((cast("Inbox", message), moved) for message, moved in ESTIMATES),
    (
        QuoteShares(
            coin="BTC", since=Nanos(0), as_of=Nanos(4), bid={"quoted": 1.0}, ask={"quoted": 0.25, "swept": 0.75}
        ),
        {"mm_quote_time_share": {(*BUY, "quoted"): 1, (*SELL, "quoted"): 0.25, (*SELL, "swept"): 0.75}},
    ),
    (target(), {"mm_target_levels": {BUY: 2, SELL: 1}}),
    (live(), {"mm_open_orders": {BUY: 0, SELL: 2}}),
    (OrderCounts(counts={"Filled": 4, "placed": 9}), {"mm_order_events_total": {("Filled",): 4, ("placed",): 9}}),
    (
        pending(),
        {
            "mm_pending_bid_exposure": {BTC_LABEL: 0.03},
            "mm_pending_ask_exposure": {BTC_LABEL: 0.01},
            "mm_net_pending_change": {BTC_LABEL: 0.02},
            "mm_worst_case_max_position": {BTC_LABEL: 0.015},
            "mm_worst_case_min_position": {BTC_LABEL: -0.025},
            "mm_resting_notional_usd": {BUY: 3_000, SELL: 1_000},
            "mm_foreign_orders": {BTC_LABEL: 2},
        },
    ),
    (fill(), {"mm_fill_volume_usd_total": {("BTC", "buy", "maker"): 1_000}}),
    (fill(crossed=True), {"mm_fill_volume_usd_total": {("BTC", "buy", "taker"): 1_000}}),
    (
        position(),
        {
            "mm_position": {BTC_LABEL: -0.02},
            "mm_position_proven": {BTC_LABEL: 1},
            "mm_position_drift": {BTC_LABEL: -0.01},
            "mm_entry_price": {BTC_LABEL: 100_100},
            "mm_realized_pnl_usd": {BTC_LABEL: 12.5},
            "mm_fees_usd": {BTC_LABEL: -0.25},
            "mm_funding_usd": {BTC_LABEL: 0.75},
            "mm_fills_total": {BTC_LABEL: 42},
        },
    ),
    (
        books(),
        {
            "mm_ledger_residual_usd": {(): 0.000003},
            "mm_transfers_usd": {(): 100},
            "mm_account_unrealized_pnl_usd": {(): 2.25},
        },
    ),
    (
        AddressBudget(used=600, cap=10_000),
        {
            "mm_address_requests_used": {(): 600},
            "mm_address_requests_cap": {(): 10_000},
            "mm_address_requests_headroom": {(): 9_400},
        },
    ),
    (
        account(),
        {"mm_equity_usd": {(): 1_000}, "mm_margin_used_usd": {(): 10}, "mm_withdrawable_usd": {(): 900}},
    ),
    (
        Posture(level=PostureLevel.PULL_QUOTES, coins={"BTC": PostureLevel.REDUCE_ONLY}, causes=(), risk_epoch=1),
        {"mm_posture": {(): 3}, "mm_coin_posture": {BTC_LABEL: 2}},
    ),
    (
        Halt(halted=True, latched=True, contained=False, causes=(HaltFile(name="a", cause="test"),)),
        {
            "mm_halted": {(): 1},
            "mm_halt_latched": {(): 1},
            "mm_halt_contained": {(): 0},
            "mm_halt_causes": {(): 1},
        },
    ),
    (
        RiskCounts(approvals=5, signatures=6, vetoes={"C3": 7}, findings={"position": 8}),
        {
            "mm_risk_approvals_total": {(): 5},
            "mm_risk_signatures_total": {(): 6},
            "mm_risk_block_total": {("C3",): 7},
            "mm_risk_findings_total": {("position",): 8},
        },
    ),
    (
        exposure(),
        {
            "mm_risk_position": {BTC_LABEL: -1},
            "mm_risk_worst_case_max_position": {BTC_LABEL: 4},
            "mm_risk_worst_case_min_position": {BTC_LABEL: -5},
            "mm_risk_pending_exposure": {BUY: 2, SELL: 3},
            "mm_risk_headroom": {BUY: 6, SELL: 7},
        },
    ),
    (
        status(firing="risk is silent"),
        {
            "mm_canceller_firing": {(): 1},
            "mm_canceller_firings_total": {(): 2},
            "mm_schedule_cancel_armed": {(): 1},
        },
    ),
]


@pytest.mark.parametrize(("message", "moved"), MOVES, ids=lambda value: type(value).__name__)
def test_every_message_moves_its_metric(message: Inbox, moved: dict[str, dict[Labels, float]]) -> None:
    """Rule 1: before the message the metric does not exist, after it the metric says what the message said."""
    actor = core()
    assert not set(moved) & set(actor.gauges)
    Script(actor).send(message).expect()
    shown = {name: actor.gauges[name] for name in moved}
    assert shown == {name: pytest.approx(samples) for name, samples in moved.items()}


def test_every_message_type_is_tried() -> None:
    """Rule 1: the table above leaves out no type of the inbox."""
    tried = {type(message) for message, _ in MOVES}
    assert tried == set(get_args(Inbox)) - {Wake, Stopping}


def test_the_table_of_families_is_exactly_what_is_fed() -> None:
    """Rule 1: no family that nobody feeds, none without its text, and labels as many as named."""
    actor = core()
    Script(actor).send(*(message for message, _ in MOVES)).expect()
    for works in (True, False):
        actor.on_alert_path(NOW, ok=works)
    assert actor.take_alerts(NOW)
    assert set(actor.gauges) == set(FAMILIES)
    assert set(actor.seen_at) == set(AGES)
    for name, samples in actor.gauges.items():
        assert {len(labels) for labels in samples} == {len(FAMILIES[name].labels)}, name
    for name, seen in actor.seen_at.items():
        assert {len(labels) for labels in seen} == {len(AGES[name].labels)}, name


def test_what_is_left_out_disappears() -> None:
    """Rule 1: an empty side has no mid, a flat position no entry price, an unread book no age."""
    actor = core()
    Script(actor).send(top(), position(), health(), top(bid=None), position(0, None), health(age_ms=None)).expect()
    for name in ("mm_mid_price", "mm_spread_bps", "mm_entry_price", "mm_book_age_seconds"):
        assert actor.gauges[name] == {}, name
    Script(actor).send(top(ask=None)).expect()
    assert actor.gauges["mm_mid_price"] == {}


def test_unrealized_profit_follows_mid_and_position() -> None:
    """Rule 1: short 0.02 from 100,100 with the mid at 100,000 earns 2 USD; without a mid nothing is known."""
    actor = core()
    profit = "mm_unrealized_pnl_usd"
    script = Script(actor).send(position())
    assert actor.gauges[profit] == {}
    script.send(top())
    assert actor.gauges[profit] == {BTC_LABEL: 2.0}
    script.send(top(1_002_000, 1_002_000))
    assert actor.gauges[profit] == {BTC_LABEL: -2.0}
    script.send(top(bid=None))
    assert actor.gauges[profit] == {}
    script.send(position(0, None)).expect()
    assert actor.gauges[profit] == {BTC_LABEL: 0.0}


def test_a_fill_counts_once() -> None:
    """Rule 2: the same trade told twice moves the volume once, another trade again."""
    actor = core()
    Script(actor).send(fill(1), fill(1), fill(2)).expect()
    assert actor.gauges["mm_fill_volume_usd_total"] == {("BTC", "buy", "maker"): 2_000.0}


def test_a_full_state_replaces_its_labels() -> None:
    """Rule 3: a control that is no longer named is gone, not frozen at its last number."""
    actor = core()
    script = Script(actor).send(RiskCounts(approvals=0, signatures=0, vetoes={"C1": 1, "C2": 2}, findings={}))
    script.send(RiskCounts(approvals=0, signatures=0, vetoes={"C2": 3}, findings={})).expect()
    assert actor.gauges["mm_risk_block_total"] == {("C2",): 3.0}


def test_ages_are_kept_as_the_time_last_seen() -> None:
    """Rule 4: a heartbeat is remembered by its arrival, the canceller's read by its own stamp, until it has none."""
    actor = core()
    Script(actor, start=3).send(beat(), status()).at(4).send(beat("strategy")).expect()
    assert actor.seen_at["mm_heartbeat_age_seconds"] == {("risk",): 3 * SECOND, ("strategy",): 4 * SECOND}
    assert actor.seen_at["mm_canceller_venue_read_age_seconds"] == {(): NOW}
    Script(actor).send(status(read_at=None, schedule="too little volume")).expect()
    assert "mm_canceller_venue_read_age_seconds" not in actor.seen_at
    assert actor.gauges["mm_schedule_cancel_armed"] == {(): 0.0}


def test_an_unknown_coin_is_refused_and_counted() -> None:
    """Rule 5: a coin that is not configured has no grid to convert by."""
    actor = core()
    Script(actor).send(LiveOrders(coin="DOGE", orders=())).expect()
    assert actor.gauges == {"mm_refused_messages_total": {(): 1.0}}


def test_labels_have_a_limit() -> None:
    """Rule 5: the limit itself is kept, one more is refused and counted."""
    actor = core()
    script = Script(actor).send(OrderCounts(counts={f"event{n}": n for n in range(SERIES_MAX)}))
    assert actor.gauges["mm_refused_messages_total"] == {(): 0.0}
    script.send(OrderCounts(counts={f"event{n}": n for n in range(SERIES_MAX + 1)})).expect()
    assert len(actor.gauges["mm_order_events_total"]) == SERIES_MAX
    assert actor.gauges["mm_refused_messages_total"] == {(): 1.0}


def test_stopping_ends_it() -> None:
    """Nothing is open, so a stop is an exit at once; a wake changes nothing."""
    Script(core()).send(Wake()).expect().send(Stopping()).expect(Exit(0, "stopped as asked"))


@given(st.lists(st.sampled_from([message for message, _ in MOVES])))
def test_the_last_word_counts(messages: list[Inbox]) -> None:
    """Rule 2: whatever came before, a full state shows the same numbers; equal inputs give equal gauges."""
    first, second = core(), core()
    for message in messages:
        first.handle(message, NOW)
        second.handle(message, NOW)
    assert first.gauges == second.gauges
    first.handle(position(), NOW)
    assert first.gauges["mm_fills_total"] == {BTC_LABEL: 42.0}

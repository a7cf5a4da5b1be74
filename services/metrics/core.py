"""Turns what the mesh says into numbers for Prometheus; decides nothing and sends nothing.

Rules
  1. A metric exists only after the message that feeds it; what a message leaves out disappears, it is never 0.
  2. Every number is the last word of its one source: nothing is summed up from facts that may be lost, except the
     traded volume, whose text says so, and each fill counts in it once.
  3. A full-state message replaces its samples: a label that it no longer names is gone.
  4. Ages are kept as the time last seen, so that silence shows as a growing number.
  5. A coin that is not configured, and labels past the limit, are refused and counted.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final, TypeAlias, assert_never

from common.actor import Effect, Exit
from common.instrument import Instrument, notional
from common.messages import (
    Account,
    AddressBudget,
    ArrivalEstimate,
    Attribution,
    CancellerStatus,
    CascadeEstimate,
    Estimate,
    Exposure,
    FeedHealth,
    Fill,
    FlowEstimate,
    Halt,
    Heartbeat,
    LeaderEstimate,
    LedgerCheck,
    LiveOrders,
    MarkoutEstimate,
    Missed,
    OrderCounts,
    PendingExposure,
    Position,
    Posture,
    QuoteShares,
    QuoteTarget,
    RiskCounts,
    ServiceState,
    Stopping,
    TopOfBook,
    VolatilityEstimate,
    Wake,
    key,
)
from common.units import MICROS_PER_USD, MICROSECOND, MILLISECOND, SECOND, Lots, Nanos, Side
from services.metrics.alerts import Alert, Alerts
from services.metrics.estimates import Sample, Slow, of_estimate, of_slow

Inbox: TypeAlias = (
    Heartbeat
    | TopOfBook
    | FeedHealth
    | Estimate
    | Slow
    | QuoteTarget
    | QuoteShares
    | Fill
    | Position
    | PendingExposure
    | LiveOrders
    | OrderCounts
    | LedgerCheck
    | Posture
    | Exposure
    | Account
    | AddressBudget
    | Halt
    | RiskCounts
    | CancellerStatus
    | Missed
    | Wake
    | Stopping
)

Labels: TypeAlias = tuple[str, ...]
Gauges: TypeAlias = dict[str, dict[Labels, float]]

SERIES_MAX: Final = 500  # label sets of one metric: more than controls, events and coins together will ever have
FILLS_SEEN_MAX: Final = 10_000  # a fill is repeated at once or after a reconnect, never after so many others


class MetricsCore:
    """Gauges by name and labels; the shell reads them at each scrape."""

    def __init__(self, instruments: Mapping[str, Instrument], alerts: Alerts | None = None) -> None:
        self._instruments = instruments
        self.gauges: Gauges = {"mm_refused_messages_total": {(): 0.0}}
        self.seen_at: dict[str, dict[Labels, Nanos]] = {}
        self._alerts = alerts or Alerts()
        self._mids: dict[str, Decimal] = {}
        self._positions: dict[str, Position] = {}
        self._fills_seen: dict[tuple[int, str, int], None] = {}

    @property
    def state(self) -> ServiceState:
        return ServiceState.READY

    @property
    def detail(self) -> str:
        return ""

    def deadline(self) -> Nanos | None:
        return None

    def handle(self, message: Inbox, now: Nanos) -> list[Effect]:
        coin = key(message)
        if coin and coin not in self._instruments:
            self._refuse()
            return []
        self._alerts.hear(message, now)
        match message:
            case Stopping():
                return [Exit(0, "stopped as asked")]
            case Wake():
                pass
            case Heartbeat():
                self._on_heartbeat(message, now)
            case Missed():
                self._add("mm_missed_messages_total", (message.sender, message.topic), message.count)
            case TopOfBook() | FeedHealth() | Estimate() | QuoteTarget() | QuoteShares():
                self._on_market(message)
            case (
                VolatilityEstimate()
                | ArrivalEstimate()
                | FlowEstimate()
                | CascadeEstimate()
                | LeaderEstimate()
                | MarkoutEstimate()
                | Attribution()
            ):
                self._take(of_slow(message))
            case Fill() | Position() | PendingExposure() | LiveOrders() | OrderCounts() | LedgerCheck():
                self._on_orders(message)
            case Posture() | Exposure() | Account() | AddressBudget() | Halt() | RiskCounts() | CancellerStatus():
                self._on_safety(message)
            case _:
                assert_never(message)
        return []

    # --- alerts, for their sink --------------------------------------------------------------------

    def take_alerts(self, now: Nanos) -> list[Alert]:
        """Return what is new, and count it."""
        taken = self._alerts.take(now)
        for alert in taken:
            self._add("mm_alerts_total", (alert.severity.value,), 1)
        return taken

    def on_alert_path(self, now: Nanos, *, ok: bool) -> None:
        """The way out has worked, or has not."""
        if ok:
            self.seen_at["mm_alert_path_age_seconds"] = {(): now}
        else:
            self._add("mm_alert_failures_total", (), 1)

    # --- processes ---------------------------------------------------------------------------------

    def _on_heartbeat(self, beat: Heartbeat, now: Nanos) -> None:
        service = (beat.service,)
        for state in ServiceState:
            self._set("mm_service_state", (beat.service, state.value), float(state is beat.state))
        self._set("mm_service_epoch", service, beat.epoch)
        self._set("mm_service_uptime_seconds", service, beat.uptime_ms * MILLISECOND / SECOND)
        self._set("mm_service_stopping", service, beat.stopping)
        self._set("mm_loop_lag_seconds", service, beat.loop_lag_us * MICROSECOND / SECOND)
        self.seen_at.setdefault("mm_heartbeat_age_seconds", {})[service] = now

    # --- market and belief -------------------------------------------------------------------------

    def _on_market(self, message: TopOfBook | FeedHealth | Estimate | QuoteTarget | QuoteShares) -> None:
        match message:
            case TopOfBook():
                self._on_top(message)
            case FeedHealth():
                self._on_feed(message)
            case Estimate():
                self._take(of_estimate(message, float(self._instruments[message.coin].price(1))))
            case QuoteTarget():
                self._set("mm_target_levels", (message.coin, Side.BUY.value), len(message.bids))
                self._set("mm_target_levels", (message.coin, Side.SELL.value), len(message.asks))
            case QuoteShares():
                for side, shares in ((Side.BUY, message.bid), (Side.SELL, message.ask)):
                    for reason, share in shares.items():
                        self._set("mm_quote_time_share", (message.coin, side.value, reason), share)

    def _on_top(self, top: TopOfBook) -> None:
        coin = (top.coin,)
        if top.bid is None or top.ask is None:
            self._mids.pop(top.coin, None)
            self._set("mm_mid_price", coin, None)
            self._set("mm_spread_bps", coin, None)
        else:
            bid, ask = top.bid[0], top.ask[0]
            mid = self._instruments[top.coin].price(bid + ask) / 2
            self._mids[top.coin] = mid
            self._set("mm_mid_price", coin, mid)
            self._set("mm_spread_bps", coin, 20_000 * (ask - bid) / (bid + ask))
        self._value(top.coin)

    def _on_feed(self, health: FeedHealth) -> None:
        coin = (health.coin,)
        self._set("mm_feed_fresh", coin, health.fresh)
        self._set("mm_book_age_seconds", coin, _seconds(health.book_age_ms))
        self._set("mm_context_age_seconds", coin, _seconds(health.context_age_ms))
        self._set("mm_feed_duplicates_total", coin, health.duplicates)
        self._set("mm_feed_refused_total", coin, health.refused)
        self._set("mm_feed_reconnects_total", coin, health.reconnects)

    # --- orders and money --------------------------------------------------------------------------

    def _on_orders(self, message: Fill | Position | PendingExposure | LiveOrders | OrderCounts | LedgerCheck) -> None:
        match message:
            case Fill():
                self._on_fill(message)
            case Position():
                self._on_position(message)
            case PendingExposure():
                self._on_pending(message)
            case LiveOrders():
                for side in Side:
                    count = sum(order.side is side for order in message.orders)
                    self._set("mm_open_orders", (message.coin, side.value), count)
            case OrderCounts():
                self._replace("mm_order_events_total", message.counts)
            case LedgerCheck():
                self._set("mm_ledger_residual_usd", (), message.residual)
                self._set("mm_transfers_usd", (), message.transfers)
                self._set("mm_account_unrealized_pnl_usd", (), message.unrealized_pnl)

    def _on_fill(self, fill: Fill) -> None:
        identity = (fill.venue_ms, fill.coin, fill.tid)
        if identity in self._fills_seen:
            return
        self._fills_seen[identity] = None
        while len(self._fills_seen) > FILLS_SEEN_MAX:
            del self._fills_seen[next(iter(self._fills_seen))]
        role = "taker" if fill.crossed else "maker"
        usd = notional(fill.ticks, fill.lots) / MICROS_PER_USD
        self._add("mm_fill_volume_usd_total", (fill.coin, fill.side.value, role), usd)

    def _on_position(self, position: Position) -> None:
        coin = (position.coin,)
        self._positions[position.coin] = position
        self._set("mm_position", coin, self._size(position.coin, position.lots))
        self._set("mm_position_proven", coin, position.proven)
        self._set("mm_position_drift", coin, self._size(position.coin, position.drift))
        self._set("mm_entry_price", coin, position.entry)
        self._set("mm_realized_pnl_usd", coin, position.realized_pnl)
        self._set("mm_fees_usd", coin, position.fees)
        self._set("mm_funding_usd", coin, position.funding)
        self._set("mm_fills_total", coin, position.fills)
        self._value(position.coin)

    def _on_pending(self, pending: PendingExposure) -> None:
        coin = (pending.coin,)
        for name, lots in (
            ("mm_pending_bid_exposure", pending.pending_bid),
            ("mm_pending_ask_exposure", pending.pending_ask),
            ("mm_net_pending_change", pending.net_pending_change),
            ("mm_worst_case_max_position", pending.worst_case_max_position),
            ("mm_worst_case_min_position", pending.worst_case_min_position),
        ):
            self._set(name, coin, self._size(pending.coin, lots))
        self._set("mm_foreign_orders", coin, pending.foreign_orders)
        for side, micros in ((Side.BUY, pending.resting_bid_notional), (Side.SELL, pending.resting_ask_notional)):
            self._set("mm_resting_notional_usd", (pending.coin, side.value), micros / MICROS_PER_USD)

    def _value(self, coin: str) -> None:
        """Mark the position to the mid; nothing is known while either is missing."""
        position, mid = self._positions.get(coin), self._mids.get(coin)
        profit: Decimal | None = None
        if position is not None and position.lots == 0:
            profit = Decimal(0)
        elif position is not None and position.entry is not None and mid is not None:
            profit = self._instruments[coin].size(position.lots) * (mid - position.entry)
        self._set("mm_unrealized_pnl_usd", (coin,), profit)

    # --- safety ------------------------------------------------------------------------------------

    def _on_safety(
        self, message: Posture | Exposure | Account | AddressBudget | Halt | RiskCounts | CancellerStatus
    ) -> None:
        match message:
            case Posture():
                self._set("mm_posture", (), message.level)
                self._replace("mm_coin_posture", message.coins)
            case Exposure():
                self._on_exposure(message)
            case Account():
                self._set("mm_equity_usd", (), message.equity)
                self._set("mm_margin_used_usd", (), message.margin_used)
                self._set("mm_withdrawable_usd", (), message.withdrawable)
            case AddressBudget():
                self._set("mm_address_requests_used", (), message.used)
                self._set("mm_address_requests_cap", (), message.cap)
                self._set("mm_address_requests_headroom", (), message.cap - message.used)
            case Halt():
                self._set("mm_halted", (), message.halted)
                self._set("mm_halt_latched", (), message.latched)
                self._set("mm_halt_contained", (), message.contained)
                self._set("mm_halt_causes", (), len(message.causes))
            case RiskCounts():
                self._set("mm_risk_approvals_total", (), message.approvals)
                self._set("mm_risk_signatures_total", (), message.signatures)
                self._replace("mm_risk_block_total", message.vetoes)
                self._replace("mm_risk_findings_total", message.findings)
            case CancellerStatus():
                self._on_canceller(message)

    def _on_exposure(self, exposure: Exposure) -> None:
        coin = exposure.coin
        self._set("mm_risk_position", (coin,), self._size(coin, exposure.position))
        self._set("mm_risk_worst_case_max_position", (coin,), self._size(coin, exposure.worst_case_max_position))
        self._set("mm_risk_worst_case_min_position", (coin,), self._size(coin, exposure.worst_case_min_position))
        for side, pending, headroom in (
            (Side.BUY, exposure.pending_bid, exposure.headroom_bid),
            (Side.SELL, exposure.pending_ask, exposure.headroom_ask),
        ):
            self._set("mm_risk_pending_exposure", (coin, side.value), self._size(coin, pending))
            self._set("mm_risk_headroom", (coin, side.value), self._size(coin, headroom))

    def _on_canceller(self, status: CancellerStatus) -> None:
        self._set("mm_canceller_firing", (), bool(status.firing))
        self._set("mm_canceller_firings_total", (), status.firings)
        self._set("mm_schedule_cancel_armed", (), status.schedule_cancel == "armed")
        if status.venue_read_at is None:
            self.seen_at.pop("mm_canceller_venue_read_age_seconds", None)
        else:
            self.seen_at["mm_canceller_venue_read_age_seconds"] = {(): status.venue_read_at}

    # --- parts -------------------------------------------------------------------------------------

    def _set(self, name: str, labels: Labels, value: Decimal | float | None) -> None:
        samples = self.gauges.setdefault(name, {})
        if value is None:
            samples.pop(labels, None)
        elif labels in samples or len(samples) < SERIES_MAX:
            samples[labels] = float(value)
        else:
            self._refuse()

    def _take(self, samples: Iterable[Sample]) -> None:
        for name, labels, value in samples:
            self._set(name, labels, value)

    def _add(self, name: str, labels: Labels, value: float) -> None:
        self._set(name, labels, self.gauges.get(name, {}).get(labels, 0.0) + value)

    def _replace(self, name: str, values: Mapping[str, int]) -> None:
        self.gauges.pop(name, None)
        for label, value in sorted(values.items()):
            self._set(name, (label,), value)

    def _refuse(self) -> None:
        self.gauges["mm_refused_messages_total"][()] += 1

    def _size(self, coin: str, lots: Lots) -> Decimal:
        return self._instruments[coin].size(lots)


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1_000

"""Messages as services send them, for the tests of metrics: BTC at 100,000 USD, short 0.02."""

from decimal import Decimal
from typing import Final

from common.instrument import Instrument
from common.messages import (
    Account,
    CancellerStatus,
    Estimate,
    Exposure,
    FeedHealth,
    Fill,
    Heartbeat,
    LiveOrder,
    LiveOrders,
    OrderState,
    PendingExposure,
    Position,
    QuoteLevel,
    QuoteTarget,
    ServiceState,
    TopOfBook,
)
from common.units import SECOND, Lots, Micros, Millis, Nanos, Side, Ticks

BTC: Final = Instrument(coin="BTC", asset=0, size_decimals=5)  # one tick 0.1 USD, one lot 0.00001 BTC
NOW: Final = Nanos(5 * SECOND)


def beat(service: str = "risk", state: ServiceState = ServiceState.READY) -> Heartbeat:
    return Heartbeat(service=service, epoch=7, state=state, loop_lag_us=1_500, uptime_ms=2_500)


def top(bid: int | None = 999_990, ask: int | None = 1_000_010) -> TopOfBook:
    return TopOfBook(
        coin="BTC",
        venue_ms=Millis(1),
        bid=None if bid is None else (Ticks(bid), Lots(1)),
        ask=None if ask is None else (Ticks(ask), Lots(1)),
        received_at=NOW,
    )


def health(*, age_ms: int | None = 250) -> FeedHealth:
    return FeedHealth(
        coin="BTC",
        fresh=True,
        reason="",
        book_age_ms=age_ms,
        context_age_ms=900,
        duplicates=1,
        refused=2,
        reconnects=3,
    )


def estimate() -> Estimate:
    return Estimate(
        coin="BTC",
        as_of=NOW,
        book_venue_ms=Millis(1),
        mid_ticks=1_000_000.0,
        fair_ticks=1_000_000.5,
        sigma_per_sqrt_s=0.0001,
        sigma_total_per_sqrt_s=0.0002,
        jump_ratio=0.25,
        effective_samples=60.0,
        confidence=0.5,
        warm=True,
    )


def target() -> QuoteTarget:
    level = QuoteLevel(ticks=Ticks(1), lots=Lots(1))
    return QuoteTarget(
        coin="BTC",
        bids=(level, level),
        asks=(level,),
        reason_bid="",
        reason_ask="",
        fair_ticks=1.0,
        mid_ticks=1.0,
        components_bps={},
        book_venue_ms=Millis(1),
        book_received_at=NOW,
        valid_until=NOW,
    )


def fill(tid: int = 1, *, crossed: bool = False) -> Fill:
    return Fill(
        coin="BTC",
        side=Side.BUY,
        ticks=Ticks(1_000_000),
        lots=Lots(1_000),
        venue_ms=Millis(1),
        tid=tid,
        oid=1,
        cloid=None,
        start_position=Lots(0),
        fee=Decimal(0),
        closed_pnl=Decimal(0),
        crossed=crossed,
    )


def position(lots: int = -2_000, entry: str | None = "100100") -> Position:
    return Position(
        coin="BTC",
        lots=Lots(lots),
        entry=None if entry is None else Decimal(entry),
        realized_pnl=Decimal("12.5"),
        fees=Decimal("-0.25"),
        funding=Decimal("0.75"),
        fills=42,
        as_of_ms=Millis(1),
        proven=True,
        drift=Lots(-1_000),
    )


def pending() -> PendingExposure:
    return PendingExposure(
        coin="BTC",
        pending_bid=Lots(3_000),
        pending_ask=Lots(1_000),
        net_pending_change=Lots(2_000),
        worst_case_max_position=Lots(1_500),
        worst_case_min_position=Lots(-2_500),
        resting_bid_notional=Micros(3_000_000_000),
        resting_ask_notional=Micros(1_000_000_000),
        foreign_orders=2,
    )


def live() -> LiveOrders:
    order = LiveOrder(
        cloid="0x1", oid=1, side=Side.SELL, ticks=Ticks(1), lots=Lots(1), reduce_only=False, state=OrderState.RESTING
    )
    return LiveOrders(coin="BTC", orders=(order, order))


def exposure() -> Exposure:
    return Exposure(
        coin="BTC",
        position=Lots(-100_000),
        pending_bid=Lots(200_000),
        pending_ask=Lots(300_000),
        worst_case_max_position=Lots(400_000),
        worst_case_min_position=Lots(-500_000),
        headroom_bid=Lots(600_000),
        headroom_ask=Lots(700_000),
    )


def account() -> Account:
    return Account(equity=Decimal(1000), margin_used=Decimal(10), withdrawable=Decimal(900), as_of_ms=Millis(1))


def status(*, firing: str = "", read_at: Nanos | None = NOW, schedule: str = "armed") -> CancellerStatus:
    return CancellerStatus(epoch=1, venue_read_at=read_at, firing=firing, firings=2, schedule_cancel=schedule)

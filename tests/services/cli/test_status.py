"""The status contract: its keys, its worst service, and null for what is not known."""

import json
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.messages import (
    Account,
    AddressBudget,
    Book,
    Halt,
    HaltDirectory,
    HaltFile,
    LiveOrders,
    Message,
    OrderState,
    PendingExposure,
    Posture,
    PostureLevel,
    TopOfBook,
    topic,
)
from common.units import Lots, Micros, Millis, Nanos, Side, Ticks
from services.cli.status import RESTING, STATES, Facts, ServiceStatus, Status, assemble, encode, money, worst
from tests.services.cli.samples import books, live_order, position, settings
from tests.services.metrics.estimate_samples import leader

COIN_KEYS: Final = (
    *("mid", "position", "bids", "asks", "pending_bid_exposure", "pending_ask_exposure", "net_pending_change"),
    *("worst_case_max_position", "worst_case_min_position", "realized_pnl", "unrealized_pnl", "fees", "fills"),
    *("resting_bid_notional", "resting_ask_notional", "funding", "foreign_orders", "position_drift"),
    *("leader_age_ms", "leader_tilt_bps", "position_as_of_ms"),
)
ACCOUNT_SAID: Final = {
    "equity": "100000",
    "address_requests_used": 7,
    "address_requests_cap": 10_000,
    "realized_pnl": "12.5",
    "unrealized_pnl": "2.25",
    "fees": "-0.25",
    "funding": "0.75",
    "transfers": "100",
    "ledger_residual": "0.000003",
    "as_of_ms": 5,
    "ledger_as_of_ms": 2,
}
PENDING: Final = PendingExposure(
    coin="BTC",
    pending_bid=Lots(3_000),
    pending_ask=Lots(1_000),
    net_pending_change=Lots(2_000),
    worst_case_max_position=Lots(1_000),
    worst_case_min_position=Lots(-3_000),
    resting_bid_notional=Micros(3_000_000_000),
    resting_ask_notional=Micros(1_000_000_500),
    foreign_orders=2,
)
QUOTES: Final = LiveOrders(
    coin="BTC", orders=(live_order(Side.BUY, 999_990, slot=1), live_order(Side.SELL, 1_000_010, slot=2))
)


def facts(*messages: Message) -> Facts:
    return {(topic(type(message)), getattr(message, "coin", "")): message for message in messages}


def top(bid: int, ask: int, venue_ms: int = 5) -> TopOfBook:
    return TopOfBook(
        coin="BTC",
        venue_ms=Millis(venue_ms),
        bid=(Ticks(bid), Lots(1)),
        ask=(Ticks(ask), Lots(1)),
        received_at=Nanos(0),
    )


def book(bid: int, ask: int, venue_ms: int) -> Book:
    return Book(
        coin="BTC",
        venue_ms=Millis(venue_ms),
        bids=((Ticks(bid), Lots(1)),),
        asks=((Ticks(ask), Lots(1)),),
        received_at=Nanos(0),
    )


def account() -> Account:
    return Account(equity=Decimal("1e5"), margin_used=Decimal(0), withdrawable=Decimal(0), as_of_ms=Millis(5))


def posture(level: PostureLevel) -> Posture:
    return Posture(level=level, coins={}, causes=(), risk_epoch=1)


def seen(**services: Facts) -> Status:
    return assemble(settings=settings(), endpoints={}, services={}, facts=services, halt=HaltDirectory())


def shown(status: Status) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(encode(status))
    return found


def running() -> Status:
    """A run that quotes, whose metrics are down."""
    return assemble(
        settings=settings(),
        endpoints={"venue": "http://127.0.0.1:3001", "metrics": "http://127.0.0.1:9464/metrics"},
        services={
            "risk": ServiceStatus(
                state="READY", pid=1, epoch=2, uptime_s=3.5, loop_lag_ms=0.25, heartbeat_age_ms=100.0
            ),
            "metrics": ServiceStatus(state="DOWN", error="risk did not answer within 1 s"),
        },
        facts={
            "risk": facts(posture(PostureLevel.NORMAL), account(), AddressBudget(used=7, cap=10_000)),
            "market_data": facts(top(999_990, 1_000_010)),
            "order_management": facts(position(), PENDING, QUOTES, books()),
            "estimation": facts(leader()),
        },
        halt=HaltDirectory(),
    )


def test_the_whole_contract() -> None:
    """Every key of a running mesh, with the types that other tools rely on."""
    quote = {"sz": "0.00500", "oid": 77}
    assert shown(running()) == {
        "state": "DEGRADED",
        "posture": "NORMAL",
        "halted": False,
        "halted_coins": [],
        "profile": "sim",
        "endpoints": {"venue": "http://127.0.0.1:3001", "metrics": "http://127.0.0.1:9464/metrics"},
        "services": {
            "risk": {
                "state": "READY",
                "pid": 1,
                "epoch": 2,
                "uptime_s": 3.5,
                "loop_lag_ms": 0.25,
                "heartbeat_age_ms": 100.0,
            },
            "metrics": {
                "state": "DOWN",
                "pid": None,
                "epoch": None,
                "uptime_s": None,
                "loop_lag_ms": None,
                "heartbeat_age_ms": None,
                "error": "risk did not answer within 1 s",
            },
        },
        "account": ACCOUNT_SAID,
        "coins": {
            "BTC": {
                "mid": "100000.0",
                "position": "-0.02000",
                "bids": [{"px": "99999.0", "cloid": QUOTES.orders[0].cloid, **quote}],
                "asks": [{"px": "100001.0", "cloid": QUOTES.orders[1].cloid, **quote}],
                "pending_bid_exposure": "0.03000",
                "pending_ask_exposure": "0.01000",
                "net_pending_change": "0.02000",
                "worst_case_max_position": "0.01000",
                "worst_case_min_position": "-0.03000",
                "realized_pnl": "12.5",
                "unrealized_pnl": "2.000000",
                "fees": "-0.25",
                "fills": 42,
                "resting_bid_notional": "3000",
                "resting_ask_notional": "1000.0005",
                "funding": "0",
                "foreign_orders": 2,
                "position_drift": "0.00000",
                "leader_age_ms": 250,
                "leader_tilt_bps": 1.5,
                "position_as_of_ms": 1,
            }
        },
    }


def test_what_is_not_known_is_null() -> None:
    """Rule 2: with nobody to ask, every value is null and both sides are empty, never "0"."""
    found = shown(seen())
    assert found["posture"] is None
    assert found["account"] == dict.fromkeys(
        (
            *("equity", "address_requests_used", "address_requests_cap", "realized_pnl", "unrealized_pnl", "fees"),
            *("funding", "transfers", "ledger_residual", "as_of_ms", "ledger_as_of_ms"),
        )
    )
    assert found["endpoints"] == {"venue": None, "metrics": None}
    assert found["coins"]["BTC"] == {**dict.fromkeys(COIN_KEYS), "bids": [], "asks": []}


def test_without_a_run_there_are_no_coins() -> None:
    """Rule 2: before the first `mm up` there is no profile either."""
    found = assemble(settings=None, endpoints={}, services={}, facts={}, halt=HaltDirectory())
    assert (found.state, found.profile, found.coins) == ("DOWN", None, {})


@pytest.mark.parametrize(("better", "worse"), list(pairwise(reversed(STATES))))
def test_the_worst_service_names_the_state(better: str, worse: str) -> None:
    """Rule 1: in the order HALTED, DOWN, STARTING, RECONCILING, DEGRADED, READY, wherever the worse one stands."""
    one, other = ServiceStatus(state=better), ServiceStatus(state=worse)
    assert worst({"risk": one, "strategy": other}) == worst({"risk": other, "strategy": one}) == worse


@pytest.mark.parametrize("state", STATES)
def test_metrics_degrades_at_most(state: str) -> None:
    """Rule 1: nobody trades by metrics, so its death is no stop; a healthy one changes nothing."""
    services = {"risk": ServiceStatus(state="READY"), "metrics": ServiceStatus(state=state)}
    assert worst(services) == ("READY" if state == "READY" else "DEGRADED")


@given(st.lists(st.sampled_from(STATES), min_size=1))
def test_one_more_service_never_makes_it_better(states: list[str]) -> None:
    """Rule 1: the worst of more is never better than the worst of fewer."""
    services = {f"service{n}": ServiceStatus(state=state) for n, state in enumerate(states)}
    fewer = dict(list(services.items())[:-1]) or services
    assert STATES.index(worst(services)) <= STATES.index(worst(fewer))


@pytest.mark.parametrize(
    ("halt", "said", "level", "halted"),
    [
        (HaltDirectory(), False, PostureLevel.PULL_QUOTES, False),
        (HaltDirectory(files=(HaltFile(name="a", cause="b"),)), False, PostureLevel.NORMAL, True),
        (HaltDirectory(readable=False), False, PostureLevel.NORMAL, True),
        (HaltDirectory(), True, PostureLevel.NORMAL, True),
        (HaltDirectory(), False, PostureLevel.HALTED, True),
    ],
)
def test_any_source_halts(halt: HaltDirectory, said: bool, level: PostureLevel, halted: bool) -> None:
    """Rule 4: directory, risk's word and posture each suffice; pulled quotes are no halt."""
    word = Halt(halted=said, latched=said, contained=False, causes=())
    found = assemble(
        settings=settings(), endpoints={}, services={}, facts={"risk": facts(word, posture(level))}, halt=halt
    )
    assert found.halted is halted


@pytest.mark.parametrize("state", OrderState)
def test_only_what_rests_is_a_quote(state: OrderState) -> None:
    """Rule 3: an order on its way counts in the exposure, but is no quote before the venue has it."""
    live = LiveOrders(coin="BTC", orders=(live_order(Side.BUY, 1, state=state),))
    assert len(seen(order_management=facts(live)).coins["BTC"].bids) == (state in RESTING)


def test_quotes_stand_best_first() -> None:
    """Rule 3: bids from the highest down, asks from the lowest up."""
    orders = tuple(live_order(side, ticks, slot=ticks) for ticks in (20, 30, 10) for side in Side)
    coin = seen(order_management=facts(LiveOrders(coin="BTC", orders=orders))).coins["BTC"]
    assert [quote.px for quote in coin.bids] == ["3.0", "2.0", "1.0"]
    assert [quote.px for quote in coin.asks] == ["1.0", "2.0", "3.0"]


def test_the_newer_stream_names_the_mid() -> None:
    """A quiet top of book does not hide a newer book, nor the other way round."""
    assert seen(market_data=facts(top(10, 20, 5), book(30, 40, 6))).coins["BTC"].mid == "3.5"
    assert seen(market_data=facts(top(10, 20, 7), book(30, 40, 6))).coins["BTC"].mid == "1.5"
    assert seen(market_data=facts(book(30, 40, 6))).coins["BTC"].mid == "3.5"
    assert seen(market_data=facts(top(20, 20))).coins["BTC"].mid is None


def test_unrealized_profit_needs_entry_and_mid() -> None:
    """Rule 2: flat is zero for certain; a position without a mid is not known."""
    market = facts(top(999_990, 1_000_010))
    assert seen(order_management=facts(position(0, None))).coins["BTC"].unrealized_pnl == "0"
    assert seen(order_management=facts(position())).coins["BTC"].unrealized_pnl is None
    assert seen(order_management=facts(position(1_000)), market_data=market).coins["BTC"].unrealized_pnl == "-1.000000"


def test_quoting_means_that_something_rests() -> None:
    """One ask in one coin is enough, an order on its way is not."""
    resting = LiveOrders(coin="BTC", orders=(live_order(Side.SELL, 10),))
    on_its_way = LiveOrders(coin="BTC", orders=(live_order(Side.SELL, 10, state=OrderState.SENT),))
    assert seen(order_management=facts(resting)).quotes
    assert not seen(order_management=facts(on_its_way)).quotes


def test_money_ends_at_the_micro_usd() -> None:
    """An average entry price has no end; what has an end before is not padded."""
    assert money(Decimal("0.3635399999999999999999999502")) == "0.363540"
    assert money(Decimal("-1.0000005")) == "-1.000000"
    assert money(Decimal("12.5")) == "12.5"
    assert money(Decimal("3.79567500000000000000")) == "3.795675"
    assert money(Decimal("1e5")) == "100000"

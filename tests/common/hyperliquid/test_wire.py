"""Recorded traffic of the real venue through the one door, and the door itself."""

import json
from collections import Counter
from typing import Any

import pytest

from common.hyperliquid import wire, wire_actions
from common.instrument import Instrument
from common.messages.market import Book, Trade
from common.messages.venue import (
    AccountQuery,
    FillsQuery,
    FundingQuery,
    MalformedVenueData,
    MetaQuery,
    OpenOrdersQuery,
    OrderStatusQuery,
    RateLimitQuery,
    StreamFills,
    VenueMeta,
)
from common.units import Millis, Nanos
from tests.common.hyperliquid.coins import COINS
from tests.recorded import RUST, archive, cassette, kept, node_fills, stream_messages


def nautilus(name: str) -> bytes:
    return archive(RUST)[name]


def test_the_door_opens() -> None:
    """Every name that wire.py promises is there, and is the one of its room."""
    assert all(hasattr(wire, name) for name in wire.__all__)
    assert wire.encode_action is wire_actions.encode_action


@pytest.mark.data
def test_recorded_market_stream() -> None:
    """Books and trades of a real morning: every frame is understood, best first, with its stamp."""
    reader, counts = wire.FrameReader(COINS), Counter[str]()
    for message in stream_messages():
        frame = reader.read(json.dumps(message), Nanos(0))
        assert isinstance(frame, wire.Facts)
        assert frame.stamp_ms
        for fact in frame.messages:
            assert isinstance(fact, Book | Trade)
            counts[type(fact).__name__] += 1
            if isinstance(fact, Book):
                assert len(fact.bids) == len(fact.asks) == 20
                assert fact.bids[0][0] < fact.asks[0][0]
    assert counts["Book"] == 46
    assert counts["Trade"] > 30


@pytest.mark.data
def test_recorded_liquidation() -> None:
    """The fill of a real liquidation, seen by the maker whose order took it over: nobody liquidates that one."""
    frame = wire.FrameReader(COINS).read(nautilus("ws_user_fill_liquidation.json"), Nanos(0))
    assert isinstance(frame, wire.Facts)
    (fills,) = frame.messages
    assert isinstance(fills, StreamFills)
    assert [(fill.liquidation, fill.ticks, fill.lots) for fill in fills.fills] == [(False, 666_530, 100)]


@pytest.mark.data
def test_recorded_dust_and_spot() -> None:
    """Fills of spot coins, with their fees in other coins, are left out of an answer, not in its way."""
    page = wire.decode_page(FillsQuery(Millis(0)), nautilus("http_user_fills_dust_conversion.json"), COINS)
    assert page.items == ()
    assert len(page.times) >= 3


@pytest.mark.data
def test_off_grid_book() -> None:
    """A price between two ticks of BTC (a fixture that somebody made up) is malformed, not rounded."""
    data = nautilus("ws_book_data.json")
    frame = wire.FrameReader(COINS).read(b'{"channel":"l2Book","data":' + data + b"}", Nanos(0))
    assert isinstance(frame, wire.Facts)
    (message,) = frame.messages
    assert isinstance(message, MalformedVenueData)
    assert "98449.75" in message.reason


@pytest.mark.data
def test_recorded_universe() -> None:
    """Flags that are null are no fault."""
    found = wire.decode_answer(
        MetaQuery(), nautilus("http_meta_perp_sample.json"), query_id=1, asked_at=Nanos(0), instruments={}
    )
    assert isinstance(found, VenueMeta)
    assert [(each.coin, each.asset, each.size_decimals) for each in found.universe][2] == ("ATOM", 2, 2)


@pytest.mark.data
def test_recorded_fills_of_everybody() -> None:
    """Two minutes of all users' fills in two coins convert exactly."""
    universe = {
        **COINS,
        "SOL": Instrument(coin="SOL", asset=5, size_decimals=2),
    }
    elements = [fill for fill in node_fills() if fill["coin"] in universe and fill["feeToken"] == "USDC"]
    assert len(elements) > 200
    page = wire.decode_page(FillsQuery(Millis(0)), json.dumps(elements).encode(), universe)
    assert len(page.items) == len(elements)


def as_today(recorded: Any) -> Any:
    """Add what the venue sends since the recording was made."""
    if isinstance(recorded, dict):
        return {"time": 1, **recorded}
    return [
        {"origSz": each["sz"], "tid": number, "feeToken": "USDC", **each} if "sz" in each else each
        for number, each in enumerate(recorded)
    ]


@pytest.mark.data
@pytest.mark.parametrize(
    ("test", "query"),
    [
        ("test_get_user_state", AccountQuery()),
        ("test_get_open_orders", OpenOrdersQuery()),
        ("test_get_frontend_open_orders", OpenOrdersQuery()),
        ("test_user_rate_limit", RateLimitQuery()),
        ("test_get_info", MetaQuery()),
    ],
)
def test_answers_that_the_official_client_recorded(test: str, query: wire.WholeQuery) -> None:
    """Accounts, orders, limits and the universe of the real venue, old recordings too."""
    answer = json.dumps(as_today(cassette(test))).encode()
    assert wire.decode_answer(query, answer, query_id=1, asked_at=Nanos(0), instruments=COINS)


@pytest.mark.data
@pytest.mark.parametrize(
    ("test", "query"),
    [
        ("test_get_user_fills", FillsQuery(Millis(0))),
        ("test_get_user_fills_by_time", FillsQuery(Millis(0))),
        ("test_user_funding_history_with_end_time", FundingQuery(Millis(0))),
        ("test_user_funding_history_without_end_time", FundingQuery(Millis(0))),
    ],
)
def test_pages_that_the_official_client_recorded(test: str, query: wire.PagedQuery) -> None:
    """Fills and funding: every element counts, those of foreign coins by their time alone."""
    elements = as_today(cassette(test))
    assert len(wire.decode_page(query, json.dumps(elements).encode(), COINS).times) == len(elements) > 0


@pytest.mark.data
def test_recorded_orders_with_their_status() -> None:
    """What historicalOrders said of orders is what orderStatus says of one."""
    records = cassette("test_historical_orders")
    instruments = {}
    for coin, size in sorted((record["order"]["coin"], record["order"]["origSz"]) for record in records):
        decimals = len(size.partition(".")[2].rstrip("0"))
        instruments[coin] = Instrument(coin=coin, asset=0, size_decimals=decimals)
    for record in records:
        query = OrderStatusQuery("0x" + "0" * 32)
        ours = {**record, "order": {**record["order"], "cloid": query.cloid}}  # we ask by our own names alone
        answer = json.dumps({"status": "order", "order": ours}).encode()
        assert wire.decode_answer(query, answer, query_id=1, asked_at=Nanos(0), instruments=instruments)


@pytest.mark.data
def test_recorded_account_in_debt() -> None:
    """Raw USD may be negative; keys that a client's authors cut away are named."""
    state = {"marginSummary": kept("http_clearinghouse_state_negative_total_raw_usd.json")["crossMarginSummary"]}
    whole = {**kept("http_clearinghouse_state_negative_total_raw_usd.json"), **state}
    answer = wire.decode_answer(
        AccountQuery(), json.dumps(whole).encode(), query_id=1, asked_at=Nanos(0), instruments=COINS
    )
    assert answer

"""Frames as the venue sends them, and as it never should."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.hyperliquid.subscriptions import Subscription
from common.hyperliquid.wire_streams import (
    FOREIGN_MAX,
    Acknowledged,
    Facts,
    Frame,
    FrameReader,
    Pong,
    PostAnswer,
    Refused,
    already_subscribed,
    refused_post,
)
from common.messages.base import Message
from common.messages.market import AssetContext, Book, TopOfBook, Trade
from common.messages.orders import Fill
from common.messages.venue import (
    FundingPayment,
    FundingPayments,
    MalformedVenueData,
    OrderUpdate,
    OrderUpdates,
    StreamFills,
    VenueOrder,
)
from common.units import Lots, Millis, Nanos, Side, Ticks
from tests.common.hyperliquid.coins import ACCOUNT, CLOID, COINS, MS

NOW = Nanos(5)


def read(channel: str, data: Any, reader: FrameReader | None = None) -> Frame:  # any JSON
    raw = json.dumps({"channel": channel, "data": data})
    return (reader or FrameReader(COINS)).read(raw.encode(), NOW)


def messages(channel: str, data: Any, reader: FrameReader | None = None) -> tuple[Message, ...]:
    frame = read(channel, data, reader)
    assert isinstance(frame, Facts)
    return frame.messages


def malformed(channel: str, data: Any) -> str:
    """Return the reason of the one complaint that this frame makes."""
    (message,) = messages(channel, data)
    assert isinstance(message, MalformedVenueData)
    return message.reason


def level(px: str, sz: str = "1") -> dict[str, object]:
    return {"px": px, "sz": sz, "n": 3}


def book(bids: list[dict[str, object]], asks: list[dict[str, object]], **more: Any) -> dict[str, Any]:
    return {"coin": "BTC", "time": MS, "levels": [bids, asks], **more}


# --- market ------------------------------------------------------------------------------------------


def test_book() -> None:
    """Rule 4: ticks and lots, best first, with the venue's time."""
    frame = read("l2Book", book([level("100.1", "2.5"), level("99.9")], [level("100.2", "0.00001")], fast=True))
    bids = ((Ticks(1001), Lots(250_000)), (Ticks(999), Lots(100_000)))
    asks = ((Ticks(1002), Lots(1)),)
    expected = Book(coin="BTC", venue_ms=Millis(MS), bids=bids, asks=asks, received_at=NOW)
    assert frame == Facts("l2Book", (expected,), Millis(MS))


def test_book_is_cut_and_may_cross() -> None:
    """Rule 4: at most 20 levels a side; an empty or a crossed book is somebody else's decision."""
    (deep,) = messages("l2Book", book([level(str(1000 - i)) for i in range(25)], []))
    assert isinstance(deep, Book)
    assert (len(deep.bids), deep.asks) == (20, ())
    (crossed,) = messages("l2Book", book([level("100.2")], [level("100.1")]))
    assert isinstance(crossed, Book)


@pytest.mark.parametrize(
    "data",
    [
        *(book([level("99"), level("100")], []), book([], [level("100"), level("99")]), book([level("9")] * 2, [])),
        *(book([level("100.05")], []), book([level("100", "0.000001")], []), book([level("0")], [])),
        *(book([level("100", "0")], []), book([level("-1")], []), book([level("NaN")], [])),
        *(book([level("sNaN")], []), book([level("Infinity")], []), book([level("1e12")], [])),
        *(book([level("1e999999999")], []), book([level("1e-999999999")], []), book([level("x")], [])),
        *({"coin": "BTC", "time": MS}, {"coin": "BTC", "time": MS, "levels": [[]]}, book([], [], time=-1)),
        *(book([], [], time=1 << 53), book([], [], time="1"), book([], [], coin=5), book([{"px": "1"}], []), None, []),
    ],
)
def test_no_book(data: Any) -> None:
    """Rules 1 and 4: off the grid, out of order, out of range or out of shape is malformed as a whole."""
    assert malformed("l2Book", data)


def test_top_of_book() -> None:
    """Rule 1: an empty side is None, not zero."""
    frame = read("bbo", {"coin": "ETH", "time": MS, "bbo": [level("2123.6", "1.2"), None]})
    bid = (Ticks(212_360), Lots(12_000))
    expected = TopOfBook(coin="ETH", venue_ms=Millis(MS), bid=bid, ask=None, received_at=NOW)
    assert frame == Facts("bbo", (expected,), Millis(MS))


def trade(**changes: Any) -> dict[str, Any]:
    ours = {"coin": "BTC", "side": "B", "px": "104310.0", "sz": "0.02", "hash": "0x0", "time": MS, "tid": 7}
    return {**ours, "users": ["0x1", "0x2"], **changes}


def test_trades() -> None:
    """Rule 4: in the order received, the taker's side; the newest stamp counts."""
    frame = read("trades", [trade(), trade(side="A", time=MS - 20, tid=8)])
    first = Trade(
        coin="BTC",
        venue_ms=Millis(MS),
        side=Side.BUY,
        ticks=Ticks(1_043_100),
        lots=Lots(2_000),
        tid=7,
        received_at=NOW,
    )
    assert isinstance(frame, Facts)
    assert frame.messages[0] == first
    assert [getattr(message, "side", None) for message in frame.messages] == [Side.BUY, Side.SELL]
    assert frame.stamp_ms == MS
    assert read("trades", []) == Facts("trades", ())


@pytest.mark.parametrize("change", [{"side": "X"}, {"tid": -1}, {"tid": 1 << 63}, {"sz": "0"}, {"px": "1.23"}])
def test_no_trade(change: dict[str, Any]) -> None:
    """Rule 1: one bad print spoils its frame."""
    assert malformed("trades", [trade(), trade(**change)])


def test_context() -> None:
    """Rule 1: mark and oracle to the nearest tick; what is absent is None, not zero."""
    ctx = {"markPx": "77562.04", "oraclePx": "77605.06", "funding": "0.0000125", "openInterest": "27353.17682"}
    (full,) = messages("activeAssetCtx", {"coin": "BTC", "ctx": {**ctx, "midPx": None, "premium": None}})
    assert full == AssetContext(
        coin="BTC",
        mark=Ticks(775_620),
        oracle=Ticks(776_051),
        funding=0.0000125,
        open_interest=27353.17682,
        received_at=NOW,
    )
    (bare,) = messages("activeAssetCtx", {"coin": "BTC", "ctx": {"markPx": "1", "oraclePx": "2", "funding": None}})
    assert isinstance(bare, AssetContext)
    assert (bare.funding, bare.open_interest) == (None, None)


@pytest.mark.parametrize("change", [{"markPx": None}, {"oraclePx": "0"}, {"funding": "NaN"}, {"openInterest": "1e99"}])
def test_no_context(change: dict[str, Any]) -> None:
    """Rule 1: a reference price of nothing is no reference."""
    ctx = {"markPx": "77562", "oraclePx": "77605", "funding": "0.1", "openInterest": "2"}
    assert malformed("activeAssetCtx", {"coin": "BTC", "ctx": {**ctx, **change}})


# --- user --------------------------------------------------------------------------------------------


def update(status: str = "open", **changes: Any) -> dict[str, Any]:
    order = {"coin": "BTC", "side": "B", "limitPx": "29792.0", "sz": "4.0", "oid": 91, "timestamp": MS, "origSz": "5.0"}
    return {"order": {**order, "cloid": CLOID.upper().replace("X", "x"), **changes}, "status": status} | {
        "statusTimestamp": MS + 5
    }


UPDATE = OrderUpdate(
    order=VenueOrder(
        coin="BTC",
        oid=91,
        cloid=CLOID,
        side=Side.BUY,
        ticks=Ticks(297_920),
        lots=Lots(400_000),
        original_lots=Lots(500_000),
        placed_ms=Millis(MS),
    ),
    status="open",
    status_ms=Millis(MS + 5),
)


def test_order_updates() -> None:
    """Rule 2: remaining and original size, the venue's own status string, cloids in lower case."""
    frame = read("orderUpdates", [update(), update("neverSeenBefore", cloid=None, sz="0.0", reduceOnly=True)])
    assert isinstance(frame, Facts)
    (found,) = frame.messages
    assert isinstance(found, OrderUpdates)
    assert found.updates[0] == UPDATE
    second = found.updates[1]
    assert (second.status, second.order.cloid, second.order.lots, second.order.reduce_only) == (
        *("neverSeenBefore", None),
        *(0, True),
    )
    assert frame.stamp_ms == MS + 5


def test_bad_elements_stand_alone() -> None:
    """Rule 2: one malformed update never hides the fill beside it."""
    found, *reports = messages("orderUpdates", [update(sz="x"), update(), update(oid=None), update(cloid="0x1"), 5])
    assert found == OrderUpdates(updates=(UPDATE,), received_at=NOW)
    assert len(reports) == 4
    assert all(isinstance(report, MalformedVenueData) for report in reports)


def fill(**changes: Any) -> dict[str, Any]:
    """Return a recorded fill of a liquidation."""
    return {
        "coin": "BTC",
        "px": "66653.0",
        "sz": "0.001",
        "side": "A",
        "time": MS,
        "startPosition": "-0.0213",
        "dir": "Open Short",
        "closedPnl": "0.0",
        "hash": "0xe2",
        "oid": 55,
        "crossed": False,
        "fee": "0.009997",
        "tid": 745,
        "cloid": CLOID,
        "feeToken": "USDC",
        "twapId": None,
        "liquidation": {"liquidatedUser": ACCOUNT, "markPx": "66607.0", "method": "market"},
        **changes,
    }


FILL = Fill(
    coin="BTC",
    side=Side.SELL,
    ticks=Ticks(666_530),
    lots=Lots(100),
    venue_ms=Millis(MS),
    tid=745,
    oid=55,
    cloid=CLOID,
    start_position=Lots(-2_130),
    fee=Decimal("0.009997"),
    closed_pnl=Decimal("0.0"),
    crossed=False,
)


def test_fills() -> None:
    """Rule 2: the first list after a subscription is a snapshot, and its stamps are old."""
    snapshot = StreamFills(fills=(FILL,), snapshot=True, received_at=NOW)
    assert read("userFills", {"user": ACCOUNT, "fills": [fill()], "isSnapshot": True}) == Facts(
        "userFills", (snapshot,)
    )
    live = StreamFills(fills=(FILL,), snapshot=False, received_at=NOW)
    assert read("userFills", {"user": ACCOUNT, "fills": [fill()]}) == Facts("userFills", (live,), Millis(MS))
    assert read("user", {"fills": [fill()]}) == Facts("user", (live,), Millis(MS))


def test_empty_lists() -> None:
    """Rule 2: an empty snapshot is a fact, an empty update is none."""
    empty = StreamFills(fills=(), snapshot=True, received_at=NOW)
    assert messages("userFills", {"fills": [], "isSnapshot": True}) == (empty,)
    assert messages("userFills", {"fills": [], "isSnapshot": False}) == ()
    assert messages("orderUpdates", []) == ()
    assert messages("userFundings", {"fundings": [], "isSnapshot": True}) == (
        FundingPayments(payments=(), snapshot=True),
    )


def test_plain_fill() -> None:
    """Rule 2: no liquidation, no cloid, a rebate; both parties of a liquidation are marked, ours has no cloid."""
    (found,) = messages("user", {"fills": [fill(liquidation=None, cloid=None, fee="-0.1"), fill(cloid=None)]})
    assert isinstance(found, StreamFills)
    assert found.fills[1].liquidation
    assert (found.fills[0].liquidation, found.fills[0].cloid, found.fills[0].fee) == (False, None, Decimal("-0.1"))


@pytest.mark.parametrize("change", [{"feeToken": "USDH"}, {"sz": "0"}, {"sz": "-1"}, {"tid": None}, {"crossed": 1}])
def test_no_fill(change: dict[str, Any]) -> None:
    """Rule 2: a fill that cannot be counted exactly is reported, not guessed."""
    assert malformed("userFills", {"fills": [fill(**change)]})


def test_fundings() -> None:
    """Rule 2: received is positive, from either stream."""
    element = {"time": MS, "coin": "ETH", "usdc": "-3.625312", "szi": "49.1", "fundingRate": "0.1", "nSamples": None}
    payment = FundingPayment(coin="ETH", usd=Decimal("-3.625312"), venue_ms=Millis(MS))
    live = FundingPayments(payments=(payment,), snapshot=False)
    assert messages("userFundings", {"user": ACCOUNT, "fundings": [element]}) == (live,)
    assert messages("user", {"funding": element}) == (live,)


def test_other_user_events() -> None:
    """Rule 5: liquidations and the venue's own cancels reach us as fills and order updates."""
    assert messages("user", {"nonUserCancel": [{"coin": "BTC", "oid": 5}]}) == ()
    assert messages("user", {"liquidation": {"lid": 1}}) == ()


def test_foreign_coins() -> None:
    """Rule 3: nothing comes of them, and each is said once per channel."""
    reader = FrameReader(COINS)
    foreign = fill(coin="@156", feeToken="HYPE")  # a coin
    report = MalformedVenueData(channel="userFills", reason="coin @156 not configured")
    live = StreamFills(fills=(FILL,), snapshot=False, received_at=NOW)
    assert messages("userFills", {"fills": [foreign, fill(), foreign]}, reader) == (live, report)
    assert messages("userFills", {"fills": [foreign]}, reader) == ()
    assert messages("orderUpdates", [update(coin="@156")], reader) == (
        MalformedVenueData(channel="orderUpdates", reason="coin @156 not configured"),
    )
    assert len(messages("bbo", {"coin": "DOGE", "time": MS, "bbo": [None, None]}, reader)) == 1
    assert messages("bbo", {"coin": "DOGE", "time": MS, "bbo": [None, None]}, reader) == ()


def test_foreign_coins_are_limited() -> None:
    """Rule 3: the memory of reports is full at its limit, and then silence follows instead of a flood."""
    reader = FrameReader(COINS)
    for i in range(FOREIGN_MAX):
        assert len(messages("orderUpdates", [update(coin=f"x{i}")], reader)) == 1
    assert messages("orderUpdates", [update(coin="one more")], reader) == ()


# --- control -------------------------------------------------------------------------------------------


def test_control_frames() -> None:
    """Rule 5: what the client needs to know."""
    reader = FrameReader(COINS)
    echo = {"method": "subscribe", "subscription": {"type": "userFills", "user": ACCOUNT, "aggregateByTime": False}}
    assert read("subscriptionResponse", echo) == Acknowledged(Subscription("userFills", user=ACCOUNT))
    assert reader.read('{"channel":"pong"}', NOW) == Pong()
    assert read("error", "Cannot track more than 15 total users.") == Refused("Cannot track more than 15 total users.")
    answer = read("post", {"id": 257, "response": {"type": "info", "payload": 5}})
    assert isinstance(answer, PostAnswer)
    assert (answer.id, bytes(answer.response)) == (257, b'{"type": "info", "payload": 5}')
    assert reader.read("Websocket connection established.", NOW) == Facts("greeting", ())
    assert reader.read(b"Websocket connection established.", NOW) == Facts("greeting", ())


def test_unknown_channel() -> None:
    """Rule 5: what nobody asked for is reported."""
    assert malformed("webData3", {}) == "unknown channel"
    assert malformed("error", {"no": "text"})
    assert malformed("post", {"response": {}})
    assert malformed("subscriptionResponse", {})


def test_duplicates_and_refusals() -> None:
    """Rule 5: two of the venue's refusals name what they refuse."""
    text = 'Already subscribed: {"type":"l2Book","coin":"BTC","nSigFigs":null,"mantissa":null,"fast":true}'
    assert already_subscribed(text) == Subscription("l2Book", coin="BTC")
    for other in ("Already subscribed: ", "Already subscribed: {", "Invalid subscription {}", "x" + text):
        assert already_subscribed(other) is None
    assert refused_post("too many pending post requests id=1234") == 1234
    for other in ("too many pending post requests", "too many pending post requests id=x", "id=5"):
        assert refused_post(other) is None


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_garbage(raw: bytes | str) -> None:
    """Rule 1: no bytes raise; each garbage is one complaint."""
    frame = FrameReader(COINS).read(raw, NOW)
    assert isinstance(frame, Facts)
    assert all(isinstance(message, MalformedVenueData) for message in frame.messages)


CHANNELS = ["l2Book", "bbo", "trades", "activeAssetCtx", "orderUpdates", "userFills", "userFundings", "user"]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["coin", "fills", "px", "order", "levels", "time"]), inner)
    ),
    max_leaves=8,
)


@given(st.sampled_from([*CHANNELS, "pong", "post", "error", "subscriptionResponse"]), json_values)
def test_any_json(channel: str, data: Any) -> None:
    """Rule 1: no JSON raises, whatever the channel."""
    read(channel, data)


def test_deep_json() -> None:
    """Rule 1: a hundred thousand brackets are one complaint."""
    for raw in ("[" * 100_000, '{"channel":"l2Book","data":' + "[" * 100_000):
        frame = FrameReader(COINS).read(raw, NOW)
        assert isinstance(frame, Facts)
        assert len(frame.messages) == 1

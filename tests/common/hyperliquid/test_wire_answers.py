"""Queries and their answers: the shape of each, and that nothing is ever read as "no orders"."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import PeerFault
from common.hyperliquid.wire_answers import WEIGHTS, Weight, WholeQuery, decode_answer, query_body, weight
from common.instrument import Instrument
from common.messages.base import Message
from common.messages.venue import (
    AccountQuery,
    CapacityQuery,
    FillsQuery,
    FundingQuery,
    MetaQuery,
    OpenOrdersQuery,
    OrderStatusQuery,
    Query,
    RateLimitQuery,
    Transfer,
    TransfersQuery,
    UserRoleQuery,
    VenueAccount,
    VenueCapacity,
    VenueMeta,
    VenueOpenOrders,
    VenueOrder,
    VenueOrderStatus,
    VenuePosition,
    VenueTransfers,
    VenueUserRole,
)
from common.units import Lots, Millis, Nanos, Side, Ticks
from tests.common.hyperliquid.coins import ACCOUNT, CLOID, COINS, MS, OTHER_CLOID

ASKED = Nanos(11)
WHOLE: list[WholeQuery] = [OpenOrdersQuery(), OrderStatusQuery(CLOID), AccountQuery(), MetaQuery(), UserRoleQuery()]
WHOLE += [TransfersQuery(ACCOUNT, Millis(MS))]


def decode(query: WholeQuery, answer: Any) -> Message:  # any JSON
    payload = json.dumps(answer).encode()
    return decode_answer(query, payload, query_id=3, asked_at=ASKED, instruments=COINS)


# --- questions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "body"),
    [
        (OpenOrdersQuery(), {"type": "frontendOpenOrders", "user": ACCOUNT}),
        (OrderStatusQuery(CLOID), {"type": "orderStatus", "user": ACCOUNT, "oid": CLOID}),
        (AccountQuery(), {"type": "clearinghouseState", "user": ACCOUNT}),
        (FillsQuery(Millis(MS)), {"type": "userFillsByTime", "user": ACCOUNT, "startTime": 5}),
        (FundingQuery(Millis(MS)), {"type": "userFunding", "user": ACCOUNT, "startTime": 5}),
        (MetaQuery(), {"type": "meta"}),
        (UserRoleQuery(), {"type": "userRole", "user": ACCOUNT}),
        (CapacityQuery("BTC"), {"type": "activeAssetData", "user": ACCOUNT, "coin": "BTC"}),
        (UserRoleQuery("0xagent"), {"type": "userRole", "user": "0xagent"}),
        (
            TransfersQuery(ACCOUNT, Millis(MS)),
            {"type": "userNonFundingLedgerUpdates", "user": ACCOUNT, "startTime": MS},
        ),
    ],
)
def test_bodies(query: Query, body: dict[str, object]) -> None:
    """Rule 3: what is asked, about the account that owns the positions."""
    assert query_body(query, ACCOUNT, since_ms=5) == body


def test_body_of_an_older_page() -> None:
    """Rule 3: an end is named only when there is one."""
    assert query_body(FillsQuery(Millis(MS)), ACCOUNT, since_ms=5, until_ms=9)["endTime"] == 9


def test_no_account() -> None:
    """Rule 1: without an account the universe is all that can be asked for."""
    for query in (*WHOLE, FillsQuery(Millis(0)), FundingQuery(Millis(0))):
        if isinstance(query, MetaQuery):
            assert query_body(query, "")
        else:
            with pytest.raises(ValueError, match="no account"):
                query_body(query, "")


def test_weights() -> None:
    """Rule 3: the venue's price list."""
    light = {kind.__name__ for kind, price in WEIGHTS.items() if price.base == 2}
    assert light == {"OrderStatusQuery", "AccountQuery"}
    assert weight(OpenOrdersQuery()) == weight(FillsQuery(Millis(0))) == 20
    assert [Weight(20, 20).of(count) for count in (0, 19, 20, 2_000)] == [20, 20, 21, 120]
    assert Weight(2).of(1_000) == 2


# --- answers -------------------------------------------------------------------------------------------


def order(**changes: Any) -> dict[str, Any]:
    ours = {"coin": "BTC", "side": "A", "limitPx": "29792.0", "sz": "4.0", "oid": 91, "timestamp": MS, "origSz": "5.0"}
    frontend = {"isTrigger": False, "triggerPx": "0.0", "reduceOnly": False, "tif": "Gtc", "children": []}
    return {**ours, **frontend, "cloid": CLOID, **changes}


ORDER = VenueOrder(
    coin="BTC",
    oid=91,
    cloid=CLOID,
    side=Side.SELL,
    ticks=Ticks(297_920),
    lots=Lots(400_000),
    original_lots=Lots(500_000),
    placed_ms=Millis(MS),
)


def test_open_orders() -> None:
    """Rule 2: ours and other people's on our coins; nothing of coins that are not configured."""
    assert decode(OpenOrdersQuery(), []) == VenueOpenOrders(query_id=3, orders=(), asked_at=ASKED)
    found = decode(OpenOrdersQuery(), [order(), order(coin="@107", limitPx="0.0123456789"), order(cloid=None)])
    assert isinstance(found, VenueOpenOrders)
    assert found.orders[0] == ORDER
    assert [each.cloid for each in found.orders] == [CLOID, None]


def test_trigger_orders() -> None:
    """Rule 1: the limit of somebody's trigger order need not be on the grid; any other must."""
    found = decode(OpenOrdersQuery(), [order(isTrigger=True, limitPx="100.26", sz="0.0", origSz="0.0")])
    assert isinstance(found, VenueOpenOrders)
    assert (found.orders[0].ticks, found.orders[0].lots) == (1003, 0)
    with pytest.raises(PeerFault):
        decode(OpenOrdersQuery(), [order(limitPx="100.26")])


def test_order_status() -> None:
    """Rule 1: the venue's string, whatever it is, with the order it is about."""
    answer = {"status": "order", "order": {"order": order(), "status": "odd", "statusTimestamp": MS + 1}}
    assert decode(OrderStatusQuery(CLOID), answer) == VenueOrderStatus(
        query_id=3, cloid=CLOID, status="odd", order=ORDER, status_ms=Millis(MS + 1), asked_at=ASKED
    )
    assert decode(OrderStatusQuery(CLOID), {"status": "unknownOid"}) == VenueOrderStatus(
        query_id=3, cloid=CLOID, status="unknownOid", order=None, status_ms=Millis(0), asked_at=ASKED
    )


def position(**changes: Any) -> dict[str, Any]:
    ours = {"coin": "ETH", "szi": "-0.0335", "entryPx": "2986.3", "unrealizedPnl": "-0.0134", "positionValue": "100"}
    return {"type": "oneWay", "position": {**ours, "leverage": {"type": "isolated", "value": 20}, **changes}}


def account(*positions: dict[str, Any], **changes: Any) -> dict[str, Any]:
    margin = {"accountValue": "13109.482328", "totalNtlPos": "100", "totalRawUsd": "-5", "totalMarginUsed": "4.967826"}
    state = {"marginSummary": margin, "withdrawable": "13104.5", "assetPositions": list(positions), "time": MS}
    return {**state, **changes}


def test_account() -> None:
    """Rule 2: signed lots, the venue's own equity; coins that are not configured left out."""
    cross = position(coin="BTC", szi="1.0", entryPx=None, leverage={"type": "cross", "value": 40})
    found = decode(AccountQuery(), account(position(), cross, position(coin="DOGE", szi="0.123456789")))
    eth = VenuePosition(
        coin="ETH",
        lots=Lots(-335),
        entry=Decimal("2986.3"),
        unrealized_pnl=Decimal("-0.0134"),
        leverage=20,
        is_cross=False,
    )
    btc = VenuePosition(
        coin="BTC",
        lots=Lots(100_000),
        entry=None,
        unrealized_pnl=Decimal("-0.0134"),
        leverage=40,
        is_cross=True,
    )
    assert found == VenueAccount(
        query_id=3,
        venue_ms=Millis(MS),
        equity=Decimal("13109.482328"),
        margin_used=Decimal("4.967826"),
        withdrawable=Decimal("13104.5"),
        positions=(eth, btc),
        asked_at=ASKED,
        raw_usd=Decimal(-5),
    )


@pytest.mark.parametrize(
    ("answer", "role", "master"),
    [
        ({"role": "user"}, "user", ""),
        ({"role": "missing"}, "missing", ""),
        ({"role": "agent", "data": {"user": ACCOUNT}}, "agent", ACCOUNT),
        ({"role": "subAccount", "data": {"master": ACCOUNT}}, "subAccount", ACCOUNT),
    ],
)
def test_what_an_address_is(answer: dict[str, Any], role: str, master: str) -> None:
    """An agent's address has no positions, and an empty answer about it is not one about ours."""
    assert decode(UserRoleQuery(), answer) == VenueUserRole(query_id=3, role=role, master=master)


def test_transfers() -> None:
    """Of the account that the question names."""
    moved = {"type": "internalTransfer", "usdc": "4", "user": "0x" + "cd" * 20, "destination": ACCOUNT, "fee": "0"}
    found = decode(TransfersQuery(ACCOUNT, Millis(MS)), [{"time": MS, "hash": "0x0", "delta": moved}])
    (transfer,) = (Transfer(kind="internalTransfer", usd=Decimal(4), venue_ms=Millis(MS)),)
    assert found == VenueTransfers(query_id=3, transfers=(transfer,), asked_at=ASKED)


def test_universe() -> None:
    """Rule 1: the asset id is the place in the list."""
    universe = [{"name": "BTC", "szDecimals": 5, "maxLeverage": 40}, {"name": "X", "szDecimals": 0, "maxLeverage": 3}]
    assert decode(MetaQuery(), {"universe": universe, "marginTables": []}) == VenueMeta(
        query_id=3,
        universe=(
            Instrument(coin="BTC", asset=0, size_decimals=5, leverage_max=40),
            Instrument(coin="X", asset=1, size_decimals=0, leverage_max=3),
        ),
    )


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        *((query, None) for query in WHOLE),
        *((query, "text") for query in WHOLE),
        *((OpenOrdersQuery(), {}), (OpenOrdersQuery(), [None]), (OpenOrdersQuery(), [{"coin": "DOGE"}])),
        *((OpenOrdersQuery(), [order(side="C")]), (OpenOrdersQuery(), [order(sz="-1")])),
        *((OpenOrdersQuery(), [order(cloid="7")]), (OpenOrdersQuery(), [order(origSz="NaN")])),
        *((OrderStatusQuery(CLOID), {"status": "order"}), (OrderStatusQuery(CLOID), {})),
        (
            OrderStatusQuery(OTHER_CLOID),
            {"status": "order", "order": {"order": order(), "status": "open", "statusTimestamp": MS}},
        ),
        (
            OrderStatusQuery(CLOID),
            {"status": "order", "order": {"order": order(coin="@1"), "status": "open", "statusTimestamp": MS}},
        ),
        *((AccountQuery(), {}), (AccountQuery(), account(withdrawable=None)), (AccountQuery(), account(time=-1))),
        *((AccountQuery(), account(position(szi="1e-9"))), (AccountQuery(), account(position(leverage={})))),
        (AccountQuery(), account(marginSummary={"accountValue": "Infinity", "totalMarginUsed": "0"})),
        (AccountQuery(), account(position(leverage={"type": "cross", "value": 1_001}))),
        (MetaQuery(), {"universe": [{"name": "BTC", "szDecimals": 7, "maxLeverage": 40}]}),
        # numbers that no message could carry on
        (RateLimitQuery(), {"nRequestsUsed": 0, "nRequestsCap": 1 << 64}),
        (CapacityQuery("BTC"), {"coin": "BTC", "maxTradeSzs": ["1", "1000000000000"]}),
    ],
)
def test_no_answer(query: WholeQuery, answer: Any) -> None:
    """Rule 1: another shape, another order, another coin: no answer at all, and never an empty one."""
    with pytest.raises(PeerFault):
        decode(query, answer)


@given(st.sampled_from(WHOLE), st.binary(max_size=100))
def test_garbage(query: WholeQuery, payload: bytes) -> None:
    """Rule 1: no bytes raise anything but a PeerFault."""
    for raw in (payload, b"[" * 10_000):
        with pytest.raises(PeerFault):
            decode_answer(query, raw, query_id=3, asked_at=ASKED, instruments=COINS)


@pytest.mark.parametrize(
    ("sizes", "lots"),
    [(("0.12345", "2"), (12_345, 200_000)), (("0.123459", "0"), (12_345, 0)), (("0.0", "0.0"), (0, 0))],
)
def test_capacity_is_in_lots(sizes: tuple[str, str], lots: tuple[int, int]) -> None:
    """What is off the grid is rounded towards less."""
    answer: dict[str, object] = {"user": ACCOUNT, "coin": "BTC", "maxTradeSzs": sizes, "markPx": "1.0"}
    expected = VenueCapacity(query_id=3, coin="BTC", buy=Lots(lots[0]), sell=Lots(lots[1]))
    assert decode(CapacityQuery("BTC"), answer) == expected
    for kind, is_cross in (("cross", True), ("isolated", False)):
        levered = msgspec.structs.replace(expected, leverage=20, is_cross=is_cross)
        assert decode(CapacityQuery("BTC"), {**answer, "leverage": {"type": kind, "value": 20}}) == levered


@pytest.mark.parametrize(
    "answer", [{"coin": "ETH", "maxTradeSzs": ["1", "1"]}, {"coin": "BTC", "maxTradeSzs": ["NaN", "1"]}]
)
def test_a_strange_capacity_is_none(answer: dict[str, object]) -> None:
    """Another coin's, or no number: the question has failed."""
    with pytest.raises(PeerFault):
        decode(CapacityQuery("BTC"), answer)

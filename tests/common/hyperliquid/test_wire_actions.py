"""Our actions in the venue's words: the keys, their order, and what is refused."""

import json
from decimal import Decimal

import msgpack  # type: ignore[import-untyped]  # ships no types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.hyperliquid.signing import Signature, action_hash
from common.hyperliquid.wire_actions import (
    ITEMS_MAX,
    PostedItems,
    encode_action,
    posted_items,
    request_body,
)
from common.messages.orders import Cancel, ModifyIntent, OrderIntent, TimeInForce
from common.messages.venue import Action, CancelOrders, Modify, Noop, Place, ScheduleCancel, UpdateLeverage
from common.units import Lots, Millis, Side, Ticks
from tests.common.hyperliquid.coins import BTC, CLOID, COINS, ETH, MS, OTHER_CLOID

BID = OrderIntent(cloid=CLOID, coin="ETH", side=Side.BUY, ticks=Ticks(110_000), lots=Lots(2_000))
EXIT = OrderIntent(
    cloid=OTHER_CLOID,
    coin="BTC",
    side=Side.SELL,
    ticks=Ticks(1_000_005),
    lots=Lots(100_000),
    tif=TimeInForce.IOC,
    reduce_only=True,
)
BID_TEXT = '{"a":4,"b":true,"p":"1100","s":"0.2","r":false,"t":{"limit":{"tif":"Alo"}},"c":"' + CLOID + '"}'
EXIT_TEXT = '{"a":0,"b":false,"p":"100000.5","s":"1","r":true,"t":{"limit":{"tif":"Ioc"}},"c":"' + OTHER_CLOID + '"}'
GONE_BID = f'{{"asset":4,"cloid":"{CLOID}"}}'
GONE_EXIT = f'{{"asset":0,"cloid":"{OTHER_CLOID}"}}'
SIGNATURE = Signature("0x1", "0x2", 27)


def text(action: Action) -> str:
    return json.dumps(encode_action(action, COINS), separators=(",", ":"))


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (Place((BID, EXIT)), f'{{"type":"order","orders":[{BID_TEXT},{EXIT_TEXT}],"grouping":"na"}}'),
        (
            Modify((ModifyIntent(old_cloid=OTHER_CLOID, order=BID),)),
            f'{{"type":"batchModify","modifies":[{{"oid":"{OTHER_CLOID}","order":{BID_TEXT}}}]}}',
        ),
        (
            CancelOrders((Cancel(coin="ETH", cloid=CLOID, oid=7), Cancel(coin="BTC", cloid=OTHER_CLOID))),
            f'{{"type":"cancelByCloid","cancels":[{GONE_BID},{GONE_EXIT}],"f":true}}',
        ),
        (
            CancelOrders((Cancel(coin="ETH", oid=7), Cancel(coin="BTC", oid=8, cloid=CLOID))),
            '{"type":"cancel","cancels":[{"a":4,"o":7},{"a":0,"o":8}],"f":true}',
        ),
        (Noop(), '{"type":"noop"}'),
        (ScheduleCancel(Millis(MS)), f'{{"type":"scheduleCancel","time":{MS}}}'),
        (ScheduleCancel(None), '{"type":"scheduleCancel"}'),
        (UpdateLeverage("ETH", 5), '{"type":"updateLeverage","asset":4,"isCross":true,"leverage":5}'),
        (UpdateLeverage("BTC", 3, is_cross=False), '{"type":"updateLeverage","asset":0,"isCross":false,"leverage":3}'),
    ],
)
def test_golden(action: Action, expected: str) -> None:
    """Rules 1, 2 and 3: key for key as the venue hashes it."""
    assert text(action) == expected


@pytest.mark.parametrize(
    "action",
    [
        *(Place(()), Modify(()), CancelOrders(()), Place((BID,) * (ITEMS_MAX + 1))),
        CancelOrders((Cancel(coin="ETH", oid=7), Cancel(coin="ETH", cloid=CLOID))),
        CancelOrders((Cancel(coin="ETH"),)),
    ],
)
def test_refused(action: Action) -> None:
    """Rules 2 and 4: what the venue would refuse as a whole never leaves."""
    with pytest.raises(ValueError, match=r"item|cancels"):
        encode_action(action, COINS)


def test_largest_batch() -> None:
    """Rule 4: the limit itself is allowed."""
    assert text(Place((BID,) * ITEMS_MAX)).count('"c":') == ITEMS_MAX


def test_unknown_coin() -> None:
    """Rule 1: there is no asset id for a coin that is not configured."""
    with pytest.raises(KeyError):
        encode_action(UpdateLeverage("DOGE", 5), COINS)


def test_body_is_what_was_hashed() -> None:
    """Rule 1: the JSON that is sent re-reads to the very action whose hash was signed."""
    action = encode_action(Place((BID, EXIT)), COINS)
    body = json.loads(request_body(action, MS, SIGNATURE, expires_after=MS + 2_000))
    assert list(body) == ["action", "nonce", "signature", "expiresAfter"]
    assert body["signature"] == {"r": "0x1", "s": "0x2", "v": 27}
    assert msgpack.packb(body["action"]) == msgpack.packb(action)
    assert action_hash(body["action"], MS) == action_hash(action, MS)
    assert "vaultAddress" in json.loads(request_body(action, MS, SIGNATURE, vault="0x1"))


@pytest.mark.parametrize(
    ("action", "assets"),
    [
        *((Place((BID, EXIT)), (4, 0)), (Modify((ModifyIntent(old_cloid=CLOID, order=BID),)), (4,)), (Noop(), ())),
        *((CancelOrders((Cancel(coin="ETH", oid=7),)), (4,)), (CancelOrders((Cancel(coin="BTC", cloid=CLOID),)), (0,))),
        *((UpdateLeverage("ETH", 5), ()), (ScheduleCancel(None), ())),
    ],
)
def test_items_of_a_body(action: Action, assets: tuple[int, ...]) -> None:
    """Rule 1: the sender of bytes that another process signed can tell what they name."""
    assert posted_items(request_body(encode_action(action, COINS), MS, SIGNATURE)) == PostedItems(assets)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"action":5}', b'{"action":{"orders":5}}', b"\xff"])
def test_no_body(body: bytes) -> None:
    """Rule 1: bytes that are no request are refused before they leave."""
    with pytest.raises(ValueError, match="not a request"):
        posted_items(body)


@given(st.integers(1, 10**12), st.integers(1, 10**12), st.sampled_from([BTC, ETH]))
def test_numbers_round_trip(ticks: int, lots: int, instrument: object) -> None:
    """Rule 1: price and size survive the wire exactly, without exponent and trailing zeros."""
    coin = BTC if instrument is BTC else ETH
    order = OrderIntent(cloid=CLOID, coin=coin.coin, side=Side.BUY, ticks=Ticks(ticks), lots=Lots(lots))
    sent = json.loads(text(Place((order,))))["orders"][0]
    assert (coin.ticks(sent["p"]), coin.lots(sent["s"])) == (ticks, lots)
    for number in (sent["p"], sent["s"]):
        assert "E" not in number
        assert number == format(Decimal(number).normalize(), "f")

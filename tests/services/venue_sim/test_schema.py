"""Bodies of POST /exchange: what fits, and the form that is signed."""

from typing import Any

import msgspec
import pytest

from common.errors import PeerFault
from services.venue_sim import schema
from tests.services.venue_sim.door import CLOID, cancel, limit, place


def parsed(action: object, **fields: object) -> schema.Body:
    body = {"action": action, "nonce": 1, "signature": {"r": "0x1", "s": "0x2", "v": 27}, **fields}
    return schema.parse(msgspec.json.encode(body))


@pytest.mark.parametrize(
    "action",
    [
        place(limit("100000", "0.5", cloid=CLOID), limit("1.5", "2", buy=False, tif="Alo")),
        {**place(limit("1", "1")), "grouping": {"p": 3}},
        {**place(limit("1", "1")), "builder": {"b": "0x" + "b1" * 20, "f": 10}},
        place({**limit("1", "1"), "t": {"trigger": {"isMarket": True, "triggerPx": "103", "tpsl": "sl"}}}),
        {"type": "modify", "oid": 5, "order": limit("1", "1")},
        {"type": "batchModify", "modifies": [{"oid": CLOID, "order": limit("1", "1")}], "a": True},
        cancel(1, 2),
        {"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": CLOID}], "f": True},
        {"type": "scheduleCancel", "time": 5},
        {"type": "scheduleCancel"},
        {"type": "updateLeverage", "asset": 1, "isCross": False, "leverage": 3},
        {"type": "updateIsolatedMargin", "asset": 1, "isBuy": True, "ntli": -5},
        {"type": "noop"},
    ],
)
def test_canonical_actions_stay_what_they_are(action: dict[str, Any]) -> None:
    """Rule 1: what is canonical comes out as the same bytes, key order included."""
    assert msgspec.json.encode(schema.canonical(parsed(action).action)) == msgspec.json.encode(action)


def test_null_and_false_are_absent() -> None:
    """Rule 1: a key without a value, or a flag that is off, is not hashed."""
    sent = {**cancel(1), "f": False}
    assert schema.canonical(parsed(sent).action) == cancel(1)
    assert schema.canonical(parsed({"type": "scheduleCancel", "time": None}).action) == {"type": "scheduleCancel"}
    with_null = place({**limit("1", "1"), "c": None})
    assert schema.canonical(parsed({**with_null, "builder": None}).action) == place(limit("1", "1"))


@pytest.mark.parametrize(
    ("sent", "signed"),
    [("100.0", "100"), ("5.200000000", "5.2"), ("007", "7"), ("-0", "0"), ("0.00000001", "0.00000001")],
)
def test_numbers_lose_what_means_nothing(sent: str, signed: str) -> None:
    """Rule 2: trailing and leading zeros."""
    (order,) = schema.canonical(parsed(place(limit(sent, "1"))).action)["orders"]
    assert order["p"] == signed


def test_hex_loses_upper_case() -> None:
    """Rule 2: cloids and builders."""
    action = {**place(limit("1", "1", cloid="0x" + "AB" * 16)), "builder": {"b": "0x" + "CD" * 20, "f": 1}}
    canonical = schema.canonical(parsed(action).action)
    assert canonical["orders"][0]["c"] == "0x" + "ab" * 16
    assert canonical["builder"]["b"] == "0x" + "cd" * 20


@pytest.mark.parametrize("price", ["0.000000001", "1e5", "NaN", "", ".5", "5.", "1" * 21, " 1"])
def test_no_numbers(price: str) -> None:
    """Rules 2 and 3: more than 8 decimals, exponents and the like are refused."""
    with pytest.raises(PeerFault, match=schema.NOT_UNDERSTOOD):
        schema.canonical(parsed(place(limit(price, "1"))).action)


def test_envelope() -> None:
    """The body around an action: both optional keys may be null or absent; a nonce is never negative."""
    full = parsed({"type": "noop"}, vaultAddress="0x" + "Ab" * 20, expiresAfter=7)
    assert (full.vault_address, full.expires_after) == ("0x" + "Ab" * 20, 7)
    bare = parsed({"type": "noop"}, vaultAddress=None, expiresAfter=None)
    assert (bare.vault_address, bare.expires_after) == (None, None)
    with pytest.raises(PeerFault):
        parsed({"type": "noop"}, nonce=-1)
    with pytest.raises(PeerFault, match=schema.NO_JSON):
        schema.parse(b"{")

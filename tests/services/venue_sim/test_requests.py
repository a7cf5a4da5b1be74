"""Requests at the door: schema, canonical form, signer. The vectors are of the official client."""

from typing import Any

import msgspec
import pytest

from common.config import Network
from common.instrument import Instrument
from common.units import Micros, Millis, Side
from services.venue_sim import api
from services.venue_sim.other_actions import Builder, Declined
from services.venue_sim.requests import UNRECOVERABLE, Outcome, Received, Reception, Refusal
from services.venue_sim.schema import NO_JSON, NOT_UNDERSTOOD
from tests.recorded import recorded_l1_vectors
from tests.services.venue_sim.door import ALICE, CLOID, cancel, limit, place, signed, user_signed

BTC = Instrument(coin="BTC", asset=0, size_decimals=5, leverage_max=40)
ETH = Instrument(coin="ETH", asset=1, size_decimals=4, leverage_max=25)
VECTOR_ADDRESS = "0x14791697260e4c9a71f18484c9f997b308e59325"
VECTOR_ORDER = {"a": 1, "b": True, "p": "100", "s": "100", "r": False, "t": {"limit": {"tif": "Gtc"}}}
V4_TESTNET = (
    "0x82b2ba28e76b3d761093aaded1b1cdad4960b3af30212b343fb2e6cdfa4e3d54",
    "0x6b53878fc99d26047f4d7e8c90eb98955a109f44209163f52d8dc4278cbbd9f5",
    27,
)
V5_TESTNET = (
    "0xeba0664bed2676fc4e5a743bf89e5c7501aa6d870bdb9446e122c9466c5cd16d",
    "0x7f3e74825c9114bc59086f1eebea2928c190fdfbfde144827cb02b85bbe90988",
    28,
)
V4_MAINNET = (
    "0xd65369825a9df5d80099e513cce430311d7d26ddf477f5b3a33d2806b100d78e",
    "0x2b54116ff64054968aa237c20ca9ff68000f977c93289157748a3162b6ea940e",
    28,
)


def reception(network: Network = Network.TESTNET) -> Reception:
    return Reception((BTC, ETH), network)


def receive(body: bytes, network: Network = Network.TESTNET) -> Outcome:
    return reception(network).receive(body, 7)


def accepted(body: bytes) -> api.ActionRequest:
    outcome = receive(body)
    assert isinstance(outcome, Received), outcome
    return outcome.request


def vector(action: dict[str, Any], signature: tuple[str, str, int], nonce: int = 0) -> bytes:
    r, s, v = signature
    return msgspec.json.encode({"action": action, "nonce": nonce, "signature": {"r": r, "s": s, "v": v}})


@pytest.mark.parametrize(
    ("order", "signature", "network"),
    [
        (VECTOR_ORDER, V4_TESTNET, Network.TESTNET),
        (VECTOR_ORDER, V4_MAINNET, Network.MAINNET),
        ({**VECTOR_ORDER, "c": "0x00000000000000000000000000000001"}, V5_TESTNET, Network.TESTNET),
    ],
)
def test_official_signatures(order: dict[str, Any], signature: tuple[str, str, int], network: Network) -> None:
    """Rule 2: what the official client signs recovers to its address."""
    outcome = receive(vector(place(order), signature), network)
    assert isinstance(outcome, Received)
    assert outcome.request.signer == VECTOR_ADDRESS


@pytest.mark.data
def test_recorded_signatures() -> None:
    """Rule 2: every action that the official client signed comes in as its own, on the network it is for."""
    for each in recorded_l1_vectors():
        for network, (_, signature) in each.signed.items():
            body = {
                "action": each.action,
                "nonce": each.nonce,
                "signature": msgspec.to_builtins(signature),
                "vaultAddress": each.vault,
                "expiresAfter": each.expires_after,
            }
            outcome = receive(msgspec.json.encode(body), network)
            assert isinstance(outcome, Received), each.action
            assert outcome.request.signer == VECTOR_ADDRESS


def test_canonical_form_is_what_was_signed() -> None:
    """Rule 2: key order, trailing zeros, upper case and unknown keys of the client change nothing."""
    canonical = place(limit("100000", "0.5", cloid=CLOID))
    order = canonical["orders"][0]
    shuffled = {key: order[key] for key in ("t", "c", "s", "r", "p", "b", "a")}
    sent = {
        "grouping": "na",
        "orders": [{**shuffled, "p": "100000.000", "s": "0.50", "c": CLOID.upper().replace("X", "x"), "extra": 1}],
        "type": "order",
    }
    request = accepted(signed(ALICE, canonical, 5, sent=sent))
    assert request.signer == ALICE.address
    assert isinstance(request.action, api.PlaceOrders)
    assert request.action.orders[0].cloid == CLOID
    assert request.action.orders[0].ticks == BTC.ticks("100000")


def test_wrong_network_is_a_stranger() -> None:
    """Rule 3: a signature for the other network recovers to an address that nobody has."""
    request = accepted(signed(ALICE, place(limit("100000", "0.5")), 5, network=Network.MAINNET))
    assert request.signer != ALICE.address


@pytest.mark.parametrize("changed", [{"p": "100001"}, {"b": False}, {"a": 1}])
def test_changed_after_signing_is_a_stranger(changed: dict[str, Any]) -> None:
    """Rule 3: whatever is not what was signed recovers to somebody else."""
    action = place(limit("100000", "0.5"))
    sent = place({**limit("100000", "0.5"), **changed})
    assert accepted(signed(ALICE, action, 5, sent=sent)).signer != ALICE.address


@pytest.mark.parametrize(("r", "s", "v"), [("0x0", "0x0", 27), ("zz", "0x1", 27), ("0x1", "0x1", 26), ("0x1", "", 27)])
def test_impossible_signature(r: str, s: str, v: int) -> None:
    """Rule 3: what no key can have made is said to be so."""
    assert receive(vector(place(VECTOR_ORDER), (r, s, v))) == Refusal(200, UNRECOVERABLE)


@pytest.mark.parametrize(
    "action",
    [
        {"type": "unheardOf"},
        {"type": "order", "orders": [{**VECTOR_ORDER, "p": 100}], "grouping": "na"},
        {"type": "order", "orders": [{**VECTOR_ORDER, "p": "1e3"}], "grouping": "na"},
        {"type": "order", "orders": [{**VECTOR_ORDER, "p": "0.123456789"}], "grouping": "na"},
        {"type": "order", "orders": [{**VECTOR_ORDER, "t": {}}], "grouping": "na"},
        {"type": "order", "orders": [{**VECTOR_ORDER, "c": "0x12"}], "grouping": "na"},
        {"type": "order", "orders": [VECTOR_ORDER]},
        {"type": "cancel", "cancels": [{"a": 0}]},
        {"type": "updateLeverage", "asset": -1, "isCross": True, "leverage": 3},
        "order",
    ],
)
def test_schema(action: Any) -> None:
    """Rule 1: what does not fit is 422 and the venue's text."""
    outcome = receive(vector(action, V4_TESTNET))
    assert isinstance(outcome, Refusal)
    assert outcome.http == 422
    assert outcome.text.startswith(NOT_UNDERSTOOD)


def test_no_json() -> None:
    """Rule 1: a body that is no JSON at all is 400."""
    assert receive(b'{"action":') == Refusal(400, NO_JSON)


def test_every_action_is_typed() -> None:
    """Each action of the schema becomes the core's, in its units."""
    at = "0x" + "0f" * 16
    trigger = {**limit("100000", "0.5"), "r": True}
    trigger["t"] = {"trigger": {"isMarket": True, "triggerPx": "99000", "tpsl": "sl"}}
    typed = [
        accepted(signed(ALICE, action, 5)).action
        for action in (
            cancel(1, 2),
            {"type": "cancelByCloid", "cancels": [{"asset": 1, "cloid": at}], "f": True},
            {"type": "modify", "oid": 5, "order": limit("100000", "0.5")},
            {"type": "batchModify", "modifies": [{"oid": at, "order": limit("100000", "0.5")}], "a": True},
            {"type": "scheduleCancel", "time": 123},
            {"type": "scheduleCancel"},
            {"type": "updateLeverage", "asset": 1, "isCross": False, "leverage": 3},
            {"type": "updateIsolatedMargin", "asset": 0, "isBuy": True, "ntli": -1_000_000},
            {"type": "noop"},
            place(trigger),
            {"type": "order", "orders": [limit("1", "1")], "grouping": {"p": 3}},
        )
    ]
    spec = api.OrderSpec(coin="BTC", side=Side.BUY, ticks=BTC.ticks("100000"), lots=BTC.lots("0.5"), tif=api.Tif.GTC)
    assert typed[:9] == [
        api.CancelOrders((api.CancelTarget(coin="BTC", ref=1), api.CancelTarget(coin="BTC", ref=2))),
        api.CancelOrders((api.CancelTarget(coin="ETH", ref=at),)),
        api.ModifyOrders((api.ModifyTarget(ref=5, order=spec),), single=True),
        api.ModifyOrders((api.ModifyTarget(ref=at, order=spec),), always_place=True),
        api.ScheduleCancel(Millis(123)),
        api.ScheduleCancel(None),
        api.UpdateLeverage("ETH", is_cross=False, leverage=3),
        api.UpdateIsolatedMargin("BTC", Micros(-1_000_000)),
        api.Noop(),
    ]
    triggered = typed[9]
    assert isinstance(triggered, api.PlaceOrders)
    assert triggered.orders[0].trigger == api.Trigger(ticks=BTC.ticks("99000"), is_market=True, tpsl=api.Tpsl.STOP_LOSS)
    assert isinstance(typed[10], api.PlaceOrders)


def test_references_lose_upper_case() -> None:
    """Rule 2: orders are found by their cloids in lower case, whatever the client wrote."""
    lower, upper = "0x" + "ab" * 16, "0x" + "AB" * 16
    cancelled: dict[str, Any] = {"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": lower}]}
    modified: dict[str, Any] = {"type": "modify", "oid": lower, "order": limit("1", "1")}
    found = []
    for action in (cancelled, modified):
        sent = msgspec.json.decode(msgspec.json.encode(action).replace(lower.encode(), upper.encode()))
        request = accepted(signed(ALICE, action, 5, sent=sent))
        assert request.signer == ALICE.address
        found.append(request.action)
    assert found[0] == api.CancelOrders((api.CancelTarget(coin="BTC", ref=lower),))
    assert isinstance(found[1], api.ModifyOrders)
    assert found[1].modifies[0].ref == lower


def test_off_the_grid() -> None:
    """Rule 6: numbers between the grid points become the core's unrepresentable ones."""
    action = accepted(signed(ALICE, place(limit("100000.05", "0.5"), limit("100000", "0.000001")), 5)).action
    assert isinstance(action, api.PlaceOrders)
    assert action.orders[0].ticks == api.UNREPRESENTABLE_TICKS
    assert action.orders[1].lots == api.UNREPRESENTABLE_LOTS


def test_asset_ids_end() -> None:
    """The last asset is known, the one after it is not."""
    assert isinstance(receive(signed(ALICE, place(limit("100", "1", asset=1)), 5)), Received)
    assert receive(signed(ALICE, place(limit("100", "1", asset=2)), 5)) == Refusal(
        200, "Order has invalid asset. asset=2"
    )


def test_builders() -> None:
    """A builder with a rate is part of every order of the payload, one without is nobody."""
    action = place(limit("100", "1"))
    builder = "0x" + "B1" * 20
    for rate, expected in ((10, Builder(builder.lower(), 10)), (0, None)):
        canonical = {**action, "builder": {"b": builder.lower(), "f": rate}}
        sent = {**action, "builder": {"b": builder, "f": rate}}
        request = accepted(signed(ALICE, canonical, 5, sent=sent))
        assert request.signer == ALICE.address
        assert isinstance(request.action, api.PlaceOrders)
        assert request.action.orders[0].builder == expected


def test_spot_is_refused_in_the_venue_s_words() -> None:
    """Rule 5: orders and cancels of spot pairs become one refusal each."""
    orders = accepted(signed(ALICE, place(limit("1", "10", asset=10_000), limit("1", "10", asset=10_001)), 5)).action
    texts = ("Insufficient spot balance asset=10000", "Insufficient spot balance asset=10001")
    assert orders == Declined(texts=texts, kind="order")
    cancels = accepted(signed(ALICE, cancel(7, asset=10_001), 5)).action
    text = "Order was never placed, already canceled, or filled. asset=10001"
    assert cancels == Declined(texts=(text,), kind="cancel")


# --- user-signed -----------------------------------------------------------------------------------


def approval(**fields: object) -> dict[str, object]:
    return {
        "type": "approveAgent",
        "signatureChainId": "0x66eee",
        "hyperliquidChain": "Testnet",
        "agentAddress": "0x1719884eb866cb12b2287399b15f7db5e7d775ea",
        "nonce": 9,
        **fields,
    }


def test_approve_agent_official_vector() -> None:
    """Rule 4: the official client's approval of "bot1" recovers to its address."""
    r = "0x64f9de58475fbcf1134f2a58356f15f4488df401f4a3390919237a71e607d78c"
    s = "0x69a765c66bf3bdc4af9ec628273d3ae1ad33fdafa5fc24c911a97301f5938488"
    action = approval(agentName="bot1", nonce=1_700_000_000_000)
    request = accepted(vector(action, (r, s, 28), nonce=1_700_000_000_000))
    assert request.signer == VECTOR_ADDRESS
    assert request.action == api.ApproveAgent("0x1719884eb866cb12b2287399b15f7db5e7d775ea", "bot1")


def test_unnamed_agent_is_signed_with_an_empty_name() -> None:
    """Rule 4: the official client signs agentName "" and then leaves the key out."""
    body = msgspec.json.decode(user_signed(ALICE, approval(agentName=""), 9))
    del body["action"]["agentName"]
    request = accepted(msgspec.json.encode(body))
    assert request.signer == ALICE.address
    assert request.action == api.ApproveAgent("0x1719884eb866cb12b2287399b15f7db5e7d775ea", "")


def test_transfer() -> None:
    """Rule 4: an amount in USD becomes micros; less than one of them is no amount."""
    action: dict[str, object] = {
        "type": "usdSend",
        "signatureChainId": "0xa4b1",
        "hyperliquidChain": "Testnet",
        "destination": "0x" + "AB" * 20,
        "amount": "1.50",
        "time": 9,
    }
    assert accepted(user_signed(ALICE, action, 9)).action == api.UsdSend("0x" + "ab" * 20, Micros(1_500_000))
    for amount in ("0", "-1", "0.0000001"):
        assert receive(user_signed(ALICE, {**action, "amount": amount}, 9)) == Refusal(200, "Invalid send")


def test_user_signed_contradictions() -> None:
    """Rule 4: another nonce outside than inside, or another chain, is refused before anything is recovered."""
    for action, nonce in ((approval(), 10), (approval(hyperliquidChain="Mainnet"), 9)):
        outcome = receive(user_signed(ALICE, action, nonce))
        assert isinstance(outcome, Refusal)
        assert outcome.http == 200
        assert outcome.text.startswith("Invalid")

"""Actions about money at the door: what becomes of each, and what is no action."""

from typing import Any

import msgspec
import pytest

from common.config import Network
from common.hyperliquid.signing import SigningKey
from common.instrument import Instrument
from common.units import Micros
from services.venue_sim.other_actions import (
    ApproveBuilderFee,
    CreateSubAccount,
    Declined,
    ReserveWeight,
    SubAccountTransfer,
    TopUpIsolated,
    Transfer,
    Withdraw,
)
from services.venue_sim.requests import Received, Reception, Refusal
from services.venue_sim.schema import NOT_UNDERSTOOD
from tests.common.hyperliquid.vectors import ADDRESS, SUB_ACCOUNT, VECTORS
from tests.services.venue_sim.door import ALICE, signed, user_signed

BTC = Instrument(coin="BTC", asset=0, size_decimals=5, leverage_max=40)
CHAIN = {"signatureChainId": "0xa4b1", "hyperliquidChain": "Testnet"}
BOB = "0x" + "AB" * 20
LOWER = BOB.lower()
UNIT = Micros(1_500_000)


def outcome(body: bytes) -> Received | Refusal:
    return Reception((BTC,), Network.TESTNET).receive(body, 1)


def user_action(key: SigningKey, kind: str, stamp: str, **fields: object) -> Received | Refusal:
    return outcome(user_signed(key, {"type": kind, **CHAIN, **fields, stamp: 9}, 9))


@pytest.mark.parametrize(
    ("kind", "stamp", "fields", "typed"),
    [
        ("withdraw3", "time", {"destination": BOB, "amount": "1.5"}, Withdraw(UNIT)),
        (
            "usdClassTransfer",
            "nonce",
            {"amount": "1.50", "toPerp": True},
            Transfer(micros=UNIT, from_spot=True, to_spot=False),
        ),
        (
            "spotSend",
            "time",
            {"destination": BOB, "token": "USDC", "amount": "1.5"},
            Transfer(micros=UNIT, from_spot=True, to_spot=True, destination=LOWER),
        ),
        (
            "sendAsset",
            "nonce",
            {
                "destination": BOB,
                "sourceDex": "",
                "destinationDex": "spot",
                "token": "USDC",
                "amount": "1.5",
                "fromSubAccount": BOB,
            },
            Transfer(micros=UNIT, from_spot=False, to_spot=True, source=LOWER, destination=LOWER),
        ),
        (
            "approveBuilderFee",
            "nonce",
            {"maxFeeRate": "0.001%", "builder": BOB},
            ApproveBuilderFee(LOWER, 1),
        ),
    ],
)
def test_user_signed(kind: str, stamp: str, fields: dict[str, Any], typed: object) -> None:
    """Each is signed as typed data by the account itself, with its fields as they were sent."""
    received = user_action(ALICE, kind, stamp, **fields)
    assert isinstance(received, Received)
    assert (received.request.signer, received.request.action) == (ALICE.address, typed)
    tampered = msgspec.json.decode(user_signed(ALICE, {"type": kind, **CHAIN, **fields, stamp: 9}, 9))
    tampered["action"]["signatureChainId"] = "0x1"
    stranger = outcome(msgspec.json.encode(tampered))
    assert isinstance(stranger, Received)
    assert stranger.request.signer != ALICE.address


@pytest.mark.parametrize(
    ("action", "typed"),
    [
        ({"type": "createSubAccount", "name": "example"}, CreateSubAccount("example")),
        (SUB_ACCOUNT, SubAccountTransfer(str(SUB_ACCOUNT["subAccountUser"]), is_deposit=True, micros=Micros(10))),
        ({"type": "reserveRequestWeight", "weight": 3}, ReserveWeight(3)),
        ({"type": "topUpIsolatedOnlyMargin", "asset": 0, "leverage": "5"}, None),
        ({"type": "setReferrer", "code": "X"}, Declined(texts=("Referral code not registered",))),
        ({"type": "twapCancel", "a": 0, "t": 1}, None),
    ],
)
def test_l1(action: dict[str, Any], typed: object) -> None:
    """Each is signed like an order."""
    received = outcome(signed(ALICE, action, 5))
    assert isinstance(received, Received)
    assert received.request.signer == ALICE.address
    assert (
        isinstance(received.request.action, TopUpIsolated | Declined)
        if typed is None
        else (received.request.action == typed)
    )


def test_official_vectors() -> None:
    """The official client's signatures of sub-account actions recover to its address."""
    found = 0
    for vector in VECTORS:
        if vector.action["type"] in {"createSubAccount", "subAccountTransfer"} and vector.network is Network.TESTNET:
            signature = {"r": vector.r, "s": vector.s, "v": vector.v}
            body = {"action": vector.action, "nonce": vector.nonce, "signature": signature}
            received = outcome(msgspec.json.encode(body))
            assert isinstance(received, Received)
            assert received.request.signer == ADDRESS
            found += 1
    assert found == 2


@pytest.mark.parametrize(
    ("kind", "stamp", "fields", "text"),
    [
        ("withdraw3", "time", {"destination": BOB, "amount": "0.0000001"}, "Invalid send"),
        ("spotSend", "time", {"destination": BOB, "token": "PURR", "amount": "1"}, "Invalid send"),
        ("approveBuilderFee", "nonce", {"maxFeeRate": "0.0001%", "builder": BOB}, "Invalid builder fee."),
        ("approveBuilderFee", "nonce", {"maxFeeRate": "1%", "builder": BOB}, "Invalid builder fee."),
    ],
)
def test_what_is_no_action(kind: str, stamp: str, fields: dict[str, Any], text: str) -> None:
    """Amounts below a micro-USD, other tokens, rates between the units or above the venue's."""
    assert user_action(ALICE, kind, stamp, **fields) == Refusal(200, text)


@pytest.mark.parametrize(
    "action",
    [
        {"type": "usdClassTransfer", **CHAIN, "amount": "1 subaccount:0x12", "toPerp": True, "nonce": 9},
        {"type": "approveBuilderFee", **CHAIN, "maxFeeRate": "0.1", "builder": BOB, "nonce": 9},
        {"type": "sendAsset", **CHAIN, "destination": BOB, "nonce": 9},
        {"type": "twapOrder", "twap": {"a": 0}},
    ],
)
def test_schema(action: dict[str, Any]) -> None:
    """What does not fit is 422."""
    body = {"action": action, "nonce": 9, "signature": {"r": "0x1", "s": "0x1", "v": 27}}
    refused = outcome(msgspec.json.encode(body))
    assert isinstance(refused, Refusal)
    assert refused.http == 422
    assert refused.text.startswith(NOT_UNDERSTOOD)

"""Ledger updates as the venue words them, as changes of one account's balance."""

import json
from decimal import Decimal
from typing import Any

import pytest

from common.errors import PeerFault
from common.hyperliquid.wire_ledger import UPDATES_MAX, decode_transfers

ME = "0x" + "aB" * 20
OTHER = "0x" + "cd" * 20
SEND = {"type": "send", "token": "USDC", "amount": "5", "usdcValue": "5", "fee": "0.0", "nonce": 1, "feeToken": ""}


def update(delta: dict[str, Any], time: int = 7) -> dict[str, Any]:
    return {"time": time, "hash": "0x0", "delta": delta}


@pytest.mark.parametrize(
    ("delta", "usd"),
    [
        ({"type": "deposit", "usdc": "2703997.45"}, "2703997.45"),
        ({"type": "withdraw", "usdc": "10.0", "nonce": 1, "fee": "1.0"}, "-10.0"),
        ({"type": "accountClassTransfer", "usdc": "3", "toPerp": True}, "3"),
        ({"type": "accountClassTransfer", "usdc": "3", "toPerp": False}, "-3"),
        ({"type": "internalTransfer", "usdc": "4", "user": OTHER, "destination": ME, "fee": "1.0"}, "4"),
        ({"type": "internalTransfer", "usdc": "4", "user": ME, "destination": OTHER, "fee": "1.0"}, "-5.0"),
        ({"type": "subAccountTransfer", "usdc": "4", "user": ME.lower(), "destination": OTHER}, "-4"),
        ({**SEND, "user": ME, "destination": OTHER, "sourceDex": "", "destinationDex": ""}, "-5.0"),
        ({**SEND, "user": OTHER, "destination": ME, "sourceDex": "spot", "destinationDex": ""}, "5"),
        ({**SEND, "user": ME, "destination": ME, "sourceDex": "", "destinationDex": "spot"}, "-5.0"),
        ({**SEND, "user": ME, "destination": ME, "sourceDex": "spot", "destinationDex": ""}, "5"),
    ],
)
def test_changes_of_the_balance(delta: dict[str, Any], usd: str) -> None:
    """Rule 1: received is positive, whoever's address is spelt how."""
    (found,) = decode_transfers(json.dumps([update(delta)]).encode(), ME)
    assert (found.kind, found.usd, found.venue_ms) == (delta["type"], Decimal(usd), 7)


@pytest.mark.parametrize(
    "delta",
    [
        {**SEND, "user": OTHER, "destination": ME, "sourceDex": "", "destinationDex": "spot"},
        {**SEND, "token": "HYPE", "user": OTHER, "destination": ME},
        {"type": "spotTransfer", "token": "PURR", "amount": "1", "usdcValue": "1", "user": OTHER, "destination": ME},
        {"type": "liquidation", "accountValue": "1", "leverageType": "Cross", "liquidatedPositions": []},
        {"type": "invented", "usdc": "1"},
    ],
)
def test_what_is_not_ours_is_left_out(delta: dict[str, Any]) -> None:
    """Rule 2: other places, other tokens, other kinds."""
    assert decode_transfers(json.dumps([update(delta)]).encode(), ME) == ()


@pytest.mark.parametrize(("count", "refused"), [(UPDATES_MAX - 1, False), (UPDATES_MAX, True)])
def test_a_full_page_is_no_answer(count: int, refused: bool) -> None:
    """Something may be missing behind it."""
    payload = json.dumps([update({"type": "deposit", "usdc": "1"}, time) for time in range(count)]).encode()
    if refused:
        with pytest.raises(PeerFault, match="some may be missing"):
            decode_transfers(payload, ME)
    else:
        assert len(decode_transfers(payload, ME)) == count

"""The cancel key signs cancels and the dead man's switch, and nothing else that exists."""

import json
from pathlib import Path
from typing import get_args

import pytest

from common import config
from common.actor import Sign
from common.hyperliquid import signing
from common.hyperliquid.wire import encode_action
from common.messages import Cancel, Signed, SignFailed
from common.messages.venue import Action, CancelOrders, ScheduleCancel
from common.units import Millis
from services.canceller.signer import CancelSigner
from tests.generators import sample

SETTINGS = config.load(Path(__file__).parents[3] / "deploy" / "sim.toml")
KEY = signing.SigningKey(bytes(range(1, 33)))
NONCE = 1_700_000_000_000
EXPIRES = Millis(NONCE + 2_000)
CANCEL = Cancel(coin="BTC", cloid="0x" + "11" * 16)


def sign(action: Action) -> Signed | SignFailed:
    signer = CancelSigner(KEY, SETTINGS.venue.network, SETTINGS.instruments())
    return signer.sign(Sign(sign_id=3, action=action, nonce=NONCE, expires_after=EXPIRES))


@pytest.mark.parametrize("action", [CancelOrders((CANCEL,)), ScheduleCancel(EXPIRES), ScheduleCancel(None)])
def test_the_signature_is_over_exactly_these_bytes(action: Action) -> None:
    """The body carries action, nonce and expiry, and recovers to this key."""
    answer = sign(action)
    assert isinstance(answer, Signed)
    assert (answer.sign_id, answer.nonce) == (3, NONCE)
    body = json.loads(answer.body)
    assert body["action"] == encode_action(action, SETTINGS.instruments())
    assert (body["nonce"], body["expiresAfter"]) == (NONCE, EXPIRES)
    connection_id = signing.action_hash(body["action"], NONCE, expires_after=EXPIRES)
    digest = signing.l1_digest(connection_id, SETTINGS.venue.network)
    assert signing.recover(digest, signing.Signature.parse(**body["signature"])) == KEY.address


@pytest.mark.parametrize("kind", get_args(Action), ids=lambda kind: kind.__name__)
def test_the_list_is_closed(kind: type[Action]) -> None:
    """Every action that exists is either on the list or refused by name: this key cannot place an order."""
    answer = sign(sample(kind))
    if kind not in {CancelOrders, ScheduleCancel}:
        assert answer == SignFailed(sign_id=3, nonce=NONCE, reason=f"the cancel key never signs {kind.__name__}")


def test_what_cannot_be_encoded_fails_and_does_not_crash() -> None:
    """A coin that is not configured, or a cancel that names no order."""
    for cancel in (Cancel(coin="DOGE", cloid=CANCEL.cloid), Cancel(coin="BTC")):
        answer = sign(CancelOrders((cancel,)))
        assert isinstance(answer, SignFailed)
        assert answer.reason.startswith("cannot be encoded: ")

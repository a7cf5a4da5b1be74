"""The venue's own vectors, round trips, and everything malformed."""

import copy
import pickle
import time
from decimal import Decimal
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.config import Network
from common.errors import PeerFault
from common.hyperliquid.signing import (
    USER_SIGNED,
    Signature,
    SigningKey,
    action_hash,
    keccak,
    l1_digest,
    number_to_wire,
    parse_address,
    recover,
    user_signed_digest,
    verify_message,
)
from tests.common.hyperliquid.vectors import (
    ADDRESS,
    CHAIN,
    CLOID,
    HASHES,
    NONCE,
    SECRET,
    SEND,
    USER_VECTORS,
    VAULT,
    VECTORS,
    HashVector,
    L1Vector,
    UserVector,
    order,
    orders,
)
from tests.recorded import recorded_l1_vectors, recorded_user_vectors

M, T = Network.MAINNET, Network.TESTNET

KEY: Final = SigningKey(SECRET)


def test_address() -> None:
    """A wrong address would make every query empty."""
    assert KEY.address == ADDRESS


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector.name}-{vector.network}")
def test_l1_vectors(vector: L1Vector) -> None:
    """Rules 1, 2 and 3: our signatures are the venue's client's, digit by digit."""
    parts = (vector.action, vector.nonce)
    signature = KEY.sign_l1(*parts, vector.network, vault=vector.vault, expires_after=vector.expires_after)
    assert signature == Signature(vector.r, vector.s, vector.v)
    digest = l1_digest(action_hash(*parts, vector.vault, vector.expires_after), vector.network)
    assert recover(digest, Signature.parse(vector.r, vector.s, vector.v)) == ADDRESS


@pytest.mark.parametrize("vector", HASHES, ids=lambda vector: vector.name)
def test_hash_vectors(vector: HashVector) -> None:
    """Rule 1: the action hash of each action we send."""
    found = action_hash(vector.action, vector.nonce, vector.vault, vector.expires_after)
    assert found.hex() == vector.connection_id


@pytest.mark.parametrize("vector", USER_VECTORS, ids=lambda vector: vector.name)
def test_user_signed_vectors(vector: UserVector) -> None:
    """Rule 5: transfers and agent approvals."""
    assert KEY.sign_digest(user_signed_digest(vector.action)) == Signature(vector.r, vector.s, vector.v)


def test_unnamed_agent() -> None:
    """Rule 5: the name is absent from the posted action, yet signed as empty."""
    action = {"type": "approveAgent", "agentAddress": VAULT, "nonce": NONCE, **CHAIN, "hyperliquidChain": "Mainnet"}
    expected = "76cc31f637651045e0d52decfacd2f66c765b3e85cc4fff7770138ca2c638343"
    assert user_signed_digest(action).hex() == expected
    assert user_signed_digest({**action, "agentName": ""}).hex() == expected
    assert user_signed_digest({**action, "agentName": "x"}).hex() != expected


def test_every_user_signed_type_hashes() -> None:
    """Rule 5: every type of the table takes its own fields and misses each of them."""
    samples = {"string": "x", "address": VAULT, "uint64": NONCE, "bool": True}
    for name, kind in USER_SIGNED.items():
        action: dict[str, Any] = {"type": name, **CHAIN, **{field: samples[of] for of, field in kind.fields}}
        assert len(user_signed_digest(action)) == 32
        for field in action.keys() - {"agentName"}:
            with pytest.raises(PeerFault):
                user_signed_digest({key: value for key, value in action.items() if key != field})


@pytest.mark.parametrize(
    "change",
    [
        *({"time": True}, {"time": "1"}, {"time": -1}, {"time": 1 << 64}, {"amount": 1}, {"destination": None}),
        *({"signatureChainId": "x"}, {"signatureChainId": "-1"}, {"hyperliquidChain": 5}, {"type": "order"}),
    ],
)
def test_user_signed_malformed(change: dict[str, Any]) -> None:
    """Rule 5: a wrong field is the peer's fault, never a crash and never a silent zero."""
    with pytest.raises(PeerFault):
        user_signed_digest({"type": "usdSend", **SEND, **change})


def test_key_order_and_absence_matter() -> None:
    """Rule 1: another order of keys, or None instead of absence, is another action."""
    action = orders()
    reordered = {key: action[key] for key in ("orders", "type", "grouping")}
    assert action_hash(action, 0) != action_hash(reordered, 0)
    assert action_hash({"type": "scheduleCancel"}, 0) != action_hash({"type": "scheduleCancel", "time": None}, 0)


@pytest.mark.parametrize(
    ("action", "nonce", "vault", "expires_after"),
    [
        *(({}, -1, None, None), ({}, 1 << 64, None, None), ({}, 0, None, -1), ({}, 0, None, 1 << 64)),
        *(({"x": object()}, 0, None, None), ({"x": 1 << 65}, 0, None, None), ({"x": "\ud800"}, 0, None, None)),
        ({}, 0, VAULT[:-2], None),
    ],
)
def test_unhashable(action: dict[str, Any], nonce: int, vault: str | None, expires_after: int | None) -> None:
    """Rule 1: numbers that do not fit, foreign objects and half addresses are refused."""
    with pytest.raises(PeerFault):
        action_hash(action, nonce, vault, expires_after)


@pytest.mark.parametrize("text", ["", "0x", VAULT[2:], VAULT + "00", VAULT[:-1] + "g", VAULT[:20] + "  " + VAULT[20:]])
def test_no_address(text: str) -> None:
    """An address is 0x and 40 hex digits, nothing else."""
    with pytest.raises(PeerFault):
        parse_address(text)


def test_networks_differ() -> None:
    """Rule 2: a testnet signature recovers to a stranger on mainnet."""
    connection = action_hash(orders(), 0)
    assert recover(l1_digest(connection, M), KEY.sign_digest(l1_digest(connection, T))) != ADDRESS


@pytest.mark.parametrize(
    ("r", "s", "v"),
    [
        *(("0x0", "0x1", 27), ("0x1", "0x0", 27), ("0x1", "0x1", 26), ("0x1", "0x1", 29), ("0x1", "0x1", 0)),
        *(("0x" + "f" * 64, "0x1", 27), ("0x1" + "0" * 64, "0x1", 27), ("zz", "0x1", 27), ("", "0x1", 27), (-1, 1, 27)),
    ],
)
def test_malformed_signature(r: str | int, s: str | int, v: int) -> None:
    """Rule 3: whatever no key can have made is a PeerFault, never a crash and never an address."""
    with pytest.raises(PeerFault):
        recover(keccak(b"x"), Signature.parse(r, s, v))


def test_signature_length() -> None:
    """Rule 3: text of any length, bytes of exactly 65; fields that skipped the parser are checked too."""
    raw = KEY.sign_message(b"x")
    assert Signature.from_recoverable(raw).recoverable() == raw
    short = Signature.from_recoverable(raw)
    assert Signature.parse("0x" + short.r[2:].zfill(70), int(short.s, 16), short.v) == short
    for wrong in (raw[:-1], raw + b"\x00", raw[:-1] + b"\x02", b""):
        with pytest.raises(PeerFault):
            Signature.from_recoverable(wrong)
    with pytest.raises(PeerFault):
        Signature("x", "y", 27).recoverable()


@given(st.binary(min_size=32, max_size=32))
@settings(max_examples=50)
def test_round_trip(digest: bytes) -> None:
    """Rule 3: what we sign recovers to us, through text and back."""
    signature = KEY.sign_digest(digest)
    assert recover(digest, Signature.parse(signature.r, signature.s, signature.v)) == ADDRESS
    assert KEY.sign_digest(digest) == signature


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *(("100.0", "100"), ("0.5", "0.5"), ("1670.10", "1670.1"), ("1E+5", "100000"), ("1E-8", "0.00000001")),
        *(
            ("-0", "0"),
            ("0.0", "0"),
            ("-0.00", "0"),
            ("-1.50", "-1.5"),
            ("0", "0"),
            ("123456789012345678901234567890", ""),
        ),
    ],
)
def test_numbers(value: str, text: str) -> None:
    """Rule 4: zeros stripped, no exponent, no minus zero, no digit lost however long."""
    assert number_to_wire(Decimal(value)) == (text or value)


@pytest.mark.parametrize("value", ["1E-9", "0.123456789", "NaN", "Infinity"])
def test_no_number(value: str) -> None:
    """Rule 4: what the venue would round is refused here, where the mistake is."""
    with pytest.raises(ValueError, match=r"."):
        number_to_wire(Decimal(value))


def test_messages_for_the_house() -> None:
    """Rule 6: signed text verifies for its key and bytes alone, and is no venue signature."""
    signature = KEY.sign_message(b"arm")
    assert verify_message(ADDRESS.upper().replace("0X", "0x"), b"arm", signature)
    assert not verify_message(ADDRESS, b"arm ", signature)
    assert not verify_message(VAULT, b"arm", signature)
    assert not verify_message(ADDRESS, b"arm", signature[:-1])
    assert not verify_message(ADDRESS, b"arm", KEY.sign_digest(keccak(b"arm")).recoverable())


def test_secret_stays() -> None:
    """Rule 7: neither text nor pickle nor copy carries the secret."""
    secret = "0123456789" * 3
    assert secret not in repr(KEY)
    assert secret not in str(KEY)
    assert ADDRESS in repr(KEY)
    with pytest.raises(TypeError):
        pickle.dumps(KEY)
    with pytest.raises(TypeError):
        copy.copy(KEY)
    with pytest.raises(TypeError):
        copy.deepcopy(KEY)


@pytest.mark.parametrize("secret", [b"", b"\x01" * 31, b"\x01" * 33, bytes(32), b"\xff" * 32])
def test_no_key(secret: bytes) -> None:
    """Rule 7: a secret of the wrong length or out of range is refused."""
    with pytest.raises(ValueError, match=r"."):
        SigningKey(secret)


def test_speed() -> None:
    """A signature takes well below a millisecond, so the gate may sign in its loop."""
    action = orders(*[order(c=CLOID)] * 10)
    best = min(_elapsed_s(action) for _ in range(20))
    assert best < 0.001


def _elapsed_s(action: dict[str, Any]) -> float:
    started = time.perf_counter()
    KEY.sign_l1(action, NONCE, T, expires_after=NONCE)
    return time.perf_counter() - started


@pytest.mark.data
def test_recorded_vectors() -> None:
    """Rules 1 and 2: every vector of the recorded file, hash, digests and signatures of both networks."""
    vectors = recorded_l1_vectors()
    assert len(vectors) == 11
    for vector in vectors:
        connection = action_hash(vector.action, vector.nonce, vector.vault, vector.expires_after)
        assert "0x" + connection.hex() == vector.connection_id
        for network, (digest, signature) in vector.signed.items():
            assert "0x" + l1_digest(connection, network).hex() == digest
            assert KEY.sign_digest(bytes.fromhex(digest[2:])) == signature


@pytest.mark.data
def test_recorded_user_signed_vectors() -> None:
    """Rule 3: every user-signed vector of the recorded file; one names no type, its heading does."""
    vectors = recorded_user_vectors()
    assert [action["type"] for action, _, _ in vectors] == ["usdSend", "approveAgent", "approveAgent"]
    for action, digest, signature in vectors:
        assert "0x" + user_signed_digest(action).hex() == digest
        assert KEY.sign_digest(bytes.fromhex(digest[2:])) == signature

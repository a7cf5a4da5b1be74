"""Every message keeps its bytes, survives the way, and no other bytes pass for it."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import PeerFault
from common.messages import FULL_STATE, MESSAGES, Message, Trade, Wake, decode, encode, key, kinds, topic
from common.messages.base import HaltDirectory, HaltFile
from tests.generators import golden, messages, sample

GOLDEN: dict[str, str] = json.loads((Path(__file__).parent / "golden.json").read_text())
REGENERATE = "python -m tests.generators > tests/common/messages/golden.json"
every_kind = pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)


@every_kind
def test_golden_bytes(kind: type[Message]) -> None:
    """Rule 3: a message's bytes change only on purpose; then they are written anew with REGENERATE."""
    assert golden()[kind.__name__] == GOLDEN.get(kind.__name__), f"on purpose? then: {REGENERATE}"


@every_kind
def test_old_bytes_are_understood(kind: type[Message]) -> None:
    """Rule 3: fields are only ever added, with a default, so journals and tapes of yesterday can be read."""
    assert isinstance(decode(kind.__name__, bytes.fromhex(GOLDEN[kind.__name__])), kind)


def test_no_golden_bytes_without_a_message() -> None:
    """Rule 3: a message that is gone could still lie in a journal; its line goes only with its last journal."""
    assert sorted(GOLDEN) == sorted(topic(kind) for kind in MESSAGES)


@given(messages())
def test_round_trip(message: Message) -> None:
    """What is sent is what arrives, equal and of the same bytes again."""
    body = encode(message)
    assert decode(topic(type(message)), body) == message
    assert encode(decode(topic(type(message)), body)) == body


@given(kind=st.sampled_from(MESSAGES), data=st.data())
def test_damaged_bytes_are_a_peer_fault(kind: type[Message], data: st.DataObject) -> None:
    """Rule 4: changed, cut or lengthened bytes decode to a message of that kind or raise PeerFault, nothing else."""
    body = bytearray(encode(sample(kind)))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(body) - 1))
        body[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
        body = body or bytearray(1)
    try:
        decoded = decode(kind.__name__, bytes(body))
    except PeerFault as fault:
        assert str(fault).startswith(kind.__name__)  # noqa: PT017  # either outcome is right
    else:
        assert isinstance(decoded, kind)


@given(kind=st.text() | st.sampled_from([kind.__name__ for kind in MESSAGES]), body=st.binary())
def test_arbitrary_bytes_are_a_peer_fault(kind: str, body: bytes) -> None:
    """Rule 4: noise is never a message, and never another exception."""
    with pytest.raises(PeerFault):
        decode(kind, body)


@every_kind
def test_unknown_fields_are_refused(kind: type[Message]) -> None:
    """Rule 4: a peer with another schema is a fault, not a guess."""
    body = encode(sample(kind))
    assert body[0] & 0xF0 == 0x80 or body[0] == 0xDE, "a map"
    if body[0] == 0xDE:
        more = body[:1] + (int.from_bytes(body[1:3], "big") + 1).to_bytes(2, "big") + body[3:]
    else:
        more = bytes([body[0] + 1]) + body[1:] if body[0] < 0x8F else b"\xde\x00\x10" + body[1:]
    with pytest.raises(PeerFault, match="unknown field"):
        decode(kind.__name__, more + b"\xa5extra\x01")


@every_kind
def test_no_message_passes_for_another(kind: type[Message]) -> None:
    """Rule 3: the tag inside must be the topic outside."""
    other = Wake if kind is not Wake else Trade
    with pytest.raises(PeerFault):
        decode(other.__name__, encode(sample(kind)))


def test_names_are_unique_and_known() -> None:
    """Each name stands for one type, and every full-state topic is a message."""
    assert len({kind.__name__ for kind in MESSAGES}) == len(MESSAGES)
    assert set(MESSAGES) >= FULL_STATE


@every_kind
def test_messages_are_frozen(kind: type[Message]) -> None:
    """Rule 1: nobody changes a fact."""
    message = sample(kind)
    for name in kind.__struct_fields__:
        with pytest.raises(AttributeError, match="immutable"):
            setattr(message, name, None)


def test_an_inbox_is_a_subscription() -> None:
    """A union names its members, and one type alone is a union of one."""
    assert kinds(Trade | Wake) == {"Trade", "Wake"}
    assert kinds(Trade) == {"Trade"}


def test_key_is_the_coin() -> None:
    """Sequences count per coin where a topic has coins."""
    assert key(sample(Trade)) == "coin"
    assert key(Wake()) == ""


@pytest.mark.parametrize(
    ("directory", "halted"),
    [
        (HaltDirectory(), False),
        (HaltDirectory(readable=False), True),
        (HaltDirectory(files=(HaltFile(name="a", cause="b"),)), True),
        (HaltDirectory(files=(HaltFile(name="a", cause="b", coin="BTC"),)), False),
        (HaltDirectory(files=(HaltFile(name="a", cause="b", coin="BTC"), HaltFile(name="c", cause="d"))), True),
    ],
)
def test_doubt_is_a_halt(directory: HaltDirectory, halted: bool) -> None:
    """Only a directory that was read and is empty lets us trade."""
    assert directory.halted is halted

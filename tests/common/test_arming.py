"""Only the operator's fresh and unchanged word clears a halt."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.arming import COMMAND_BYTES_MAX, LIFE_MS, ArmCommand, arm_command, sign_command, verify_command
from common.hyperliquid.signing import SigningKey
from common.units import Millis

KEY = SigningKey(b"\x01" * 32)
NOW = Millis(1_700_000_000_000)
COMMAND = arm_command("venue answered again", ("a.json", "b.json"), NOW)
SIGNATURE = sign_command(KEY, COMMAND)


def test_the_operator_is_obeyed() -> None:
    """Rule 1: what was signed is what comes back, whatever the case of the address."""
    wanted = ArmCommand(reason="venue answered again", names=("a.json", "b.json"), issued_ms=NOW)
    assert verify_command(KEY.address, COMMAND, SIGNATURE, NOW) == wanted
    assert verify_command("0x" + KEY.address[2:].upper(), COMMAND, SIGNATURE, NOW) == wanted


def test_another_key_is_refused() -> None:
    """Rule 1: a good signature of somebody else clears nothing."""
    other = SigningKey(b"\x02" * 32)
    assert verify_command(other.address, COMMAND, SIGNATURE, NOW) == "not signed by the operator key of this home"
    assert isinstance(verify_command(KEY.address, COMMAND, sign_command(other, COMMAND), NOW), str)


@pytest.mark.parametrize(
    ("age_ms", "obeyed"), [(LIFE_MS, True), (LIFE_MS + 1, False), (-LIFE_MS, True), (-LIFE_MS - 1, False)]
)
def test_a_command_lives_30_s(age_ms: int, obeyed: bool) -> None:
    """Rule 2: both ends of its life; a clock ahead counts like one behind."""
    verdict = verify_command(KEY.address, COMMAND, SIGNATURE, Millis(NOW + age_ms))
    assert isinstance(verdict, ArmCommand) is obeyed
    if isinstance(verdict, str):
        assert "it lives 30 s" in verdict


@pytest.mark.parametrize(
    "command",
    [
        b"",
        b"{}",
        b"\xff",
        b'{"type":"ArmCommand","reason":"","names":[],"issued_ms":1700000000000}',
        b'{"type":"ArmCommand","reason":"x","names":[],"issued_ms":1700000000000,"all":true}',
        b'{"type":"Other","reason":"x","names":[],"issued_ms":1700000000000}',
        b'{"type":"ArmCommand","reason":"x","names":[1],"issued_ms":1700000000000}',
    ],
)
def test_signed_nonsense_is_refused(command: bytes) -> None:
    """Rule 3: the operator's signature under something else than an arm command is no arm command."""
    verdict = verify_command(KEY.address, command, sign_command(KEY, command), NOW)
    assert isinstance(verdict, str)
    assert verdict.startswith("no arm command")


def test_size_limit() -> None:
    """Rule 3: a command longer than any real one is refused unread."""
    padding = COMMAND_BYTES_MAX - len(COMMAND)
    for extra, obeyed in ((0, True), (1, False)):
        command = COMMAND + b" " * (padding + extra)
        verdict = verify_command(KEY.address, command, sign_command(KEY, command), NOW)
        assert isinstance(verdict, ArmCommand) is obeyed


@given(place=st.integers(0, len(COMMAND) + len(SIGNATURE) - 1), change=st.integers(1, 255))
def test_no_changed_byte_is_obeyed(place: int, change: int) -> None:
    """Rules 1 and 3: one changed byte of command or signature refuses it, without an exception."""
    both = bytearray(COMMAND + SIGNATURE)
    both[place] ^= change
    command, signature = bytes(both[: len(COMMAND)]), bytes(both[len(COMMAND) :])
    assert isinstance(verify_command(KEY.address, command, signature, NOW), str)


@given(signature=st.binary(max_size=100), operator=st.text(max_size=50))
def test_arbitrary_signatures_are_refused(signature: bytes, operator: str) -> None:
    """Rule 3: neither the address nor the signature can raise."""
    assert isinstance(verify_command(KEY.address, COMMAND, signature, NOW), str)
    assert isinstance(verify_command(operator, COMMAND, SIGNATURE, NOW), str)


@given(reason=st.text(min_size=1, max_size=500), names=st.lists(st.text()).map(tuple), at=st.integers(0, 2**53))
def test_every_command_survives_the_way(reason: str, names: tuple[str, ...], at: int) -> None:
    """What the command line can say, risk understands."""
    try:
        command = arm_command(reason, names, Millis(at))
    except UnicodeEncodeError:  # lone surrogates cannot be typed
        return
    wanted = ArmCommand(reason=reason, names=names, issued_ms=Millis(at))
    assert verify_command(KEY.address, command, sign_command(KEY, command), Millis(at)) == wanted
    assert msgspec.json.decode(command)["reason"] == reason

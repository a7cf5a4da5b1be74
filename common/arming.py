"""The operator's signed word that clears a halt: made at `mm arm`, checked by risk. Pure.

Rules
  1. Only the operator's key clears a halt; anyone local may make one.
  2. A command names every file that it clears and lives 30 s. Halt files never share a name, so the same
     command heard twice clears nothing new.
  3. Whatever is wrong with a command, it is refused with a reason; nothing in it can raise.
"""

from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta

from common.hyperliquid.signing import SigningKey, verify_message
from common.units import Millis

LIFE_MS: Final = 30_000  # a person has typed the passphrase before; this is only the way to risk, and clock skew
COMMAND_BYTES_MAX: Final = 64 * 1024  # some hundred causes

Reason: TypeAlias = Annotated[str, Meta(min_length=1, max_length=500)]


class ArmCommand(msgspec.Struct, frozen=True, kw_only=True, tag=True, forbid_unknown_fields=True):
    """Clear exactly these halt files."""

    reason: Reason  # the operator's words, for the journal
    names: tuple[str, ...]
    issued_ms: Millis


def arm_command(reason: str, names: tuple[str, ...], issued_ms: Millis) -> bytes:
    """Return the JSON that is signed."""
    return msgspec.json.encode(ArmCommand(reason=reason, names=names, issued_ms=issued_ms))


def sign_command(key: SigningKey, command: bytes) -> bytes:
    return key.sign_message(command)


def verify_command(operator: str, command: bytes, signature: bytes, now_ms: Millis) -> ArmCommand | str:
    """Return what the operator commands, or the reason for refusing it."""
    if len(command) > COMMAND_BYTES_MAX:
        return f"command of {len(command)} bytes"
    if not verify_message(operator, command, signature):
        return "not signed by the operator key of this home"
    try:
        parsed = msgspec.json.decode(command, type=ArmCommand)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return f"no arm command: {error}"
    if abs(now_ms - parsed.issued_ms) > LIFE_MS:
        return f"issued {(now_ms - parsed.issued_ms) / 1_000:+.1f} s ago; it lives {LIFE_MS // 1_000} s"
    return parsed

"""Names of our orders: `0x` + house tag (8 hex) | boot epoch (8) | journal sequence (12) | slot (4).

The tag is derived from the account alone, so orders are known as ours even when the home is lost.
Venue rule: a cloid is 128 bits, `0x` and 32 hex digits.
"""

from typing import Final

from Crypto.Hash import keccak

EPOCH_MAX: Final = 1 << 32
SEQUENCE_MAX: Final = 1 << 48
SLOT_MAX: Final = 1 << 16


def house_tag(account: str) -> str:
    """Return the first four bytes of keccak(account || "ballast"), as 8 hex digits."""
    digest = keccak.new(digest_bits=256, data=account.lower().encode() + b"ballast")
    return digest.hexdigest()[:8]


def make_cloid(tag: str, epoch: int, sequence: int, slot: int) -> str:
    """Name one order; ValueError when a part does not fit its bits."""
    if not (0 <= epoch < EPOCH_MAX and 0 <= sequence < SEQUENCE_MAX and 0 <= slot < SLOT_MAX):
        raise ValueError(f"epoch {epoch}, sequence {sequence} or slot {slot} does not fit a cloid")
    return f"0x{tag}{epoch:08x}{sequence:012x}{slot:04x}"


def is_ours(cloid: str | None, tag: str) -> bool:
    return cloid is not None and cloid.startswith(f"0x{tag}") and len(cloid) == 34


def epoch_of(cloid: str) -> int:
    """Return the boot epoch inside one of our cloids."""
    return int(cloid[10:18], 16)

"""Which limits are in force: one short hash, in risk's decisions, in drills and in reports alike.

It covers every section that a control reads, and nothing else: another port or address changes no limit.
"""

import hashlib
from typing import Final

import msgspec

from common.config import Settings

SECTIONS: Final = ("coins", "risk", "signer", "monitors", "kill", "canceller", "liveness", "orders")


def limits_hash(settings: Settings) -> str:
    """Hash everything that a control is configured by."""
    chosen = {section: getattr(settings, section) for section in SECTIONS}
    return hashlib.sha256(msgspec.json.encode(chosen, order="deterministic")).hexdigest()[:16]

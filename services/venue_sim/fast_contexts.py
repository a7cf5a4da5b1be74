"""The compressed channel of mark and mid prices: everything once, then what changed. Pure.

Rules
  1. A payload is base64 of raw DEFLATE of JSON: coin -> markPx and midPx; midPx is null without two sides.
  2. After the first message a coin that has not changed is absent, and so is a field that has not.
"""

import base64
import zlib
from typing import Final, TypeAlias

import msgspec

_RAW_DEFLATE: Final = -15  # window bits: no zlib header, no checksum

Prices: TypeAlias = dict[str, dict[str, str | None]]  # by coin, then by field


def packed(prices: Prices) -> str:
    """Return what goes out as the message's data (rule 1)."""
    deflate = zlib.compressobj(wbits=_RAW_DEFLATE)
    return base64.b64encode(deflate.compress(msgspec.json.encode(prices)) + deflate.flush()).decode()


class FastContexts:
    """Remembers what everybody was told last."""

    def __init__(self) -> None:
        self._told: Prices = {}

    def news(self, prices: Prices) -> Prices:
        """Return what changed since the last call (rule 2)."""
        changed = {}
        for coin, fields in prices.items():
            told = self._told.get(coin, {})
            fresh = {name: value for name, value in fields.items() if name not in told or told[name] != value}
            if fresh:
                changed[coin] = fresh
        self._told = prices
        return changed

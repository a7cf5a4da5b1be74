"""Which nonces a signer may still use.

Rules
  1. A nonce is accepted once: `duplicate nonce` otherwise.
  2. The 100 highest are remembered; when full, a new one must exceed the smallest of them.
  3. It lies within two days before and one day after block time.
"""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

from services.venue_sim.rules import DAY_MS
from services.venue_sim.texts import duplicate_nonce, nonce_too_high, nonce_too_low

NONCES_MAX: Final = 100  # the venue's own memory per signer
OLDEST_MS: Final = 2 * DAY_MS
NEWEST_MS: Final = DAY_MS


class NonceSet:
    """Of one signer: an agent or a master that signs itself."""

    def __init__(self, highest: Iterable[int] = ()) -> None:
        self._highest = sorted(highest)

    @property
    def highest(self) -> tuple[int, ...]:
        """Return the nonces that are remembered, in order."""
        return tuple(self._highest)

    def use(self, nonce: int, now_ms: int) -> str:
        """Consume the nonce; return the refusal's text, empty when it was accepted."""
        seen = self._highest
        place = bisect_left(seen, nonce)
        if place < len(seen) and seen[place] == nonce:
            return duplicate_nonce(nonce)
        if len(seen) >= NONCES_MAX and place == 0:
            return nonce_too_low(nonce, seen[0])
        if nonce <= now_ms - OLDEST_MS:
            return nonce_too_low(nonce, now_ms - OLDEST_MS)
        if nonce >= now_ms + NEWEST_MS:
            return nonce_too_high(nonce, now_ms + NEWEST_MS)
        seen.insert(place, nonce)
        if len(seen) > NONCES_MAX:
            del seen[0]
        return ""

"""The leverage of each coin at the venue: set while flat, and watched, for another hand may change it.

Rules
  1. The venue states it with what it lets us trade of a coin, and in every account state where the coin is held.
  2. Set: once where it was never stated, and as long as it is stated wrong, every `SET_PAUSE`; always while nothing is
     held or may fill. An accepted change proves nothing: the venue is asked again at once.
  3. Stated wrong: a flat coin is pulled until it is right, so that it can be set; a held one is only reduced.
  4. A change from right to wrong is a finding.
"""

from typing import Final

from common.config import Settings
from common.messages import PostureLevel, VenueAccount, VenueCapacity
from common.units import SECOND, Nanos
from services.risk.controls import Control
from services.risk.exposure_ledger import ExposureLedger, Finding
from services.risk.posture import Cause

SET_PAUSE: Final = Nanos(10 * SECOND)
CHANGED: Final = "leverage changed"


class Leverages:
    """Remembers what the venue said last of each configured coin."""

    def __init__(self, settings: Settings) -> None:
        self._wanted = {coin: limits.leverage for coin, limits in settings.coins.items()}
        self._wrong: dict[str, str] = {}  # what the venue says instead
        self._right: set[str] = set()
        self._set_at: dict[str, Nanos] = {}
        self._accepted: set[str] = set()  # changed by us, and not read since

    def on_account(self, account: VenueAccount) -> list[Finding]:
        return [
            found
            for position in account.positions
            for found in self._see(position.coin, position.leverage, is_cross=position.is_cross)
        ]

    def on_capacity(self, answer: VenueCapacity) -> list[Finding]:
        if answer.leverage is None:
            return []
        return self._see(answer.coin, answer.leverage, is_cross=answer.is_cross)

    def _see(self, coin: str, leverage: int, *, is_cross: bool) -> list[Finding]:
        wanted = self._wanted.get(coin)
        if wanted is None:
            return []
        if leverage == wanted and is_cross:
            self._wrong.pop(coin, None)
            self._right.add(coin)
            return []
        kind = "cross" if is_cross else "isolated"
        self._wrong[coin] = text = f"leverage is {leverage} {kind} at the venue, {wanted} cross is configured"
        if coin not in self._right:
            return []
        self._right.discard(coin)
        return [Finding(kind=CHANGED, coin=coin, evidence=text)]

    # --- setting ---------------------------------------------------------------------------------------

    def due(self, now: Nanos) -> list[str]:
        """Return the coins to be set now, where that is possible (rule 2)."""
        return [
            coin
            for coin in self._wanted
            if coin not in self._right
            and (coin not in self._set_at or (coin in self._wrong and now >= self._set_at[coin] + SET_PAUSE))
        ]

    def on_set(self, coin: str, now: Nanos) -> None:
        self._set_at[coin] = now

    def on_accepted(self, coin: str) -> None:
        self._accepted.add(coin)

    def to_read(self) -> str:
        """Return a coin that is to be asked for at once; "" when there is none."""
        return self._accepted.pop() if self._accepted else ""

    def causes(self, ledger: ExposureLedger) -> list[Cause]:
        """Rule 3; proof ends it, not time."""
        found = []
        for coin, text in self._wrong.items():
            level = PostureLevel.PULL_QUOTES if ledger.position(coin).is_flat else PostureLevel.REDUCE_ONLY
            found.append(Cause(level, text, coin, hold=Nanos(0), name=CHANGED, control=Control.MARGIN))
        return found

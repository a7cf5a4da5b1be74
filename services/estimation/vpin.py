"""VPIN: how one-sided trading was, in volume time (Easley, Lopez de Prado and O'Hara 2012).

Rules
  1. Volume fills buckets of `bucket_usd`; a trade larger than what is left of one fills the next ones too.
  2. VPIN is the mean of |bought - sold| / bucket over the last BUCKETS whole buckets: 0 balanced, 1 one-sided.
     The venue tells the taker's side of every print, so nothing is guessed from prices.
  3. It is None until BUCKETS buckets are whole, and when no trade came for STALE_S: old volume is no news.
  4. O(1) per trade: one of more than BUCKETS buckets leaves only the last ones. Not positive or late input changes
     nothing and is counted.
"""

from collections import deque
from math import isfinite
from typing import Final

from common.units import MICROS_PER_USD, Micros, Side

BUCKETS: Final = 50
STALE_S: Final = 60.0


class Vpin:
    """One coin's; times in seconds of venue time."""

    def __init__(self, *, bucket_usd: float) -> None:
        self._bucket = max(1, int(bucket_usd * MICROS_PER_USD))  # micro-USD
        self._left = self._bucket  # of the open bucket
        self._net = 0  # bought less sold in it
        self._whole: deque[int] = deque(maxlen=BUCKETS)  # |bought - sold| of each
        self._sum = 0  # of these
        self._last_s: float | None = None
        self.refused = 0

    def add(self, side: Side, notional: Micros, at_s: float) -> None:
        if not (isfinite(at_s) and notional > 0) or (self._last_s is not None and at_s < self._last_s):
            self.refused += 1
            return
        self._last_s = at_s
        volume: int = notional
        if volume >= self._left:
            volume -= self._left
            self._close(abs(self._net + side.sign * self._left))
            whole, volume = divmod(volume, self._bucket)
            for _ in range(min(whole, BUCKETS)):
                self._close(self._bucket)
            self._net, self._left = 0, self._bucket
        self._net += side.sign * volume
        self._left -= volume

    def restart(self) -> None:
        """Stamps may go back from here."""
        self._last_s = None

    def value(self, at_s: float) -> float | None:
        if len(self._whole) < BUCKETS or self._last_s is None or at_s - self._last_s > STALE_S:
            return None
        return self._sum / (BUCKETS * self._bucket)

    def _close(self, imbalance: int) -> None:
        if len(self._whole) == BUCKETS:
            self._sum -= self._whole[0]
        self._whole.append(imbalance)
        self._sum += imbalance

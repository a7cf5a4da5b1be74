"""What the market has traded of one coin within the last minute, by risk's own feed.

Rules
  1. A print counts from its own time on, by the venue's clock, for a minute; each once, whatever the venue replays.
  2. What was not heard was not traded: after a start or a reconnect the number is what was heard since, which can only
     be too little. Nobody waits for a full minute, and nothing has to be believed that was not seen.
  3. A print that is not positive, older than the newest one, or ahead of the venue's clock is no print.
"""

from typing import Final

from common.messages import Trade
from common.units import MILLISECOND, SECOND, Lots, Millis, Nanos
from common.venue_clock import VenueClock
from services.risk.windows import Window

SPAN: Final = Nanos(60 * SECOND)
AHEAD_MS_MAX: Final = 2_000  # venue time is an estimate


class TradedVolume:
    """Sum of a sliding minute; time is the venue's."""

    def __init__(self, clock: VenueClock) -> None:
        self._clock = clock
        self._window = Window(SPAN)
        self._newest_ms = Millis(0)
        self._tids: set[int] = set()  # of the newest millisecond: the only ones that can come again (rule 3)

    def on_trade(self, trade: Trade, now: Nanos) -> None:
        """Take a print; before venue time is known none counts."""
        at = trade.venue_ms
        if at < self._newest_ms or trade.lots <= 0:
            return
        if at > self._newest_ms:
            venue_now = self._clock.venue_now(now)
            if venue_now is None or at > venue_now + AHEAD_MS_MAX:
                return
            self._newest_ms = at
            self._tids.clear()
        if trade.tid not in self._tids:
            self._tids.add(trade.tid)
            self._window.add(Nanos(at * MILLISECOND), trade.lots)

    def lots(self, now: Nanos) -> Lots:
        """Return what counts now; nothing while venue time is unknown."""
        venue_now = self._clock.venue_now(now)
        return Lots(0 if venue_now is None else self._window.sum(Nanos(venue_now * MILLISECOND)))

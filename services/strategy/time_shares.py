"""How much of the time each side was quoted, or for which reason it was not."""

from typing import Final

from common.units import Nanos, Side

QUOTED: Final = "quoted"  # beside the codes of services/strategy/reasons.py


class TimeShares:
    """One coin's, since the process started; bounded by the number of reasons."""

    def __init__(self, since: Nanos) -> None:
        self.since: Final = since
        self._at = since
        self._now: dict[Side, str] = {}
        self._spent: dict[Side, dict[str, int]] = {side: {} for side in Side}

    def note(self, reason_bid: str, reason_ask: str, now: Nanos) -> None:
        """From `now` on these hold; an empty reason is a quoted side."""
        for side, reason in self._now.items() if now > self._at else ():
            self._spent[side][reason] = self._spent[side].get(reason, 0) + now - self._at
        self._at = now
        self._now = {Side.BUY: reason_bid or QUOTED, Side.SELL: reason_ask or QUOTED}

    def shares(self, side: Side) -> dict[str, float]:
        """Return share by reason up to the last note; empty before any time has passed."""
        spent = self._spent[side]
        total = sum(spent.values())
        return {reason: time / total for reason, time in sorted(spent.items())} if total else {}

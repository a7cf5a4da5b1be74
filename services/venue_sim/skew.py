"""The difference between venue time and the host's, on request. Pure.

Rules
  1. Venue time never goes back: forward it jumps, backward it runs at half speed until the difference is there.
"""

from common.units import Millis


class Skew:
    def __init__(self) -> None:
        self._offset_ms = 0
        self._aim_ms = 0
        self._host_ms: int | None = None  # up to where slowing down is accounted for

    def aim(self, milliseconds: int) -> None:
        """Ask for a difference."""
        self._aim_ms = milliseconds
        self._offset_ms = max(self._offset_ms, milliseconds)

    def time(self, host: Millis) -> Millis:
        """Return venue time at a host's time."""
        before = host if self._host_ms is None else self._host_ms
        slowed = min((host - before) // 2, self._offset_ms - self._aim_ms)
        self._offset_ms -= slowed
        self._host_ms = before + 2 * slowed if self._offset_ms > self._aim_ms else host
        return Millis(host + self._offset_ms)

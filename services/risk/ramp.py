"""Coming back after a loss: limits grow from a share of themselves to all of it, by venue time.

Rules
  1. Arming that clears a loss or a drawdown begins the ramp; it is in the journal, so a restart does not shorten it.
  2. In between the share grows evenly; unknown venue time counts as the beginning.
"""

from typing import Final

from common.config import Risk as RiskSettings
from common.messages import ArmRecord, HaltFile, Message
from common.units import Millis
from services.risk.references import PPM

LOSSES: Final = frozenset({"loss", "drawdown"})  # causes of halts


class Ramp:
    def __init__(self, settings: RiskSettings) -> None:
        self._from_ppm = round(settings.ramp_from * PPM)
        self._length_ms = settings.ramp_s * 1_000
        self._began_ms: Millis | None = None

    def restore(self, row: Message) -> None:
        """Take one row, of an earlier life or of now."""
        if isinstance(row, ArmRecord) and any(is_loss(file) for file in row.cleared):
            self._began_ms = row.at_ms

    def ppm(self, venue_now: Millis | None) -> int:
        """Return the share of the limits that binds now."""
        if self._began_ms is None:
            return PPM
        passed = 0 if venue_now is None else max(0, venue_now - self._began_ms)
        grown = (PPM - self._from_ppm) * min(passed, self._length_ms) // self._length_ms
        return self._from_ppm + grown


def is_loss(file: HaltFile) -> bool:
    """Say whether a halt was one of these."""
    return file.cause in LOSSES

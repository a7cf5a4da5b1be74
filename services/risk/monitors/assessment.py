"""What a monitor says of one state: how bad, what follows, and why."""

from enum import IntEnum

import msgspec

from common.messages import PostureLevel
from common.units import Nanos
from services.risk.controls import Control
from services.risk.posture import HOLD_OFF


class Severity(IntEnum):
    NONE = 0
    LOW = 1  # shown
    MEDIUM = 2  # shown, and quotes may widen
    HIGH = 3  # quotes are restrained
    CRITICAL = 4  # a kill


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """`action` is the mildest posture that this leaves."""

    monitor: str
    control: Control
    severity: Severity = Severity.NONE
    action: PostureLevel = PostureLevel.NORMAL
    message: str = ""
    hold: Nanos = HOLD_OFF  # how long the action outlives its reason

    def found(self, severity: Severity, action: PostureLevel, message: str, hold: Nanos = HOLD_OFF) -> "Assessment":
        """Return what this monitor found instead of nothing."""
        return msgspec.structs.replace(self, severity=severity, action=action, message=message, hold=hold)

    def warns(self, message: str, severity: Severity = Severity.MEDIUM) -> "Assessment":
        """Say it, and restrain nothing."""
        return self.found(severity, PostureLevel.NORMAL, message)

    def widens(self, message: str) -> "Assessment":
        return self.found(Severity.MEDIUM, PostureLevel.WIDEN, message)

    def reduces(self, message: str) -> "Assessment":
        return self.found(Severity.HIGH, PostureLevel.REDUCE_ONLY, message)

    def pulls(self, message: str, hold: Nanos = HOLD_OFF) -> "Assessment":
        return self.found(Severity.HIGH, PostureLevel.PULL_QUOTES, message, hold)

    def kills(self, message: str) -> "Assessment":
        return self.found(Severity.CRITICAL, PostureLevel.HALTED, message)

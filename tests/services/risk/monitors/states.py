"""States for the tests of monitors, and the words in which they say what comes of one."""

from typing import Any

import msgspec

from common.messages import PostureLevel
from common.units import Lots, Ticks
from services.risk.activity import Conduct
from services.risk.monitors.assessment import Assessment, Severity
from services.risk.price_watch import Behaviour
from services.risk.risk_state import Limits, RiskState
from tests.services.risk.scene import SETTINGS

LIMITS = Limits(risk=SETTINGS.risk, monitors=SETTINGS.monitors, soft=Lots(8_000), hard=Lots(10_000))
PLAIN = RiskState(limits=LIMITS, coin="BTC", mark=Ticks(600_000)).with_pending_exposure(Lots(0), Lots(0))


def state(**fields: Any) -> RiskState:  # any field
    return msgspec.structs.replace(PLAIN, **fields)


def market(**fields: float) -> RiskState:
    return state(behaviour=Behaviour(**fields))


def conduct(**fields: Any) -> RiskState:  # any field
    return state(conduct=Conduct(**fields))


def outcome(found: Assessment) -> str:
    """Return what follows: "" nothing, else the severity's or the action's name."""
    if found.severity is Severity.NONE:
        assert found.action is PostureLevel.NORMAL
        return ""
    assert found.message
    assert (found.severity is Severity.CRITICAL) == (found.action is PostureLevel.HALTED)
    return found.severity.name if found.action is PostureLevel.NORMAL else found.action.name

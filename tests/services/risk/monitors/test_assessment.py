"""Each word of an assessment means one severity and one posture."""

from common.messages import PostureLevel
from common.units import Nanos
from services.risk.controls import Control
from services.risk.monitors.assessment import Assessment, Severity
from tests.services.risk.monitors.states import outcome

QUIET = Assessment(monitor="x", control=Control.POSITION)


def test_words() -> None:
    """Severity, action and hold of each; critical is a kill and nothing else is."""
    found = [QUIET, QUIET.warns("a"), QUIET.widens("a"), QUIET.reduces("a"), QUIET.pulls("a"), QUIET.kills("a")]
    assert [outcome(one) for one in found] == ["", "MEDIUM", "WIDEN", "REDUCE_ONLY", "PULL_QUOTES", "HALTED"]
    assert QUIET.warns("a", Severity.LOW).severity is Severity.LOW
    assert QUIET.pulls("a", Nanos(7)).hold == 7
    assert QUIET.found(Severity.HIGH, PostureLevel.WIDEN, "a").monitor == "x"

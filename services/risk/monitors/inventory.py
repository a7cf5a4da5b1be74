"""Monitors of one coin's position: its size, its speed, how long it has been stuck.

Rules
  1. The position itself at twice the soft limit, by the venue's own word, is a runaway: kill. Beyond the hard limit
     only the reducing side is quoted. A worst case never kills: after a restart it counts every recent order that is
     not yet proven gone.
  2. The worst case beyond the soft limit is a warning that names sides and exposures, and blocks nothing. A book
     that is balanced says so: both sides would have to be run over.
  3. Velocity: the net of a minute's fills beyond its share of the hard limit widens, twice it pulls, four times kills.
  4. More than `stuck_share` of the soft limit that has not shrunk for `stuck_s` is only reduced.
"""

from typing import Final

from common.units import SECOND
from services.risk.controls import Control
from services.risk.monitors.assessment import Assessment
from services.risk.pending_exposure import check_pending_exposure_risk
from services.risk.risk_state import UNPRICED, RiskState

POSITION: Final = Assessment(monitor="position", control=Control.POSITION)
WORST_CASE: Final = Assessment(monitor="worst case", control=Control.POSITION)
VELOCITY: Final = Assessment(monitor="position velocity", control=Control.POSITION_VELOCITY)
STUCK: Final = Assessment(monitor="stuck inventory", control=Control.POSITION)
RUNAWAY: Final = 2


def position(state: RiskState) -> Assessment:
    """Rule 1."""
    runaway = state.limits.soft != UNPRICED and abs(state.position) >= RUNAWAY * max(1, state.limits.soft)
    if not runaway and state.held <= state.limits.hard:
        return POSITION
    text = f"{state.position} lots are worth {state.value} micro-USD"
    if runaway:
        return POSITION.kills(f"{text}: twice the soft limit of {state.limits.soft} lots")
    return POSITION.reduces(f"{text}: beyond the limit of {state.limits.hard} lots")


def worst_case(state: RiskState) -> Assessment:
    """Rule 2."""
    if not state.worst_case_exceeds_limits():
        return WORST_CASE
    warning = check_pending_exposure_risk(
        state.position, state.pending_bid_exposure, state.pending_ask_exposure, state.limits.soft
    )
    text = warning.text if warning else "two witnesses of the position differ"
    balance = "balanced" if state.is_book_balanced() else "one-sided"
    return WORST_CASE.warns(f"{text}; {balance} book, {state.worst_case_position_value()} micro-USD at worst")


def velocity(state: RiskState) -> Assessment:
    """Rule 3."""
    limit = state.limits.monitors.velocity_share * state.limits.hard
    speed = abs(state.conduct.net_fills)
    text = f"{state.conduct.net_fills} lots net in a minute, {limit:.0f} are quick"
    if speed > 4 * limit:
        return VELOCITY.kills(text)
    if speed > 2 * limit:
        return VELOCITY.pulls(text)
    return VELOCITY.widens(text) if speed > limit else VELOCITY


def stuck(state: RiskState) -> Assessment:
    """Rule 4."""
    monitors = state.limits.monitors
    if state.held <= monitors.stuck_share * state.limits.soft or state.stuck_for < monitors.stuck_s * SECOND:
        return STUCK
    return STUCK.reduces(f"{state.position} lots have not shrunk for {state.stuck_for // SECOND} s")

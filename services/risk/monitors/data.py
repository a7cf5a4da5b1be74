"""Monitors of what risk itself knows and may ask: streams, references, request budget.

Rules
  1. A stream older than its limit, or never heard, pulls quotes; so does a socket that is down.
  2. A coin without references that agree is pulled alone.
  3. A fifth of the scarcer request budget left widens, a tenth pulls: what is left belongs to cancels.
"""

from typing import Final

from services.risk.controls import Control
from services.risk.monitors.assessment import Assessment
from services.risk.risk_state import RiskState

STALENESS: Final = Assessment(monitor="staleness", control=Control.DATA_STALENESS)
REFERENCES: Final = Assessment(monitor="references", control=Control.DATA_STALENESS)
RATE_LIMIT: Final = Assessment(monitor="rate limit", control=Control.VENUE_BUDGET)


def staleness(state: RiskState) -> Assessment:
    """Rule 1."""
    if not state.connected:
        return STALENESS.pulls("no venue link")
    stale = [item.name for item in state.streams if item.age is None or item.age > item.limit]
    return STALENESS.pulls(f"stale: {', '.join(stale)}") if stale else STALENESS


def references(state: RiskState) -> Assessment:
    """Rule 2."""
    return REFERENCES.pulls(state.reference_fault) if state.reference_fault else REFERENCES


def rate_limit(state: RiskState) -> Assessment:
    """Rule 3."""
    left, least = state.budget_left, state.limits.monitors.budget_left_share
    text = f"{left:.0%} of the venue's request budget is left"
    if 2 * left < least:
        return RATE_LIMIT.pulls(text)
    return RATE_LIMIT.widens(text) if left < least else RATE_LIMIT

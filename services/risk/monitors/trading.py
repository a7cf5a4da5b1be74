"""Monitors of one coin's trading: repeated execution, trouble, surveillance, edge, liquidation.

Rules
  1. Repeated execution: more fills of one side, or more round trips, in the window than any honest flow brings, or
     an order that filled more than it asked for: kill, since only a person can tell why.
  2. Trouble (refused, unknown, cancel failed) beyond its number in a minute pulls, beyond twice of it kills.
  3. Surveillance: more orders a fill than `orders_per_fill_max` is shown; orders that flicker widen.
  4. Fill rate: a minute far below the rate of the nine before it, where that rate was a rate at all, widens.
  5. Edge: a mean markout below minus its limit widens, below twice of it pulls, with at least `MARKOUTS_MIN` fills.
  6. The venue liquidating us is a kill.
"""

from typing import Final

from services.risk.controls import Control
from services.risk.monitors.assessment import Assessment, Severity
from services.risk.risk_state import RiskState

REPEATS: Final = Assessment(monitor="repeated execution", control=Control.REPEATED_EXECUTION)
TROUBLE: Final = Assessment(monitor="rejects and unknowns", control=Control.REJECT_RATE)
SURVEILLANCE: Final = Assessment(monitor="surveillance", control=Control.SURVEILLANCE)
FILL_RATE: Final = Assessment(monitor="fill rate", control=Control.PRICE_COLLAR_PERIOD)
MARKOUT: Final = Assessment(monitor="markout", control=Control.LOSS)
LIQUIDATION: Final = Assessment(monitor="liquidation", control=Control.MARGIN)
ORDERS_MIN: Final = 100  # fewer orders in ten minutes make no ratio
RATE_MIN: Final = 20  # fills a minute
MARKOUTS_MIN: Final = 30


def repeated_execution(state: RiskState) -> Assessment:
    """Rule 1."""
    seen, limits = state.conduct, state.limits.monitors
    if seen.overfilled:
        return REPEATS.kills(seen.overfilled)
    if max(seen.bought, seen.sold) > limits.fills_max:
        return REPEATS.kills(f"{seen.bought} buys and {seen.sold} sells in {limits.fills_window_s} s")
    if seen.round_trips > limits.round_trips_max:
        return REPEATS.kills(f"{seen.round_trips} round trips in {limits.fills_window_s} s")
    return REPEATS


def trouble(state: RiskState) -> Assessment:
    """Rule 2."""
    count, limit = state.conduct.troubles, state.limits.monitors.troubles_max
    text = f"{count} rejects, unknowns and failed cancels in a minute"
    if count > 2 * limit:
        return TROUBLE.kills(text)
    return TROUBLE.pulls(text) if count > limit else TROUBLE


def surveillance(state: RiskState) -> Assessment:
    """Rule 3."""
    seen, limits = state.conduct, state.limits.monitors
    if seen.flickers > limits.flickers_max:
        return SURVEILLANCE.widens(f"{seen.flickers} orders a minute live for less than half a second")
    if seen.placed >= ORDERS_MIN and seen.placed > limits.orders_per_fill_max * max(1, seen.filled):
        return SURVEILLANCE.warns(f"{seen.placed} orders for {seen.filled} fills in ten minutes", Severity.LOW)
    return SURVEILLANCE


def fill_rate(state: RiskState) -> Assessment:
    """Rule 4."""
    seen = state.conduct
    before = (seen.filled - seen.filled_minute) / 9
    if before < RATE_MIN or seen.filled_minute >= state.limits.monitors.fill_rate_floor * before:
        return FILL_RATE
    return FILL_RATE.widens(f"{seen.filled_minute} fills in a minute after {before:.0f} a minute")


def markout(state: RiskState) -> Assessment:
    """Rule 5."""
    seen, limit = state.conduct, state.limits.monitors.markout_bps
    if seen.markouts < MARKOUTS_MIN:
        return MARKOUT
    text = f"fills lose {-seen.markout_bps:.1f} bps within seconds, mean of {seen.markouts}"
    if seen.markout_bps < -2 * limit:
        return MARKOUT.pulls(text)
    return MARKOUT.widens(text) if seen.markout_bps < -limit else MARKOUT


def liquidation(state: RiskState) -> Assessment:
    """Rule 6."""
    seen = state.conduct.liquidated
    return LIQUIDATION.kills(f"the venue liquidates us: {seen}") if seen else LIQUIDATION

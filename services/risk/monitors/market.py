"""Monitors of one coin's market: flash moves, volatility, cascades, and the circuit breakers.

Rules
  1. Flash: the mid's range in the window beyond `flash_bps` pulls quotes, with a cool-down; half of it widens.
  2. Volatility, or the share of jumps while volatility is above half of its limit: widens.
  3. Cascade: open interest falls while price moves; both at their limits pull, with the same cool-down, both at
     half of them widen.
  4. Breakers: open interest that falls by more than its limit pulls, a spread beyond its limit pulls, funding beyond
     its limit widens.
"""

from typing import Final

from common.units import MILLISECOND, Nanos
from services.risk.controls import Control
from services.risk.monitors.assessment import Assessment
from services.risk.risk_state import RiskState

FLASH: Final = Assessment(monitor="flash move", control=Control.PRICE_COLLAR_PERIOD)
VOLATILITY: Final = Assessment(monitor="volatility", control=Control.PRICE_COLLAR_PERIOD)
CASCADE: Final = Assessment(monitor="cascade", control=Control.PRICE_COLLAR_PERIOD)
OPEN_INTEREST: Final = Assessment(monitor="open interest", control=Control.PRICE_COLLAR_PERIOD)
SPREAD: Final = Assessment(monitor="spread", control=Control.PRICE_COLLAR_PERIOD)
FUNDING: Final = Assessment(monitor="funding", control=Control.PRICE_COLLAR_PERIOD)


def flash(state: RiskState) -> Assessment:
    """Rule 1."""
    limits, move = state.limits.monitors, state.behaviour.move_bps
    if 2 * move <= limits.flash_bps:
        return FLASH
    text = f"the mid moved {move:.0f} bps in {limits.flash_window_ms} ms"
    return FLASH.pulls(text, _cooldown(state)) if move > limits.flash_bps else FLASH.widens(text)


def volatility(state: RiskState) -> Assessment:
    """Rule 2."""
    limits, seen = state.limits.monitors, state.behaviour
    if seen.sigma_per_sqrt_s is None or seen.jump_share is None:
        return VOLATILITY
    wild = seen.sigma_per_sqrt_s > limits.sigma_max_per_sqrt_s
    jumpy = seen.jump_share > limits.jump_share_max and 2 * seen.sigma_per_sqrt_s > limits.sigma_max_per_sqrt_s
    if not wild and not jumpy:
        return VOLATILITY
    text = f"sigma {seen.sigma_per_sqrt_s:.5f} per root second, {seen.jump_share:.0%} of it in jumps"
    return VOLATILITY.widens(text)


def cascade(state: RiskState) -> Assessment:
    """Rule 3."""
    severity = state.behaviour.cascade
    if severity < 0.5:
        return CASCADE
    text = f"open interest falls while price moves: severity {severity:.2f}"
    return CASCADE.pulls(text, _cooldown(state)) if severity >= 1 else CASCADE.widens(text)


def open_interest(state: RiskState) -> Assessment:
    """Rule 4."""
    drop = state.behaviour.open_interest_drop
    if drop <= state.limits.monitors.open_interest_drop_share:
        return OPEN_INTEREST
    return OPEN_INTEREST.pulls(f"open interest fell by {drop:.1%}", _cooldown(state))


def spread(state: RiskState) -> Assessment:
    """Rule 4."""
    bps = state.behaviour.spread_bps
    if bps is None or bps <= state.limits.monitors.spread_max_bps:
        return SPREAD
    return SPREAD.pulls(f"the spread is {bps:.0f} bps wide")


def funding(state: RiskState) -> Assessment:
    """Rule 4."""
    rate = state.behaviour.funding_per_h
    if rate is None or abs(rate) <= state.limits.monitors.funding_max_per_h:
        return FUNDING
    return FUNDING.widens(f"funding is {rate:.4%} an hour")


def _cooldown(state: RiskState) -> Nanos:
    return Nanos(state.limits.monitors.flash_cooldown_ms * MILLISECOND)

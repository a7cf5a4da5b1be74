"""Monitors of the account: loss, drawdown, margin.

Rules
  1. Loss and drawdown: half of a limit widens, beyond it one bad state pulls quotes, two kill.
  2. Equity below its floor, or no number at all, is a drawdown beyond every limit.
  3. Margin: an adverse move of `liquidation_distance` must not eat equity down to maintenance margin, and used
     margin stays within its share: otherwise only the reducing side is quoted. Twice the distance widens.
"""

from decimal import Decimal
from typing import Final

from services.risk.controls import Control
from services.risk.losses import drawdown_share, loss_share
from services.risk.monitors.assessment import Assessment
from services.risk.risk_state import RiskState

LOSS: Final = Assessment(monitor="loss", control=Control.LOSS)
DRAWDOWN: Final = Assessment(monitor="drawdown", control=Control.LOSS)
MARGIN: Final = Assessment(monitor="margin", control=Control.MARGIN)
CONFIRMED: Final = 2
HALF: Final = Decimal("0.5")


def loss(state: RiskState) -> Assessment:
    money = state.money
    if not money.known:
        return LOSS
    text = (
        f"equity {money.equity}, day {money.daily_pnl} (realised {money.realised}), hour {money.hourly_pnl}, "
        f"best of the day {money.peak_pnl}"
    )
    return _beyond(LOSS, state, loss_share(money, state.limits.risk), text)


def drawdown(state: RiskState) -> Assessment:
    money = state.money
    if not money.known:
        return DRAWDOWN
    text = f"equity {money.equity}, {money.drawdown} below its peak {money.peak}"
    return _beyond(DRAWDOWN, state, drawdown_share(money, state.limits.risk), text)


def margin(state: RiskState) -> Assessment:
    """Rule 3."""
    most = state.limits.risk.max_margin_share
    if state.margin_used_share > most:
        return MARGIN.reduces(f"{state.margin_used_share:.0%} of equity is margin in use, {most:.0%} may be")
    distance, least = state.liquidation_distance, state.limits.monitors.liquidation_distance
    if distance is None or distance >= 2 * least:
        return MARGIN
    text = f"an adverse move of {distance:.1%} leads to liquidation"
    return MARGIN.reduces(text) if distance < least else MARGIN.widens(text)


def _beyond(quiet: Assessment, state: RiskState, used: Decimal, text: str) -> Assessment:
    """Rule 1."""
    if used > 1:
        return quiet.kills(text) if state.money.bad_states >= CONFIRMED else quiet.pulls(text)
    return quiet.widens(text) if used > HALF else quiet

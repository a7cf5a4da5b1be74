"""All monitors together: one state of the account and one of each coin in, causes and breaches out.

Rules
  1. Every assessment that is not NONE is a cause, shown while it lasts; the strictest sets the posture.
  2. CRITICAL ends trading.
  3. A coin's prices alone assess that coin alone; everything else assesses all.
  4. A worst case beyond the soft limit is written down once, when it begins.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from common.actor import Effect
from common.units import Nanos
from services.risk.facts import Facts
from services.risk.monitors import data, inventory, market, money, trading
from services.risk.monitors.assessment import Assessment, Severity
from services.risk.pending_exposure import check_pending_exposure_risk, log_pending_exposure_warning
from services.risk.posture import Cause
from services.risk.risk_state import RiskState

Monitor: TypeAlias = Callable[[RiskState], Assessment]

OF_THE_ACCOUNT: Final[tuple[Monitor, ...]] = (
    money.loss,
    money.drawdown,
    money.margin,
    data.staleness,
    data.rate_limit,
)
OF_A_COIN: Final[tuple[Monitor, ...]] = (
    data.staleness,
    data.references,
    inventory.position,
    inventory.worst_case,
    inventory.velocity,
    inventory.stuck,
    market.flash,
    market.volatility,
    market.cascade,
    market.open_interest,
    market.spread,
    market.funding,
    trading.repeated_execution,
    trading.trouble,
    trading.surveillance,
    trading.fill_rate,
    trading.markout,
    trading.liquidation,
)


def assess(state: RiskState) -> tuple[Assessment, ...]:
    """Return what the monitors of this state found."""
    monitors = OF_A_COIN if state.coin else OF_THE_ACCOUNT
    return tuple(found for monitor in monitors if (found := monitor(state)).severity is not Severity.NONE)


class Panel:
    """Remembers the last assessments of each coin, and of the account under ""."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._states: dict[str, RiskState] = {}
        self._found: dict[str, tuple[Assessment, ...]] = {}
        self._told: set[str] = set()  # coins whose worst case was written down

    def assess(self, now: Nanos, coin: str = "") -> None:
        """Assess one coin, or everything."""
        if not coin:
            self._take("", self._facts.state(now))
        for name in (coin,) if coin else tuple(self._facts.limits):
            self._take(name, self._facts.coin_state(name, now))

    def _take(self, coin: str, state: RiskState) -> None:
        self._states[coin] = state
        self._found[coin] = assess(state)

    def causes(self) -> list[Cause]:
        """Rule 1."""
        return [
            Cause(
                found.action,
                found.message if found.monitor in {"references", "staleness"} else f"{found.monitor}: {found.message}",
                coin,
                hold=found.hold if found.action else Nanos(0),
                name=found.monitor,
                control=found.control.value,
            )
            for coin, assessments in sorted(self._found.items())
            for found in assessments
        ]

    def breaches(self) -> list[tuple[str, str]]:
        """Return cause and evidence of everything that must end trading (rule 2)."""
        return [
            (f"{coin} {found.monitor}" if coin else found.monitor, found.message)
            for coin, assessments in sorted(self._found.items())
            for found in assessments
            if found.severity is Severity.CRITICAL
        ]

    def rows(self) -> list[Effect]:
        """Rule 4."""
        effects: list[Effect] = []
        for coin, state in sorted(self._states.items()):
            bid, ask = state.pending_bid_exposure, state.pending_ask_exposure
            warning = check_pending_exposure_risk(state.position, bid, ask, state.limits.soft)
            if warning is None:
                self._told.discard(coin)
            elif coin not in self._told:
                self._told.add(coin)
                effects.append(log_pending_exposure_warning(coin, warning))
        return effects

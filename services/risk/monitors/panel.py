"""All monitors together: one state of the account and one of each coin in, causes and breaches out.

Rules
  1. Every assessment that is not NONE is a cause, shown while it lasts; the strictest sets the posture.
  2. CRITICAL ends trading.
  3. A monitor is asked again when a part that it reads has changed (grounds.py); of a coin's prices nothing changes for
     other coins. Asked afresh, all are, whatever has changed.
  4. A worst case beyond the soft limit is written down once, when it begins.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Final, TypeAlias

from common.actor import Effect
from common.units import Nanos
from services.risk.facts import Facts
from services.risk.grounds import (
    BUDGET,
    CONDUCT,
    EVERYTHING,
    HOLDING,
    MARGIN,
    MARKET,
    MONEY,
    STREAMS,
    AccountGrounds,
    CoinGrounds,
)
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


# The parts that each monitor reads; one that is not named is asked whenever anything has changed.
READS: Final[Mapping[Monitor, int]] = {
    money.loss: MONEY,
    money.drawdown: MONEY,
    money.margin: MARGIN,
    data.staleness: STREAMS,
    data.references: STREAMS,
    data.rate_limit: BUDGET,
    inventory.position: HOLDING,
    inventory.worst_case: HOLDING,
    inventory.velocity: HOLDING | CONDUCT,
    inventory.stuck: HOLDING | CONDUCT,
    market.flash: MARKET,
    market.volatility: MARKET,
    market.cascade: MARKET,
    market.open_interest: MARKET,
    market.spread: MARKET,
    market.funding: MARKET,
    trading.repeated_execution: CONDUCT,
    trading.trouble: CONDUCT,
    trading.surveillance: CONDUCT,
    trading.fill_rate: CONDUCT,
    trading.markout: CONDUCT,
    trading.liquidation: CONDUCT,
}


@cache
def readers(parts: int, *, coin: bool) -> tuple[tuple[int, Monitor], ...]:
    """Return which monitors of a coin, or of the account, read any of these parts, each with its place."""
    monitors = OF_A_COIN if coin else OF_THE_ACCOUNT
    return tuple((place, one) for place, one in enumerate(monitors) if READS.get(one, EVERYTHING) & parts)


class Panel:
    """Remembers what was found last in each coin, and in the account under ""; `revision` changes with it."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._grounds: dict[str, AccountGrounds | CoinGrounds] = {"": AccountGrounds(facts)}
        self._grounds |= {coin: CoinGrounds(facts, coin) for coin in facts.limits}
        self._found: dict[str, dict[int, Assessment]] = {name: {} for name in self._grounds}  # by place of the monitor
        self._told: set[str] = set()  # coins whose worst case was written down
        self._rows: list[Effect] = []
        self.revision = 0

    def assess(self, now: Nanos, coin: str = "", *, afresh: bool = False) -> None:
        """Assess what one coin's prices may have changed, or everything (rule 3)."""
        for name in ("", coin) if coin else self._grounds:
            changed = self._grounds[name].look(now)
            if changed or afresh:
                self._ask(name, EVERYTHING if afresh else changed, now)

    def changes_at(self, now: Nanos) -> Nanos | None:
        """Say when an assessment may change by time alone."""
        ends = [grounds.changes_at(now, found=self._parts(name)) for name, grounds in self._grounds.items()]
        return min((end for end in ends if end is not None), default=None)

    def _ask(self, name: str, changed: int, now: Nanos) -> None:
        state = self._facts.coin_state(name, now) if name else self._facts.state(now)
        found = self._found[name]
        for place, monitor in readers(changed, coin=bool(name)):
            assessment = monitor(state)
            if assessment.severity is not Severity.NONE:
                self.revision += assessment != found.get(place)
                found[place] = assessment
            elif found.pop(place, None) is not None:
                self.revision += 1
        if changed & HOLDING:
            self._warn(name, state)

    def _parts(self, name: str) -> int:
        """Return the parts in which something was found."""
        monitors, parts = OF_A_COIN if name else OF_THE_ACCOUNT, 0
        for place in self._found[name]:
            parts |= READS.get(monitors[place], EVERYTHING)
        return parts

    def _assessments(self) -> list[tuple[str, Assessment]]:
        return [(name, found[place]) for name, found in sorted(self._found.items()) for place in sorted(found)]

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
            for coin, found in self._assessments()
        ]

    def breaches(self) -> list[tuple[str, str]]:
        """Return cause and evidence of everything that must end trading (rule 2)."""
        return [
            (f"{coin} {found.monitor}" if coin else found.monitor, found.message)
            for coin, found in self._assessments()
            if found.severity is Severity.CRITICAL
        ]

    def rows(self) -> list[Effect]:
        """Return what is to be written down since the last call (rule 4)."""
        rows, self._rows = self._rows, []
        return rows

    def _warn(self, coin: str, state: RiskState) -> None:
        bid, ask = state.pending_bid_exposure, state.pending_ask_exposure
        warning = check_pending_exposure_risk(state.position, bid, ask, state.limits.soft)
        if warning is None:
            self._told.discard(coin)
        elif coin not in self._told:
            self._told.add(coin)
            self._rows.append(log_pending_exposure_warning(coin, warning))

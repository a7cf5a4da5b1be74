"""Risk recomputes P&L from its own fills: what does not fit is written down and pulls quotes."""

from typing import Any

import msgspec
import pytest

from common.actor import Actor, Boot, Effect, Send
from common.messages import FindingRecord, LedgerCheck, Message, Position, ServiceState
from common.units import Nanos
from tests.common.simulation.test_controls import SETTLED_S, fault, posture, quoting
from tests.common.simulation.whole_mesh import WholeMesh

BREACH_S = 20  # an account state every five seconds, and ten that a difference must last
LIE_USD = 5


class Liar:
    """An order_management that states 5 USD more than it earned, as long as the test wants."""

    def __init__(self, honest: Actor[Any]) -> None:
        self._honest = honest
        self.lies = False

    @property
    def state(self) -> ServiceState:
        return self._honest.state

    @property
    def detail(self) -> str:
        return self._honest.detail

    def deadline(self) -> Nanos | None:
        return self._honest.deadline()

    def handle(self, message: Message, now: Nanos) -> list[Effect]:
        return [self._said(effect) for effect in self._honest.handle(message, now)]

    def _said(self, effect: Effect) -> Effect:
        if self.lies and isinstance(effect, Send) and isinstance(effect.message, Position):
            earned = effect.message.realized_pnl + LIE_USD
            return Send(msgspec.structs.replace(effect.message, realized_pnl=earned), effect.to)
        return effect


def findings(mesh: WholeMesh, kind: str) -> list[FindingRecord]:
    rows = mesh.simulation.seats["risk"].records
    return [row for row in rows if isinstance(row, FindingRecord) and row.kind == kind]


def test_an_order_management_that_lies_about_its_profit_quotes_no_more() -> None:
    """Its own check is silent; risk names both numbers, the venue is empty, and truth brings the quotes back."""
    mesh = WholeMesh(21, start=False)
    seat = mesh.simulation.seats["order_management"]
    liars: list[Liar] = []

    def build(boot: Boot, rows: list[Message], honest: Any = seat.build) -> Liar:  # Seat.build
        liars.append(Liar(honest(boot, rows)))
        return liars[-1]

    seat.build = build
    mesh.start().run_for(SETTLED_S)
    assert mesh.judge.resting()
    liars[-1].lies = True
    mesh.run_for(BREACH_S)
    assert mesh.judge.resting() == {}
    assert set(posture(mesh).causes) >= {"BTC: stated P&L difference", "ETH: stated P&L difference"}
    told = findings(mesh, "stated P&L difference")
    assert sorted(row.coin for row in told) == ["BTC", "ETH"]
    assert all("order_management states" in row.evidence and "own fills" in row.evidence for row in told)
    mark = mesh.judge.seq
    mesh.run_for(BREACH_S)
    assert mesh.judge.placing(after=mark) == []
    checks = [message for _, _, message in mesh.simulation.published if isinstance(message, LedgerCheck)]
    assert checks[-1].residual == 0
    liars[-1].lies = False
    mesh.run_for(BREACH_S)
    assert mesh.judge.resting()
    assert mesh.simulation.halt == []


@pytest.mark.truth
def test_money_that_nobody_explains_empties_the_book() -> None:
    """50 USD leave while the venue tells nobody why; once it does, quotes are back."""
    mesh = quoting()
    fault(mesh, "http_500", path="info", type="userNonFundingLedgerUpdates")
    fault(mesh, "transfer", usd="-50")
    mesh.run_for(BREACH_S)
    assert mesh.judge.resting() == {}
    (told,) = findings(mesh, "P&L difference")
    assert told.evidence.endswith(": -50 USD unexplained")
    mesh.venue.clear_faults(mesh.simulation.now)
    mesh.run_for(45)
    assert mesh.judge.resting()
    assert mesh.simulation.halt == []


@pytest.mark.truth
def test_funding_and_transfers_explain_themselves() -> None:
    """Payments and a deposit between two states: asked for, booked, no finding, quotes stay."""
    mesh = quoting()
    fault(mesh, "manual_trade", coin="BTC", side="buy", size="0.01")
    mesh.run_for(2)
    fault(mesh, "pay_funding", coin="BTC")
    fault(mesh, "transfer", usd="25")
    mesh.run_for(BREACH_S)
    assert findings(mesh, "P&L difference") == findings(mesh, "stated P&L difference") == []
    assert mesh.judge.resting()

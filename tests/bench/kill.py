"""How long a kill takes: 200 of them in the whole mesh on a virtual clock, quoting a volatile market.

Virtual time has the network's and the venue's delays, and none of the processes' own: what a decision costs is measured
by the other parts. Each kill is armed again by the operator's key, and the next one comes when the mesh quotes.
"""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from common import witness
from common.actor import Sign
from common.arming import arm_command, sign_command
from common.hyperliquid.signing import SigningKey
from common.messages import ArmRequest, Halt, HaltFile, Signed, SignFailed
from common.messages.venue import Modify, Place
from common.units import MILLISECOND, SECOND, Millis, Nanos
from services.replay.venue_link import EPOCH_MS
from services.venue_sim.address_limits import Window
from services.venue_sim.venue import Venue
from tests.bench.report import Table, spread
from tests.common.simulation.whole_mesh import SETTINGS, WholeMesh

KILLS: Final = 200
SHARES: Final = (0.5, 0.99)
OPERATOR: Final = SigningKey(b"\x0e" * 32)
STEP_S: Final = 0.5
WEIGHT: Final = 1_000_000  # a minute, of questions: no limit
BLOCK_MS: Final = SETTINGS.venue_sim.block_ms
QUOTING_S_MAX: Final = 300.0
CONTAINED_S_MAX: Final = 30.0
STAGES: Final = ("LATCHED", "last signature", "last order accepted", "venue empty", "CONTAINED")
TRIGGERS: Final = ("mm halt", "a dying order_management")


class Kills:
    """One mesh that is killed again and again."""

    def __init__(self, seed: int) -> None:
        market = msgspec.structs.replace(SETTINGS.venue_sim, scenario="volatile")
        # cascades would pull the quotes for minutes each, and each proof costs the weight of half a minute
        calm = msgspec.structs.replace(SETTINGS.monitors, open_interest_min_usd=1e12)
        ample = msgspec.structs.replace(SETTINGS.budget, risk=WEIGHT)
        settings = msgspec.structs.replace(SETTINGS, venue_sim=market, monitors=calm, budget=ample)
        self._mesh = WholeMesh(seed, settings=settings, operator=OPERATOR.address)
        assert isinstance(self._mesh.venue.venue, Venue)
        self._mesh.venue.venue._address.weight = Window(WEIGHT)
        self._chance = self._mesh.chance
        self._signed_at = Nanos(0)
        self._sign = self._mesh.venue.sign
        self._mesh.venue.sign = self._on_sign  # type: ignore[method-assign]  # a witness of each signature

    def kill(self, trigger: str) -> dict[str, float]:
        """Kill when the mesh quotes; return milliseconds from the trigger to each stage."""
        self._until("quoting", lambda: {"BTC", "ETH"} <= self._resting_coins(), QUOTING_S_MAX)
        self._mesh.run_for(self._chance.random() * 2)
        self._signed_at = began = self._now
        self._pull(trigger)
        self._until("contained", lambda: self._said(contained=True) is not None, CONTAINED_S_MAX)
        contained, latched = self._said(contained=True), self._said(contained=False)
        assert contained is not None
        assert latched is not None
        accepted, emptied = self._venue_times(began)
        found = (latched, self._signed_at, accepted, emptied, contained)
        self._arm()
        return {stage: (at - began) / MILLISECOND for stage, at in zip(STAGES, found, strict=True)}

    @property
    def _now(self) -> Nanos:
        return self._mesh.simulation.now

    def _on_sign(self, service: str, effect: Sign) -> Signed | SignFailed:
        if service == "risk" and isinstance(effect.action, Place | Modify):
            self._signed_at = self._now
        return self._sign(service, effect)

    def _pull(self, trigger: str) -> None:
        simulation = self._mesh.simulation
        simulation.published.clear()
        simulation.halt.append(HaltFile(name=f"{self._now}", cause=trigger, by="bench"))
        for at in simulation.network.arrivals("cli", "risk", self._now, may_lose=False):
            simulation._push(at, "risk", simulation._halt_directory())  # its shell looks when it is told
        if trigger == TRIGGERS[1]:
            simulation.crash("order_management")
            simulation.run(Nanos(self._now + 2 * SECOND))
            simulation.start("order_management")

    def _arm(self) -> None:
        """Give the operator's word, and forget what was."""
        names = tuple(file.name for file in self._mesh.simulation.halt)
        command = arm_command("bench", names, Millis(EPOCH_MS + self._now // MILLISECOND))
        request = ArmRequest(request_id=1, command=command, signature=sign_command(OPERATOR, command))
        self._mesh.simulation._give("risk", request)
        assert self._mesh.simulation.halt == [], self._mesh.states()
        self._mesh.venue.lines.clear()

    def _said(self, *, contained: bool) -> Nanos | None:
        """Return when risk first said that it is latched, or contained."""
        for at, _, message in self._mesh.simulation.published:
            if isinstance(message, Halt) and message.latched and (message.contained or not contained):
                return at
        return None

    def _resting_coins(self) -> set[str]:
        return {order.coin for order in self._mesh.judge.resting().values()}

    def _venue_times(self, began: Nanos) -> tuple[Nanos, Nanos]:
        """Return when the venue accepted our last order, and when the last one of ours was gone."""
        accepted = emptied = began
        for line in self._mesh.venue.lines:
            if isinstance(line, witness.Order) and line.user == self._mesh.judge.user:
                at = Nanos(max(began, (line.t - EPOCH_MS) * MILLISECOND))
                emptied = at
                accepted = at if line.status == "open" else accepted
        return accepted, emptied

    def _until(self, what: str, condition: Callable[[], bool], seconds: float) -> None:
        for _ in range(int(seconds / STEP_S)):
            if condition():
                return
            self._mesh.run_for(STEP_S)
        raise AssertionError(f"not {what} within {seconds:g} s: {self._mesh.states()}")


def measure(kills: int = KILLS) -> Iterator[Table]:
    mesh = Kills(1)
    found = [mesh.kill(TRIGGERS[number % len(TRIGGERS)]) for number in range(kills)]
    rows = [(f"trigger -> {stage}", *spread([kill[stage] for kill in found], SHARES)) for stage in STAGES]
    notes = (
        f"triggers in turn: {' and '.join(TRIGGERS)}; targets: last signature 50 ms, venue empty 1 s",
        f"all cores on a virtual clock, a volatile market; 5 to 60 ms to the venue, blocks of {BLOCK_MS} ms",
        "CONTAINED waits for a noop, or for what was signed to expire (2 s), and then for three lists, 250 ms apart",
    )
    columns = ("ms", "kills", "p50", "p99", "max")
    yield Table(title="A kill on the virtual clock, by the venue's log", columns=columns, rows=rows, notes=notes)

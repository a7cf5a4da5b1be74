"""All cores of the mesh in one simulation, as the processes would be wired."""

import random
from pathlib import Path
from typing import Final

from common import config, witness
from common.simulation.driver import Simulation
from common.simulation.network import Network, Weather
from common.units import MICROS_PER_USD, MILLISECOND, SECOND, Lots, Micros, Nanos, Side, Ticks
from services.replay.seating import ORDER, seats
from services.replay.venue_link import ACCOUNT, AGENTS, EPOCH_MS, OPERATOR, synthetic
from services.venue_sim.api import ActionRequest, Deposit, OrderSpec, PlaceOrders, Tif
from tests.mesh.judge import Judge

SETTINGS: Final = config.load(Path(__file__).parents[3] / "deploy" / "sim.toml")


class WholeMesh:
    """A seeded world: `run_for` advances it, `judge` sees what the venue saw."""

    def __init__(
        self,
        seed: int,
        *,
        settings: config.Settings = SETTINGS,
        weather: Weather | None = None,
        start: bool = True,
        operator: str = OPERATOR,
    ) -> None:
        self.chance = random.Random(seed)
        self.venue = synthetic(settings, random.Random(seed + 1))
        self.simulation = Simulation(
            seats=seats(settings, ACCOUNT, operator, AGENTS),
            venue=self.venue,
            network=Network(random.Random(seed + 2), weather or Weather()),
            unit=settings.liveness.units(1),
            block=Nanos(settings.venue_sim.block_ms * MILLISECOND),
        )
        self._judge = Judge(Path("/nonexistent"), ACCOUNT)
        if start:
            self.start()

    def start(self) -> "WholeMesh":
        for name in ORDER:
            self.simulation.start(name)
        return self

    def run_for(self, seconds: float) -> "WholeMesh":
        self.simulation.run(Nanos(self.simulation.now + int(seconds * SECOND)))
        return self

    def place_foreign(self, coin: str, ticks: Ticks, lots: Lots) -> None:
        """The account's owner bids by hand, with a key that is not ours."""
        spec = OrderSpec(coin=coin, side=Side.BUY, ticks=ticks, lots=lots, tif=Tif.GTC)
        nonce = EPOCH_MS + self.simulation.now // MILLISECOND
        request = ActionRequest(request_id=0, signer=ACCOUNT, action=PlaceOrders((spec,)), nonce=nonce)
        self.venue.venue.exchange.submit(request)

    def deposit_usd(self, usd: int) -> None:
        self.venue.venue.exchange.feed(Deposit(user=ACCOUNT, micros=Micros(usd * MICROS_PER_USD)))

    def spend_requests(self, requests: int) -> None:
        """The account has sent so many actions before."""
        self.venue.venue.exchange._floor.accounts[ACCOUNT].budget.used += requests

    def leave_requests(self, requests: int) -> None:
        """The account may send so many actions more, whatever it earns by trading."""
        self.venue.venue.exchange._floor.accounts[ACCOUNT].budget.leave(requests)

    def refused(self, text: str) -> list[str]:
        """Return the venue's refusals that say so."""
        verdicts = (line for line in self.venue.lines if isinstance(line, witness.Verdict))
        return [verdict.error for verdict in verdicts if text in verdict.error]

    @property
    def judge(self) -> Judge:
        self._judge.lines = self.venue.lines
        return self._judge

    def states(self) -> dict[str, str]:
        return {
            name: f"{seat.actor.state}: {seat.actor.detail}" if seat.actor else "dead"
            for name, seat in self.simulation.seats.items()
        }

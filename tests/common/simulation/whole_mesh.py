"""All cores of the mesh in one simulation, as the processes would be wired."""

import random
from functools import partial
from pathlib import Path
from typing import Final

from common import arming, config
from common.simulation.driver import Seat, Simulation
from common.simulation.network import Network, Weather
from common.units import MILLISECOND, SECOND, Nanos
from services.canceller import core as canceller
from services.estimation import core as estimation
from services.market_data import core as market_data
from services.order_management import core as order_management
from services.risk import core as risk
from services.strategy import core as strategy
from tests.common.simulation.local_venue import ACCOUNT, LocalVenue
from tests.mesh.judge import Judge

SETTINGS: Final = config.load(Path(__file__).parents[3] / "deploy" / "sim.toml")
OPERATOR: Final = "0x" + "0e" * 20
ORDER: Final = ("risk", "canceller", "order_management", "market_data", "estimation", "strategy")


def seats(settings: config.Settings) -> dict[str, Seat]:
    """Return every actor of the order path; each can be rebuilt from its records."""
    verify = partial(arming.verify_command, OPERATOR)
    return {
        "risk": Seat(inbox=risk.Inbox, build=lambda boot, rows: risk.Risk(settings, boot, ACCOUNT, rows, verify)),
        "canceller": Seat(
            inbox=canceller.Inbox,
            build=lambda boot, rows: canceller.Canceller(settings, boot, ACCOUNT, tuple(rows)),
        ),
        "order_management": Seat(
            inbox=order_management.Inbox,
            build=lambda boot, rows: order_management.OrderManagement(settings, boot, ACCOUNT, rows),
        ),
        "market_data": Seat(inbox=market_data.Inbox, build=lambda boot, _rows: market_data.MarketData(settings, boot)),
        "estimation": Seat(inbox=estimation.Inbox, build=lambda boot, _rows: estimation.Estimation(settings, boot)),
        "strategy": Seat(inbox=strategy.Inbox, build=lambda boot, _rows: strategy.Strategy(settings, boot)),
    }


class WholeMesh:
    """A seeded world: `run_for` advances it, `judge` sees what the venue saw."""

    def __init__(
        self, seed: int, *, settings: config.Settings = SETTINGS, weather: Weather | None = None, start: bool = True
    ) -> None:
        self.chance = random.Random(seed)
        self.venue = LocalVenue(settings, random.Random(seed + 1))
        self.simulation = Simulation(
            seats=seats(settings),
            venue=self.venue,
            network=Network(random.Random(seed + 2), weather or Weather()),
            unit=settings.liveness.units(1),
            block=Nanos(settings.venue_sim.block_ms * MILLISECOND),
        )
        self._judge = Judge(Path("/nonexistent"), ACCOUNT)
        if start:
            for name in ORDER:
                self.simulation.start(name)

    def run_for(self, seconds: float) -> "WholeMesh":
        self.simulation.run(Nanos(self.simulation.now + int(seconds * SECOND)))
        return self

    @property
    def judge(self) -> Judge:
        self._judge.lines = self.venue.lines
        return self._judge

    def states(self) -> dict[str, str]:
        return {
            name: f"{seat.actor.state}: {seat.actor.detail}" if seat.actor else "dead"
            for name, seat in self.simulation.seats.items()
        }

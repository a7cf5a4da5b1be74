"""All cores of the order path, wired for one process; each can be rebuilt from its records."""

from collections.abc import Mapping
from functools import partial
from typing import Final

from common import arming
from common.config import Settings
from common.simulation.driver import Seat
from services.canceller import core as canceller
from services.estimation import core as estimation
from services.market_data import core as market_data
from services.order_management import core as order_management
from services.risk import core as risk
from services.strategy import core as strategy

ORDER: Final = ("risk", "canceller", "order_management", "market_data", "estimation", "strategy")  # of starting


def seats(settings: Settings, account: str, operator: str, agents: Mapping[str, str]) -> dict[str, Seat]:
    """Return every actor of the order path by name."""
    verify = partial(arming.verify_command, operator)
    return {
        "risk": Seat(
            inbox=risk.Inbox, build=lambda boot, rows: risk.Risk(settings, boot, account, rows, verify, agents=agents)
        ),
        "canceller": Seat(
            inbox=canceller.Inbox,
            build=lambda boot, rows: canceller.Canceller(settings, boot, account, tuple(rows)),
        ),
        "order_management": Seat(
            inbox=order_management.Inbox,
            build=lambda boot, rows: order_management.OrderManagement(settings, boot, account, rows),
        ),
        "market_data": Seat(inbox=market_data.Inbox, build=lambda boot, _rows: market_data.MarketData(settings, boot)),
        "estimation": Seat(inbox=estimation.Inbox, build=lambda boot, _rows: estimation.Estimation(settings, boot)),
        "strategy": Seat(inbox=strategy.Inbox, build=lambda boot, _rows: strategy.Strategy(settings, boot)),
    }

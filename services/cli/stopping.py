"""Stops a run in order, and says what of ours is left at the venue.

First who wants orders, then who places them (it cancels all and verifies), then who signs and who watches, at last the
local venue and supervisord. Until risk and the canceller stop, both can still cancel.
"""

import time
from collections.abc import Callable
from typing import Final

from common import keys
from common.errors import ConfigFault, PeerFault
from common.home import Home
from services.cli.gather import is_held, settings_of
from services.cli.supervision import Supervisor
from services.cli.venue import VenueReader

STOP_ORDER: Final = ("strategy", "order_management", "risk", "canceller", "market_data", "estimation", "metrics")
STOP_S_MAX: Final = 25.0  # stopwaitsecs of order_management, then supervisord kills
LAST_LOOK_S_MAX: Final = 3.0  # a cancel that was accepted shows in the list within a block
POLL_S: Final = 0.05


def stop_run(home: Home, supervisor: Supervisor, say: Callable[[str], None]) -> int | None:
    """Stop everything; return how many orders of ours rest, None when the venue does not tell."""
    for name in STOP_ORDER:
        _stop(supervisor, name, say)
    left = resting(home)
    _stop(supervisor, "venue_sim", say)
    try:
        supervisor.shutdown()
    except PeerFault:
        say("supervisord is gone already")
    return left


def await_end(home: Home, seconds_max: float = STOP_S_MAX) -> bool:
    """Wait until nobody holds the run any more."""
    until = time.monotonic() + seconds_max
    while is_held(home.lock("up")):
        if time.monotonic() > until:
            return False
        time.sleep(POLL_S)
    return True


def resting(home: Home, seconds_max: float = LAST_LOOK_S_MAX) -> int | None:
    """Count our orders by the venue's own list, looking again while it is not empty."""
    until = time.monotonic() + seconds_max
    try:
        reader = reader_of(home)
        while (count := len(reader.open_orders().ours)) and time.monotonic() < until:
            time.sleep(4 * POLL_S)
    except (PeerFault, ConfigFault):
        return None
    return count


def reader_of(home: Home) -> VenueReader:
    """Return a reader of this home's account; ConfigFault when the home has none yet."""
    settings = settings_of(home)
    if settings is None:
        raise ConfigFault(f"{home.config}: there is no run here yet; start with `mm up --home {home.path}`")
    account = settings.venue.account or keys.read_public(home).account
    return VenueReader(settings.venue.url, account, settings.instruments())


def last_words(left: int | None) -> str:
    if left is None:
        return "stopped; the venue did not say what rests: check with `mm orders`"
    return f"stopped; {left} orders of ours rest at the venue"


def _stop(supervisor: Supervisor, name: str, say: Callable[[str], None]) -> None:
    try:
        info = supervisor.processes().get(name)
        if info is None or info.is_stopped:
            return
        say(f"stopping {name}")
        supervisor.stop(name)
        until = time.monotonic() + STOP_S_MAX
        while time.monotonic() < until and not supervisor.processes()[name].is_stopped:
            time.sleep(POLL_S)
    except PeerFault as fault:
        say(f"{name}: {fault}")

"""`mm halt`: write the halt file, tell everybody, prove that nothing of ours can arrive or rest.

The file alone stops trading: every service looks into the directory, and risk before each signature. Nobody is asked
for leave, and everything here works with risk, order_management or both dead.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from common import mesh
from common.config import Settings
from common.errors import ConfigFault, PeerFault, Unrecoverable
from common.halt import HaltDir
from common.home import Home
from common.messages import Halt, HaltNotice
from common.wiring import CLI, wiring
from services.cli import exits
from services.cli.containment import LOOK_GAP_S, Containment
from services.cli.gather import is_held, settings_of
from services.cli.stopping import reader_of
from services.cli.venue import OpenOrders, VenueReader

TOLD: Final = ("risk", "order_management", "canceller")
TELL_S_MAX: Final = 0.5  # they look by themselves at their next heartbeat
ASK_S_MAX: Final = 0.5


def halt(home: Home, reason: str, timeout_s: float, *, everything: bool = False, coin: str = "") -> int:
    """Halt and wait for the proof; 0 when it is there, 3 when only the file is.

    `everything` has the canceller cancel the orders of others on the account too; `coin` halts this one alone.
    """
    if not home.path.is_dir():
        raise ConfigFault(f"{home.path}: there is no such home; name it with --home")
    until = time.monotonic() + timeout_s
    settings, unproven = _settings(home)
    if coin and settings and coin not in settings.coins:
        raise ConfigFault(f"--coin: {coin} is not traded here; one of {', '.join(sorted(settings.coins))}")
    _write(home, reason, everything=everything, coin=coin)
    tell(home)
    if settings is None:
        exits.report(unproven)
        return exits.NOT_YET
    containment = Containment(
        settings.orders.order_expiry_ms + settings.orders.margin_ms, everything=everything, coin=coin
    )
    proof = _prove(home, containment, until, by_venue=everything or bool(coin))
    if proof:
        print(f"CONTAINED: {proof}")  # noqa: T201  # same
        return exits.OK
    exits.report(f"halted, but not proven CONTAINED within {timeout_s:g} s: {containment.detail}; see `mm orders`")
    return exits.NOT_YET


def _settings(home: Home) -> tuple[Settings | None, str]:
    """Return the configuration, or why nothing can be proven: a halt waits for no file to be mended."""
    try:
        return settings_of(home), "nothing was ever started on this home, so there is nothing to prove"
    except ConfigFault as fault:
        return None, f"halted, but nothing is proven: {fault}"


def _write(home: Home, reason: str, *, everything: bool, coin: str) -> None:
    try:
        home.prepare()
        file = HaltDir(home.halt).add("operator", reason, "mm", everything=everything, coin=coin)
    except (OSError, Unrecoverable) as fault:
        raise Unrecoverable(f"NOT halted: {fault}; `mm down` stops without the disk, and cancels what rests") from fault
    print(f"halt file written: {home.halt / file.name}", flush=True)  # noqa: T201  # a command speaks on stdout


def tell(home: Home) -> None:
    """Have the services look into the directory now; who does not answer looks later or is dead."""
    try:
        wires = wiring(home, CLI)
    except ConfigFault:
        return

    def notify(service: str) -> None:
        try:
            mesh.ask(wires, service, HaltNotice(request_id=time.monotonic_ns(), by="cli"), TELL_S_MAX)
        except PeerFault:
            return

    alive = [service for service in TOLD if is_held(home.lock(service))]
    with ThreadPoolExecutor(max_workers=len(TOLD)) as pool:
        list(pool.map(notify, alive))


def _prove(home: Home, containment: Containment, until: float, *, by_venue: bool) -> str:
    """Wait for risk's word, or look at the venue while risk says nothing; return who proved it, "" for nobody.

    Of the orders of others and of a single coin risk says nothing: there the venue is looked at in any case.
    """
    try:
        reader: VenueReader | None = reader_of(home)
    except ConfigFault as fault:
        reader = None
        containment.detail = str(fault)
    next_look = time.monotonic()
    while time.monotonic() < until:
        word = None if by_venue else risk_word(home)
        if word is not None:
            if word.halted and word.latched and word.contained:
                told = f"; {word.fates}, see `mm fates`" if word.fates else ""
                return f"risk has latched it and proved that nothing of ours can arrive or rest{told}"
            containment.detail = f"risk is at work: latched {word.latched}, contained {word.contained}"
        elif reader is not None and time.monotonic() >= next_look:
            if containment.see(_look(reader)):
                who = "" if by_venue else "risk is silent; "
                return f"{who}{containment.detail} at the venue, after all that was signed has expired"
            next_look = time.monotonic() + containment.wait_s
        time.sleep(max(0.0, min(LOOK_GAP_S, until - time.monotonic())))
    return ""


def risk_word(home: Home) -> Halt | None:
    """Return what risk says of the halt; None when it is dead or silent."""
    if not is_held(home.lock("risk")):
        return None
    try:
        found = mesh.snapshot(wiring(home, CLI), "risk", ASK_S_MAX).get((Halt.__name__, ""))
    except (PeerFault, ConfigFault):
        return None
    return found if isinstance(found, Halt) else None


def _look(reader: VenueReader) -> OpenOrders | None:
    try:
        return reader.open_orders()
    except PeerFault:
        return None

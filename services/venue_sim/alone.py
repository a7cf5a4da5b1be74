"""The venue on its own, in a terminal: what a person chose, checked, and said in words (shell).

Rules
  1. Without a home everything is forgotten. A home keeps accounts and witness log; where `mm up` made it, its coins,
     account and agents count, and what is chosen here goes before its configuration.
  2. What a person can get wrong is one line on stderr and exit code 2.
"""

import argparse
import sys
from pathlib import Path
from typing import Final

import msgspec
import uvloop

from common import config, keys, log
from common.errors import ConfigFault
from common.home import Home
from common.process import only_instance
from common.units import MICROS_PER_USD, Micros
from services.venue_sim import universe
from services.venue_sim.assembly import Plan, plan_of
from services.venue_sim.recordings import Say
from services.venue_sim.scenarios import SCENARIOS
from services.venue_sim.serving import serve
from services.venue_sim.tape_market import TapeMarket

EX_USAGE: Final = 2  # what the command line `mm` exits with for the same mistakes
SEED_DEFAULT: Final = 1


def scenarios() -> str:
    """Return a table of the named markets."""
    width = max(map(len, SCENARIOS))
    return "".join(f"{name:{width}}  {scenario.description}\n" for name, scenario in SCENARIOS.items())


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM; return the exit code."""
    try:
        if arguments.home is None:
            return _serve(arguments, None)
        home = Home(arguments.home.resolve())
        try:
            home.prepare()
        except OSError as error:
            raise ConfigFault(f"{home.path}: cannot be made ({error.strerror}); choose another with --home") from error
        with only_instance(home.lock("venue_sim"), "venue_sim", wait_s=0):
            return _serve(arguments, home)
    except ConfigFault as fault:
        sys.stderr.write(f"mm: {fault}\n")
        return EX_USAGE


def _serve(arguments: argparse.Namespace, home: Home | None) -> int:
    log.configure("venue_sim", "WARNING")
    plan = _chosen(arguments, _plan(home))
    tape = None
    if arguments.tape is not None:
        tape = _recording(arguments.tape, plan, log.get().warning)
        plan = msgspec.structs.replace(plan, coins=universe.recorded(plan.coins, tape.first_oracles()))

    def opened(url: str, faults: Path | None) -> None:
        sys.stdout.write(_welcome(plan, url, home, faults, arguments.tape))
        sys.stdout.flush()

    return uvloop.run(serve(plan, arguments.port, home, tape, opened))


def _plan(home: Home | None) -> Plan:
    if home is None or not home.config.exists():
        return plan_of(seed=SEED_DEFAULT)
    settings = config.load(home.config)
    return plan_of(settings, keys.read_public(home), seed=settings.venue_sim.seed)


def _chosen(arguments: argparse.Namespace, plan: Plan) -> Plan:
    """Put what was chosen in the place of what the plan says."""
    if arguments.scenario is not None and arguments.tape is not None:
        raise ConfigFault("--scenario and --tape are two markets; choose one")
    equity = arguments.equity
    if equity is not None and not 0 < equity < 1e12:
        raise ConfigFault(f"--equity {equity}: must be more than 0 and less than 10^12 USD")
    chosen = {
        "seed": arguments.seed,
        "scenario": arguments.scenario,
        "equity": None if equity is None else Micros(round(equity * MICROS_PER_USD)),
        "faults": arguments.faults or None,
    }
    return msgspec.structs.replace(plan, **{name: value for name, value in chosen.items() if value is not None})


def _recording(path: Path, plan: Plan, say: Say) -> TapeMarket:
    """Open a recording of any of the plan's coins; ConfigFault when it has none."""
    found, fault = [], ConfigFault(f"{path}: no recording")
    for coin in plan.coins:
        try:
            TapeMarket(path, (coin.instrument,), speed=1.0, loop=False, say=lambda _: None)
        except ConfigFault as reason:
            fault = reason
        else:
            found.append(coin.instrument)
    if not found:
        raise fault
    return TapeMarket(path, tuple(found), speed=1.0, loop=False, say=say)


def _welcome(plan: Plan, url: str, home: Home | None, faults: Path | None, tape: Path | None) -> str:
    """Say what a person needs to point a client here."""
    coins = ", ".join(coin.instrument.coin for coin in plan.coins)
    kept = "nowhere; it is all forgotten at the end" if home is None else f"in {home.path}"
    market = f"the recording {tape}" if tape else f"scenario {plan.scenario}" if plan.scenario else "the ordinary one"
    lines = (
        f"a local Hyperliquid listens on {url}",
        f"  clients     base URL {url}, WebSocket {url.replace('http', 'ws', 1)}/ws, signatures as for {plan.network}",
        f'  python sdk  Exchange(wallet, "{url}")',
        f"  market      {market}, seed {plan.seed}; {coins}",
        f"  accounts    a new address has {plan.equity / MICROS_PER_USD:,.2f} USD; mm venue accounts --url {url}",
        f"  state       kept {kept}",
        *(() if faults is None else (f"  faults      mm venue fault NAME --socket {faults}",)),
        "Ctrl-C stops it.",
    )
    return "\n".join(lines) + "\n"

"""The local venue as a process: `--home` for a mesh, `--port` for a program, `--alone` for a person.

With a home it keeps its accounts in HOME/data and its log in HOME/witness, and it opens the home's account with its
agents. Without one it forgets everything. Exit codes are those of every service (common/process.py); alone.py has its
own.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Final

import msgspec
import uvloop

from common import config, keys, log
from common.errors import ConfigFault
from common.home import Home
from common.process import EX_HALTED, EX_OK, harden, only_instance
from services.venue_sim import alone
from services.venue_sim.assembly import plan_of
from services.venue_sim.serving import serve
from services.venue_sim.tape_market import TapeMarket
from services.venue_sim.universe import recorded

PORT_DEFAULT: Final = 3001  # what the official client calls local


def main() -> int:
    arguments = _arguments()
    if arguments.list_scenarios:
        sys.stdout.write(alone.scenarios())
        return EX_OK
    if arguments.alone:
        return alone.run(arguments)
    try:
        if arguments.home is None:
            log.configure("venue_sim", "INFO")
            return uvloop.run(serve(plan_of(seed=arguments.seed or alone.SEED_DEFAULT), arguments.port, home=None))
        home = Home(arguments.home.resolve())
        settings = config.load(home.config)
        home.prepare()
        with only_instance(home.lock("venue_sim"), "venue_sim"):
            harden()
            log.configure("venue_sim", settings.log.level)
            plan = plan_of(settings, keys.read_public(home), seed=settings.venue_sim.seed)
            tape = _recording(settings)
            if tape is not None:
                plan = msgspec.structs.replace(plan, coins=recorded(plan.coins, tape.first_oracles()))
            return uvloop.run(serve(plan, settings.venue_sim.port, home, tape))
    except ConfigFault as fault:
        sys.stdout.write(f"venue_sim: {fault}\n")
        return EX_HALTED


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m services.venue_sim")
    parser.add_argument("--home", type=Path, help="directory of a run; port, seed and coins are in its configuration")
    parser.add_argument("--port", type=int, default=PORT_DEFAULT, help="0 chooses a free one")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--list-scenarios", action="store_true", help="print the named markets")
    person = parser.add_argument_group("for a person")
    person.add_argument("--alone", action="store_true", help="speak to a terminal; a home needs no configuration")
    person.add_argument("--equity", type=float, help="USD of an account that is seen for the first time")
    person.add_argument("--scenario")
    person.add_argument("--tape", type=Path)
    person.add_argument("--faults", action="store_true", help="open the socket by which faults can be asked for")
    return parser.parse_args()


def _recording(settings: config.Settings) -> TapeMarket | None:
    """Open the configured recording; ConfigFault when it lacks a coin."""
    sim = settings.venue_sim
    if not sim.tape:
        return None
    instruments = tuple(settings.instruments().values())
    return TapeMarket(Path(sim.tape), instruments, speed=sim.tape_speed, loop=False, say=log.get().info)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)

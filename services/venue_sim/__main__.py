"""The local venue as a process: `--home HOME` for a mesh, `--port N --seed N` for anybody's client.

With a home it keeps its accounts in HOME/data and its log in HOME/witness, and it opens the home's account with its
agents. Without one it forgets everything. Exit codes are those of every service (common/process.py).
"""

import argparse
import asyncio
import contextlib
import errno
import os
import signal
import sqlite3
import sys
import time
import traceback
from pathlib import Path
from typing import Any, Final

import msgspec
import uvloop

from common import config, endpoints, keys, log
from common.errors import ConfigFault
from common.home import Home
from common.process import EX_BUG, EX_HALTED, EX_OK, harden, only_instance
from common.units import MILLISECOND, Millis
from services.venue_sim.assembly import Plan, assemble, plan_of
from services.venue_sim.log_files import LogFiles
from services.venue_sim.server import HOST, Server
from services.venue_sim.state_file import StateFile
from services.venue_sim.tape_market import TapeMarket
from services.venue_sim.universe import recorded

PORT_DEFAULT: Final = 3001  # what the official client calls local


def main() -> int:
    arguments = _arguments()
    try:
        if arguments.home is None:
            log.configure("venue_sim", "INFO")
            return uvloop.run(_serve(plan_of(seed=arguments.seed), arguments.port, home=None))
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
            return uvloop.run(_serve(plan, settings.venue_sim.port, home, tape))
    except ConfigFault as fault:
        sys.stdout.write(f"venue_sim: {fault}\n")
        return EX_HALTED


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m services.venue_sim")
    parser.add_argument("--home", type=Path, help="directory of a run; port, seed and coins are in its configuration")
    parser.add_argument("--port", type=int, default=PORT_DEFAULT, help="0 chooses a free one")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def _recording(settings: config.Settings) -> TapeMarket | None:
    """Open the configured recording; ConfigFault when it lacks a coin."""
    sim = settings.venue_sim
    if not sim.tape:
        return None
    instruments = tuple(settings.instruments().values())
    return TapeMarket(Path(sim.tape), instruments, speed=sim.tape_speed, loop=False, say=log.get().info)


async def _serve(plan: Plan, port: int, home: Home | None, recording: TapeMarket | None = None) -> int:
    """Serve until a signal or a fault."""
    log_files = None if home is None else LogFiles(home.witness, fsync=plan.witness_fsync)
    store = None if home is None else StateFile(home.database("venue_sim"))
    saved = None if store is None else store.load()
    sequence = 0 if log_files is None else log_files.last_sequence
    venue = assemble(plan, Millis(time.time_ns() // MILLISECOND), saved, last_sequence=sequence, recording=recording)
    server = Server(venue, block_ms=plan.block_ms, log_files=log_files, store=store)
    try:
        chosen = await server.start(port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise ConfigFault(f"port {port} is in use; choose another, 0 for a free one") from error
    if home is not None:
        endpoints.write(home, endpoints.VENUE, f"http://{HOST}:{chosen}")
    log.get().info("venue is open", url=f"http://{HOST}:{chosen}", restored=saved is not None)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    stop: asyncio.Future[Any] = loop.create_task(stopping.wait())  # its result is of no interest
    await asyncio.wait({stop, server.failed}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    fault = server.failed.exception() if server.failed.done() else None
    with contextlib.suppress(OSError, sqlite3.Error):  # what failed once may fail again
        await server.stop()
    match fault:
        case None:
            return EX_OK
        case OSError() | sqlite3.Error():
            raise ConfigFault(f"cannot write: {fault}; make room in the home, then start again")
        case _:
            log.get().error("bug", trace="".join(traceback.format_exception(fault)))
            return EX_BUG


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)

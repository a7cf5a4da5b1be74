"""Runs one venue until a signal or a fault: its files, its port, its socket for faults (shell)."""

import asyncio
import contextlib
import errno
import signal
import sqlite3
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Final

from common import endpoints, log
from common.errors import ConfigFault
from common.home import Home
from common.process import EX_BUG, EX_OK
from common.units import MILLISECOND, Millis
from services.venue_sim.assembly import Plan, assemble
from services.venue_sim.control import SOCKET, Control
from services.venue_sim.distance import at_distance
from services.venue_sim.faulty_venue import FaultyVenue
from services.venue_sim.log_files import LogFiles
from services.venue_sim.server import HOST, Server
from services.venue_sim.state_file import StateFile
from services.venue_sim.venue import Market

FAILURES: Final = (OSError, sqlite3.Error)


async def serve(
    plan: Plan,
    port: int,
    home: Home | None,
    recording: Market | None = None,
    opened: Callable[[str, Path | None], None] | None = None,
) -> int:
    """Serve; `opened` is told the URL and the socket for faults. ConfigFault where a person must act."""
    log_files = None if home is None else LogFiles(home.witness, fsync=plan.witness_fsync)
    store = None if home is None else StateFile(home.database("venue_sim"))
    saved = None if store is None else store.load()
    sequence = 0 if log_files is None else log_files.last_sequence
    venue = assemble(plan, Millis(time.time_ns() // MILLISECOND), saved, last_sequence=sequence, recording=recording)
    faulty = FaultyVenue(venue, Random(f"{plan.seed}/faults"), plan.account) if plan.faults else None
    door = at_distance(faulty or venue, plan.latency, Random(f"{plan.seed}/latency"))
    server = Server(door, block_ms=plan.block_ms, log_files=log_files, store=store)
    try:
        chosen = await server.start(port)
    except OSError as error:
        if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
            raise
        why = "is in use" if error.errno == errno.EADDRINUSE else "may not be used"
        raise ConfigFault(f"port {port} {why}; choose another, 0 for a free one") from error
    url, path = f"http://{HOST}:{chosen}", None
    if home is not None:
        endpoints.write(home, endpoints.VENUE, url)
    if faulty is not None:
        path = control_path(home, chosen)
        control = Control(faulty, server)
        await control.start(path)
        if home is not None:
            endpoints.write(home, endpoints.FAULTS, str(path))
    log.get().info("venue is open", url=url, restored=saved is not None, faults=str(path or ""))
    if opened is not None:
        opened(url, path)
    try:
        return await _until_stopped(server)
    finally:
        if path is not None:
            control.stop(path)


def control_path(home: Home | None, port: int) -> Path:
    """Name the socket for faults: in the run directory of a home, else in one of the port's own."""
    if home is not None:
        return (home.run() if home.run_record.exists() else home.default_run()) / SOCKET
    return endpoints.fault_socket(port)


async def _until_stopped(server: Server) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    stop: asyncio.Future[Any] = loop.create_task(stopping.wait())  # its result is of no interest
    await asyncio.wait({stop, server.failed}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    fault = server.failed.exception() if server.failed.done() else None
    with contextlib.suppress(*FAILURES):  # what failed once may fail again
        await server.stop()
    match fault:
        case None:
            return EX_OK
        case OSError() | sqlite3.Error():
            raise ConfigFault(f"cannot write: {fault}; make room in the home, then start again")
        case _:
            log.get().error("bug", trace="".join(traceback.format_exception(fault)))
            return EX_BUG

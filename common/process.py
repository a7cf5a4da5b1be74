"""Main of every service: one instance, one configuration, one exit code.

Order of a start: arguments -> lock -> halt directory -> crash budget -> journal -> actor -> mesh. Design for
`kill -9`: a start after it is the same path.

Exit codes (supervisord.conf names the ones that are not restarted)
  0  stopped as asked
  70 a bug: the traceback is in the log; restarted within the crash budget
  78 halted by design: configuration, second instance, failed journal, crash budget of a service nobody waits for
"""

import argparse
import asyncio
import contextlib
import ctypes
import fcntl
import gc
import hashlib
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

import msgspec
import uvloop

from common import config, crash_budget, keys, log
from common.actor import Boot
from common.errors import ConfigFault, Unrecoverable
from common.halt import HaltDir
from common.home import Home
from common.journal import Journal
from common.messages import Message
from common.shell import Parts, Shell
from common.tape import TapeWriter
from common.units import Nanos
from common.wiring import wiring

EX_OK: Final = 0
EX_BUG: Final = 70
EX_HALTED: Final = 78

OUTSIDE_THE_MESH: Final = ("cli", "venue_sim")  # their code decides nothing that the others rely on
LOCK_WAIT_S: Final = 5.0  # an orphan of a killed supervisord needs a moment to notice and let go
PR_SET_PDEATHSIG: Final = 1
PR_SET_DUMPABLE: Final = 4


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What a service's `build` may use."""

    home: Home
    settings: config.Settings
    boot: Boot
    rows: Iterable[Message]  # of its own journal, oldest first, as far back as `Service.memory` says
    account: str
    public: keys.PublicKeys


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """One program of the mesh."""

    name: str
    inbox: object  # the union that the actor handles: its subscription
    build: Callable[[Context], Parts]
    memory: Callable[[Journal], Iterable[Message]] | None = None  # what its core needs of its journal; None: has none
    halts_on_bug: bool = False  # on the order path: a bug writes a halt file
    roster: bool = True  # past its crash budget the mesh halts; otherwise the service just stays down
    stop_wait_s: float = 5.0


def run(service: Service) -> None:
    """Be this service until it ends; never returns."""
    arguments = argparse.ArgumentParser(prog=f"python -m services.{service.name}")
    arguments.add_argument("--home", type=Path, required=True, help="directory of this run")
    home = Home(arguments.parse_args().home.resolve())
    try:
        code = _run_locked(service, home)
    except (ConfigFault, Unrecoverable) as fault:
        sys.stdout.write(f"{service.name}: {fault}\n")
        code = EX_HALTED
    sys.stdout.flush()
    os._exit(code)  # threads of libraries must not keep a service from ending


@contextlib.contextmanager
def only_instance(path: Path, name: str, wait_s: float = LOCK_WAIT_S) -> Iterator[IO[str]]:
    """Hold the file lock of this name, or raise ConfigFault that names who holds it."""
    with path.open("a+") as lock:
        until = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if time.monotonic() >= until:
                    lock.seek(0)
                    holder = lock.read().strip() or "unknown"
                    raise ConfigFault(
                        f"{name} is already running on this home (pid {holder}); see `mm status`"
                    ) from error
                time.sleep(0.05)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield lock


def is_locked(path: Path) -> bool:
    """Say whether some process holds this lock."""
    if not path.exists():
        return False
    with path.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        return False


def forbid_dumps() -> None:
    """No core dump, and no ptrace of our memory."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0)


def harden() -> None:
    """As `forbid_dumps`, and no life after supervisord."""
    forbid_dumps()
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getppid()
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent or orphaned(os.environ, parent):
        raise ConfigFault("the supervisor died during the start")


def orphaned(environment: Mapping[str, str], parent: int) -> bool:
    """Say whether supervisord started us and is our parent no more: nobody would ever tell us that it died."""
    if "SUPERVISOR_ENABLED" not in environment or "BALLAST_RUN" not in environment:
        return False  # started by hand
    try:
        return int(Path(environment["BALLAST_RUN"], "supervisord.pid").read_text()) != parent
    except (OSError, ValueError):
        return True


def pin(cores: list[int], name: str) -> None:
    """Run on these cores alone; ConfigFault where the machine has none of them."""
    try:
        os.sched_setaffinity(0, cores)
    except (OSError, ValueError, OverflowError) as error:
        raise ConfigFault(f"cpu.affinity.{name}: {cores} are no cores of this machine") from error


def settle() -> None:
    """Take what lives as long as the process out of the collector's sight: each look at all of it costs 20 ms."""
    gc.collect()
    gc.freeze()


def build_hash(settings_text: bytes) -> str:
    """Hash code, schema and configuration: services that differ in any do not trade together."""
    digest = hashlib.sha256(settings_text)
    root = Path(__file__).parent.parent
    for source in sorted([*root.glob("common/**/*.py"), *root.glob("services/**/*.py")]):
        if source.relative_to(root).parts[1] not in OUTSIDE_THE_MESH:
            digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _run_locked(service: Service, home: Home) -> int:
    harden()
    settings = config.load(home.config)
    with only_instance(home.lock(service.name), service.name):
        log.configure(service.name, settings.log.level)
        logger = log.get()
        halt = HaltDir(home.halt)
        start = crash_budget.start(home.mark(service.name), time.time_ns() // 1_000_000_000, settings.crash_budget)
        if start.over_budget and not service.roster:
            raise ConfigFault(f"crash budget spent: {service.name} stays down; see its log, then `mm restart`")
        if start.over_budget:
            halt.add("crash budget", f"{service.name} ended uncleanly too often", service.name)
        if start.throttle_s:
            logger.warning("throttled after an unclean end", seconds=start.throttle_s)
            time.sleep(start.throttle_s)
        cores = settings.cpu.affinity.get(service.name)
        if cores:
            pin(cores, service.name)
        boot = Boot(
            epoch=start.epoch,
            started_at=Nanos(time.monotonic_ns()),
            build=build_hash(home.config.read_bytes()),
            pid=os.getpid(),
        )
        logger.info("starting", epoch=boot.epoch, build=boot.build, unclean=start.unclean)
        try:
            code = _serve(service, home=home, settings=settings, boot=boot, halt=halt, logger=logger)
        except ConfigFault:
            raise
        except Unrecoverable as fault:
            halt.add("unrecoverable", str(fault), service.name)
            raise
        except Exception as bug:  # the one broad except of the house: whatever it was, end as a bug
            logger.exception("bug")
            if service.halts_on_bug:
                halt.add("bug", f"{service.name}: {bug!r}", service.name)
            return EX_BUG
        if code == EX_OK:
            crash_budget.mark_clean(home.mark(service.name))
        return code


def _serve(
    service: Service,
    *,
    home: Home,
    settings: config.Settings,
    boot: Boot,
    halt: HaltDir,
    logger: Any,  # structlog's bound loggers have no useful type
) -> int:
    public = keys.read_public(home)
    wires = wiring(home, service.name, settings)
    journal = Journal(home.database(service.name), settings.journal.sync) if service.memory else None
    tape = (
        TapeWriter(home.tapes / f"{service.name}.{boot.epoch}.tape") if service.name in settings.tape.services else None
    )
    context = Context(
        home=home,
        settings=settings,
        boot=boot,
        rows=service.memory(journal) if service.memory and journal else (),
        account=settings.venue.account or public.account,
        public=public,
    )
    parts = service.build(context)
    settle()

    async def live() -> int:
        shell = Shell(
            service=service.name,
            inbox=service.inbox,
            parts=parts,
            boot=boot,
            wiring=wires,
            unit=settings.liveness.units(1),
            halt=halt,
            journal=journal,
            tape=tape,
            log=logger,
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, shell.stop, service.stop_wait_s)
        return await shell.run()

    try:
        return uvloop.run(live())
    finally:
        if journal:
            journal.close()

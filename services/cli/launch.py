"""Starts a run: lock, ports, home, keys, then supervisord with all services.

Order: what a person can get wrong is checked before anything is written; the lock of the run comes before the ports,
because a run that is already there holds them.
"""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final

import msgspec

from common import config, curve, endpoints, keys
from common.config import Profile, Settings
from common.errors import ConfigFault, PeerFault
from common.home import SERVICES, Home
from common.process import only_instance
from common.sections import Key
from services.cli import holder
from services.cli.configuration import ROOT, Effective, Overrides, effective, profile_file
from services.cli.drill import results
from services.cli.exits import Refused
from services.cli.gather import is_held
from services.cli.supervision import Supervisor
from services.cli.venue import VenueReader

LOOPBACK: Final = "127.0.0.1"
LOOKED_AT_S_MAX: Final = 0.3  # a command that only asks whether the lock is held holds it for a moment
START_S_MAX: Final = 40.0  # eight interpreters on one busy core; an idle machine needs 3 s
POLL_S: Final = 0.1


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A started supervisord and what it runs with."""

    home: Home
    settings: Settings
    supervisord: subprocess.Popen[bytes]
    supervisor: Supervisor


def services_of(settings: Settings) -> tuple[str, ...]:
    """Name the services of this profile, in the order of starting."""
    return tuple(name for name in SERVICES if name != "venue_sim" or settings.profile is Profile.SIM)


@contextlib.contextmanager
def held_home(home: Home) -> Iterator[IO[str]]:
    """Hold the lock of the whole run; Refused when another `mm up` does, or the supervisord that it left."""
    try:
        home.prepare()
    except OSError as error:
        raise ConfigFault(f"{home.path}: cannot be made ({error.strerror}); choose another with --home") from error
    path = home.lock("up")
    lock = contextlib.ExitStack()
    with lock:
        try:
            file = lock.enter_context(only_instance(path, "mm up", wait_s=LOOKED_AT_S_MAX))
        except ConfigFault as fault:
            holder = path.read_text().strip() or "unknown"
            raise Refused(
                f"{home.path} is already running (pid {holder}); see `mm status`, stop it with `mm down`"
            ) from fault
        yield file


def configure(home: Home, path: Path, overrides: Overrides) -> Effective:
    """Check the configuration, choose free ports for those that are 0, and say who listens where."""
    if home.config.exists():
        known, wanted = config.load(home.config).profile, config.load(path).profile
        if known is not wanted:
            raise ConfigFault(f"{home.path} is a home of the {known} profile; give {wanted} another one with --home")
    chosen = effective(path, overrides)
    if chosen.settings.profile is not Profile.SIM:
        _require_keys(home, chosen.settings)
        named = path == profile_file(chosen.settings.profile)
        source = f"--profile {chosen.settings.profile}" if named else f"--config {path}"
        results.require(home, chosen.settings, f"mm drill {source} --home {home.path}")
    return chosen


def with_free_ports(path: Path, overrides: Overrides, settings: Settings) -> Effective:
    """Check the configured ports, and put free ones in the place of 0; ConfigFault names the port that is taken."""
    with contextlib.ExitStack() as held:
        metrics = held.enter_context(listener(settings.metrics.port, "--metrics-port"))
        chosen = msgspec.structs.replace(overrides, metrics_port=metrics.getsockname()[1])
        if settings.profile is Profile.SIM:
            venue = held.enter_context(listener(settings.venue_sim.port, "--venue-port"))
            chosen = msgspec.structs.replace(chosen, venue_port=venue.getsockname()[1])
        return effective(path, chosen)


def write_home(home: Home, chosen: Effective) -> None:
    """Write what the services read: configuration, run directory, endpoints, throwaway keys of the local venue."""
    run = private_directory(home.default_run())
    home.run_record.write_text(f"{run}\n")
    _replace(home.config, chosen.text)
    if chosen.settings.profile is Profile.SIM:
        keys.prepare_sim(home, holder.prompted(chosen.settings))
        curve.prepare(home)
    endpoints.write(home, endpoints.VENUE, chosen.settings.venue.url)
    endpoints.write(home, endpoints.METRICS, f"http://{LOOPBACK}:{chosen.settings.metrics.port}/metrics")


def private_directory(path: Path) -> Path:
    """Make a directory that only this user enters; ConfigFault when somebody else was there first."""
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        if path.is_symlink() or path.stat().st_uid != os.geteuid():
            raise ConfigFault(f"{path}: belongs to somebody else; remove it or set XDG_RUNTIME_DIR")
        path.chmod(0o700)
    except OSError as error:
        raise ConfigFault(f"{path}: cannot be made ({error.strerror}); set XDG_RUNTIME_DIR") from error
    return path


def start(home: Home, settings: Settings, lock: IO[str]) -> Run:
    """Start supervisord; it inherits the lock as its stdin, so the run stays locked as long as either of us lives."""
    run = home.run()
    environment = {
        **os.environ,
        "BALLAST_HOME": str(home.path),
        "BALLAST_RUN": str(run),
        "BALLAST_PYTHON": sys.executable,
        "BALLAST_VENUE_SIM": "true" if settings.profile is Profile.SIM else "false",
    }
    with _boot_log(home).open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  # our own interpreter and file
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(ROOT / "supervisord.conf")],
            cwd=ROOT,
            env=environment,
            stdin=lock,
            stdout=log,
            stderr=subprocess.STDOUT,
            umask=0o077,  # logs, locks and databases of all services are their owner's alone
            start_new_session=True,  # a Ctrl-C in the terminal is for `mm`, which stops in order
        )
    lock.seek(0)
    lock.truncate(0)
    lock.write(str(process.pid))
    lock.flush()
    return Run(home=home, settings=settings, supervisord=process, supervisor=Supervisor(run))


def await_services(run: Run, interrupted: Callable[[], bool], seconds_max: float = START_S_MAX) -> str:
    """Wait until every service holds its lock; return what is wrong, "" when nothing is."""
    until = time.monotonic() + seconds_max
    missing = services_of(run.settings)
    while time.monotonic() < until and not interrupted():
        if run.supervisord.poll() is not None:
            return f"supervisord ended with {run.supervisord.returncode}: {_last_line(_boot_log(run.home))}"
        missing = tuple(name for name in missing if not _is_up(run, name))
        if not missing:
            return ""
        if ended := _ended(run, missing):
            return ended
        time.sleep(POLL_S)
    return "" if interrupted() else f"{', '.join(missing)} did not start; see `mm logs {missing[0]}`"


def _is_up(run: Run, name: str) -> bool:
    if name != "venue_sim":
        return is_held(run.home.lock(name))
    try:
        VenueReader(run.settings.venue.url, "", {}, timeout_s=1.0).health()
    except PeerFault:
        return False
    return True


def _ended(run: Run, missing: tuple[str, ...]) -> str:
    """Say why a missing service will not come by itself."""
    try:
        processes = run.supervisor.processes()
    except PeerFault:
        return ""  # supervisord itself is still starting
    for name in missing:
        info = processes.get(name)
        if info is not None and (info.halted_by_design or info.statename == "FATAL"):
            return f"{name} ended with {info.exitstatus}: {_last_line(run.home.logs / f'{name}.log')}"
    return ""


def _require_keys(home: Home, settings: Settings) -> None:
    """Refuse a real venue while keys are missing; what is in the files is checked by the services that open them."""
    for name in keys.NAMES:
        key: Key = getattr(settings.keys, name)
        store = keys.keystore_path(home, name, key)
        if not store.exists():
            raise ConfigFault(f"{store}: no keystore of {name}; make it with `mm keys init --home {home.path}`")
        if name != "operator" and not key.prompted and not (words := keys.passphrase_path(home, name, key)).exists():
            raise ConfigFault(f"{words}: no passphrase of {name}; put it there, mode 0600")
    public = keys.read_public(home)
    if public.account != settings.venue.account.lower():
        raise ConfigFault(
            f"venue.account is {settings.venue.account}, the keys of {home.path} were made for {public.account}"
        )


@contextlib.contextmanager
def listener(port: int, option: str) -> Iterator[socket.socket]:
    """Hold a port; ConfigFault names the option when somebody else has it."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the services do: TIME_WAIT is no owner
        try:
            held.bind((LOOPBACK, port))
            held.listen()
        except OSError as error:
            raise ConfigFault(
                f"port {port} is taken ({error.strerror}); choose another with {option}, 0 for a free one"
            ) from error
        yield held


def _replace(path: Path, text: str) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(text)
    draft.replace(path)


def _boot_log(home: Home) -> Path:
    """Where supervisord complains before it has a log."""
    return home.logs / "supervisord.out"


def _last_line(path: Path) -> str:
    try:
        lines = path.read_text(errors="replace").strip().splitlines()
    except OSError as error:
        return f"{path}: {error.strerror}"
    return lines[-1] if lines else f"nothing in {path}"

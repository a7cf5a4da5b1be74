"""Asks every service at once what it knows: one wedged process costs a second, not the answer."""

import fcntl
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec

from common import config, endpoints, mesh
from common.config import Profile, Settings
from common.errors import ConfigFault, PeerFault
from common.halt import HaltDir
from common.home import SERVICES, Home
from common.messages import HaltDirectory, Heartbeat, Message, Snapshot, SnapshotRequest, decode
from common.units import MILLISECOND, SECOND
from common.wiring import CLI, wiring
from services.cli.status import Facts, ServiceStatus, Status, assemble
from services.cli.venue import VenueReader

ASK_S_MAX: Final = 0.8
STARTING_S_MAX: Final = 10.0  # a process that holds its lock for longer and does not answer is wedged
VENUE: Final = "venue_sim"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What one service said."""

    status: ServiceStatus
    facts: Facts = {}
    detail: str = ""


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """The status, and what a person wants to read besides."""

    status: Status
    details: Mapping[str, str]  # service -> what it waits for, or why it is degraded
    halt: HaltDirectory


def overview(home: Home) -> Overview:
    """Ask everybody; never fails because of who does not answer."""
    settings = settings_of(home)
    urls = endpoints.read(home)
    names = [name for name in SERVICES if name != VENUE or settings is None or settings.profile is Profile.SIM]
    with ThreadPoolExecutor(max_workers=len(names)) as pool:
        answers = dict(zip(names, pool.map(lambda name: answer(home, name, urls), names), strict=True))
    halt = HaltDir(home.halt).read() if home.path.exists() else HaltDirectory()
    status = assemble(
        settings=settings,
        endpoints=urls,
        services={name: found.status for name, found in answers.items()},
        facts={name: found.facts for name, found in answers.items()},
        halt=halt,
    )
    return Overview(status=status, details={name: found.detail for name, found in answers.items()}, halt=halt)


def settings_of(home: Home) -> Settings | None:
    """Return the configuration of the last `mm up`; None before the first."""
    return config.load(home.config) if home.config.exists() else None


def is_held(lock: Path) -> bool:
    """Say whether a process holds this lock."""
    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def answer(home: Home, service: str, urls: Mapping[str, str]) -> Answer:
    """Ask one service; whoever does not answer is DOWN, or STARTING in its first seconds."""
    if service == VENUE:
        return _venue(urls.get("venue"))
    lock = home.lock(service)
    if not is_held(lock):
        return Answer(status=ServiceStatus(state="DOWN"))
    try:
        return heard(
            mesh.ask(wiring(home, CLI), service, SnapshotRequest(request_id=1), ASK_S_MAX), time.monotonic_ns()
        )
    except (PeerFault, ConfigFault) as fault:
        return Answer(status=_silent(lock, str(fault)))


def heard(reply: Message, now: int) -> Answer:
    """Read a snapshot that came at `now`; PeerFault when it is none or has no heartbeat."""
    if not isinstance(reply, Snapshot):
        raise PeerFault(f"answered {type(reply).__name__} to a snapshot request")
    facts: dict[tuple[str, str], Message] = {}
    beat_at = 0
    for topic, envelope, body in mesh.unpack(reply):
        facts[(topic, envelope.key)] = decode(topic, body)
        if topic == Heartbeat.__name__:
            beat_at = envelope.sent_at
    beat = facts.get((Heartbeat.__name__, ""))
    if not isinstance(beat, Heartbeat):
        raise PeerFault("has no heartbeat yet")
    status = ServiceStatus(
        state=beat.state.value,
        pid=beat.pid,
        epoch=beat.epoch,
        uptime_s=beat.uptime_ms * MILLISECOND / SECOND,
        loop_lag_ms=beat.loop_lag_us / 1_000,
        heartbeat_age_ms=round(max(0, now - beat_at) / MILLISECOND, 1),
    )
    return Answer(status=status, facts=facts, detail=beat.detail)


def _silent(lock: Path, error: str) -> ServiceStatus:
    try:
        pid = int(lock.read_text())
        held_s = (time.time_ns() - lock.stat().st_mtime_ns) / SECOND
    except (OSError, ValueError):
        return ServiceStatus(state="DOWN", error=error)
    return ServiceStatus(state="STARTING" if held_s < STARTING_S_MAX else "DOWN", pid=pid, error=error)


def _venue(url: str | None) -> Answer:
    if url is None:
        return Answer(status=ServiceStatus(state="DOWN"))
    try:
        health = VenueReader(url, "", {}, timeout_s=ASK_S_MAX).health()
    except PeerFault as fault:
        return Answer(status=ServiceStatus(state="DOWN", error=str(fault)))
    status = ServiceStatus(state="READY", pid=health.pid, epoch=health.epoch, uptime_s=health.uptime_s)
    return Answer(status=status, detail=f"block {health.block}")

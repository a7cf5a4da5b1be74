"""Asking everybody: who answers, who is down, who is wedged, and how long that takes."""

import fcntl
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq  # the peer of `mm` in these tests

from common import curve, endpoints
from common.errors import PeerFault
from common.home import SERVICES, Home
from common.messages import Ack, Heartbeat, Posture, PostureLevel, ServiceState
from common.sequences import Outbox
from common.units import MILLISECOND, Nanos
from services.cli import gather
from services.cli.status import encode
from tests.services.cli.samples import CONFIG, FakeVenue, made_home

BEAT = Heartbeat(
    service="risk",
    epoch=7,
    state=ServiceState.RECONCILING,
    loop_lag_us=1_500,
    pid=42,
    uptime_ms=2_500,
    detail="reading fills",
)
POSTURE = Posture(level=PostureLevel.PULL_QUOTES, coins={}, causes=("start",), risk_epoch=7)


def outbox(*, beat: bool = True) -> Outbox:
    made = Outbox("risk", 7)
    made.frames(POSTURE, Nanos(0))
    if beat:
        made.frames(BEAT, Nanos(1_000 * MILLISECOND))
    return made


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return made_home(tmp_path / "home")


@pytest.fixture
def risk_lock(home: Home) -> Iterator[Path]:
    """Risk's lock, held as a running service holds it."""
    path = home.lock("risk")
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(str(os.getpid()))
        lock.flush()
        yield path


def test_a_snapshot_is_read() -> None:
    """State, process and loop from the heartbeat; its age from when it was sent."""
    found = gather.heard(outbox().snapshot(1), 1_250 * MILLISECOND)
    assert found.status.state == "RECONCILING"
    assert (found.status.pid, found.status.epoch, found.status.uptime_s) == (42, 7, 2.5)
    assert (found.status.loop_lag_ms, found.status.heartbeat_age_ms) == (1.5, 250.0)
    assert found.facts[("Posture", "")] == POSTURE
    assert found.detail == "reading fills"


def test_other_answers_are_faults() -> None:
    """Another message, and a snapshot without a heartbeat, prove no life."""
    with pytest.raises(PeerFault, match="answered Ack"):
        gather.heard(Ack(request_id=1), 0)
    with pytest.raises(PeerFault, match="no heartbeat"):
        gather.heard(outbox(beat=False).snapshot(1), 0)


def test_nothing_runs(home: Home) -> None:
    """Every service is DOWN, nobody is waited for, and the answer is JSON."""
    began = time.monotonic()
    found = gather.overview(home).status
    assert time.monotonic() - began < gather.ASK_S_MAX
    assert {service.state for service in found.services.values()} == {"DOWN"}
    assert set(found.services) == set(SERVICES)
    assert json.loads(encode(found))["state"] == "DOWN"


def test_a_home_that_never_ran_is_not_halted(tmp_path: Path) -> None:
    """There is no directory that could be unreadable."""
    found = gather.overview(Home(tmp_path / "nowhere"))
    assert not found.status.halted
    assert not (tmp_path / "nowhere").exists()


def test_a_wedged_service_carries_an_error(home: Home, risk_lock: Path) -> None:
    """It holds its lock and does not answer: STARTING in its first seconds, DOWN after, and others do not wait."""
    began = time.monotonic()
    found = gather.overview(home).status.services["risk"]
    assert time.monotonic() - began < 2 * gather.ASK_S_MAX
    assert (found.state, found.pid) == ("STARTING", os.getpid())
    assert found.error == f"risk did not answer within {gather.ASK_S_MAX:g} s"
    old = time.time_ns() - int((gather.STARTING_S_MAX + 1) * 1e9)
    os.utime(risk_lock, ns=(old, old))
    assert gather.answer(home, "risk", {}).status.state == "DOWN"


@pytest.mark.usefixtures("risk_lock")
def test_a_living_service_is_asked(home: Home) -> None:
    """Its snapshot arrives through its own socket."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    router = context.socket(zmq.ROUTER)
    router.curve_server = True
    router.curve_secretkey = curve.load(home, "risk")._secret
    router.bind(f"ipc://{home.run()}/risk.req")

    def serve() -> None:
        identity, *_ = router.recv_multipart()
        made = outbox()
        answer = made.snapshot(1)
        from common.messages import encode as encoded  # noqa: PLC0415  # beside its one use

        router.send_multipart([identity, made.envelope(1, Nanos(0)), b"Snapshot", encoded(answer)])

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        found = gather.overview(home)
    finally:
        thread.join()
        router.close(linger=0)
        context.term()
    assert found.status.services["risk"].state == "RECONCILING"
    assert found.status.posture == "PULL_QUOTES"
    assert found.details["risk"] == "reading fills"


def test_the_local_venue_answers_for_itself(home: Home, venue: FakeVenue) -> None:
    """READY when it says so, DOWN with the reason otherwise."""
    endpoints.write(home, endpoints.VENUE, venue.url)
    found = gather.overview(home).status.services["venue_sim"]
    assert (found.state, found.pid, found.epoch, found.uptime_s) == ("READY", 7, 11, 3.5)
    venue.answers["health"] = 500
    found = gather.overview(home).status.services["venue_sim"]
    assert found.state == "DOWN"
    assert "500" in str(found.error)


def test_a_real_venue_is_no_process_of_ours(tmp_path: Path) -> None:
    """Outside of the sim profile there is no venue_sim that could be down."""
    text = CONFIG.replace('profile = "sim"', 'profile = "testnet"')
    home = made_home(tmp_path / "home", text=text)
    assert "venue_sim" not in gather.overview(home).status.services


def test_a_lock_is_held_or_not(home: Home, risk_lock: Path) -> None:
    """A missing file and a free one are nobody's."""
    assert gather.is_held(risk_lock)
    assert not gather.is_held(home.lock("strategy"))
    home.lock("strategy").touch()
    assert not gather.is_held(home.lock("strategy"))

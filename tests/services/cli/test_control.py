"""`mm down` and `mm restart`: exit codes say whether it is so, lines say what to do when it is not."""

import fcntl
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from common.errors import ConfigFault, PeerFault
from common.home import Home
from services.cli import exits
from services.cli.control import down, restart
from services.cli.stopping import STOP_ORDER
from tests.services.cli.daemon import Daemon, daemon, info
from tests.services.cli.samples import FakeVenue, cloid, made_home, wire_order


@pytest.fixture
def home(venue: FakeVenue) -> Iterator[Home]:
    """A home with a path short enough for sockets, that nothing runs on."""
    with tempfile.TemporaryDirectory(prefix="bl") as path:
        yield made_home(Path(path), url=venue.url)


@pytest.fixture
def held(home: Home) -> Iterator[IO[str]]:
    """The lock of a run, as supervisord holds it."""
    with home.lock("up").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock


class Programs(Daemon):
    """A supervisord whose programs stop at once, and start as `starts_as` says."""

    def __init__(self, lock: IO[str]) -> None:
        super().__init__()
        self._lock = lock
        self.infos: list[dict[str, Any]] = [info(name) for name in STOP_ORDER]
        self.starts_as = {"statename": "RUNNING", "pid": 8}

    def called(self, *call: object) -> bool:
        verb, *names = call
        for program in self.infos:
            if verb == "stop" and program["name"] in names:
                program["statename"] = "STOPPED"
            if verb == "start" and program["name"] in names:
                program.update(self.starts_as)
        if verb == "shutdown":
            fcntl.flock(self._lock, fcntl.LOCK_UN)
        return super().called(*call)


def test_down_stops_in_order_and_waits_for_the_end(
    home: Home, held: IO[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 0 when everything ended and nothing of ours rests; its words tell it."""
    with daemon(home.run(), Programs(held)) as played:
        assert down(home) == exits.OK
    assert played.calls == [*(("stop", name, False) for name in STOP_ORDER), ("shutdown",)]
    assert capsys.readouterr().out.splitlines()[-1] == "stopped; 0 orders of ours rest at the venue"


def test_down_fails_when_orders_are_left(
    home: Home, held: IO[str], venue: FakeVenue, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 1: stopped, but a person has to look."""
    venue.answers["frontendOpenOrders"] = [wire_order(cloid(1))]
    with daemon(home.run(), Programs(held)):
        assert down(home) == exits.FAILED
    assert capsys.readouterr().out.splitlines()[-1] == "stopped; 1 orders of ours rest at the venue"


def test_down_of_nothing_is_done(home: Home) -> None:
    """Exit 0: what was asked for is so."""
    assert down(home) == exits.OK


@pytest.mark.usefixtures("held")
def test_down_does_not_pretend(home: Home) -> None:
    """A run whose supervisord does not answer is a fault, not an end."""
    with pytest.raises(PeerFault, match="does not answer"):
        down(home)


def test_restart_names_both_processes(home: Home, held: IO[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 0 once the new one runs; no other program is touched."""
    with daemon(home.run(), Programs(held)) as played:
        assert restart(home, "risk") == exits.OK
    assert played.calls == [("stop", "risk", False), ("start", "risk", False)]
    assert capsys.readouterr().out == "risk restarted: pid 8, was 7\n"


def test_restart_into_a_halt_is_told_at_once(home: Home, held: IO[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 3: a service that ends with 78 waits for a person, so nobody waits for it."""
    programs = Programs(held)
    programs.starts_as = {"statename": "EXITED", "exitstatus": 78}
    with daemon(home.run(), programs):
        assert restart(home, "risk") == exits.NOT_YET
    assert "mm logs risk" in capsys.readouterr().err


def test_restart_needs_a_run(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 3 with what to do."""
    assert restart(home, "risk") == exits.NOT_YET
    assert "start with `mm up`" in capsys.readouterr().err


def test_restart_of_an_unknown_service_is_refused(home: Home, held: IO[str]) -> None:
    """Whether nobody knows it, or this run does without it."""
    with pytest.raises(ConfigFault, match="unknown service nobody"):
        restart(home, "nobody")
    with daemon(home.run(), Programs(held)), pytest.raises(ConfigFault, match="no part of this run"):
        restart(home, "venue_sim")

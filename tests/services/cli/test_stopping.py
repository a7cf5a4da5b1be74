"""The order of stopping, and what is left at the venue."""

from pathlib import Path

import pytest

from common.errors import ConfigFault, PeerFault
from common.home import Home
from services.cli.stopping import STOP_ORDER, last_words, reader_of, resting, stop_run
from services.cli.supervision import ProcessInfo, Supervisor
from tests.services.cli.samples import FakeVenue, cloid, made_home, wire_order


class Programs(Supervisor):
    """A supervisord whose programs stop at once."""

    def __init__(self, running: set[str]) -> None:
        super().__init__(Path("nowhere"))
        self.running = running
        self.calls: list[str] = []

    def processes(self) -> dict[str, ProcessInfo]:
        return {
            name: ProcessInfo(
                name=name, statename="RUNNING" if name in self.running else "STOPPED", pid=1, exitstatus=0
            )
            for name in (*STOP_ORDER, "venue_sim")
        }

    def stop(self, name: str) -> None:
        self.calls.append(name)
        self.running.discard(name)

    def shutdown(self) -> None:
        self.calls.append("shutdown")


class Gone(Supervisor):
    """A supervisord that died."""

    def __init__(self) -> None:
        super().__init__(Path("nowhere"))

    def processes(self) -> dict[str, ProcessInfo]:
        raise PeerFault("supervisord does not answer")

    def shutdown(self) -> None:
        raise PeerFault("supervisord does not answer")


def test_the_order(tmp_path: Path, venue: FakeVenue) -> None:
    """Who wants orders first, the local venue after the count, supervisord last; what is down is left alone."""
    home = made_home(tmp_path / "home", url=venue.url)
    programs = Programs({*STOP_ORDER, "venue_sim"} - {"estimation"})
    said: list[str] = []
    assert stop_run(home, programs, said.append) == 0
    assert programs.calls == [*(name for name in STOP_ORDER if name != "estimation"), "venue_sim", "shutdown"]
    assert said == [f"stopping {name}" for name in programs.calls[:-1]]


def test_a_dead_supervisord_is_told(tmp_path: Path) -> None:
    """Stopping goes on to the end and says what it met."""
    said: list[str] = []
    assert stop_run(made_home(tmp_path / "home", url="http://127.0.0.1:1"), Gone(), said.append) is None
    assert said[-1] == "supervisord is gone already"


def test_what_rests_is_counted_by_the_venues_list(tmp_path: Path, venue: FakeVenue) -> None:
    """Ours only, and looked at again while there are some."""
    home = made_home(tmp_path / "home", url=venue.url)
    venue.answers["frontendOpenOrders"] = [wire_order(cloid(1)), wire_order(None, oid=2)]
    assert resting(home, seconds_max=0.3) == 1
    assert venue.asked.count("frontendOpenOrders") > 1
    venue.answers["frontendOpenOrders"] = [wire_order(None, oid=2)]
    assert resting(home) == 0


def test_silence_is_not_zero(tmp_path: Path, venue: FakeVenue) -> None:
    """A venue that does not say is not one without orders."""
    home = made_home(tmp_path / "home", url=venue.url)
    venue.answers["frontendOpenOrders"] = 500
    assert resting(home) is None
    assert resting(made_home(tmp_path / "other", url=venue.url, public=False)) is None
    assert last_words(None) == "stopped; the venue did not say what rests: check with `mm orders`"
    assert last_words(0) == "stopped; 0 orders of ours rest at the venue"


def test_a_home_without_a_run_has_no_reader(tmp_path: Path) -> None:
    """The line says how to make one."""
    with pytest.raises(ConfigFault, match="start with `mm up"):
        reader_of(Home(tmp_path))

"""Control of supervisord over its socket: answers, faults, silence."""

import socket
from pathlib import Path

import pytest

from common.errors import PeerFault
from services.cli.supervision import ALREADY_STARTED, NOT_RUNNING, ProcessInfo, Supervisor
from tests.services.cli.daemon import daemon


def test_processes_are_read_by_name(tmp_path: Path) -> None:
    """Only what we use is read; what else supervisord tells is left alone."""
    with daemon(tmp_path):
        assert Supervisor(tmp_path).answers()
        found = Supervisor(tmp_path).processes()
    assert found == {"risk": ProcessInfo(name="risk", statename="RUNNING", pid=7, exitstatus=0)}


def test_calls_name_one_program_and_do_not_wait(tmp_path: Path) -> None:
    """Waiting is ours, with our own limits."""
    with daemon(tmp_path) as played:
        supervisor = Supervisor(tmp_path)
        supervisor.start("risk")
        supervisor.stop("strategy")
        supervisor.shutdown()
    assert played.calls == [("start", "risk", False), ("stop", "strategy", False), ("shutdown",)]


def test_what_is_so_already_is_no_fault(tmp_path: Path) -> None:
    """A program that stopped or started by itself meanwhile is what was wanted; any other fault is told."""
    with daemon(tmp_path) as played:
        supervisor = Supervisor(tmp_path)
        played.fault = ALREADY_STARTED
        supervisor.start("risk")
        with pytest.raises(PeerFault, match="refused stopProcess"):
            supervisor.stop("risk")
        played.fault = NOT_RUNNING
        supervisor.stop("risk")
        with pytest.raises(PeerFault, match="refused startProcess"):
            supervisor.start("risk")


def test_nonsense_is_a_fault(tmp_path: Path) -> None:
    """What does not look like process infos is not believed."""
    with daemon(tmp_path) as played:
        played.infos = [{"name": 3}]
        with pytest.raises(PeerFault, match="supervisord"):
            Supervisor(tmp_path).processes()


def test_no_socket_is_a_fault(tmp_path: Path) -> None:
    """A supervisord that is gone is told, not waited for."""
    assert not Supervisor(tmp_path).answers()
    with pytest.raises(PeerFault, match="does not answer"):
        Supervisor(tmp_path).processes()


def test_a_silent_supervisord_costs_its_time_out(tmp_path: Path) -> None:
    """One that accepts and never answers does not hang the command."""
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "supervisor.sock"))
        silent.listen()
        with pytest.raises(PeerFault, match="does not answer"):
            Supervisor(tmp_path, timeout_s=0.05).processes()


@pytest.mark.parametrize(
    ("statename", "exitstatus", "stopped", "by_design"),
    [
        ("RUNNING", 0, False, False),
        ("STOPPING", 0, False, False),
        ("STOPPED", 0, True, False),
        ("EXITED", 0, True, False),
        ("EXITED", 78, True, True),
        ("STOPPED", 78, True, False),
        ("FATAL", 78, True, False),
        ("BACKOFF", 70, False, False),
    ],
)
def test_states(statename: str, exitstatus: int, stopped: bool, by_design: bool) -> None:
    """Halted by design is an exit with 78 that nobody restarted; a stopped service is not."""
    found = ProcessInfo(name="risk", statename=statename, pid=0, exitstatus=exitstatus)
    assert (found.is_stopped, found.halted_by_design) == (stopped, by_design)

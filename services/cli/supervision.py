"""Talks to supervisord: XML-RPC over the unix socket in the run directory.

Every call has a time-out of its own and a connection of its own, so a stopped supervisord costs a command seconds and
never hangs it. What it answers is believed: it is our own, behind a 0700 directory.
"""

import http.client
import socket
import xmlrpc.client
from pathlib import Path
from typing import Final

import msgspec

from common.errors import PeerFault

CALL_S_MAX: Final = 5.0
EX_HALTED: Final = 78
NOT_RUNNING: Final = 70  # supervisor's fault codes
ALREADY_STARTED: Final = 60
STOPPED_STATES: Final = frozenset({"STOPPED", "EXITED", "FATAL", "UNKNOWN"})


class ProcessInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What supervisord knows of one program, as far as we use it."""

    name: str
    statename: str
    pid: int
    exitstatus: int

    @property
    def is_stopped(self) -> bool:
        return self.statename in STOPPED_STATES

    @property
    def halted_by_design(self) -> bool:
        """It ended with 78 and waits for a person."""
        return self.statename == "EXITED" and self.exitstatus == EX_HALTED


class Supervisor:
    """The supervisord of one run directory; PeerFault when it does not answer or refuses."""

    def __init__(self, run: Path, timeout_s: float = CALL_S_MAX) -> None:
        self._path = run / "supervisor.sock"
        self._timeout_s = timeout_s

    def processes(self) -> dict[str, ProcessInfo]:
        found = self._call("getAllProcessInfo")
        try:
            infos = msgspec.convert(found, list[ProcessInfo])
        except msgspec.ValidationError as error:
            raise PeerFault(f"supervisord: {error}") from error
        return {info.name: info for info in infos}

    def answers(self) -> bool:
        try:
            self._call("getState")
        except PeerFault:
            return False
        return True

    def start(self, name: str) -> None:
        """Start one program; it is no fault when it runs already."""
        self._call("startProcess", name, False, harmless=ALREADY_STARTED)

    def stop(self, name: str) -> None:
        """Ask one program to stop and return at once; it is no fault when it does not run."""
        self._call("stopProcess", name, False, harmless=NOT_RUNNING)

    def shutdown(self) -> None:
        """Stop what still runs, then supervisord itself."""
        self._call("shutdown")

    def _call(self, name: str, *args: str | bool, harmless: int = 0) -> object:
        transport = _UnixTransport(self._path, self._timeout_s)
        try:
            with xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=transport) as proxy:
                return getattr(proxy.supervisor, name)(*args)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == harmless:
                return None
            raise PeerFault(f"supervisord refused {name}{args}: {fault.faultString}") from fault
        except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
            raise PeerFault(f"supervisord does not answer on {self._path}: {error}") from error


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__()
        self._open = _UnixConnection(path, timeout_s)

    def make_connection(self, host: object) -> http.client.HTTPConnection:  # noqa: ARG002  # there is one server
        return self._open

    def close(self) -> None:
        self._open.close()

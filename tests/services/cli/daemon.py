"""A supervisord on its socket for the tests of `mm`: answers as told, remembers what was asked."""

import contextlib
import socketserver
import threading
import xmlrpc.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xmlrpc.server import SimpleXMLRPCDispatcher, SimpleXMLRPCRequestHandler


def info(name: str = "risk", statename: str = "RUNNING", exitstatus: int = 0) -> dict[str, Any]:
    return {"name": name, "statename": statename, "pid": 7, "exitstatus": exitstatus, "group": name, "logfile": "x"}


class Daemon:
    """Answers what supervisord would; remembers what was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.infos: Any = [info()]
        self.fault = 0

    def called(self, *call: object) -> bool:
        self.calls.append(call)
        if self.fault:
            raise xmlrpc.client.Fault(self.fault, "FAULT")
        return True

    def startProcess(self, name: str, wait: bool) -> bool:  # noqa: N802  # supervisor's name
        return self.called("start", name, wait)

    def stopProcess(self, name: str, wait: bool) -> bool:  # noqa: N802  # same
        return self.called("stop", name, wait)

    def shutdown(self) -> bool:
        return self.called("shutdown")

    def getState(self) -> dict[str, Any]:  # noqa: N802  # same
        return {"statecode": 1, "statename": "RUNNING"}

    def getAllProcessInfo(self) -> Any:  # noqa: N802  # same
        return self.infos


class Request(SimpleXMLRPCRequestHandler):
    """Speaks over a unix socket, which has no address to log and no Nagle to switch off."""

    disable_nagle_algorithm = False

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(socketserver.UnixStreamServer, SimpleXMLRPCDispatcher):
    logRequests = False  # noqa: N815  # xmlrpc's name

    def __init__(self, path: str) -> None:
        SimpleXMLRPCDispatcher.__init__(self, allow_none=True, encoding="utf-8", use_builtin_types=True)
        super().__init__(path, Request)


@contextlib.contextmanager
def daemon(run: Path, played: Daemon | None = None) -> Iterator[Daemon]:
    """Serve what `played` answers on the socket of this run directory."""
    played = played or Daemon()
    with Server(str(run / "supervisor.sock")) as server:
        for name in ("startProcess", "stopProcess", "shutdown", "getState", "getAllProcessInfo"):
            server.register_function(getattr(played, name), f"supervisor.{name}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield played
        finally:
            server.shutdown()
            thread.join()

"""Where the sockets of the mesh are: ipc paths in the run directory, or tcp where so configured."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from common import config, curve
from common.curve import Certificate
from common.home import Home

CLI: Final = "cli"  # the name under which commands ask


class Wiring(msgspec.Struct, frozen=True, kw_only=True):
    """One name's view of the mesh: addresses, and the keys by which the others know it.

    `tcp` is service -> (host, port): facts are published at that port, requests are taken at the next one. All
    processes share one monotonic clock (deadlines travel as its readings), so tcp joins containers or network
    namespaces of one host, never two hosts.
    """

    run: Path
    certificate: Certificate
    tcp: Mapping[str, tuple[str, int]] = {}

    def facts(self, service: str) -> str:
        return self._tcp(service, 0) if service in self.tcp else f"ipc://{self.run}/{service}.pub"

    def requests(self, service: str) -> str:
        return self._tcp(service, 1) if service in self.tcp else f"ipc://{self.run}/{service}.req"

    def _tcp(self, service: str, offset: int) -> str:
        host, port = self.tcp[service]
        return f"tcp://{host}:{port + offset}"


def wiring(home: Home, name: str, settings: config.Settings | None = None) -> Wiring:
    """Return the wiring of `name` on this home; ConfigFault when it has no run directory or no keys."""
    chosen: Final = settings or config.load(home.config)
    return Wiring(run=home.run(), certificate=curve.load(home, name), tcp=chosen.mesh.addresses())

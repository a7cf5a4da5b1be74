"""Wirings whose keys lie on no disk, for tests that join the mesh under several names."""

import contextlib
import socket
from collections.abc import Mapping
from pathlib import Path

import zmq

from common import curve
from common.curve import Certificate
from common.wiring import Wiring


def certificates(*more: str) -> dict[str, Certificate]:
    """Return certificates that know each other, for every name of the mesh and `more`."""
    pairs = {name: zmq.curve_keypair() for name in (*curve.NAMES, *more)}
    public = {name: key for name, (key, _) in pairs.items()}
    return {name: Certificate(name, secret, public) for name, (_, secret) in pairs.items()}


def free_ports(count: int) -> int:
    """Return the first of `count` neighbouring ports that nobody on loopback holds now."""
    while True:
        with contextlib.ExitStack() as held:
            first = held.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
            try:
                for port in range(first + 1, first + count):
                    held.enter_context(socket.create_server(("127.0.0.1", port)))
            except (OSError, OverflowError):
                continue
            return int(first)


def wirings(run: Path, tcp: Mapping[str, tuple[str, int]] | None = None) -> dict[str, Wiring]:
    return {
        name: Wiring(run=run, certificate=certificate, tcp=tcp or {}) for name, certificate in certificates().items()
    }

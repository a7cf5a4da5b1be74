"""Keeps what a person typed at `mm up` in memory, and hands each service its own passphrase.

Rules
  1. It takes the passphrases on its stdin, says "ready" once it listens, and lives as long as the run's lock is held.
     It is started before supervisord and is no child of it, which closes inherited descriptors.
  2. A passphrase goes to the process that the kernel names as this user's and as the holder of that service's lock.
  3. One request a connection, within a second; whatever it asks, nothing is logged.
"""

import argparse
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from common import keys
from common.config import Profile, Settings
from common.errors import ConfigFault
from common.home import Home
from common.passphrases import GRANTED, REFUSED, socket_path
from common.process import forbid_dumps, is_locked
from services.cli.configuration import ROOT

HELD: Final = ("risk", "canceller")
READY: Final = b"ready\n"
END_S_MAX: Final = 10.0
REQUEST_S_MAX: Final = 1.0
REQUEST_BYTES_MAX: Final = 64
LOOK_S: Final = 1.0  # between two looks at the run's lock
UCRED: Final = struct.Struct("3i")  # pid, uid, gid


class Holder:
    """Answers one connection at a time; `uid` is the only user that it answers."""

    def __init__(self, home: Home, words: Mapping[str, str], uid: int) -> None:
        self._home = home
        self._words = words
        self._uid = uid

    def answer(self, link: socket.socket) -> None:
        """Serve one connection (rules 2 and 3)."""
        link.settimeout(REQUEST_S_MAX)
        try:
            name = link.recv(REQUEST_BYTES_MAX).decode(errors="replace").strip()
            fault = self._fault(name, link)
            link.sendall(REFUSED + fault.encode() if fault else GRANTED + self._words[name].encode())
        except OSError:
            return  # whoever asked has gone

    def _fault(self, name: str, link: socket.socket) -> str:
        pid, uid, _ = UCRED.unpack(link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, UCRED.size))
        if uid != self._uid:
            return f"uid {uid} is not {self._uid}"
        if name not in self._words:
            return f"no passphrase of {name!r} was typed"
        lock = self._home.lock(name)
        if not is_locked(lock) or lock.read_text().strip() != str(pid):
            return f"process {pid} does not hold the lock of {name}"
        return ""


def serve(holder: Holder, home: Home, say: Callable[[bytes], None]) -> None:
    """Listen as long as the run lasts."""
    path = socket_path(home.run())
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.bind(str(path))
        path.chmod(0o600)
        door.listen()
        door.settimeout(LOOK_S)
        say(READY)
        while is_locked(home.lock("up")):
            try:
                link, _ = door.accept()
            except TimeoutError:
                continue
            with link:
                holder.answer(link)
    path.unlink(missing_ok=True)


# --- what `mm up` does -------------------------------------------------------------------------------


def prompted(settings: Settings) -> tuple[str, ...]:
    """Name the services whose passphrase a person types."""
    return tuple(name for name in HELD if getattr(settings.keys, name).prompted)


def typed(home: Home, settings: Settings, ask: Callable[[str], str]) -> dict[str, str]:
    """Ask for each passphrase once, and try it on its keystore; ConfigFault without a terminal."""
    names = prompted(settings)
    if names and not sys.stdin.isatty():
        raise ConfigFault(
            f"keys.{names[0]}.passphrase: {{prompt = true}} needs a terminal; start there, or name a file instead"
        )
    words = {}
    for name in names:
        words[name] = ask(f"passphrase of the key of {name}")
        store = keys.keystore_path(home, name, getattr(settings.keys, name))
        keys.unlock(store, words[name], strict=settings.profile is not Profile.SIM)
    return words


def start(home: Home, words: Mapping[str, str]) -> None:
    """Start a holder of these; ConfigFault when it does not come up."""
    if not words:
        return
    log = home.logs / "holder.log"
    with log.open("wb") as errors:
        holder = subprocess.Popen(  # noqa: S603  # our own interpreter and module
            [sys.executable, "-m", "services.cli.holder", "--home", str(home.path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,  # a Ctrl-C in the terminal is for `mm`, which stops in order
        )
    assert holder.stdin is not None
    assert holder.stdout is not None
    with holder.stdin as pipe:
        pipe.write(msgspec.json.encode(words))
    if holder.stdout.readline() != READY:
        raise ConfigFault(f"the holder of passphrases ended with {holder.wait(END_S_MAX)}; see {log}")


def main() -> None:
    forbid_dumps()
    arguments = argparse.ArgumentParser(prog="python -m services.cli.holder")
    arguments.add_argument("--home", type=Path, required=True, help="directory of this run")
    home = Home(arguments.parse_args().home)
    words = msgspec.json.decode(sys.stdin.buffer.read(), type=dict[str, str])

    def say(line: bytes) -> None:
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.close()

    serve(Holder(home, words, os.geteuid()), home, say)


if __name__ == "__main__":
    main()

"""The socket by which faults are asked for: JSON lines on a Unix socket, for this user alone (shell).

It exists only on a venue that was started for it. A line is {"do": "arm", "fault": NAME, "parameters": {...}},
{"do": "clear", "number": N or null}, or {"do": "list"}; each is answered by one line, {"error": TEXT} when it has no
meaning.
"""

import asyncio
import socket
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from common.errors import PeerFault
from common.units import Millis
from services.venue_sim.faulty_venue import FaultyVenue
from services.venue_sim.server import Server
from services.venue_sim.venue import Effect

LINE_BYTES_MAX: Final = 64 * 1024
SOCKET: Final = "faults.sock"


def _private(path: Path) -> socket.socket:
    """Return a socket that is bound where only this user can reach it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX)
    bound.bind(str(path))
    path.chmod(0o600)
    return bound


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    do: Literal["arm", "clear", "list"]
    fault: str = ""
    parameters: dict[str, Any] = {}
    number: int | None = None


class Control:
    """Answers wishes; `server` performs what follows from them."""

    def __init__(self, venue: FaultyVenue, server: Server) -> None:
        self._venue = venue
        self._server = server
        self._listener: asyncio.Server | None = None

    async def start(self, path: Path) -> None:
        """Listen; what a killed venue left at `path` is replaced."""
        self._listener = await asyncio.start_unix_server(self._serve, sock=_private(path), limit=LINE_BYTES_MAX)

    def stop(self, path: Path) -> None:
        if self._listener is not None:
            self._listener.close()
        path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(msgspec.json.encode(self.answer(line)) + b"\n")
                await writer.drain()
        except (ValueError, ConnectionError):
            pass  # a line without end, or a client that has gone
        finally:
            writer.close()

    def answer(self, line: bytes) -> dict[str, Any]:
        """Do what one line asks; return its answer."""
        found: dict[str, Any] = {}

        def happening(now: Millis) -> list[Effect]:
            answer, effects = self._answer(wish, now)
            found.update(answer)
            return effects

        try:
            wish = msgspec.json.decode(line, type=Wish)
            self._server.interrupt(happening)
        except (msgspec.DecodeError, UnicodeDecodeError, PeerFault) as error:
            return {"error": str(error)}
        return found

    def _answer(self, wish: Wish, now: Millis) -> tuple[dict[str, Any], list[Effect]]:
        match wish.do:
            case "arm":
                number, effects = self._venue.arm(wish.fault, wish.parameters, now)
                return {"number": number}, effects
            case "clear":
                return {"cleared": self._venue.clear(wish.number, now)}, []
            case "list":
                return {"armed": [msgspec.to_builtins(each) for each in self._venue.armed(now)]}, []

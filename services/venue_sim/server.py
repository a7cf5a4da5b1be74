"""The venue as a server: sockets, the clock of its blocks, and its files (shell).

Rules
  1. A block every block_ms of real time; a late block is made at once and the clock goes on from there. Venue time is
     the host's epoch time, held when that steps back.
  2. What a block did is in the durable state and in the log before anybody hears of it.
  3. A socket that the venue has not written to for 60 s is closed.
  4. A bug ends the process; so does a disk that takes no more.
  5. A stop closes the port, then the sockets, then the files.
"""

import asyncio
import itertools
import os
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any, Final, Protocol

import msgspec

from common.units import MILLISECOND, Millis
from services.venue_sim.connection import Answer, Connection, Socket
from services.venue_sim.distance import Door
from services.venue_sim.durable import Changes
from services.venue_sim.log_files import LogFiles
from services.venue_sim.standing import accounts
from services.venue_sim.streams import Drop, Say
from services.venue_sim.venue import Effect, HttpAnswer

HOST: Final = "127.0.0.1"
IDLE_S_MAX: Final = 60.0  # the venue's own patience
BACKLOG_MAX: Final = 256  # connections that wait to be accepted
RELEASE_S: Final = 0.005  # how exactly held back messages keep their time


class Store(Protocol):
    """Where the venue's accounts survive its process."""

    def save(self, changes: Changes) -> None:
        """Make durable what a block changed; raises when that fails."""

    def close(self) -> None: ...


class Server:
    """One venue behind one port. `failed` is done when it cannot go on."""

    def __init__(self, venue: Door, *, block_ms: int, log_files: LogFiles | None, store: Store | None) -> None:
        self._venue = venue
        self._block_s = block_ms / 1_000
        self._log_files = log_files
        self._store = store
        self._connections: set[Connection] = set()
        self._sockets: dict[int, Socket] = {}
        self._last_said: dict[int, float] = {}  # by connection, in loop time
        self._answers: dict[int, Answer] = {}  # by ticket
        self._serials = itertools.count(1)
        self._tickets = itertools.count(1)
        self._now = Millis(0)
        self._block = 0
        self._epoch = time.time_ns() // 1_000_000_000
        self._started = time.monotonic()
        self._listener: asyncio.Server | None = None
        self._clocks: list[asyncio.Task[None]] = []
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def start(self, port: int) -> int:
        """Listen, on a free port where `port` is 0, and start the clock; OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._on_bug)
        self._make_block()  # whoever connects finds books
        self._listener = await loop.create_server(
            lambda: Connection(self, lambda: next(self._serials), self._connections),
            HOST,
            port,
            backlog=BACKLOG_MAX,
            reuse_address=True,
        )
        for clock in (self._make_blocks(), self._let_go(), self._close_idle()):
            task = loop.create_task(clock)
            task.add_done_callback(self._on_clock_end)
            self._clocks.append(task)
        return int(self._listener.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop in order (rule 5)."""
        if self._listener is not None:
            self._listener.close()
        for clock in self._clocks:
            clock.cancel()
        await asyncio.gather(*self._clocks, return_exceptions=True)
        for socket in list(self._sockets.values()):
            socket.close("server shutdown")
        for connection in list(self._connections):
            connection.close()
        await asyncio.sleep(0)  # one turn for the closes
        self._write_log()
        for files in (self._log_files, self._store):
            if files is not None:
                files.close()

    # --- what goes wrong (rule 4) ---

    def _on_bug(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        loop.default_exception_handler(context)
        self._fail(context.get("exception") or RuntimeError(context["message"]))

    def _on_clock_end(self, clock: "asyncio.Task[None]") -> None:
        if not clock.cancelled() and (error := clock.exception()) is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_exception(error)

    # --- time ---

    def _clock(self) -> Millis:
        """Return venue time (rule 1)."""
        self._now = Millis(max(self._now, self._venue.clock(Millis(time.time_ns() // MILLISECOND))))
        return self._now

    def now_http(self) -> str:
        return formatdate(self._clock() / 1_000, usegmt=True)

    async def _make_blocks(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + self._block_s, loop.time())
            await asyncio.sleep(due - loop.time())
            self._make_block()

    def _make_block(self) -> None:
        made = self._venue.step(self._clock())
        self._block = made.number
        if self._store is not None:
            self._store.save(made.changes)
        self._write_log()
        self._perform(made.effects)

    async def _let_go(self) -> None:
        while self._venue.holds_back:
            await asyncio.sleep(RELEASE_S)
            self._perform(self._venue.release(self._clock()))

    async def _close_idle(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(IDLE_S_MAX / 60)
            for number, said in list(self._last_said.items()):
                if loop.time() - said > IDLE_S_MAX:
                    self._sockets[number].close("Inactive")

    # --- effects ---

    def interrupt(self, happening: Callable[[Millis], list[Effect]]) -> None:
        """Have something happen to the venue between blocks."""
        self._perform(happening(self._clock()))

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case HttpAnswer(ticket=ticket, status=status, body=body, content_type=kind):
                    self._answers.pop(ticket)(status, body, kind)
                case Say(connection=number, text=text):
                    socket = self._sockets.get(number)
                    if socket is not None:
                        socket.send(text)
                        self._last_said[number] = asyncio.get_running_loop().time()
                case Drop(connection=number, reason=reason):
                    socket = self._sockets.get(number)
                    if socket is not None:
                        socket.drop(reason)

    def _write_log(self) -> None:
        lines = self._venue.take_log()
        if self._log_files is None:
            return
        self._log_files.append(lines)
        if self._log_files.is_full:
            self._log_files.rotate()
            self._venue.open_log()
            self._log_files.append(self._venue.take_log())

    # --- what connections call ---

    def on_request(self, method: str, path: str, body: bytes, answer: Answer) -> None:
        if path == "/health":
            answer(200, msgspec.json.encode(self._health()))
            return
        if path == "/accounts":
            answer(200, msgspec.json.encode(accounts(self._venue.exchange.info)))
            return
        ticket = next(self._tickets)
        self._answers[ticket] = answer
        self._perform(self._venue.request(ticket, method, path, body, self._clock()))

    def _health(self) -> dict[str, Any]:
        uptime = round(time.monotonic() - self._started, 3)
        return {"pid": os.getpid(), "uptime_s": uptime, "block": self._block, "epoch": self._epoch}

    def on_open(self, socket: Socket) -> None:
        self._sockets[socket.serial] = socket
        self._last_said[socket.serial] = asyncio.get_running_loop().time()
        self._perform(self._venue.open(socket.serial, self._clock(), socket.target))

    def on_text(self, socket: Socket, text: str) -> None:
        self._perform(self._venue.text(socket.serial, text, self._clock()))

    def on_close(self, socket: Socket, reason: str) -> None:
        self._sockets.pop(socket.serial, None)
        self._last_said.pop(socket.serial, None)
        self._venue.close(socket.serial, reason, self._clock())

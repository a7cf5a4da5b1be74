"""A venue of a hundred lines: one port, HTTP queries and WebSocket frames, and every way to misbehave.

It knows nothing of markets: a test says what it answers.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Final, Self, TypeAlias, TypeVar

import uvloop
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from common.messages.base import Message

Json: TypeAlias = Any  # whatever a test writes or reads
T = TypeVar("T")
M = TypeVar("M", bound=Message)

WAIT_S: Final = 5.0  # for what must happen in milliseconds
DATE: Final = "Tue, 14 Nov 2023 22:13:20 GMT"  # 1,700,000,000 s


def run(story: Awaitable[T]) -> T:
    """Live a story on the loop that the services use."""

    async def live() -> T:
        return await story

    return uvloop.run(live())


class Inbox:
    """What a link delivered, in order."""

    def __init__(self) -> None:
        self.all: list[Message] = []
        self._unread: list[Message] = []
        self._news = asyncio.Event()

    def deliver(self, message: Message) -> None:
        self.all.append(message)
        self._unread.append(message)
        self._news.set()

    async def next(self, kind: type[M]) -> M:
        """Wait for the next message of a kind; others stay unread."""
        async with asyncio.timeout(WAIT_S):
            while True:
                for message in self._unread:
                    if isinstance(message, kind):
                        self._unread.remove(message)
                        return message
                self._news.clear()
                await self._news.wait()

    def unread(self, kind: type[M]) -> list[M]:
        return [message for message in self._unread if isinstance(message, kind)]


class Socket:
    """One WebSocket of a client, seen from the venue."""

    def __init__(self, protocol: ServerProtocol, writer: asyncio.StreamWriter) -> None:
        self._protocol = protocol
        self._writer = writer

    def send(self, frame: Json) -> None:
        self.send_raw(json.dumps(frame).encode())

    def send_raw(self, text: bytes) -> None:
        self._protocol.send_text(text)
        self.flush()

    def flush(self) -> None:
        self._writer.writelines(self._protocol.data_to_send())

    def drop(self) -> None:
        self._writer.transport.abort()


def acknowledge(socket: Socket, frame: Json) -> None:
    """Do as the real one does with a healthy client."""
    if frame["method"] == "subscribe":
        socket.send({"channel": "subscriptionResponse", "data": frame})
    if frame["method"] == "ping":
        socket.send({"channel": "pong"})


def response(body: bytes, status: str = "200 OK", date: str = DATE) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nDate: {date}\r\nContent-Type: application/json\r\n\r\n"
    return head.encode() + body


class TinyVenue:
    """Listens on a free port of the loopback while it is entered."""

    def __init__(
        self,
        *,
        frame: Callable[[Socket, Json], None] = acknowledge,
        query: Callable[[Json], Json | bytes | None] = lambda _: [],
        refuse_upgrades: int = 0,
        refusal: bytes = b"",  # of an upgrade, where it is not a bad gateway
    ) -> None:
        self._frame = frame
        self._query = query
        self._refuse = refuse_upgrades
        self._refusal = refusal or response(b"Bad Gateway", "502 Bad Gateway")
        self.sockets: list[Socket] = []
        self.frames: list[Json] = []
        self.raw: list[bytes] = []
        self.queries: list[Json] = []
        self.closes_after_answer = False
        self._news = asyncio.Event()
        self._writers: list[asyncio.StreamWriter] = []
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await self._server.wait_closed()

    async def until(self, seen: Callable[[], bool]) -> None:
        """Wait until something has been received."""
        async with asyncio.timeout(WAIT_S):
            while not seen():
                self._news.clear()
                await self._news.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                if head.startswith(b"GET /ws "):
                    await self._serve_socket(head, reader, writer)
                    return
                await self._serve_query(head, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _serve_query(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert head.startswith(b"POST /info "), head
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        query = json.loads(await reader.readexactly(int(length.split(b":")[1])))
        self.queries.append(query)
        answer = self._query(query)
        self._news.set()
        if answer is None:
            return  # never
        writer.write(answer if isinstance(answer, bytes) else response(json.dumps(answer).encode()))
        await writer.drain()
        if self.closes_after_answer:
            raise ConnectionError

    async def _serve_socket(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuse:
            self._refuse -= 1
            writer.write(self._refusal)
            return
        protocol = ServerProtocol(max_size=None)
        protocol.receive_data(head)
        (request,) = protocol.events_received()
        assert isinstance(request, Request)
        protocol.send_response(protocol.accept(request))
        socket = Socket(protocol, writer)
        self.sockets.append(socket)
        socket.flush()
        self._news.set()
        while data := await reader.read(1 << 16):
            protocol.receive_data(data)
            socket.flush()
            for event in protocol.events_received():
                if isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                    self.raw.append(bytes(event.data))
                    self.frames.append(json.loads(self.raw[-1]))
                    self._frame(socket, self.frames[-1])
                    self._news.set()
            if protocol.close_expected():
                return

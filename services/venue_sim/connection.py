"""HTTP/1.1 and WebSocket on one TCP connection, without any meaning: bytes in, calls out (shell).

A server of our own, because the venue's manners need the socket itself: it aborts a connection without a close
frame, and it must know how much of what it sent nobody has read yet.

Rules
  1. One connection carries any number of HTTP requests one after the other, or one WebSocket.
  2. Nothing a client sends raises here: it is answered with 4xx, or the connection is closed.
  3. A client that does not read is dropped once SEND_BUFFER_BYTES_MAX wait for it; nobody else waits.
  4. HEAD is answered without a body, OPTIONS with what a browser must hear before it may ask. A body that says it is
     no JSON is 415; one that does not say what it is counts as JSON.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol, cast

import h11
from websockets.frames import Frame, Opcode
from websockets.http11 import Request as Handshake
from websockets.protocol import State
from websockets.server import ServerProtocol

from services.venue_sim.leader import PATH

BODY_BYTES_MAX: Final = 1024 * 1024  # 200 orders with every field are 40 KiB
FRAME_BYTES_MAX: Final = 1024 * 1024  # same
HEAD_BYTES_MAX: Final = 64 * 1024  # request line and headers
SEND_BUFFER_BYTES_MAX: Final = 4 * 1024 * 1024  # some 30 s of every channel for every coin

_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Payload Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_END_OF_HEAD: Final = b"\r\n\r\n"
_NOT_JSON: Final = b"Expected request with `Content-Type: application/json`"
_ALLOWED: Final = (
    ("Access-Control-Allow-Methods", "GET, POST"),
    ("Access-Control-Allow-Headers", "content-type"),
    ("Access-Control-Max-Age", "3600"),
)


class Answer(Protocol):
    """Sends the response of one request, now or later; harmless when the client has gone."""

    def __call__(self, status: int, body: bytes, content_type: str = "application/json") -> None: ...


class Application(Protocol):
    """What the connections call; nothing here may block."""

    def on_request(self, method: str, path: str, body: bytes, answer: Answer) -> None: ...

    def on_open(self, socket: "Socket") -> None: ...

    def on_text(self, socket: "Socket", text: str) -> None: ...

    def on_close(self, socket: "Socket", reason: str) -> None: ...

    def now_http(self) -> str:
        """Return the Date header, which clients take as a stamp of venue time."""


class Socket:
    """An open WebSocket as the application sees it."""

    def __init__(self, connection: "Connection", protocol: ServerProtocol, serial: int, target: str) -> None:
        self.serial = serial
        self.target = target  # path and query by which it came
        self._connection = connection
        self._protocol = protocol
        self._fragments: list[bytes] = []
        self.closing = ""  # why, once it is being closed

    def send(self, text: bytes) -> None:
        """Send one text message; a client that does not read is dropped (rule 3)."""
        if self._protocol.state is not State.OPEN:
            return
        self._protocol.send_text(text)
        self.flush()
        if self._connection.unsent_bytes > SEND_BUFFER_BYTES_MAX:
            self.drop("does not read")

    def close(self, reason: str) -> None:
        """Close in an orderly way."""
        self.closing = self.closing or reason
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(1000, reason)
        self.flush()
        self._connection.close()

    def drop(self, reason: str) -> None:
        """Abort the TCP connection: the client sees 1006 and no close frame."""
        self.closing = self.closing or reason
        self._connection.abort()

    def receive(self, data: bytes) -> list[str]:
        """Take bytes; return the complete text messages in them, also those right before a close."""
        self._protocol.receive_data(data)
        texts = [text for event in self._protocol.events_received() if (text := self._text(event)) is not None]
        self.flush()
        return texts

    def end(self) -> None:
        """Close when the client has closed, or broke the rules of frames."""
        if self._protocol.close_expected():
            self.closing = self.closing or "closed by the client"
            self._connection.close()

    def _text(self, event: object) -> str | None:
        if not isinstance(event, Frame) or event.opcode not in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
            return None
        self._fragments.append(bytes(event.data))
        if not event.fin:
            return None
        whole, self._fragments = b"".join(self._fragments), []
        return whole.decode(errors="replace")

    def flush(self) -> None:
        self._connection.write(b"".join(self._protocol.data_to_send()))


class Connection(asyncio.Protocol):
    """One TCP connection; `serials` numbers the WebSockets."""

    def __init__(
        self, application: Application, serials: Callable[[], int], open_connections: "set[Connection]"
    ) -> None:
        self._application = application
        self._serials = serials
        self._open = open_connections
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES_MAX)
        self._transport: asyncio.Transport | None = None
        self._head = b""  # of a request that may turn out to be a WebSocket handshake
        self._request: h11.Request | None = None
        self._body = b""
        self.socket: Socket | None = None

    # --- asyncio ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is one without saying so
        self._transport.set_write_buffer_limits(high=SEND_BUFFER_BYTES_MAX)
        self._open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._open.discard(self)
        if self.socket is not None:
            self._application.on_close(self.socket, self.socket.closing or (str(exc) if exc else "gone"))

    def data_received(self, data: bytes) -> None:
        if self.socket is not None:
            self._on_frames(data)
            return
        self._head = (self._head + data)[-HEAD_BYTES_MAX:]
        self._http.receive_data(data)
        self._advance()

    # --- HTTP ---

    def _advance(self) -> None:
        while self._transport is not None and not self._transport.is_closing() and self.socket is None:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as fault:
                self._refuse(fault.error_status_hint or 400)
                return
            if event is h11.NEED_DATA or event is h11.PAUSED:
                return
            self._on_event(event)

    def _on_event(self, event: h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]) -> None:
        match event:
            case h11.Request():
                self._on_head(event)
            case h11.Data():
                self._body += event.data
                if len(self._body) > BODY_BYTES_MAX:
                    self._refuse(413)
            case h11.EndOfMessage():
                self._on_whole_request()
            case _:  # the client has closed its half
                self.close()

    def _on_head(self, request: h11.Request) -> None:
        self._request, self._body = request, b""
        headers = {name: value.lower() for name, value in request.headers}
        if headers.get(b"upgrade") == b"websocket":
            self._upgrade(request.target.decode(errors="replace"))
        elif self._http.they_are_waiting_for_100_continue:
            self.write(self._http.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")

    def _on_whole_request(self) -> None:
        assert self._request is not None
        method, target = self._request.method.decode(), self._request.target.decode(errors="replace")
        self._head = b""
        kinds = [value.lower() for name, value in self._request.headers if name == b"content-type"]
        if method == "OPTIONS":
            self._answer(200, b"", "text/plain", _ALLOWED)
        elif method == "POST" and not all(kind.startswith(b"application/json") for kind in kinds):
            self._answer(415, _NOT_JSON, "text/plain")
        else:
            self._application.on_request(method, target.partition("?")[0], self._body, self._answer)

    def _answer(
        self,
        status: int,
        body: bytes,
        content_type: str = "application/json",
        more: tuple[tuple[str, str], ...] = (),
    ) -> None:
        if self._transport is None or self._http.our_state is not h11.SEND_RESPONSE:
            return  # the client has gone
        assert self._request is not None
        headers = [
            ("Content-Type", content_type),
            ("Content-Length", str(len(body))),
            ("Date", self._application.now_http()),
            ("Access-Control-Allow-Origin", "*"),
            *more,
        ]
        response = h11.Response(status_code=status, headers=headers, reason=_REASONS.get(status, "").encode())
        data = self._http.send(response) or b""
        if self._request.method != b"HEAD":
            data += self._http.send(h11.Data(data=body)) or b""
        data += self._http.send(h11.EndOfMessage()) or b""
        self.write(data)
        if self._http.states[h11.SERVER] is h11.MUST_CLOSE:
            self.close()
            return
        self._http.start_next_cycle()
        self._advance()

    def _refuse(self, status: int) -> None:
        """Answer what cannot be understood, then close: where the next request would start is unknown."""
        reason = _REASONS.get(status, "Bad Request")
        head = f"HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain\r\nContent-Length: {len(reason)}\r\n"
        self.write(f"{head}Connection: close\r\n\r\n{reason}".encode())
        self.close()

    # --- WebSocket ---

    def _upgrade(self, target: str) -> None:
        if target.partition("?")[0] not in {"/ws", PATH}:
            self._refuse(404)
            return
        protocol = ServerProtocol(max_size=FRAME_BYTES_MAX)
        head, end, frames = self._head.partition(_END_OF_HEAD)
        protocol.receive_data(head + end)
        handshakes = [event for event in protocol.events_received() if isinstance(event, Handshake)]
        if not handshakes:
            self._refuse(400)
            return
        protocol.send_response(protocol.accept(handshakes[0]))
        self.write(b"".join(protocol.data_to_send()))
        if protocol.state is not State.OPEN:
            self.close()
            return
        self.socket = Socket(self, protocol, self._serials(), target)
        self._application.on_open(self.socket)
        if frames:  # of a client that did not wait for the answer
            self._on_frames(frames)

    def _on_frames(self, data: bytes) -> None:
        assert self.socket is not None
        for text in self.socket.receive(data):
            if self._transport is None or self.socket.closing:
                return
            self._application.on_text(self.socket, text)
        self.socket.end()

    # --- the transport ---

    @property
    def unsent_bytes(self) -> int:
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def write(self, data: bytes) -> None:
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

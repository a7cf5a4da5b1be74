"""Bytes on a socket: HTTP and WebSocket on one port, broken ones too, and clients that do not read."""

import asyncio
import contextlib
import json
import socket as sockets
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from common import witness
from services.venue_sim import address_limits, connection
from services.venue_sim.log_files import LogFiles
from tests.services.venue_sim.door import ALICE, limit, place, signed
from tests.services.venue_sim.live_server import hear, live, now_ms, raw, socket, subscribe


def test_broken_http() -> None:
    """What is no HTTP, or too much of it, is answered with 4xx and closed; the venue goes on."""

    async def story(port: int) -> None:
        assert (await raw(port, b"\x00\x01nonsense\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
        long = b"POST /info HTTP/1.1\r\nHost: x\r\nA: " + b"a" * (2 * connection.HEAD_BYTES_MAX)
        with contextlib.suppress(ConnectionError):  # it may close before it has read everything
            assert (await raw(port, long)).startswith(b"HTTP/1.1 431 ")
        size = connection.BODY_BYTES_MAX + 1
        head = f"POST /info HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode()
        with contextlib.suppress(ConnectionError):  # same
            assert (await raw(port, head + b"a" * size)).startswith(b"HTTP/1.1 413 ")
        upgrade = b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        assert b"400" in (await raw(port, upgrade)).splitlines()[0]
        assert b"404" in (await raw(port, upgrade.replace(b"/ws", b"/other"))).splitlines()[0]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            assert (await http.get("/health")).status_code == 200

    live(story)


def test_requests_in_a_row() -> None:
    """One connection carries many requests, also when the next arrives before the answer of the last."""

    async def story(port: int) -> None:
        one = b'POST /info HTTP/1.1\r\nHost: x\r\nContent-Length: 19\r\n\r\n{"type":"perpDexs"}'
        last = one.replace(b"Host: x", b"Host: x\r\nConnection: close")
        answer = await raw(port, one + one + last)
        assert answer.count(b"HTTP/1.1 200 OK") == 3
        assert answer.count(b"[null]") == 3

    live(story)


def test_manners_of_http() -> None:
    """Rule 4: HEAD has no body, OPTIONS lets browsers in, other methods and paths are refused, in one connection."""

    async def story(port: int) -> None:
        requests = (
            b"HEAD /info HTTP/1.1\r\nHost: x\r\n\r\n"
            b"OPTIONS /exchange HTTP/1.1\r\nHost: x\r\nAccess-Control-Request-Method: POST\r\n\r\n"
            b"DELETE /ws HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        answer = await raw(port, requests)
        lines = [line for line in answer.splitlines() if line.startswith(b"HTTP/1.1 ")]
        assert [line.split(b" ", 2)[1] for line in lines] == [b"405", b"200", b"404"]
        assert b"Access-Control-Allow-Headers: content-type" in answer
        assert answer.count(b"Access-Control-Allow-Origin: *") == 3
        assert answer.count(b"Method Not Allowed") == 1, "the reason; a HEAD has no body"

    live(story)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 200),
        ("Application/JSON; charset=utf-8", 200),
        (None, 200),
        ("application/x-www-form-urlencoded", 415),
        ("text/plain", 415),
    ],
)
def test_content_types(kind: str | None, status: int) -> None:
    """Rule 4: JSON, or something that does not say what it is."""

    async def story(port: int) -> None:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            headers = {} if kind is None else {"Content-Type": kind}
            answer = await http.post("/info", content=b'{"type":"perpDexs"}', headers=headers)
            assert answer.status_code == status

    live(story)


def test_large_bodies_may_ask_first() -> None:
    """A client that waits for leave to send its body gets it."""

    async def story(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /info HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 19\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 \r\n\r\n"
        writer.write(b'{"type":"perpDexs"}')
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
        assert await reader.readexactly(6) == b"[null]"
        writer.transport.abort()

    live(story)


HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
CLOSE = b"\x88\x80\0\0\0\0"


def masked(text: bytes) -> bytes:
    """Return a text frame of a client whose mask changes nothing."""
    return b"\x81\xfe" + len(text).to_bytes(2, "big") + bytes(4) + text


def test_who_does_not_wait_for_the_handshake() -> None:
    """Frames right behind the handshake are heard; what is no frame there ends its own connection."""

    async def story(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HANDSHAKE + masked(b'{"method":"ping"}'.ljust(200)))
        assert (await reader.readuntil(b'{"channel":"pong"}')).startswith(b"HTTP/1.1 101 ")
        writer.transport.abort()
        assert (await raw(port, HANDSHAKE + b"\xff" * 50)).startswith(b"HTTP/1.1 101 ")

    live(story)


def test_an_action_right_before_the_close() -> None:
    """A client that posts an order and leaves in the same moment has placed it."""

    async def story(port: int) -> None:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            question = {"type": "openOrders", "user": ALICE.address}
            assert (await http.post("/info", json=question)).json() == []
            mid = float((await http.post("/info", json={"type": "allMids"})).json()["BTC"])
            body = signed(ALICE, place(limit(str(round(mid * 0.9)), "0.01")), now_ms())
            post = b'{"method":"post","id":1,"request":{"type":"action","payload":%s}}' % body
            await raw(port, HANDSHAKE + masked(post) + CLOSE)
            noop = signed(ALICE, {"type": "noop"}, now_ms() + 1)  # its answer comes with a later block
            assert (await http.post("/exchange", content=noop)).status_code == 200
            assert len((await http.post("/info", json=question)).json()) == 1

    live(story)


def test_frames() -> None:
    """Fragments are put together, ping frames answered, too large frames refused, closes echoed."""

    async def story(port: int) -> None:
        async with socket(port) as opened:
            await opened.send(['{"method":', '"ping"', "}"])
            assert json.loads(await opened.recv()) == {"channel": "pong"}
            await (await opened.ping())
        assert opened.close_code == 1000
        async with socket(port) as opened:
            with contextlib.suppress(ConnectionClosed):  # it may close before we have written everything
                await opened.send("a" * (connection.FRAME_BYTES_MAX + 1))
            with pytest.raises(ConnectionClosed):
                await opened.recv()

    live(story)


def test_who_does_not_read_is_dropped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A client that does not read loses its connection; one that does hears on."""
    monkeypatch.setattr(connection, "SEND_BUFFER_BYTES_MAX", 10_000)
    monkeypatch.setitem(address_limits.LIMITS, "2025", address_limits.Limits(messages_per_minute=1_000_000))

    async def story(port: int) -> None:
        plain = sockets.create_connection(("127.0.0.1", port))
        plain.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4_096)
        reader, writer = await asyncio.open_connection(sock=plain, limit=1_000)
        writer.write(HANDSHAKE)
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's transport can
        async with socket(port) as other:
            payload = {"type": "webData2", "user": ALICE.address}
            frame = json.dumps({"method": "post", "id": 1, "request": {"type": "info", "payload": payload}})
            with contextlib.suppress(ConnectionError):
                while not dropped(tmp_path):
                    writer.write(masked(frame.encode()) * 200)
                    await asyncio.wait_for(writer.drain(), 5)
                    await asyncio.sleep(0.02)
            await subscribe(other, type="l2Book", coin="BTC")
            await hear(other, "l2Book")
        writer.transport.abort()

    live(story, LogFiles(tmp_path))
    assert dropped(tmp_path)


def dropped(directory: Path) -> bool:
    return any(
        isinstance(line, witness.Connection) and line.event == "close" and line.detail == "does not read"
        for line in witness.read(directory)
    )

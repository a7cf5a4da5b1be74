"""Ten thousand broken requests: the venue stays up, its memory flat, and others are served."""

import asyncio
import contextlib
import time
from pathlib import Path
from random import Random

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from common.hyperliquid.signing import SigningKey
from tests.conformance.process import venue
from tests.services.venue_sim.door import CLOID, limit, place, signed
from tests.services.venue_sim.live_server import hear, now_ms, socket, subscribe
from tests.services.venue_sim.mutations import Nonsense
from tests.services.venue_sim.test_nonsense import STATUSES

pytestmark = pytest.mark.conformance

BODIES = 5_000
FRAMES = 5_000
SENDERS = 20
WARM_UP = 0.2  # of all requests; caches and pools fill
GROWTH_BYTES_MAX = 24 * 1024 * 1024
PATIENCE_S = 5.0  # of the good client, on a busy machine
GOOD = SigningKey(b"\x09" * 32)


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4_096


async def send_bodies(url: str, seed: int, count: int) -> None:
    nonsense = Nonsense(seed)
    nonsense.nonce = now_ms() + seed * 10_000
    async with httpx.AsyncClient(base_url=url, timeout=20) as http:
        for _ in range(count):
            path, body = nonsense.body()
            answer = await http.post(path, content=body)
            assert answer.status_code in STATUSES


async def say_frames(port: int, seed: int, count: int) -> None:
    nonsense = Nonsense(seed)
    nonsense.nonce = now_ms() + seed * 10_000
    while count > 0:
        try:
            async with socket(port) as opened:
                listening = asyncio.ensure_future(read_all(opened))
                while count > 0:
                    count -= 1
                    await opened.send(nonsense.frame().decode(errors="replace"))
                    await asyncio.sleep(0)
                listening.cancel()
        except ConnectionClosed:
            continue  # an unknown coin: the venue breaks the connection, the client comes back


async def read_all(opened: object) -> None:
    async for _ in opened:  # type: ignore[attr-defined]  # a connection
        pass


async def behave(url: str, port: int, done: asyncio.Event) -> int:
    """Trade and listen as if nothing happened; return how often."""
    served = 0
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_S) as http, socket(port) as opened:
        await http.post("/info", json={"type": "clearinghouseState", "user": GOOD.address})
        await subscribe(opened, type="l2Book", coin="BTC")
        while not done.is_set():
            began = time.monotonic()
            async with asyncio.timeout(PATIENCE_S):
                book = await hear(opened, "l2Book")
            low = str(round(float(book["levels"][0][0]["px"]) * 0.9))
            answer = await http.post(
                "/exchange", content=signed(GOOD, place(limit(low, "0.01", cloid=CLOID)), now_ms())
            )
            (status,) = answer.json()["response"]["data"]["statuses"]
            assert "resting" in status, status
            cancel = {"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": CLOID}]}
            answer = await http.post("/exchange", content=signed(GOOD, cancel, now_ms()))
            assert answer.json()["response"]["data"]["statuses"] == ["success"]
            assert time.monotonic() - began < 2 * PATIENCE_S
            served += 1
    return served


async def storm(url: str, port: int, seed: int, share: float) -> None:
    """Send a share of all the nonsense, from many clients at once."""
    bodies, frames = (int(count * share / SENDERS) for count in (BODIES, FRAMES))
    async with asyncio.TaskGroup() as senders:
        for sender in range(SENDERS):
            senders.create_task(send_bodies(url, seed + sender, bodies))
            senders.create_task(say_frames(port, seed + SENDERS + sender, frames))


HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
REQUEST = b'POST /info HTTP/1.1\r\nHost: x\r\nContent-Length: 19\r\nConnection: close\r\n\r\n{"type":"perpDexs"}'


async def send_bytes(port: int, chance: Random) -> None:
    """Open a connection, send bytes that are nearly a request or frames, and leave."""
    data = bytearray(chance.choice((REQUEST, HANDSHAKE, HANDSHAKE)))
    if chance.random() < 0.5:
        data[chance.randrange(len(data))] = chance.randrange(256)
    with contextlib.suppress(ConnectionError):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(data)
        await asyncio.sleep(0)
        writer.write(chance.randbytes(chance.choice((0, 2, 30, 300))))
        await writer.drain()
        writer.close() if chance.random() < 0.5 else writer.transport.abort()


def test_nearly_http_is_survived() -> None:
    """Broken heads, handshakes and frames end their own connection, not the venue."""

    async def scene(port: int) -> None:
        chance = Random(7)
        for _ in range(1_000):
            await send_bytes(port, chance)

    with venue(boundless=True) as (url, pid):
        asyncio.run(scene(int(url.rpartition(":")[2])))
        assert httpx.get(f"{url}/health").json()["pid"] == pid


def test_nonsense_is_survived() -> None:
    """After a fifth of it the memory grows no more than a little; books and orders of a good client never wait."""

    async def scene(url: str, pid: int) -> tuple[int, int]:
        port, done = int(url.rpartition(":")[2]), asyncio.Event()
        good = asyncio.ensure_future(behave(url, port, done))
        await storm(url, port, 1_000, WARM_UP)
        before = resident_bytes(pid)
        await storm(url, port, 2_000, 1 - WARM_UP)
        done.set()
        served = await good
        return served, resident_bytes(pid) - before

    with venue(boundless=True) as (url, pid):
        served, growth = asyncio.run(scene(url, pid))
        assert httpx.get(f"{url}/health").json()["pid"] == pid
    assert served > 5
    assert growth < GROWTH_BYTES_MAX

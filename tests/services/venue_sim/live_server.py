"""A venue on a free port in this process, and short words for its clients."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from time import time_ns
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from common.units import Millis
from services.venue_sim import universe
from services.venue_sim.assembly import Plan, assemble
from services.venue_sim.log_files import LogFiles
from services.venue_sim.server import Server

Story = Callable[[int], Awaitable[None]]


def now_ms() -> int:
    return time_ns() // 1_000_000


def live(story: Story, log: LogFiles | None = None, **changes: Any) -> None:
    """Run a story with the port of a venue that lives as long as it."""

    async def scene() -> None:
        plan = Plan(coins=universe.coins({}), seed=1, block_ms=10, **changes)
        venue = assemble(plan, Millis(now_ms()), None, last_sequence=0)
        served = Server(venue, block_ms=plan.block_ms, log_files=log, store=None)
        port = await served.start(0)
        try:
            async with asyncio.timeout(20):
                await story(port)
        finally:
            await served.stop()
        assert not served.failed.done() or served.failed.exception() is None

    asyncio.run(scene())


@contextlib.asynccontextmanager
async def socket(port: int) -> AsyncIterator[ClientConnection]:
    async with connect(f"ws://127.0.0.1:{port}/ws", compression=None, proxy=None) as opened:
        yield opened


async def hear(opened: ClientConnection, channel: str) -> Any:
    """Return the data of the next message of a channel."""
    while True:
        message = json.loads(await opened.recv())
        if message["channel"] == channel:
            return message.get("data")


async def subscribe(opened: ClientConnection, **subscription: object) -> None:
    await opened.send(json.dumps({"method": "subscribe", "subscription": subscription}))


async def raw(port: int, data: bytes) -> bytes:
    """Send bytes, return everything until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        await writer.drain()
        return await reader.read()
    finally:
        writer.transport.abort()

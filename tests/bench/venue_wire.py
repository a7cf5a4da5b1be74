"""What the local venue takes and gives over its sockets: signed actions in, market messages out.

The venue runs in a process of its own, with the limits of an address raised: they would end the measurement at once.
"""

import asyncio
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from multiprocessing.connection import Connection
from typing import Any, Final

import msgspec

from common.config import Network
from common.hyperliquid.signing import SigningKey
from common.units import MILLISECOND, Millis
from services.venue_sim import address_limits, universe
from services.venue_sim.address_limits import Limits
from services.venue_sim.assembly import Plan, assemble
from services.venue_sim.server import Server
from tests.bench.report import Table
from tests.services.venue_sim.live_server import hear, socket, subscribe

KEY: Final = SigningKey(b"\x05" * 32)
ACTIONS: Final = 4_000
OPEN_MAX: Final = 500  # then each action moves the oldest; an account may have 1,000
BLOCK_MS: Final = 70
SUBSCRIBERS: Final = 10
LISTEN_S: Final = 4.0
BUSY: Final = Plan(coins=universe.coins({}), seed=1, block_ms=1, trade_rate=20.0)  # blocks as fast as it can
QUIET: Final = Plan(coins=universe.coins({}), seed=1, block_ms=BLOCK_MS)
UNLIMITED: Final = Limits(messages_per_minute=10**9, posts_in_flight=10**9, connections=10**9)
CHANNELS: Final = ("bbo", "trades", "l2Book", "activeAssetCtx")


def serve(plan: Plan, port: Connection) -> None:
    """Be the venue's process until it is terminated."""
    address_limits.LIMITS[plan.cadence] = UNLIMITED

    async def scene() -> None:
        venue = assemble(plan, Millis(time.time_ns() // MILLISECOND), None, last_sequence=0)
        server = Server(venue, block_ms=plan.block_ms, log_files=None, store=None)
        port.send(await server.start(0))
        await server.failed

    asyncio.run(scene())


class Served:
    """A venue in a process of its own."""

    def __init__(self, plan: Plan) -> None:
        spawn = multiprocessing.get_context("spawn")
        ours, theirs = spawn.Pipe()
        self._process = spawn.Process(target=serve, args=(plan, theirs), daemon=True)
        self._process.start()
        self.port: int = ours.recv()

    def __enter__(self) -> int:
        return self.port

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join(timeout=10)


def cloid(number: int) -> str:
    return f"0x{number:032x}"


def posts() -> list[str]:
    """Sign everything beforehand: orders far below the market, then moving them in turn.

    All are of one class in a block: of two, the later one's nonces would be too low by the hundreds in each block.
    """
    first = time.time_ns() // MILLISECOND
    frames = []
    for number in range(ACTIONS):
        action: dict[str, Any]
        order = {"a": 0, "b": True, "p": str(90_000 + number % 1_000), "s": "0.001", "r": False}
        order |= {"t": {"limit": {"tif": "Alo"}}, "c": cloid(number)}
        if number < OPEN_MAX:
            action = {"type": "order", "orders": [order], "grouping": "na"}
        else:
            action = {"type": "batchModify", "modifies": [{"oid": cloid(number - OPEN_MAX), "order": order}]}
        signature = msgspec.to_builtins(KEY.sign_l1(action, first + number, Network.TESTNET))
        payload = {"action": action, "nonce": first + number, "signature": signature, "vaultAddress": None}
        post = {"method": "post", "id": number, "request": {"type": "action", "payload": payload}}
        frames.append(msgspec.json.encode(post).decode())
    return frames


async def send_all(port: int, frames: list[str]) -> tuple[float, int]:
    """Return actions a second from the first frame to the last answer, and how many were refused."""
    async with socket(port) as opened:
        await subscribe(opened, type="orderUpdates", user=KEY.address)
        await hear(opened, "subscriptionResponse")
        began = time.perf_counter()

        async def send() -> None:
            for frame in frames:
                await opened.send(frame)

        refused = 0
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(send())
            for _ in frames:
                refused += '"error"' in msgspec.json.encode(await hear(opened, "post")).decode()
        return len(frames) / (time.perf_counter() - began), refused


async def listen(port: int) -> float:
    """Return market messages a second to all subscribers together."""
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(socket(port)) for _ in range(SUBSCRIBERS)]
        for opened in sockets:
            for coin in ("BTC", "ETH", "SOL"):
                for channel in CHANNELS:
                    await subscribe(opened, type=channel, coin=coin)
        counts = [0] * SUBSCRIBERS

        async def count(number: int) -> None:
            while True:
                await sockets[number].recv()
                counts[number] += 1

        async with asyncio.TaskGroup() as tasks:
            counting = [tasks.create_task(count(number)) for number in range(SUBSCRIBERS)]
            await asyncio.sleep(LISTEN_S / 4)  # acknowledgements and snapshots
            before, began = sum(counts), time.perf_counter()
            await asyncio.sleep(LISTEN_S)
            rate = (sum(counts) - before) / (time.perf_counter() - began)
            for task in counting:
                task.cancel()
        return rate


def measure() -> Iterator[Table]:
    with Served(QUIET) as port:
        actions, refused = asyncio.run(send_all(port, posts()))
    with Served(BUSY) as port:
        messages = asyncio.run(listen(port))
    yield Table(
        title="The local venue over WebSocket",
        columns=("", "a second"),
        rows=(
            ("signed actions, one order or modify each, answered", f"{actions:,.0f}"),
            (f"market messages to {SUBSCRIBERS} subscribers together", f"{messages:,.0f}"),
        ),
        notes=(
            f"{ACTIONS:,} actions over one connection, {refused} refused; each signature is recovered.",
            f"Client and venue have a process each; blocks of {BLOCK_MS} ms.",
            f"Messages: {', '.join(CHANNELS)} of three coins, blocks as fast as they come.",
        ),
    )

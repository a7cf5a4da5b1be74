"""What one ZeroMQ hop costs in each kind of receiving loop: 300-byte facts at 200/s over ipc, one way.

`python -m tests.bench hops` prints p50 and p99 in microseconds; the choice in common/mesh.py rests on it.
"""

import asyncio
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Final

import uvloop
import zmq
import zmq.asyncio  # noqa: TID251  # measured here so that nobody has to believe it

from tests.bench.report import Table, percentile

MESSAGES: Final = 1_000
RATE_PER_S: Final = 200
BYTES: Final = 300


def send(endpoint: str, core: int | None) -> None:
    """Publish stamped messages at a steady rate."""
    pin(core)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.PUB)
    socket.bind(endpoint)
    time.sleep(0.5)
    for _ in range(MESSAGES):
        socket.send(time.monotonic_ns().to_bytes(8, "big").ljust(BYTES, b"x"))
        time.sleep(1 / RATE_PER_S)
    for _ in range(20):  # the end, often enough for a slow joiner
        socket.send(b"")
        time.sleep(0.01)
    socket.close(linger=0)
    context.term()


def subscribe(endpoint: str) -> zmq.Socket[bytes]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.SUB)
    socket.connect(endpoint)
    socket.setsockopt(zmq.SUBSCRIBE, b"")
    return socket


def age_us(body: bytes) -> float:
    return (time.monotonic_ns() - int.from_bytes(body[:8], "big")) / 1_000


def blocking(endpoint: str) -> list[float]:
    socket = subscribe(endpoint)
    ages = []
    while body := socket.recv():
        ages.append(age_us(body))
    return ages


def poller(endpoint: str) -> list[float]:
    socket = subscribe(endpoint)
    waiter = zmq.Poller()
    waiter.register(socket, zmq.POLLIN)
    ages: list[float] = []
    while True:
        waiter.poll()
        body = socket.recv()
        if not body:
            return ages
        ages.append(age_us(body))


async def descriptor(endpoint: str) -> list[float]:
    """Read the socket's file descriptor on the loop, as common/mesh.py does."""
    socket = subscribe(endpoint)
    ages: list[float] = []
    done = asyncio.Event()

    def drain() -> None:
        while True:
            try:
                body = socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            if body:
                ages.append(age_us(body))
            else:
                done.set()

    number = socket.getsockopt(zmq.FD)
    assert isinstance(number, int)
    asyncio.get_running_loop().add_reader(number, drain)
    drain()
    await done.wait()
    asyncio.get_running_loop().remove_reader(number)
    return ages


async def zmq_asyncio(endpoint: str) -> list[float]:
    context = zmq.asyncio.Context()  # noqa: TID251  # same
    socket = context.socket(zmq.SUB)
    socket.connect(endpoint)
    socket.setsockopt(zmq.SUBSCRIBE, b"")
    ages = []
    while body := await socket.recv():
        ages.append(age_us(body))
    return ages


LOOPS: Final[dict[str, Callable[[str], list[float]]]] = {
    "blocking recv": blocking,
    "zmq.Poller": poller,
    "asyncio, descriptor": lambda endpoint: asyncio.run(descriptor(endpoint)),
    "uvloop, descriptor": lambda endpoint: uvloop.run(descriptor(endpoint)),
    "zmq.asyncio": lambda endpoint: asyncio.run(zmq_asyncio(endpoint)),
}


def pin(core: int | None) -> None:
    if core is not None:
        os.sched_setaffinity(0, {core})


def one_hop(name: str, core: int | None) -> tuple[float, float]:
    """Return p50 and p99 in microseconds."""
    with tempfile.TemporaryDirectory(prefix="hop") as folder:
        endpoint = f"ipc://{folder}/pub"
        sender = multiprocessing.get_context("spawn").Process(target=send, args=(endpoint, core))
        before = os.sched_getaffinity(0)
        sender.start()
        pin(core)
        ages = LOOPS[name](endpoint)
        os.sched_setaffinity(0, before)
        sender.join()
    return percentile(ages, 0.5), percentile(ages, 0.99)


def measure() -> Iterator[Table]:
    rows = []
    for name in LOOPS:
        figures = (*one_hop(name, None), *one_hop(name, 0))
        rows.append((name, *(f"{figure:,.0f}" for figure in figures)))
    yield Table(
        title="One hop over ipc by kind of receiving loop",
        columns=("one hop, us", "p50", "p99", "p50 on one core", "p99 on one core"),
        rows=rows,
    )

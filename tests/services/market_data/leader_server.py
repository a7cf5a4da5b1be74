"""A leader that speaks by script, and ears for what a link makes of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from websockets.asyncio.server import ServerConnection, serve

from common.messages import LeaderDown, Message


class Ears:
    """Keeps what the link says; `until` waits for something in it."""

    def __init__(self) -> None:
        self.said: list[Message] = []
        self._heard = asyncio.Event()

    def hear(self, message: Message) -> None:
        self.said.append(message)
        self._heard.set()

    async def until(self, enough: Callable[[list[Message]], object]) -> None:
        async with asyncio.timeout(10):
            while not enough(self.said):
                self._heard.clear()
                await self._heard.wait()

    @property
    def reasons(self) -> list[str]:
        return [message.reason for message in self.said if isinstance(message, LeaderDown)]


@asynccontextmanager
async def leader(*scripts: list[bytes] | None) -> AsyncIterator[str]:
    """Give the address of one whose n-th connection hears the n-th script and then silence; None closes at once."""
    connections = iter(scripts)

    async def speak(socket: ServerConnection) -> None:
        script = next(connections, [])
        for text in script or ():
            await socket.send(text.decode())
        if script is not None:
            await socket.wait_closed()

    async with serve(speak, "127.0.0.1", 0, compression=None) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/stream"

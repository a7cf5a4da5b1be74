"""The leader's socket, apart from the venue's: it may stall, lie or die at no cost to others (shell).

Rules
  1. A connection is given up after SILENCE_S without a usable price, after REFUSALS_MAX unusable ones in a row, or with
     a frame larger than FRAME_BYTES_MAX: `LeaderDown` says why. The next is tried at the pace of ReconnectPace.
  2. What cannot be read is dropped; no word of the other venue raises here.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from random import Random
from time import monotonic_ns
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from common.errors import PeerFault
from common.hyperliquid.budget import ReconnectPace
from common.messages import LeaderDown, Message
from common.tasks import Tasks
from common.units import SECOND, Nanos
from services.market_data.leader_wire import LeaderReader

CONNECT_S: Final = 2.5
SILENCE_S: Final = 10.0  # a large coin changes its best prices many times a second, a small one every few
REFUSALS_MAX: Final = 100
FRAME_BYTES_MAX: Final = 4_096  # a bookTicker has about 200
FRAMES_QUEUED_MAX: Final = 64  # read from the socket, not yet taken: more would hold up the venue's own stream
CLOSE_S: Final = 0.5


class LeaderLink:
    """Connection after connection to one address."""

    def __init__(
        self,
        *,
        url: str,
        symbols: Mapping[str, str],
        deliver: Callable[[Message], None],
        chance: Random,
        silence_s: float = SILENCE_S,
    ) -> None:
        self._url = url
        self._symbols = symbols
        self._deliver = deliver
        self._silence_s = silence_s
        self._pace = ReconnectPace(chance.random)
        self._tasks = Tasks()

    def start(self) -> None:
        self._tasks.spawn(self._run(), "leader stream")

    async def close(self) -> None:
        await self._tasks.close()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._pace.wait(Nanos(monotonic_ns())) / SECOND)
            self._deliver(LeaderDown(reason=await self._follow()))

    async def _follow(self) -> str:
        """Serve one connection; return why it ended."""
        try:
            socket = await connect(
                self._url,
                open_timeout=CONNECT_S,
                close_timeout=CLOSE_S,
                compression=None,
                proxy=None,
                max_size=FRAME_BYTES_MAX,
                max_queue=FRAMES_QUEUED_MAX,
            )
        except (OSError, EOFError, InvalidHandshake, InvalidURI) as error:  # a time-out is an OSError
            return f"cannot connect: {error}"
        try:
            return await self._read(socket)
        finally:
            with contextlib.suppress(ConnectionClosed):
                await socket.close()

    async def _read(self, socket: ClientConnection) -> str:
        reader, refusals, refusal = LeaderReader(self._symbols), 0, ""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._silence_s
        while refusals < REFUSALS_MAX:
            try:
                async with asyncio.timeout_at(until):
                    raw = await socket.recv(decode=False)
            except TimeoutError:
                return f"no usable price for {self._silence_s:g} s{refusal and ': '}{refusal}"
            except ConnectionClosed as closed:
                return f"closed: {closed}"
            try:
                top = reader.read(raw, Nanos(monotonic_ns()))
            except PeerFault as fault:
                refusals, refusal = refusals + 1, str(fault)
                continue
            refusals, until = 0, loop.time() + self._silence_s
            self._pace.succeeded()
            self._deliver(top)
        return f"{REFUSALS_MAX} unusable prices in a row, the last: {refusal}"

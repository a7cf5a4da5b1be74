"""The stream that comes back by itself: connection after connection to the same address.

Rules
  1. StreamDown when a connection that had opened is lost; the next is tried at the pace of budget.py, for ever.
  2. A post without a connection fails unsent. Its answer, of whatever kind, is never delivered from inside `post`.
  3. A redirect is a refusal: what we sign goes to the configured address and nowhere else.
"""

import asyncio
from collections.abc import Callable, Mapping
from random import Random
from time import monotonic_ns
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake

from common.actor import Post
from common.hyperliquid import wire
from common.hyperliquid.budget import ReconnectPace
from common.hyperliquid.connection import Connection, Patience, Stamp, Surroundings
from common.instrument import Instrument
from common.messages.base import Message
from common.messages.venue import PostFailed, StreamDown
from common.tasks import Tasks
from common.units import SECOND, Nanos

FRAME_BYTES_MAX: Final = 4 * 1024 * 1024  # a snapshot of 2,000 fills is about 1 MB
FRAMES_QUEUED_MAX: Final = 1_024  # read from the socket, not yet taken: a burst of blocks after a stall of ours
CLOSE_S: Final = 0.5  # for a polite goodbye


class _Connect(connect):
    """Rule 3."""

    def process_redirect(self, exc: Exception) -> Exception:
        return exc


class StreamLink:
    """The stream half of a VenueLink."""

    def __init__(
        self,
        *,
        url: str,
        instruments: Mapping[str, Instrument],
        subscriptions: tuple[dict[str, object], ...],
        deliver: Callable[[Message], None],
        stamp: Stamp,
        chance: Random,
        tasks: Tasks,
        patience: Patience,
    ) -> None:
        self._url = url
        self._pace = ReconnectPace(chance.random)
        self._around = Surroundings(
            instruments=instruments,
            subscriptions=subscriptions,
            reader=wire.FrameReader(instruments),
            deliver=deliver,
            stamp=stamp,
            heard=self._pace.succeeded,
            patience=patience,
            tasks=tasks,
        )
        self._number = 0
        self._live: Connection | None = None

    def start(self) -> None:
        self._around.tasks.spawn(self._run(), "venue stream")

    async def close(self) -> None:
        if self._live:
            await self._live.close()

    def reconnect(self, reason: str) -> None:
        if self._live:
            self._live.abandon(reason)

    def post(self, effect: Post) -> None:
        refusal = "not connected" if self._live is None else self._live.post(effect)
        if refusal:
            failed = PostFailed(post_id=effect.post_id, sent=False, reason=refusal)
            asyncio.get_running_loop().call_soon(self._around.deliver, failed)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._pace.wait(Nanos(monotonic_ns())) / SECOND)
            socket = await self._connect()
            if socket is None:
                continue
            self._number += 1
            self._live = Connection(socket, self._number, self._around)
            reason = await self._live.serve()
            self._live = None
            self._around.deliver(StreamDown(connection=self._number, reason=reason))

    async def _connect(self) -> ClientConnection | None:
        """Open a socket: no proxy, no compression (the venue has none), and pings are the venue's own kind."""
        try:
            return await _Connect(
                self._url,
                open_timeout=self._around.patience.connect_s,
                close_timeout=CLOSE_S,
                ping_interval=None,
                compression=None,
                proxy=None,
                max_size=FRAME_BYTES_MAX,
                max_queue=FRAMES_QUEUED_MAX,
            )
        except (OSError, EOFError, InvalidHandshake):  # a time-out is an OSError
            return None

"""The venue, as an actor's effects need it: streams and posts over one WebSocket, queries over HTTP.

Rules
  1. Nothing that the venue says or fails to say raises here: it becomes a message, and each effect gets exactly one.
  2. Venue time is delivered at most once a second of each source.
  3. The two halves, stream_link.py and info_link.py, know nothing of each other.
"""

from collections.abc import Callable, Mapping
from random import Random
from time import monotonic_ns
from typing import Final

from common.actor import Ask, Post
from common.hyperliquid.connection import Patience
from common.hyperliquid.info_link import InfoLink
from common.hyperliquid.stamp_pace import StampPace
from common.hyperliquid.stream_link import StreamLink
from common.hyperliquid.subscriptions import market_subscriptions, risk_subscriptions, user_subscriptions
from common.instrument import Instrument
from common.messages.base import Message
from common.messages.venue import VenueTime
from common.tasks import Tasks
from common.units import Millis, Nanos

PATIENCE: Final = Patience()

__all__ = ["Patience", "VenueLink", "market_subscriptions", "risk_subscriptions", "user_subscriptions"]


class VenueLink:
    """One service's link; every message goes to `deliver`, on the running loop.

    `url` is that of HTTP, the stream's follows from it. `account` is the address that owns the positions, "" where no
    query is about one. `weight_per_min` is this service's share of the venue's IP budget.
    """

    def __init__(
        self,
        *,
        url: str,
        account: str,
        instruments: Mapping[str, Instrument],
        subscriptions: tuple[dict[str, object], ...],
        deliver: Callable[[Message], None],
        weight_per_min: int,
        chance: Random,
        patience: Patience = PATIENCE,
    ) -> None:
        self._deliver_now = deliver
        self._tasks = Tasks()
        self._stamps = StampPace()
        self._closed = False
        self._stream = StreamLink(
            url="ws" + url.removeprefix("http").rstrip("/") + "/ws",
            instruments=instruments,
            subscriptions=subscriptions,
            deliver=self._deliver,
            stamp=self._stamp,
            chance=chance,
            tasks=self._tasks,
            patience=patience,
        )
        self._info = InfoLink(
            url=url,
            account=account,
            instruments=instruments,
            deliver=self._deliver,
            stamp=self._stamp,
            weight_per_min=weight_per_min,
            patience=patience,
            tasks=self._tasks,
        )

    def start(self) -> None:
        """Connect, in the background of the running loop, and stay connected until `close`."""
        self._stream.start()

    async def close(self) -> None:
        """End everything; nothing is delivered any more."""
        self._closed = True
        await self._tasks.close()
        await self._stream.close()
        await self._info.close()

    def post(self, effect: Post) -> None:
        """Send signed bytes; `Posted` or `PostFailed` is delivered, never from inside this call."""
        self._stream.post(effect)

    def ask(self, effect: Ask) -> None:
        """Query the venue; the answer or `QueryFailed` is delivered, never from inside this call."""
        self._info.ask(effect)

    def reconnect(self, reason: str) -> None:
        """Drop the socket; it comes back by itself."""
        self._stream.reconnect(reason)

    def _deliver(self, message: Message) -> None:
        if not self._closed:
            self._deliver_now(message)

    def _stamp(self, source: str, venue_ms: Millis, resolution_ms: int) -> None:
        if self._stamps.passes(source, Nanos(monotonic_ns())):
            self._deliver(VenueTime(venue_ms=venue_ms, resolution_ms=resolution_ms))

"""A link against a tiny venue, and how to tell a story about the two."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random
from time import monotonic_ns
from typing import Any

from common.actor import Post
from common.hyperliquid.client import Patience, VenueLink
from common.hyperliquid.subscriptions import market_subscriptions
from common.messages.base import Message
from common.units import SECOND, Nanos
from tests.common.hyperliquid.coins import COINS, MS
from tests.common.hyperliquid.tiny_venue import Inbox, TinyVenue, run

SUBSCRIPTIONS = market_subscriptions(["BTC"])[:2]
BODY = b'{"action" : {"type":"order","orders":[{"a":0}],"grouping":"na"},"nonce":1}'
BBO = {"channel": "bbo", "data": {"coin": "BTC", "time": MS, "bbo": [None, None]}}
IMPATIENT = Patience(ping_s=0.1, silence_s=0.4, acknowledge_s=0.4, answer_s=0.2, query_s=0.3)


def post(post_id: int = 1, *, within_s: float = 5, body: bytes = BODY) -> Post:
    return Post(post_id=post_id, body=body, deadline=Nanos(monotonic_ns() + int(within_s * SECOND)))


def link_to(
    url: str,
    deliver: Callable[[Message], None],
    *,
    account: str = "",
    weight_per_min: int = 100,
    patience: Patience | None = None,
    subscriptions: tuple[dict[str, object], ...] = SUBSCRIPTIONS,
) -> VenueLink:
    return VenueLink(
        url=url,
        account=account,
        instruments=COINS,
        subscriptions=subscriptions,
        deliver=deliver,
        weight_per_min=weight_per_min,
        chance=Random(1),
        patience=patience or Patience(),
    )


@asynccontextmanager
async def linked(venue: TinyVenue, **options: Any) -> AsyncIterator[tuple[VenueLink, Inbox]]:
    """Run a link against a venue; both end with the story."""
    inbox = Inbox()
    async with venue:
        link = link_to(venue.url, inbox.deliver, **options)
        link.start()
        try:
            yield link, inbox
        finally:
            await link.close()


def story(tell: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """Make a test of a coroutine."""

    def told() -> None:
        run(tell())

    told.__doc__ = tell.__doc__
    return told

"""Two sockets that know nothing of each other: either lives while the other is dead."""

import asyncio
from collections.abc import Callable
from random import Random
from time import monotonic_ns

from common.actor import Ask, Post
from common.messages import LeaderTop, Message, PostFailed, QueryFailed, StreamUp
from common.messages.venue import MetaQuery
from common.units import SECOND, Nanos
from services.market_data.feeds import Feeds
from services.market_data.leader_link import LeaderLink
from tests.common.hyperliquid.links import SUBSCRIPTIONS, link_to
from tests.common.hyperliquid.tiny_venue import TinyVenue
from tests.services.market_data.leader_server import Ears, leader
from tests.services.market_data.test_leader_wire import frame

NOWHERE = "127.0.0.1:1"


def feeds(ears: Ears, *, venue: str, url: str) -> Feeds:
    follower = LeaderLink(url=url, symbols={"BTC": "btcusdt"}, deliver=ears.hear, chance=Random(1))
    return Feeds(venue=link_to(venue, ears.hear, subscriptions=SUBSCRIPTIONS), leader=follower)


def has(*kinds: type[Message]) -> Callable[[list[Message]], bool]:
    """Return whether messages of all these kinds were heard."""
    return lambda said: all(any(isinstance(message, kind) for message in said) for kind in kinds)


def test_prices_come_without_a_venue() -> None:
    """What is asked of the venue fails by itself."""

    async def scene() -> None:
        ears = Ears()
        async with leader([frame()]) as url:
            both = feeds(ears, venue=f"http://{NOWHERE}", url=url)
            both.start()
            both.ask(Ask(1, MetaQuery()))
            both.post(Post(post_id=2, body=b"{}", deadline=Nanos(monotonic_ns() + SECOND)))
            await ears.until(has(LeaderTop, QueryFailed, PostFailed))
            await both.close()

    asyncio.run(scene())


def test_the_venue_comes_without_a_leader() -> None:
    """And comes back when it is told to reconnect."""

    async def scene() -> None:
        ears = Ears()
        async with TinyVenue() as venue:
            both = feeds(ears, venue=venue.url, url=f"ws://{NOWHERE}")
            both.start()
            await ears.until(lambda said: has(StreamUp)(said) and ears.reasons)
            both.reconnect("stale")
            await ears.until(lambda said: sum(isinstance(message, StreamUp) for message in said) == 2)
            await both.close()

    asyncio.run(scene())

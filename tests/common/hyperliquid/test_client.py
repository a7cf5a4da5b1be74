"""Both halves of a link together: what holds whatever is asked of them."""

import asyncio
from typing import Any

from common.messages.base import Message
from common.messages.market import TopOfBook
from common.messages.venue import StreamUp, VenueTime
from common.units import Millis
from tests.common.hyperliquid.coins import MS
from tests.common.hyperliquid.links import BBO, link_to, linked, post, story
from tests.common.hyperliquid.tiny_venue import Inbox, TinyVenue, run


@story
async def test_venue_time_once_a_second() -> None:
    """Rule 2: a burst of stamps is one, per source."""
    venue = TinyVenue()
    async with linked(venue) as (_, inbox):
        await inbox.next(StreamUp)
        for _ in range(5):
            venue.sockets[0].send(BBO)
        trade = {"coin": "BTC", "side": "B", "px": "1.0", "sz": "1", "time": MS - 1, "tid": 1}
        venue.sockets[0].send({"channel": "trades", "data": [trade]})
        for _ in range(5):
            await inbox.next(TopOfBook)
        await venue.until(lambda: True)
        assert await inbox.next(VenueTime) == VenueTime(venue_ms=Millis(MS), resolution_ms=1)
        assert (await inbox.next(VenueTime)).venue_ms == MS - 1
        assert not inbox.unread(VenueTime)


@story
async def test_close_is_the_end() -> None:
    """Rule 1: after close nothing is delivered and nothing runs."""
    venue = TinyVenue()
    async with linked(venue) as (link, inbox):
        await inbox.next(StreamUp)
        link.post(post(7))
        await link.close()
        said = len(inbox.all)
        link.post(post(8))
        link.reconnect("too late")
        await venue.until(lambda: True)
        await asyncio.sleep(0)
        assert len(inbox.all) == said
    assert {task.get_name() for task in asyncio.all_tasks()} & {"venue stream", "venue query"} == set()


@story
async def test_closed_before_it_opened() -> None:
    """Rule 1: a failure that was on its way when the link was closed has nobody to go to."""
    inbox = Inbox()
    link = link_to("http://127.0.0.1:1", inbox.deliver)
    link.post(post(7))
    await link.close()
    await asyncio.sleep(0)
    assert not inbox.all


def test_bug_of_the_actor_is_not_swallowed() -> None:
    """Rule 1: what the actor raises, even an OSError, reaches the loop and ends the process."""

    async def buggy() -> None:
        loop = asyncio.get_running_loop()
        failed: asyncio.Future[BaseException] = loop.create_future()

        def on_bug(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
            if not failed.done():
                failed.set_result(context["exception"])

        loop.set_exception_handler(on_bug)

        def bug(_: Message) -> None:
            raise OSError("disk full")

        async with TinyVenue() as venue:
            link = link_to(venue.url, bug)
            link.start()
            assert str(await failed) == "disk full"
            await link.close()

    run(buggy())

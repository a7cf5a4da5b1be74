"""A stream that comes back by itself."""

import pytest

from common.hyperliquid.stream_link import FRAME_BYTES_MAX
from common.messages.market import TopOfBook
from common.messages.venue import (
    MalformedVenueData,
    PostFailed,
    StreamDown,
    StreamUp,
)
from tests.common.hyperliquid.links import BBO, SUBSCRIPTIONS, link_to, linked, post, story
from tests.common.hyperliquid.tiny_venue import Inbox, TinyVenue, run

RESTING = {"status": "ok", "response": {"type": "order", "data": {"statuses": [{"resting": {"oid": 77}}]}}}


@story
async def test_comes_back() -> None:
    """Rule 1: down, up again with the next number, and everything is subscribed anew."""
    venue = TinyVenue()
    async with linked(venue) as (_, inbox):
        await inbox.next(StreamUp)
        venue.sockets[0].drop()
        assert (await inbox.next(StreamDown)).connection == 1
        assert await inbox.next(StreamUp) == StreamUp(connection=2)
        assert [frame["subscription"] for frame in venue.frames] == [*SUBSCRIPTIONS, *SUBSCRIPTIONS]


@story
async def test_refused_upgrades() -> None:
    """Rule 1: what never opened is not a loss; the tries go on."""
    venue = TinyVenue(refuse_upgrades=2)
    async with linked(venue) as (_, inbox):
        assert await inbox.next(StreamUp) == StreamUp(connection=1)
        assert not inbox.unread(StreamDown)


@pytest.mark.parametrize("where", ["/ws", "https://127.0.0.1/maintenance", "ws://user@x", "ws://[::1/", "ws://x:port"])
def test_redirects_are_refusals(where: str) -> None:
    """Rule 3: nobody is followed anywhere, and no address of a maintenance page ends the process."""
    found = f"HTTP/1.1 302 Found\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n".encode()

    async def redirected() -> None:
        venue = TinyVenue(refuse_upgrades=2, refusal=found)
        async with linked(venue) as (_, inbox):
            assert await inbox.next(StreamUp) == StreamUp(connection=1)

    run(redirected())


@pytest.mark.parametrize("raw", [b"{", b'{"channel":"l2Book","data":{"coin":"BTC"}}', b"null"])
def test_malformed_frame(raw: bytes) -> None:
    """Rule 1: it is reported, and the stream goes on."""

    async def garbled() -> None:
        venue = TinyVenue()
        async with linked(venue) as (_, inbox):
            await inbox.next(StreamUp)
            venue.sockets[0].send_raw(raw)
            await inbox.next(MalformedVenueData)
            venue.sockets[0].send(BBO)
            await inbox.next(TopOfBook)

    run(garbled())


@story
async def test_frame_too_large() -> None:
    """Rule 1: a frame past the limit costs the connection, not the memory."""
    venue = TinyVenue()
    async with linked(venue) as (_, inbox):
        await inbox.next(StreamUp)
        venue.sockets[0].send_raw(b"x" * (FRAME_BYTES_MAX + 1))
        await inbox.next(StreamDown)
        await inbox.next(StreamUp)


@story
async def test_post_without_connection() -> None:
    """Rule 2: not a byte left, and the actor is not called from inside its own effect."""
    async with TinyVenue() as venue:
        url = venue.url
    inbox = Inbox()
    link = link_to(url, inbox.deliver)
    link.start()
    link.post(post(7))
    assert not inbox.all
    assert await inbox.next(PostFailed) == PostFailed(post_id=7, sent=False, reason="not connected")
    await link.close()

"""One connection from its first subscription to its loss."""

import asyncio

from common.hyperliquid.connection import IN_FLIGHT_MAX, Patience
from common.messages.market import TopOfBook
from common.messages.venue import (
    ActionStatus,
    MalformedVenueData,
    Posted,
    PostFailed,
    StreamDown,
    StreamUp,
)
from tests.common.hyperliquid.links import BBO, BODY, IMPATIENT, SUBSCRIPTIONS, linked, post, story
from tests.common.hyperliquid.tiny_venue import Json, Socket, TinyVenue, acknowledge, run

RESTING = {"status": "ok", "response": {"type": "order", "data": {"statuses": [{"resting": {"oid": 77}}]}}}


def only_pongs(socket: Socket, frame: Json) -> None:
    if frame["method"] == "ping":
        acknowledge(socket, frame)


def answer_posts(socket: Socket, frame: Json) -> None:
    acknowledge(socket, frame)
    if frame["method"] == "post":
        data = {"id": frame["id"], "response": {"type": "action", "payload": RESTING}}
        socket.send({"channel": "post", "data": data})


# --- subscriptions ---------------------------------------------------------------------------------------


@story
async def test_up_when_all_is_acknowledged() -> None:
    """Rule 1: one of two acknowledgements is not enough."""
    venue = TinyVenue(frame=only_pongs)
    async with linked(venue) as (_, inbox):
        await venue.until(lambda: len(venue.frames) == 2)
        (socket,) = venue.sockets
        acknowledge(socket, venue.frames[0])
        socket.send(BBO)
        await inbox.next(TopOfBook)
        assert not inbox.unread(StreamUp)
        acknowledge(socket, venue.frames[1])
        assert await inbox.next(StreamUp) == StreamUp(connection=1)
        acknowledge(socket, venue.frames[1])
        socket.send(BBO)
        await inbox.next(TopOfBook)
        assert not inbox.unread(StreamUp)
    assert [frame["subscription"] for frame in venue.frames] == list(SUBSCRIPTIONS)


@story
async def test_up_without_subscriptions() -> None:
    """Rule 1: a link that only posts is up when it is open."""
    async with linked(TinyVenue(), subscriptions=()) as (_, inbox):
        assert await inbox.next(StreamUp) == StreamUp(connection=1)


@story
async def test_already_subscribed_is_an_acknowledgement() -> None:
    """Rule 1: the venue has it, and says so in its error channel."""

    def twice(socket: Socket, _: Json) -> None:
        for feed in ("l2Book", "bbo"):
            socket.send({"channel": "error", "data": f'Already subscribed: {{"type":"{feed}","coin":"BTC"}}'})

    async with linked(TinyVenue(frame=twice)) as (_, inbox):
        await inbox.next(StreamUp)
        assert not inbox.unread(MalformedVenueData)


@story
async def test_refusals_are_told() -> None:
    """Rule 4: any other refusal is a fact about us."""
    venue = TinyVenue()
    async with linked(venue) as (_, inbox):
        await inbox.next(StreamUp)
        venue.sockets[0].send({"channel": "error", "data": "Invalid subscription {}"})
        assert await inbox.next(MalformedVenueData) == MalformedVenueData(
            channel="error", reason="Invalid subscription {}"
        )


@story
async def test_never_acknowledged() -> None:
    """Rule 2: subscriptions that stay unanswered cost the connection, not the patience of a person."""
    venue = TinyVenue(frame=only_pongs)
    async with linked(venue, patience=IMPATIENT) as (_, inbox):
        down = await inbox.next(StreamDown)
        assert "not acknowledged" in down.reason
        await venue.until(lambda: len(venue.sockets) == 2)


def test_subscriptions_must_differ() -> None:
    """Rule 1: two that the venue's echo cannot tell apart are a bug of ours."""

    async def twice() -> None:
        loop = asyncio.get_running_loop()
        failed: asyncio.Future[BaseException] = loop.create_future()
        loop.set_exception_handler(lambda _, context: failed.set_result(context["exception"]))
        async with linked(TinyVenue(), subscriptions=(*SUBSCRIPTIONS, SUBSCRIPTIONS[0])):
            assert "repeat" in str(await failed)

    run(twice())


@story
async def test_silence() -> None:
    """Rule 2: our own pings do not keep a dead connection alive."""
    venue = TinyVenue(frame=lambda socket, frame: None if frame["method"] == "ping" else acknowledge(socket, frame))
    async with linked(venue, patience=IMPATIENT) as (_, inbox):
        await inbox.next(StreamUp)
        assert await inbox.next(StreamDown) == StreamDown(connection=1, reason="silent for 0.4 s")
        assert {"method": "ping"} in venue.frames


@story
async def test_pongs_are_life() -> None:
    """Rule 2: a quiet market is no dead connection."""
    venue = TinyVenue()
    async with linked(venue, patience=IMPATIENT) as (_, inbox):
        await inbox.next(StreamUp)
        await venue.until(lambda: venue.frames.count({"method": "ping"}) >= 6)
        assert not inbox.unread(StreamDown)


@story
async def test_reconnect_by_wish() -> None:
    """Rule 5: the actor's reason is the reason, and nothing of the old socket is read after it."""
    venue = TinyVenue()
    async with linked(venue) as (link, inbox):
        await inbox.next(StreamUp)
        venue.sockets[0].send(BBO)
        await inbox.next(TopOfBook)
        link.reconnect("stale book")
        link.reconnect("again")
        venue.sockets[0].send(BBO)
        assert await inbox.next(StreamDown) == StreamDown(connection=1, reason="stale book")
        assert not inbox.unread(TopOfBook)
        assert await inbox.next(StreamUp) == StreamUp(connection=2)


# --- posts -----------------------------------------------------------------------------------------------


@story
async def test_post() -> None:
    """Rule 3: the signed bytes leave untouched, and the answer finds its post."""
    venue = TinyVenue(frame=answer_posts)
    async with linked(venue) as (link, inbox):
        await inbox.next(StreamUp)
        link.post(post(41))
        link.post(post(42))
        statuses = (ActionStatus(kind="resting", oid=77),)
        assert await inbox.next(Posted) == Posted(post_id=41, statuses=statuses)
        assert await inbox.next(Posted) == Posted(post_id=42, statuses=statuses)
        assert sum(BODY in raw for raw in venue.raw) == 2


@story
async def test_post_past_its_deadline() -> None:
    """Rule 3: too late is not sent at all."""
    venue = TinyVenue(frame=answer_posts)
    async with linked(venue) as (link, inbox):
        await inbox.next(StreamUp)
        link.post(post(7, within_s=-1))
        assert await inbox.next(PostFailed) == PostFailed(post_id=7, sent=False, reason="past its deadline")
        link.post(post(8))
        await inbox.next(Posted)
        assert [frame["method"] for frame in venue.frames].count("post") == 1


@story
async def test_post_of_something_else() -> None:
    """Rule 3: bytes that are no request of ours do not leave."""
    async with linked(TinyVenue()) as (link, inbox):
        await inbox.next(StreamUp)
        link.post(post(7, body=b"{}"))
        failed = await inbox.next(PostFailed)
        assert (failed.sent, "not a request" in failed.reason) == (False, True)


@story
async def test_posts_in_flight() -> None:
    """Rule 3: a hundred may wait for their answers, the next one is not sent; a loss fails them all."""
    venue = TinyVenue()
    async with linked(venue) as (link, inbox):
        await inbox.next(StreamUp)
        for i in range(IN_FLIGHT_MAX + 1):
            link.post(post(i))
        refused = await inbox.next(PostFailed)
        assert (refused.post_id, refused.sent) == (IN_FLIGHT_MAX, False)
        await venue.until(lambda: len(venue.frames) == len(SUBSCRIPTIONS) + IN_FLIGHT_MAX)
        assert not inbox.unread(PostFailed)
        venue.sockets[0].drop()
        failed = [await inbox.next(PostFailed) for _ in range(IN_FLIGHT_MAX)]
        assert [each.post_id for each in failed] == list(range(IN_FLIGHT_MAX))
        assert all(each.sent for each in failed)
        down = await inbox.next(StreamDown)
        assert inbox.all.index(down) > inbox.all.index(failed[-1])


@story
async def test_post_timeout_and_late_answer() -> None:
    """Rules 3 and 4: no answer in time may still mean an order; what comes later belongs to nothing."""
    venue = TinyVenue()
    async with linked(venue, patience=IMPATIENT) as (link, inbox):
        await inbox.next(StreamUp)
        link.post(post(7, within_s=0.1))
        assert await inbox.next(PostFailed) == PostFailed(post_id=7, sent=True, reason="no answer in time")
        answer_posts(venue.sockets[0], next(frame for frame in venue.frames if frame["method"] == "post"))
        late = await inbox.next(MalformedVenueData)
        assert (late.channel, "unknown post" in late.reason) == ("post", True)
        assert not inbox.unread(Posted)


@story
async def test_venue_refuses_a_post() -> None:
    """Rule 4: the error channel names a post by its id; it may have been another process's fault."""

    def refuse(socket: Socket, frame: Json) -> None:
        acknowledge(socket, frame)
        if frame["method"] == "post":
            for wire_id in (frame["id"], 12345):
                socket.send({"channel": "error", "data": f"too many pending post requests id={wire_id}"})

    async with linked(TinyVenue(frame=refuse)) as (link, inbox):
        await inbox.next(StreamUp)
        link.post(post(7))
        failed = await inbox.next(PostFailed)
        assert (failed.post_id, failed.sent) == (7, True)
        await inbox.next(MalformedVenueData)


@story
async def test_slow_answer() -> None:
    """Rule 3: past the deadline, yet within five seconds, an answer is an answer."""
    patience = Patience(ping_s=0.1)
    venue = TinyVenue()
    async with linked(venue, patience=patience) as (link, inbox):
        await inbox.next(StreamUp)
        link.post(post(7, within_s=0.1))
        await venue.until(lambda: venue.frames.count({"method": "ping"}) >= 4)
        answer_posts(venue.sockets[0], next(frame for frame in venue.frames if frame["method"] == "post"))
        assert (await inbox.next(Posted)).post_id == 7

"""Queries over HTTP: every answer, and every way to get none."""

import json

import pytest

from common.actor import Ask
from common.hyperliquid.info_link import ANSWER_BYTES_MAX, ASKED_MAX, AT_ONCE_MAX
from common.hyperliquid.wire_pages import PAGE_FULL
from common.messages.venue import (
    AccountQuery,
    FillsQuery,
    FundingQuery,
    MetaQuery,
    OpenOrdersQuery,
    OrderStatusQuery,
    Query,
    QueryFailed,
    VenueAccount,
    VenueFills,
    VenueFundings,
    VenueMeta,
    VenueOpenOrders,
    VenueOrderStatus,
    VenueTime,
)
from common.units import Millis
from tests.common.hyperliquid.coins import ACCOUNT, CLOID, MS
from tests.common.hyperliquid.links import IMPATIENT, link_to, linked, story
from tests.common.hyperliquid.tiny_venue import Inbox, Json, TinyVenue, response, run

ALL: list[Query] = [
    *(OpenOrdersQuery(), OrderStatusQuery(CLOID), FillsQuery(Millis(MS)), AccountQuery()),
    *(FundingQuery(Millis(MS)), MetaQuery()),
]


def healthy(query: Json) -> Json:
    """Answer each query with the least that it may be."""
    margin = {"accountValue": "1000.0", "totalMarginUsed": "0.0"}
    state = {"marginSummary": margin, "withdrawable": "1000.0", "assetPositions": [], "time": MS + 7}
    answers = {"orderStatus": {"status": "unknownOid"}, "clearinghouseState": state, "meta": {"universe": []}}
    return answers.get(query["type"], [])


def fill(time: int, tid: int) -> Json:
    ours = {"coin": "BTC", "px": "66653.0", "sz": "0.001", "side": "B", "time": time, "startPosition": "0.0"}
    return {**ours, "tid": tid, "closedPnl": "0.0", "oid": 1, "crossed": True, "fee": "0.1", "feeToken": "USDC"}


async def failure(venue: TinyVenue, query: Query, **options: object) -> str:
    """Ask once and return why there was no answer."""
    async with linked(venue, account=ACCOUNT, **options) as (link, inbox):
        link.ask(Ask(5, query))
        failed = await inbox.next(QueryFailed)
        assert failed.query_id == 5
        return failed.reason


@story
async def test_answers() -> None:
    """Rule 1: one answer each, under the asker's number, with the account that owns the positions."""
    venue = TinyVenue(query=healthy)
    async with linked(venue, account=ACCOUNT) as (link, inbox):
        for query_id, query in enumerate(ALL):
            link.ask(Ask(query_id, query))
        assert not inbox.unread(VenueMeta)
        assert (await inbox.next(VenueOpenOrders)).query_id == 0
        assert (await inbox.next(VenueOrderStatus)).status == "unknownOid"
        assert (await inbox.next(VenueFills)).fills == ()
        assert (await inbox.next(VenueAccount)).venue_ms == MS + 7
        assert (await inbox.next(VenueFundings)).query_id == 4
        assert (await inbox.next(VenueMeta)).query_id == 5
        assert {query.get("user", ACCOUNT) for query in venue.queries} == {ACCOUNT}
        assert not inbox.unread(QueryFailed)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (response(b"null", "429 Too Many Requests"), "HTTP 429 null"),
        (response(b"<html>oops</html>", "502 Bad Gateway"), "HTTP 502 <html>oops</html>"),
        (response(b"\xff\xfe", "500 Internal Server Error"), "HTTP 500 \ufffd\ufffd"),
        (response(b"[]", "201 Created"), "HTTP 201 []"),
        (response(b"<html>fine</html>"), "OpenOrdersQuery: JSON is malformed"),
        (response(b"null"), "OpenOrdersQuery: Expected `array`, got `null`"),
        (response(b""), "OpenOrdersQuery: Input data was truncated"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n[]", "DecodingError"),
        (b"no protocol at all\r\n\r\n", "RemoteProtocolError"),
    ],
)
def test_no_answer(answer: bytes, reason: str) -> None:
    """Rule 1: an answer that cannot be believed is a failure, never an empty list."""
    assert run(failure(TinyVenue(query=lambda _: answer), OpenOrdersQuery())).startswith(reason)


@story
async def test_time_out() -> None:
    """Rule 1: nothing, and also not enough of it."""
    assert await failure(TinyVenue(query=lambda _: None), OpenOrdersQuery(), patience=IMPATIENT) == "no answer in 0.3 s"
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n["
    assert await failure(TinyVenue(query=lambda _: half), OpenOrdersQuery(), patience=IMPATIENT) == "no answer in 0.3 s"


@story
async def test_too_large() -> None:
    """Rule 1: an answer without end costs no memory without end."""
    endless = response(b" " * (ANSWER_BYTES_MAX + 1))
    assert "bytes" in await failure(TinyVenue(query=lambda _: endless), OpenOrdersQuery())


@story
async def test_nobody_there() -> None:
    """Rule 1: a refused connection."""
    async with TinyVenue() as venue:
        url = venue.url
    inbox = Inbox()
    link = link_to(url, inbox.deliver, account=ACCOUNT)
    link.ask(Ask(5, AccountQuery()))
    assert "ConnectError" in (await inbox.next(QueryFailed)).reason
    await link.close()


@story
async def test_no_account() -> None:
    """Rule 1: a link without an account can ask for the universe alone."""
    async with linked(TinyVenue(query=healthy)) as (link, inbox):
        link.ask(Ask(5, AccountQuery()))
        assert "no account" in (await inbox.next(QueryFailed)).reason
        link.ask(Ask(6, MetaQuery()))
        await inbox.next(VenueMeta)


@story
async def test_budget() -> None:
    """Rule 2: what fits is asked, what does not is refused at once and costs nothing."""
    venue = TinyVenue(query=healthy)
    async with linked(venue, account=ACCOUNT, weight_per_min=24) as (link, inbox):
        link.ask(Ask(1, OpenOrdersQuery()))
        await inbox.next(VenueOpenOrders)
        link.ask(Ask(2, OpenOrdersQuery()))
        assert await inbox.next(QueryFailed) == QueryFailed(query_id=2, reason="IP weight budget")
        for query_id in (3, 4):
            link.ask(Ask(query_id, AccountQuery()))
            await inbox.next(VenueAccount)
        link.ask(Ask(5, AccountQuery()))
        assert (await inbox.next(QueryFailed)).query_id == 5
        assert len(venue.queries) == 3


@story
async def test_length_is_charged() -> None:
    """Rule 2: forty fills cost two more."""
    fills = [fill(MS + i, i) for i in range(40)]
    venue = TinyVenue(query=lambda query: fills if query["type"] == "userFillsByTime" else healthy(query))
    async with linked(venue, account=ACCOUNT, weight_per_min=23) as (link, inbox):
        link.ask(Ask(1, FillsQuery(Millis(MS))))
        assert len((await inbox.next(VenueFills)).fills) == 40
        link.ask(Ask(2, AccountQuery()))
        await inbox.next(QueryFailed)


@story
async def test_pages() -> None:
    """Rule 1: a history is one answer, however many pages it has; a page that fails fails all of it."""
    history = [fill(MS + i, i) for i in range(2 * PAGE_FULL)]

    def page(query: Json) -> Json:
        return [each for each in history if each["time"] >= query["startTime"]][:PAGE_FULL]

    venue = TinyVenue(query=page)
    async with linked(venue, account=ACCOUNT, weight_per_min=1_000) as (link, inbox):
        link.ask(Ask(1, FillsQuery(Millis(MS))))
        found = await inbox.next(VenueFills)
        assert [each.tid for each in found.fills] == list(range(2 * PAGE_FULL))
        assert [query["startTime"] - MS for query in venue.queries] == [0, PAGE_FULL - 1, 2 * PAGE_FULL - 2]
    venue = TinyVenue(query=page)
    async with linked(venue, account=ACCOUNT, weight_per_min=50) as (link, inbox):
        link.ask(Ask(1, FillsQuery(Millis(MS))))
        assert (await inbox.next(QueryFailed)).reason == "IP weight budget"
        assert not inbox.unread(VenueFills)


@story
async def test_idle_connection_closed() -> None:
    """Rule 3: the venue hangs up after each answer; nobody notices, and no query is sent three times."""
    venue = TinyVenue(query=healthy)
    venue.closes_after_answer = True
    async with linked(venue, account=ACCOUNT) as (link, inbox):
        for query_id in range(5):
            link.ask(Ask(query_id, AccountQuery()))
            await inbox.next(VenueAccount)
        assert not inbox.unread(QueryFailed)
    broken = TinyVenue(query=lambda _: b"no protocol at all\r\n\r\n")
    await failure(broken, AccountQuery())
    assert len(broken.queries) == 2


@story
async def test_many_at_once() -> None:
    """Rule 1: more than the limit of waiting queries are refused; the others have their turn."""
    waiting: list[Json] = []
    venue = TinyVenue(query=waiting.append)
    async with linked(venue, account=ACCOUNT, weight_per_min=10_000) as (link, inbox):
        for query_id in range(ASKED_MAX + 1):
            link.ask(Ask(query_id, AccountQuery()))
        failed = await inbox.next(QueryFailed)
        assert (failed.query_id, "wait" in failed.reason) == (ASKED_MAX, True)
        await venue.until(lambda: len(waiting) == AT_ONCE_MAX)
        assert not inbox.unread(QueryFailed)


@story
async def test_venue_time() -> None:
    """Rule 4: whole seconds from the Date header of any answer, milliseconds from an account's state."""
    async with linked(TinyVenue(query=healthy), account=ACCOUNT) as (link, inbox):
        link.ask(Ask(1, AccountQuery()))
        stamps = [await inbox.next(VenueTime), await inbox.next(VenueTime)]
        assert stamps == [
            VenueTime(venue_ms=Millis(MS), resolution_ms=1_000),
            VenueTime(venue_ms=Millis(MS + 7), resolution_ms=1),
        ]


@pytest.mark.parametrize(
    "date", ["", "yesterday", "Tue, 99 Nov 2023 22:13:20 GMT", "Tue, 14 Nov 99999999 22:13:20 GMT"]
)
def test_odd_dates(date: str) -> None:
    """Rule 4: a date that is none says nothing, and spoils nothing."""

    async def odd() -> None:
        body = json.dumps([]).encode()
        async with linked(TinyVenue(query=lambda _: response(body, date=date)), account=ACCOUNT) as (link, inbox):
            link.ask(Ask(1, OpenOrdersQuery()))
            await inbox.next(VenueOpenOrders)
            assert not inbox.unread(VenueTime)

    run(odd())

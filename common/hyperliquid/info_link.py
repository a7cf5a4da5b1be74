"""Queries over HTTP: one answer or one failure each, within a budget.

Rules
  1. Whatever goes wrong (budget, time-out, HTTP status, size, JSON, shape) is QueryFailed with its reason.
  2. A query that does not fit the IP weight of this minute is refused at once and costs nothing; what an answer adds by
     its length is charged afterwards.
  3. A connection that the venue closed while it idled is no failure: such a query is sent once more.
  4. The Date header of every answer, and the state time of an account, tell venue time.
"""

import asyncio
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from time import monotonic_ns
from typing import Final

import httpx
import msgspec

from common.actor import Ask
from common.errors import AbsurdNumber, PeerFault
from common.hyperliquid import wire
from common.hyperliquid.budget import MinuteBudget
from common.hyperliquid.connection import Patience, Stamp
from common.instrument import Instrument
from common.messages.base import Message
from common.messages.venue import FillsQuery, FundingQuery, Query, QueryFailed, VenueAccount
from common.tasks import Tasks
from common.units import Millis, Nanos

CONNECT_S: Final = 2.0
ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024  # 2,000 fills are about 1 MB
AT_ONCE_MAX: Final = 10  # queries on the wire; the rest waits its turn
ASKED_MAX: Final = 500  # queries that are not answered; a reconciliation of all orders at once is less
REASON_CHARS_MAX: Final = 200  # of the venue's text in our messages
DATE_RESOLUTION_MS: Final = 1_000


class InfoLink:
    """The query half of a VenueLink."""

    def __init__(
        self,
        *,
        url: str,
        account: str,
        instruments: Mapping[str, Instrument],
        deliver: Callable[[Message], None],
        stamp: Stamp,
        weight_per_min: int,
        tasks: Tasks,
        patience: Patience,
    ) -> None:
        self._account = account
        self._instruments = instruments
        self._deliver = deliver
        self._stamp = stamp
        self._budget = MinuteBudget(weight_per_min)
        self._tasks = tasks
        self._query_s = patience.query_s
        self._turn = asyncio.Semaphore(AT_ONCE_MAX)
        self._asked = 0
        timeout = httpx.Timeout(patience.query_s, connect=CONNECT_S)
        self._http = httpx.AsyncClient(base_url=url, timeout=timeout, trust_env=False)

    async def close(self) -> None:
        await self._http.aclose()

    def ask(self, effect: Ask) -> None:
        self._tasks.spawn(self._serve(effect), "venue query")

    async def _serve(self, effect: Ask) -> None:
        self._asked += 1
        try:
            message = await self._answer(effect)
        except PeerFault as fault:
            reason, absurd = str(fault)[:REASON_CHARS_MAX], isinstance(fault, AbsurdNumber)
            message = QueryFailed(query_id=effect.query_id, reason=reason, absurd=absurd)
        finally:
            self._asked -= 1
        self._deliver(message)

    async def _answer(self, effect: Ask) -> Message:
        """Return the answer; PeerFault names why there is none."""
        if self._asked > ASKED_MAX:
            raise PeerFault(f"{ASKED_MAX} queries wait for their answers")
        async with self._turn:
            asked_at = Nanos(monotonic_ns())
            if isinstance(effect.query, FillsQuery | FundingQuery):
                return await self._history(effect.query, effect.query_id, asked_at)
            return await self._whole(effect.query, effect.query_id, asked_at)

    async def _whole(self, query: wire.WholeQuery, query_id: int, asked_at: Nanos) -> Message:
        payload = await self._fetch(query)
        message = wire.decode_answer(
            query, payload, query_id=query_id, asked_at=asked_at, instruments=self._instruments
        )
        if isinstance(message, VenueAccount):
            self._stamp_soon("account", message.venue_ms, 1)
        return message

    async def _history(self, query: wire.PagedQuery, query_id: int, asked_at: Nanos) -> Message:
        pages = wire.Pages(query)
        complete = False
        while not complete:  # Pages ends it (PAGES_MAX)
            payload = await self._fetch(query, since_ms=pages.since_ms, until_ms=pages.until_ms)
            page = wire.decode_page(query, payload, self._instruments)
            price = wire.WEIGHTS[type(query)]
            self._budget.charge(price.of(len(page.times)) - price.base, Nanos(monotonic_ns()))
            complete = pages.take(page)
        return pages.answer(query_id, asked_at)

    async def _fetch(self, query: Query, *, since_ms: int = 0, until_ms: int | None = None) -> bytes:
        """Return the body of a good answer; PeerFault for any other."""
        try:
            body = wire.query_body(query, self._account, since_ms=since_ms, until_ms=until_ms)
        except ValueError as error:
            raise PeerFault(str(error)) from error
        if not self._budget.take(wire.weight(query), Nanos(monotonic_ns())):
            raise PeerFault("IP weight budget")
        content = msgspec.json.encode(body)
        try:
            async with asyncio.timeout(self._query_s):
                try:
                    return await self._request(content)
                except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                    return await self._request(content)
        except TimeoutError as error:
            raise PeerFault(f"no answer in {self._query_s} s") from error
        except httpx.HTTPError as error:
            raise PeerFault(f"{type(error).__name__} {error}") from error

    async def _request(self, content: bytes) -> bytes:
        headers = {"Content-Type": "application/json"}
        async with self._http.stream("POST", "/info", content=content, headers=headers) as response:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > ANSWER_BYTES_MAX:
                    raise PeerFault(f"answer of more than {ANSWER_BYTES_MAX} bytes")
        self._stamp_date(response.headers.get("Date", ""))
        if response.status_code != httpx.codes.OK:
            text = bytes(body[:REASON_CHARS_MAX]).decode(errors="replace")
            raise PeerFault(f"HTTP {response.status_code} {text}")
        return bytes(body)

    def _stamp_date(self, date: str) -> None:
        try:
            seconds = parsedate_to_datetime(date).timestamp()
        except (ValueError, OverflowError):
            return
        self._stamp_soon("http", Millis(int(seconds) * 1000), DATE_RESOLUTION_MS)

    def _stamp_soon(self, source: str, venue_ms: Millis, resolution_ms: int) -> None:
        """Stamp from the loop itself: an error of whoever takes it must not look like one of the query."""
        asyncio.get_running_loop().call_soon(self._stamp, source, venue_ms, resolution_ms)

"""What `mm` reads of the venue by itself: what rests, which coins exist, is the local venue alive.

They ask nobody else, so they work with every service dead.
"""

import http.client
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from time import monotonic_ns
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from common.cloid import house_tag, is_ours
from common.errors import ConfigFault, PeerFault
from common.hyperliquid.wire_answers import decode_answer, query_body
from common.instrument import Instrument
from common.messages.venue import MetaQuery, OpenOrdersQuery, VenueMeta, VenueOpenOrders, VenueOrder
from common.units import Nanos

READ_S_MAX: Final = 3.0
ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024  # a thousand open orders are 0.4 MB, the universe 0.1 MB


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What the local venue says of itself."""

    pid: int
    uptime_s: Annotated[float, Meta(ge=0)]
    block: int
    epoch: int


class OpenOrders(msgspec.Struct, frozen=True, kw_only=True):
    """All orders that the venue lists for the account, at a time of the venue's."""

    venue_s: int | None  # HTTP Date, whole seconds rounded down; None when the answer had none
    ours: tuple[VenueOrder, ...]
    foreign: tuple[VenueOrder, ...]


class VenueReader:
    """Synchronous reads for one account; PeerFault when the venue gives no believable answer."""

    def __init__(
        self, url: str, account: str, instruments: Mapping[str, Instrument], timeout_s: float = READ_S_MAX
    ) -> None:
        self._url = urlsplit(url)
        if self._url.scheme not in ("http", "https") or not self._url.hostname:
            raise ConfigFault(f"venue.url: {url!r} is no http or https address")
        self._account = account
        self.instruments = dict(instruments)
        self._universe_known = False
        self._timeout_s = timeout_s

    def universe(self) -> tuple[Instrument, ...]:
        _, body = self._info(query_body(MetaQuery(), self._account))
        answer = decode_answer(MetaQuery(), body, query_id=0, asked_at=Nanos(0), instruments={})
        assert isinstance(answer, VenueMeta)
        return answer.universe

    def open_orders(self) -> OpenOrders:
        """Read what rests, in every coin of the venue: an order of ours may be in one that is configured no more."""
        if not self._universe_known:
            self.instruments = {instrument.coin: instrument for instrument in self.universe()} | self.instruments
            self._universe_known = True
        query, asked_at = OpenOrdersQuery(), Nanos(monotonic_ns())
        if not self._account:
            raise ConfigFault("venue.account: is empty, so no orders can be asked for")
        venue_s, body = self._info(query_body(query, self._account))
        answer = decode_answer(query, body, query_id=0, asked_at=asked_at, instruments=self.instruments)
        assert isinstance(answer, VenueOpenOrders)
        tag = house_tag(self._account)
        return OpenOrders(
            venue_s=venue_s,
            ours=tuple(order for order in answer.orders if is_ours(order.cloid, tag)),
            foreign=tuple(order for order in answer.orders if not is_ours(order.cloid, tag)),
        )

    def health(self) -> Health:
        """Ask the local venue how it is."""
        try:
            return msgspec.json.decode(self.get("/health"), type=Health)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise PeerFault(f"venue health: {error}") from error

    def get(self, path: str) -> bytes:
        """Ask for what only the local venue has."""
        _, body = self._request("GET", path, None)
        return body

    def _info(self, query: dict[str, object]) -> tuple[int | None, bytes]:
        return self._request("POST", "/info", msgspec.json.encode(query))

    def _request(self, method: str, path: str, body: bytes | None) -> tuple[int | None, bytes]:
        secure = self._url.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(self._url.hostname or "", self._url.port, timeout=self._timeout_s)
        try:
            connection.request(method, self._url.path + path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read(ANSWER_BYTES_MAX)
        except (OSError, http.client.HTTPException) as error:
            raise PeerFault(f"venue {self._url.netloc} does not answer {path}: {error}") from error
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise PeerFault(f"venue {self._url.netloc} answered {answer.status} to {path}")
        return _seconds(answer.getheader("Date")), text


def _seconds(date: str | None) -> int | None:
    if date is None:
        return None
    try:
        return int(parsedate_to_datetime(date).timestamp())
    except ValueError:
        return None

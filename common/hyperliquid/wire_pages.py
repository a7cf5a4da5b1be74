"""Own fills and funding payments since a time: pages of them, until they are complete.

Rules
  1. The venue promises neither the size nor the order of its pages. A page that may have been cut is continued at
     its last element's time, inclusively: forward when it is ascending, backward when it is descending.
  2. The history is complete with the first page that is too short to have been cut.
  3. What cannot be continued, because one millisecond fills a page or the pages never end, is a PeerFault.
  4. Everything counts once: fills by (time, coin, tid), payments by (time, coin).
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias, assert_never

import msgspec

from common.errors import PeerFault
from common.hyperliquid import wire_types as types
from common.instrument import Instrument
from common.messages.orders import Fill
from common.messages.venue import FillsQuery, FundingPayment, FundingQuery, VenueFills, VenueFundings
from common.units import Nanos

PAGE_FULL: Final = 500  # the smallest page size that the venue documents: so many elements may have been cut
PAGES_MAX: Final = 50  # the venue keeps the newest 10,000 fills; more pages than that means that it repeats itself

PagedQuery: TypeAlias = FillsQuery | FundingQuery


class Page(msgspec.Struct, frozen=True):
    """One answer; `times` are those of all its elements as they came, those of foreign coins included."""

    items: tuple[Fill, ...] | tuple[FundingPayment, ...]
    times: tuple[int, ...]


class _StampedFill(msgspec.Struct, frozen=True):
    """What every fill has, also that of a coin of which we understand nothing else."""

    coin: str
    time: types.Time


class _LedgerFunding(msgspec.Struct, frozen=True):
    time: types.Time
    delta: types.Funding


_fills: Final = msgspec.json.Decoder(list[msgspec.Raw])
_stamped_fill: Final = msgspec.json.Decoder(_StampedFill)
_fill: Final = msgspec.json.Decoder(types.UserFill)
_fundings: Final = msgspec.json.Decoder(list[_LedgerFunding])


def decode_page(query: PagedQuery, payload: bytes, instruments: Mapping[str, Instrument]) -> Page:
    """Read one page; PeerFault when it is not of the query's shape."""
    try:
        match query:
            case FillsQuery():
                return _fill_page(_fills.decode(payload), instruments)
            case FundingQuery():
                return _funding_page(_fundings.decode(payload), instruments)
            case _:
                assert_never(query)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PeerFault(f"{type(query).__name__}: {error}") from error


def _fill_page(elements: Sequence[msgspec.Raw], instruments: Mapping[str, Instrument]) -> Page:
    stamps = [_stamped_fill.decode(raw) for raw in elements]
    fills = tuple(
        types.fill(_fill.decode(raw), instruments[stamp.coin])
        for raw, stamp in zip(elements, stamps, strict=True)
        if stamp.coin in instruments
    )
    return Page(fills, tuple(stamp.time for stamp in stamps))


def _funding_page(entries: Sequence[_LedgerFunding], instruments: Mapping[str, Instrument]) -> Page:
    payments = tuple(
        types.funding_payment(entry.delta, entry.time) for entry in entries if entry.delta.coin in instruments
    )
    return Page(payments, tuple(entry.time for entry in entries))


class Pages:
    """One history while it is being read; `since_ms` and `until_ms` say what to ask for next."""

    def __init__(self, query: PagedQuery) -> None:
        self._query = query
        self.since_ms = int(query.since_ms)
        self.until_ms: int | None = None
        self._count = 0
        self._fills: dict[tuple[int, str, int], Fill] = {}
        self._payments: dict[tuple[int, str], FundingPayment] = {}

    def take(self, page: Page) -> bool:
        """Add a page; True when the history is complete, PeerFault when it cannot be continued."""
        for item in page.items:
            if isinstance(item, Fill):
                self._fills[item.venue_ms, item.coin, item.tid] = item
            else:
                self._payments[item.venue_ms, item.coin] = item
        self._count += 1
        if len(page.times) < PAGE_FULL:
            return True
        if self._count >= PAGES_MAX:
            raise PeerFault(f"{type(self._query).__name__}: no end after {PAGES_MAX} pages")
        self._continue_after(page.times[0], page.times[-1])
        return False

    def answer(self, query_id: int, asked_at: Nanos) -> VenueFills | VenueFundings:
        """Return everything found, oldest first; fills of one millisecond chain by their start position."""
        if isinstance(self._query, FillsQuery):
            fills = tuple(sorted(self._fills.values(), key=lambda fill: fill.venue_ms))
            return VenueFills(query_id=query_id, fills=fills, asked_at=asked_at)
        payments = tuple(sorted(self._payments.values(), key=lambda payment: (payment.venue_ms, payment.coin)))
        return VenueFundings(query_id=query_id, payments=payments)

    def _continue_after(self, first_ms: int, last_ms: int) -> None:
        if first_ms <= last_ms:
            progress = last_ms > self.since_ms
            self.since_ms = last_ms
        else:
            progress = self.until_ms is None or last_ms < self.until_ms
            self.until_ms = last_ms
        if not progress:
            raise PeerFault(f"{type(self._query).__name__}: more than a page of {last_ms}")

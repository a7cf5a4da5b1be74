"""Histories in pages of unknown size and order: complete, or refused."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import PeerFault
from common.hyperliquid.wire_pages import PAGE_FULL, PAGES_MAX, Page, Pages, decode_page
from common.messages.orders import Fill
from common.messages.venue import FillsQuery, FundingPayment, FundingQuery, VenueFills, VenueFundings
from common.units import Lots, Millis, Nanos, Side, Ticks
from tests.common.hyperliquid.coins import COINS, MS

ASKED = Nanos(11)
FILLS = FillsQuery(Millis(0))


def fill(venue_ms: int, tid: int) -> Fill:
    return Fill(
        coin="BTC",
        side=Side.BUY,
        ticks=Ticks(1),
        lots=Lots(1),
        venue_ms=Millis(venue_ms),
        tid=tid,
        oid=1,
        cloid=None,
        start_position=Lots(0),
        fee=Decimal(0),
        closed_pnl=Decimal(0),
        crossed=False,
    )


def page(times: Sequence[int]) -> Page:
    """Return a page with a fill of our own coin at each of these times; equal times are equal fills."""
    return Page(tuple(fill(time, time) for time in times), tuple(times))


def wire_fill(**changes: Any) -> dict[str, Any]:
    ours = {"coin": "BTC", "px": "66653.0", "sz": "0.001", "side": "B", "time": MS, "startPosition": "0.0", "tid": 7}
    rest = {"closedPnl": "0.0", "oid": 1, "crossed": True, "fee": "0.1", "feeToken": "USDC"}
    return {**ours, **rest, **changes}


def wire_funding(**changes: Any) -> dict[str, Any]:
    return {
        "time": MS,
        "hash": "0x",
        "delta": {"type": "funding", "coin": "ETH", "usdc": "-3.6", "szi": "1"},
        **changes,
    }


def test_fill_page() -> None:
    """Rule 1: foreign fills are left out, yet their times count for the page."""
    elements = [wire_fill(), {"coin": "@1", "time": MS + 1, "px": 5}]
    found = decode_page(FILLS, json.dumps(elements).encode(), COINS)
    assert found.times == (MS, MS + 1)
    assert [item.coin for item in found.items] == ["BTC"]


def test_funding_page() -> None:
    """Rule 1: payments come out of their ledger entries; received is positive."""
    query = FundingQuery(Millis(0))
    foreign = wire_funding(delta={"type": "funding", "coin": "DOGE", "usdc": "1", "szi": "1"})
    found = decode_page(query, json.dumps([wire_funding(), foreign]).encode(), COINS)
    payment = FundingPayment(coin="ETH", usd=Decimal("-3.6"), venue_ms=Millis(MS))
    assert found == Page((payment,), (MS, MS))
    pages = Pages(query)
    assert pages.take(found)
    assert pages.answer(3, ASKED) == VenueFundings(query_id=3, payments=(payment,))


@pytest.mark.parametrize("answer", [None, {}, [None], [{"coin": "BTC", "time": MS}], [wire_fill(tid=None)]])
def test_no_fill_page(answer: Any) -> None:
    """Rule 3: a fill of ours that cannot be read leaves the history unknown, not shorter."""
    with pytest.raises(PeerFault):
        decode_page(FILLS, json.dumps(answer).encode(), COINS)


@pytest.mark.parametrize("answer", [None, {}, [None], [wire_funding(time=-1)], [wire_funding(delta={})]])
def test_no_funding_page(answer: Any) -> None:
    """Rule 3: same for payments."""
    with pytest.raises(PeerFault):
        decode_page(FundingQuery(Millis(0)), json.dumps(answer).encode(), COINS)


@pytest.mark.parametrize("raw", [b"", b"\xff", b"[" * 10_000])
def test_no_json(raw: bytes) -> None:
    """Rule 3: same for bytes that are no JSON."""
    with pytest.raises(PeerFault):
        decode_page(FILLS, raw, COINS)


def test_short_page_is_the_end() -> None:
    """Rule 2: one element less than a page that may have been cut is all there is."""
    assert Pages(FILLS).take(page(range(PAGE_FULL - 1)))
    assert not Pages(FILLS).take(page(range(PAGE_FULL)))
    assert Pages(FILLS).take(page([]))


def test_directions() -> None:
    """Rule 1: forward from the last of an ascending page, backward from the last of a descending one."""
    ascending = Pages(FILLS)
    ascending.take(page(range(1, PAGE_FULL + 1)))
    assert (ascending.since_ms, ascending.until_ms) == (PAGE_FULL, None)
    descending = Pages(FILLS)
    descending.take(page(range(PAGE_FULL, 0, -1)))
    assert (descending.since_ms, descending.until_ms) == (0, 1)


def test_one_millisecond_fills_a_page() -> None:
    """Rule 3: no step forward, no history; the same for a venue that repeats its oldest page."""
    pages = Pages(FILLS)
    assert not pages.take(Page((), (5,) * PAGE_FULL))
    with pytest.raises(PeerFault, match="more than a page"):
        pages.take(Page((), (5,) * PAGE_FULL))
    pages = Pages(FILLS)
    assert not pages.take(page(range(PAGE_FULL, 0, -1)))
    with pytest.raises(PeerFault, match="more than a page"):
        pages.take(page(range(PAGE_FULL, 0, -1)))


def test_no_end() -> None:
    """Rule 3: more pages than the venue keeps is a venue that makes them up."""
    pages = Pages(FILLS)
    for i in range(PAGES_MAX - 1):
        assert not pages.take(page(range(i * PAGE_FULL, (i + 1) * PAGE_FULL)))
    with pytest.raises(PeerFault, match="no end"):
        pages.take(page(range(PAGES_MAX * PAGE_FULL, (PAGES_MAX + 1) * PAGE_FULL)))


@given(
    times=st.lists(st.integers(1, 4_000), max_size=3_000).map(sorted),
    size=st.sampled_from([PAGE_FULL, 2 * PAGE_FULL]),
    newest_first=st.booleans(),
)
def test_complete(times: list[int], size: int, newest_first: bool) -> None:
    """Rules 1, 2 and 4: whatever the size and order of its pages, the history is whole and nothing counts twice."""
    venue = [fill(time, tid) for tid, time in enumerate(times)]
    pages = Pages(FILLS)
    complete = False
    while not complete:
        window = [each for each in venue if each.venue_ms >= pages.since_ms]
        window = [each for each in window if pages.until_ms is None or each.venue_ms <= pages.until_ms]
        cut = tuple(window[::-1][:size] if newest_first else window[:size])
        complete = pages.take(Page(cut, tuple(each.venue_ms for each in cut)))
    answer = pages.answer(3, ASKED)
    assert isinstance(answer, VenueFills)
    assert (answer.query_id, answer.asked_at) == (3, ASKED)
    assert sorted(answer.fills, key=lambda each: each.tid) == venue
    assert [each.venue_ms for each in answer.fills] == times

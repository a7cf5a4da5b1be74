"""What the parts share."""

from common.messages import FindingRecord
from common.messages.venue import FillsQuery
from common.units import Millis, Nanos
from services.order_management.desk import FILLS_OVERLAP_MS, FINDINGS_MAX, nonces
from tests.services.order_management.parts import BASE_MS, desk, rows, seconds, stamp, tracked


def test_ids_begin_with_the_epoch() -> None:
    """An answer to an earlier process can never be taken for ours, and ids fit 64 bits until 2038."""
    old, new = desk(), desk()
    new.epoch = old.epoch + 1
    ids = {old.new_id() for _ in range(1_000)} | {new.new_id() for _ in range(1_000)}
    assert len(ids) == 2_000
    new.epoch = 2**31 - 1
    assert new.new_id() < 2**63


def test_findings_are_bounded() -> None:
    """Of one kind the last within the limit is written, the next is only counted; other kinds still are."""
    place = desk()
    written = [rows(place.finding("x", "BTC", "e"), FindingRecord) for _ in range(FINDINGS_MAX + 1)]
    assert [len(one) for one in written[-2:]] == [1, 0]
    assert place.counts == {"finding.x": FINDINGS_MAX + 1}
    assert rows(place.finding("y", "BTC", "e"), FindingRecord)


def test_past_arrival() -> None:
    """Expiry plus margin itself is not past; without expiry or venue time nothing is; earlier moments are reckoned."""
    place = desk()
    order = tracked(place)
    assert not place.past_arrival(order, seconds(9), seconds(9))
    stamp(place, seconds(10))
    limit = seconds(4)
    assert not place.past_arrival(order, limit, seconds(10))
    assert place.past_arrival(order, Nanos(limit + 10**6), seconds(10))
    order.expires_after = None
    assert not place.past_arrival(order, seconds(9), seconds(10))
    assert order.nonce == 1
    assert place.clock.venue_now(seconds(10)) == BASE_MS + 10_000


def test_fills_are_read_with_an_overlap() -> None:
    """From a minute before the cursor, never before the beginning of time."""
    place = desk()
    place.cursor_ms = Millis(BASE_MS)
    place.want_fills(seconds(1))
    (ask,) = place.queries.take(seconds(1), place.new_id)
    assert ask.query == FillsQuery(Millis(BASE_MS - FILLS_OVERLAP_MS))
    place = desk()
    place.want_fills(seconds(1))
    (ask,) = place.queries.take(seconds(1), place.new_id)
    assert ask.query == FillsQuery(Millis(0))


def test_nonces() -> None:
    """Each once, in order, of those that have one."""
    place = desk()
    orders = [tracked(place, 3), tracked(place, 1), tracked(place, 2, nonce=3), tracked(place, 4, nonce=None)]
    assert nonces(orders) == [1, 3]

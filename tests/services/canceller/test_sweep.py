"""Sweep's rules: proof by the venue's list alone, spaced rounds, no answer hangs it, no early end."""

from common.cloid import house_tag, make_cloid
from common.messages import Cancel
from common.messages.venue import VenueOrder
from common.units import SECOND, Lots, Millis, Nanos, Side, Ticks
from services.canceller.sweep import ANSWER_MAX, BATCH_MAX, READ_GAP, RETRY_GAP, WAITERS_MAX, Sweep, batches

TAG = house_tag("0x" + "ab" * 20)
OURS = (Cancel(coin="BTC", cloid="0x" + "11" * 16),)


def sweep(*, empty_reads: int = 2, not_before: int = 0) -> Sweep:
    return Sweep(
        reason="risk is silent",
        counts=True,
        empty_reads=empty_reads,
        not_before=Nanos(not_before),
        read_at=Nanos(0),
    )


def test_only_the_venues_list_proves() -> None:
    """Rule 1: a failed read counts for nothing, a list with something of ours starts the count anew."""
    one = sweep()
    assert not one.on_read((), Nanos(0))
    one.on_failure(Nanos(0))
    assert not one.done
    assert one.on_read(OURS, Nanos(0))
    assert (one.empty, one.rested) == (0, True)
    one.on_read((), Nanos(0))
    assert not one.done
    one.on_read((), Nanos(0))
    assert one.done


def listed(oid: int, cloid: str | None) -> VenueOrder:
    lots = Lots(1)
    return VenueOrder(
        coin="BTC",
        oid=oid,
        cloid=cloid,
        side=Side.BUY,
        ticks=Ticks(1),
        lots=lots,
        original_lots=lots,
        placed_ms=Millis(0),
    )


def test_others_are_left_alone_unless_everything_is_to_go() -> None:
    """Rule 5: ours by cloid, theirs by oid, whether they have a cloid or not."""
    one = sweep()
    ours = make_cloid(TAG, 7, 1, 0)
    orders = [listed(1, None), listed(2, ours), listed(3, "0x" + "11" * 16)]
    assert one.resting(orders, TAG) == (Cancel(coin="BTC", cloid=ours),)
    one.everybodys = True
    assert one.resting(orders, TAG) == (Cancel(coin="BTC", cloid=ours), *(Cancel(coin="BTC", oid=n) for n in (1, 3)))


def test_an_action_holds_one_kind_and_no_more_than_the_venue_takes() -> None:
    """By cloid and by oid are different actions."""
    by_oid = [Cancel(coin="BTC", oid=n) for n in range(BATCH_MAX + 1)]
    assert list(batches([])) == []
    assert [len(batch) for batch in batches([*by_oid, *OURS])] == [1, BATCH_MAX, 1]
    assert [len(batch) for batch in batches(by_oid[:BATCH_MAX])] == [BATCH_MAX]


def test_rounds_are_spaced() -> None:
    """Rule 2: a pause after each read, a longer one after a failure, and the deadline is the next read."""
    one = sweep()
    assert one.due(Nanos(0))
    one.asked(1, Nanos(0))
    assert not one.due(Nanos(0))
    one.on_read((), Nanos(0))
    assert not one.due(Nanos(READ_GAP - 1))
    assert one.due(READ_GAP)
    one.on_failure(Nanos(0))
    assert not one.due(Nanos(RETRY_GAP - 1))
    assert one.due(RETRY_GAP)
    assert one.deadline() == RETRY_GAP


def test_a_lost_answer_is_a_failure_after_its_time() -> None:
    """Rule 3: of a read as of a post; then the next read is due after the pause of a failure."""
    for wait in (Sweep.asked, Sweep.sent):
        one = sweep()
        wait(one, 1, Nanos(0))
        assert one.deadline() == ANSWER_MAX
        assert not one.due(Nanos(ANSWER_MAX - 1))
        assert one.waiting
        assert not one.due(ANSWER_MAX)
        assert not one.waiting
        assert one.deadline() == ANSWER_MAX + RETRY_GAP
        assert one.due(Nanos(ANSWER_MAX + RETRY_GAP))


def test_it_does_not_end_before_its_time() -> None:
    """Rule 4: an empty list too early is no proof, and the next read waits for the time from which on it is."""
    one = sweep(empty_reads=1, not_before=3 * SECOND)
    one.on_read((), Nanos(3 * SECOND - 1))
    assert not one.done
    assert one.deadline() == 3 * SECOND - 1 + READ_GAP
    one.on_read((), Nanos(SECOND))
    assert one.deadline() == 3 * SECOND
    one.on_read((), Nanos(3 * SECOND))
    assert one.done


def test_one_more_cause_joins_and_looks_anew() -> None:
    """Each cause is named once, and needs reads that began after it."""
    one = sweep(empty_reads=1)
    one.on_read((), Nanos(0))
    one.join("requested", ("risk", 1))
    assert not one.done
    one.join("requested", ("risk", 1))
    assert (one.reason, one.waiters) == ("risk is silent; requested", [("risk", 1)])
    one.join("x" * 300, None)
    assert len(one.reason) == 200


def test_waiters_have_a_limit() -> None:
    """Both sides of it: the last that fits is answered, one more is not."""
    one = sweep()
    for n in range(WAITERS_MAX + 1):
        one.join("requested", ("risk", n))
    assert one.waiters == [("risk", n) for n in range(WAITERS_MAX)]

"""Questions to the venue: once at a time, again until answered, within an allowance."""

from itertools import count

from common.actor import Ask
from common.messages.venue import AccountQuery, FillsQuery, OrderStatusQuery
from common.units import Millis, Nanos
from services.order_management.queries import (
    ANSWER_MAX,
    RETRY_FIRST,
    RETRY_MAX,
    STATUS_BURST_MAX,
    STATUS_EVERY,
    Queries,
)
from tests.services.order_management.parts import seconds

T = seconds(100)


class Asker:
    """Queries with ids 1, 2, 3 ..."""

    def __init__(self) -> None:
        self.queries = Queries()
        self._ids = count(1)

    def take(self, now: Nanos) -> list[Ask]:
        return self.queries.take(now, lambda: next(self._ids))


def test_one_of_a_kind_in_flight() -> None:
    """Rule 1: wanted again meanwhile, it is asked anew after the answer, with the newest wish."""
    asker = Asker()
    asker.queries.want("fills", FillsQuery(Millis(1)), T)
    assert asker.take(T) == [Ask(1, FillsQuery(Millis(1)))]
    asker.queries.want("fills", FillsQuery(Millis(2)), T)
    assert asker.take(T) == []
    assert asker.queries.answered(1) == "fills"
    assert asker.take(T) == [Ask(2, FillsQuery(Millis(2)))]


def test_earliest_wish_holds() -> None:
    """Rule 1: wanted for later and for sooner is asked sooner, and once."""
    asker = Asker()
    asker.queries.want("account", AccountQuery(), seconds(105))
    asker.queries.want("account", AccountQuery(), seconds(103))
    asker.queries.want("account", AccountQuery(), seconds(104))
    assert asker.queries.deadline() == seconds(103)
    assert asker.take(Nanos(seconds(103) - 1)) == []
    assert len(asker.take(seconds(103))) == 1
    assert asker.take(seconds(106)) == []


def test_failures_are_asked_again_later_each_time() -> None:
    """Rule 2: 0.5, 1, 2, 4, 8, 8 s after each failure; an answer starts over."""
    asker, now, waits = Asker(), T, []
    asker.queries.want("account", AccountQuery(), now)
    for query_id in range(1, 7):
        assert len(asker.take(now)) == 1
        assert asker.queries.failed(query_id, now) == "account"
        due = asker.queries.deadline()
        assert due is not None
        waits.append(due - now)
        now = due
    assert waits == [RETRY_FIRST << doublings for doublings in range(5)] + [RETRY_MAX]
    asker.take(now)
    assert asker.queries.answered(7) == "account"
    asker.queries.want("account", AccountQuery(), now)
    asker.take(now)
    asker.queries.failed(8, now)
    assert asker.queries.deadline() == now + RETRY_FIRST


def test_silence_is_a_failure() -> None:
    """Rule 2: a question without answer is asked again, and its late answer is nobody's."""
    asker = Asker()
    asker.queries.want("account", AccountQuery(), T)
    asker.take(T)
    assert asker.queries.deadline() == T + ANSWER_MAX
    assert asker.take(Nanos(T + ANSWER_MAX - 1)) == []
    assert asker.take(Nanos(T + ANSWER_MAX)) == []
    assert asker.queries.answered(1) is None
    assert asker.queries.failed(1, T) is None
    assert len(asker.take(Nanos(T + ANSWER_MAX + RETRY_FIRST))) == 1


def test_statuses_share_an_allowance() -> None:
    """Rule 3: a burst, then one for each refill; other questions are not held up, and the deadline says when."""
    asker = Asker()
    for slot in range(STATUS_BURST_MAX + 2):
        asker.queries.want(f"status {slot}", OrderStatusQuery(str(slot)), T)
    asker.queries.want("account", AccountQuery(), T)
    assert len(asker.take(T)) == STATUS_BURST_MAX + 1
    due = asker.queries.deadline()
    assert due == T + STATUS_EVERY
    assert asker.take(Nanos(due - 1)) == []
    assert len(asker.take(due)) == 1
    assert len(asker.take(Nanos(due + 10 * STATUS_EVERY))) == 1


def test_pending() -> None:
    """Wanted or in flight, but not answered."""
    asker = Asker()
    asker.queries.want("account", AccountQuery(), T)
    assert asker.queries.pending("account")
    asker.take(T)
    assert asker.queries.pending("account")
    asker.queries.answered(1)
    assert not asker.queries.pending("account")
    assert asker.queries.deadline() is None

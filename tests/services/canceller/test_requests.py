"""Which requested cancels are sent: both sides of each bound, and that no traffic exceeds them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.actor import Ask, Sign
from common.cloid import make_cloid
from common.messages import Approved, Cancel, CancelAnswer, CancelOutcome, CancelRequest, VenueOpenOrders
from common.messages.venue import CancelOrders, OpenOrdersQuery
from common.units import MILLISECOND, SECOND, Nanos
from services.canceller.reads import Reads
from services.canceller.requests import (
    KNOWN_MAX,
    LIST_WAIT,
    NOT_LISTED,
    NOT_SHOWN,
    OUTSTANDING_MAX,
    REPEATED,
    SUCCESS,
    TOO_MANY,
    TRIES_MAX,
    UNANNOUNCED,
    WAITING_MAX,
    Requests,
    Verdict,
)
from tests.services.canceller.test_core import FOREIGN, OTHER, OURS, SETTINGS, TAG, Story, order, request

PER_S = SETTINGS.canceller.max_cancels_per_s
MANY = tuple(make_cloid(TAG, 7, 100 + number, 0) for number in range(2 * PER_S))
DOUBTFUL = "Order was never placed, already canceled, or filled."


def requests(*announced: str, reads: Reads | None = None) -> Requests:
    made = Requests(SETTINGS, TAG, reads or Reads(SETTINGS.budget.canceller))
    made.announce(announced)
    return made


def at(seconds: float) -> Nanos:
    return Nanos(int(seconds * SECOND))


def sent(verdict: Verdict) -> list[str | None]:
    return [cancel.cloid for cancel in verdict.cancels]


def reasons(verdict: Verdict) -> list[str]:
    return [outcome.status for outcome in verdict.refused]


def answered(made: Requests, cloid: str, status: str, now: Nanos = Nanos(0)) -> None:
    cancel = Cancel(coin="BTC", cloid=cloid)
    made.settle((cancel,), (CancelOutcome(cancel=cancel, status=status),), now)


def listed(*cloids: str, query_id: int = 0, asked_at: Nanos = Nanos(0)) -> VenueOpenOrders:
    orders = tuple(order(cloid, oid) for oid, cloid in enumerate(cloids, 1))
    return VenueOpenOrders(query_id=query_id, orders=orders, asked_at=asked_at)


def test_a_repeat_waits_for_the_answer_or_for_its_time() -> None:
    """Rule 2: the same cancel twice in a moment is one request of the budget."""
    made = requests(OURS)
    assert sent(made.judge(request(OURS, OURS), at(0))) == [OURS]
    assert reasons(made.judge(request(OURS), Nanos(OUTSTANDING_MAX - 1))) == [REPEATED]
    assert sent(made.judge(request(OURS), OUTSTANDING_MAX)) == [OURS]
    answered(made, OURS, DOUBTFUL)
    assert sent(made.judge(request(OURS), Nanos(OUTSTANDING_MAX + 1))) == [OURS]


def test_what_is_cancelled_is_not_cancelled_again() -> None:
    """Rule 2: the asker hears the same answer, the venue hears nothing."""
    made = requests(OURS)
    made.judge(request(OURS), at(0))
    answered(made, OURS, SUCCESS)
    made.announce((OURS,))
    again = made.judge(request(OURS), at(100))
    assert (sent(again), reasons(again)) == ([], [SUCCESS])


@pytest.mark.parametrize(("asked_at", "again"), [(at(5), []), (Nanos(at(5) + 1), [OURS])])
def test_a_success_that_the_venue_belies_is_tried_again(asked_at: Nanos, again: list[str]) -> None:
    """Rule 2: an order that is still listed after its cancel had succeeded must not stay for ever."""
    made = requests(OURS)
    made.judge(request(OURS), at(4))
    answered(made, OURS, SUCCESS, at(5))
    made.on_list(listed(OURS, asked_at=asked_at), at(6))
    assert sent(made.judge(request(OURS), at(6))) == again


def test_a_cancel_in_vain_ends_until_the_venue_shows_the_order() -> None:
    """Rule 2: an order that risk approved and nobody sent could be cancelled for ever."""
    made = requests(OURS)
    for second in range(TRIES_MAX):
        assert sent(made.judge(request(OURS), at(second))) == [OURS]
        answered(made, OURS, DOUBTFUL)
    assert reasons(made.judge(request(OURS), at(60))) == [NOT_SHOWN]
    made.on_list(listed(OURS), at(60))
    assert sent(made.judge(request(OURS), at(60))) == [OURS]


def test_so_many_cancels_a_second_and_not_one_more() -> None:
    """Rule 3: exactly the limit passes at once, the rest of the request is told why; later there is room again."""
    made = requests(*MANY)
    first = made.judge(request(*MANY[: PER_S + 1]), at(1))
    assert sent(first) == list(MANY[:PER_S])
    assert reasons(first) == [TOO_MANY]
    assert reasons(made.judge(request(MANY[PER_S]), Nanos(at(1) + SECOND // PER_S - 1))) == [TOO_MANY]
    assert sent(made.judge(request(MANY[PER_S]), Nanos(at(1) + SECOND // PER_S))) == [MANY[PER_S]]


def test_those_that_ask_for_unknown_orders_share_a_list() -> None:
    """Rule 1: what the list shows is sent, the rest is answered; a foreign order is never ours to cancel."""
    made = requests()
    made.judge(request(OURS, OTHER), at(0))
    assert made.wants_list(at(0))
    made.asked(9, at(0))
    made.judge(request(FOREIGN, request_id=2), at(0))
    assert not made.wants_list(at(0))
    assert made.on_list(listed(query_id=8), at(1)) == []
    (first, verdict), (second, foreign) = made.on_list(listed(OURS, FOREIGN, query_id=9), at(1))
    assert (first.request_id, sent(verdict), reasons(verdict)) == (1, [OURS], [NOT_LISTED])
    assert (second.request_id, sent(foreign), reasons(foreign)) == (2, [], [NOT_LISTED])


def test_a_list_teaches_oids() -> None:
    """Rule 1: an order that is asked for by its oid alone."""
    made = requests()
    made.on_list(listed(OURS), at(0))
    by_oid = Cancel(coin="BTC", oid=1)
    asked = CancelRequest(request_id=1, sender="risk", epoch=1, deadline=at(9), cancels=(by_oid,), reason="")
    assert made.judge(asked, at(0)).cancels == (by_oid,)
    assert reasons(made.judge(request(OURS), at(0))) == [REPEATED]


def test_lists_leave_room_for_a_sweep() -> None:
    """Rule 1: where a sweep could lack the weight no list is asked for, and whoever would wait hears so at once."""
    reads = Reads(SETTINGS.budget.canceller)
    made = requests(reads=reads)
    asked = 0
    for second in range(120):
        verdict = made.judge(request(OTHER), at(second))
        if made.wants_list(at(second)):
            asked += 1
            made.asked(asked, at(second))
            reads.asked(OpenOrdersQuery(), at(second))
            made.on_list(listed(query_id=asked), at(second))
        else:
            assert reasons(verdict) == [UNANNOUNCED]
    assert asked == 2 * 4  # in each minute 80 of the 150, for the last of them must leave 60


def test_a_lost_list_holds_nobody_up() -> None:
    """A list that is never answered is asked for anew; one that failed fails those that waited."""
    made = requests()
    made.judge(request(OURS), at(0))
    assert made.wants_list(at(0))
    made.asked(1, at(0))
    assert not made.wants_list(Nanos(LIST_WAIT - 1))
    assert made.wants_list(LIST_WAIT)
    made.asked(2, LIST_WAIT)
    assert made.on_failure(1) == []
    assert [one.request_id for one in made.on_failure(2)] == [1]


def test_a_peer_gone_mad_fills_no_memory() -> None:
    """Only so many wait, only so many orders are remembered."""
    made = requests()
    for number in range(WAITING_MAX):
        assert reasons(made.judge(request(OTHER, request_id=number), at(0))) == []
    assert reasons(made.judge(request(OTHER), at(0))) == [UNANNOUNCED]
    made.announce((OURS,))
    made.announce(str(number) for number in range(KNOWN_MAX - 1))
    assert sent(made.judge(request(OURS), at(0))) == [OURS]
    made.announce(("one more",))
    assert reasons(made.judge(request(OURS), at(0))) == [UNANNOUNCED]


def test_past_its_deadline_a_request_is_refused() -> None:
    """A request that waited in a queue must not act on a world that has moved on."""
    story = Story().alive()
    late = CancelRequest(request_id=3, sender="risk", epoch=1, deadline=Nanos(-1), reason="late", everything=True)
    story.send(late)
    assert story.take(CancelAnswer) == [CancelAnswer(request_id=3, error="past its deadline")]


def test_ten_thousand_requests_a_second_cost_the_account_next_to_nothing() -> None:
    """The same known and unknown orders again and again: the venue is asked for what a sane asker would need."""
    story = Story().alive().ignore()
    story.actor.handle(Approved(approval_id=1, cloids=MANY), story.now)
    signed: list[Sign] = []
    asks: list[Ask] = []
    for number in range(10_000):
        story.until(number / 10_000)
        story.send(request(MANY[number % len(MANY)], OTHER, request_id=number))
        signed += story.take(Sign)
        asks += [ask for ask in story.take(Ask) if isinstance(ask.query, OpenOrdersQuery)]
        story.ignore()
    cancels = [cancel for sign in signed if isinstance(sign.action, CancelOrders) for cancel in sign.action.cancels]
    assert PER_S <= len(cancels) <= 2 * PER_S
    assert len(asks) == 1


steps = st.lists(
    st.tuples(
        st.integers(0, 300).map(lambda ms: ms * MILLISECOND),
        st.lists(st.sampled_from(MANY), max_size=PER_S),
        st.sampled_from([SUCCESS, DOUBTFUL, ""]),
    ),
    max_size=30,
)


@settings(max_examples=40)
@given(steps)
def test_no_traffic_exceeds_the_bounds(story: list[tuple[int, list[str], str]]) -> None:
    """Whatever is asked and answered: per second, per order, and every cancel is either sent or answered."""
    made = requests(*MANY)
    now = Nanos(0)
    log: list[tuple[Nanos, str]] = []
    gone: set[str] = set()
    for wait, cloids, status in story:
        now = Nanos(now + wait)
        verdict = made.judge(request(*cloids), now)
        assert len(verdict.cancels) + len(verdict.refused) == len(cloids)
        went = [cloid for cloid in sent(verdict) if cloid]
        assert not gone & set(went)
        log += [(now, cloid) for cloid in went]
        for cloid in went:
            if status:
                answered(made, cloid, status)
        gone |= set(went) if status == SUCCESS else set()
    for start, _ in log:
        assert sum(start <= when < start + SECOND for when, _ in log) <= 2 * PER_S
    assert all(sum(cloid == one for _, one in log) <= TRIES_MAX for cloid in MANY)

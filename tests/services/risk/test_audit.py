"""When risk asks the venue, and what it may cost."""

from collections import Counter

from common.actor import Ask
from common.hyperliquid.budget import MinuteBudget
from common.messages.venue import (
    AccountQuery,
    FillsQuery,
    FundingQuery,
    MetaQuery,
    OpenOrdersQuery,
    OrderStatusQuery,
    TransfersQuery,
    UserRoleQuery,
)
from common.units import SECOND, Millis, Nanos
from services.risk.agents import Agents
from services.risk.audit import WEIGHTS, Audit, Kind
from services.risk.venue_limits import VenueLimits

SINCE = dict.fromkeys((Kind.FILLS, Kind.FUNDINGS, Kind.TRANSFERS), Millis(1_000_000))
PLENTY = 100_000
NO_AGENTS = Agents("0xus", {})


def at(seconds: float) -> Nanos:
    return Nanos(int(seconds * SECOND))


def answer(audit: Audit, asks: list[Ask]) -> None:
    for ask in asks:
        audit.on_answer(ask.query_id)


def test_periods() -> None:
    """Rule 1: account every 5 s, orders every 10 s, fills every 30 s, the universe only when wanted."""
    audit = Audit(PLENTY, Nanos(0), NO_AGENTS, VenueLimits(["BTC"]))
    seen: list[str] = []
    for second in range(60):
        asks = audit.questions(at(second), SINCE, [])
        seen += [type(ask.query).__name__ for ask in asks]
        answer(audit, asks)
    assert {name: seen.count(name) for name in sorted(set(seen))} == {
        "AccountQuery": 12,
        "CapacityQuery": 2,
        "FillsQuery": 2,
        "OpenOrdersQuery": 6,
        "RateLimitQuery": 1,
    }


def test_wanting_brings_it_forward() -> None:
    """Rule 1: at once, or a pause after the last one of its kind."""
    audit = Audit(PLENTY, Nanos(0), NO_AGENTS, VenueLimits(["BTC"]))
    answer(audit, audit.questions(at(1), SINCE, []))
    audit.want(Kind.META, at(2))
    audit.want(Kind.ACCOUNT, at(2), at(1.5))
    assert [ask.query for ask in audit.questions(at(2), SINCE, [])] == [MetaQuery()]
    assert audit.deadline(at(2)) == at(2.5)
    assert [ask.query for ask in audit.questions(at(2.5), SINCE, [])] == [AccountQuery()]


def test_one_of_a_kind_at_a_time() -> None:
    """Rule 2: another one follows the answer, and a paused wish does not pile up behind one under way."""
    audit = Audit(PLENTY, Nanos(0), NO_AGENTS, VenueLimits(["BTC"]))
    (orders,) = [ask for ask in audit.questions(at(1), SINCE, []) if ask.query == OpenOrdersQuery()]
    audit.want(Kind.ORDERS, at(1))
    audit.want(Kind.ACCOUNT, at(1), at(0.1))
    assert audit.questions(at(2), SINCE, []) == []
    assert audit.on_answer(orders.query_id) is Kind.ORDERS
    assert audit.on_answer(orders.query_id) is None
    assert [ask.query for ask in audit.questions(at(2), SINCE, [])] == [OpenOrdersQuery()]


def test_failures_are_repeated_ever_more_slowly() -> None:
    """Rule 2: after 1, 2, 4, 4 seconds; a success begins anew."""
    audit = Audit(PLENTY, Nanos(0), NO_AGENTS, VenueLimits(["BTC"]))
    now, pauses = at(1), []
    ask = _orders(audit, now)
    for _ in range(4):
        assert ask is not None
        audit.on_failure(ask.query_id, now)
        for pause in range(1, 9):
            ask = _orders(audit, Nanos(now + at(pause)))
            if ask is not None:
                break
        now = Nanos(now + at(pause))
        pauses.append(pause)
    assert ask is not None
    assert pauses == [1, 2, 4, 4]
    audit.on_answer(ask.query_id)
    audit.want(Kind.ORDERS, now)
    ask = audit.questions(now, SINCE, [])[0]
    audit.on_failure(ask.query_id, now)
    assert _orders(audit, Nanos(now + at(1)))


def _orders(audit: Audit, now: Nanos) -> Ask | None:
    return next((ask for ask in audit.questions(now, SINCE, []) if ask.query == OpenOrdersQuery()), None)


def test_a_lost_question_does_not_block_for_ever() -> None:
    """Rule 2: after ten seconds without any word it is asked again."""
    audit = Audit(PLENTY, Nanos(0), NO_AGENTS, VenueLimits(["BTC"]))
    audit.questions(at(1), SINCE, [])
    assert audit.questions(at(10.9), SINCE, []) == []
    assert _orders(audit, at(11)) is not None


def test_fills_overlap_and_wait_for_their_cursor() -> None:
    """Rule 1: nothing is asked before it is known since when; then a minute earlier than that."""
    audit = Audit(PLENTY, Nanos(0), NO_AGENTS, VenueLimits(["BTC"]))
    assert all(not isinstance(ask.query, FillsQuery) for ask in audit.questions(at(1), {}, []))
    assert audit.questions(at(2), SINCE, [])[0].query == FillsQuery(Millis(940_000))


def test_money_is_asked_for_when_wanted_alone() -> None:
    """Rule 1: funding and transfers of our account, from a minute before the last agreement on, once."""
    audit = Audit(PLENTY, Nanos(0), NO_AGENTS, VenueLimits(["BTC"]))
    answer(audit, audit.questions(at(1), SINCE, []))
    audit.want(Kind.FUNDINGS, at(2))
    audit.want(Kind.TRANSFERS, at(2))
    asks = audit.questions(at(2), SINCE, [])
    answer(audit, asks)
    assert [ask.query for ask in asks] == [FundingQuery(Millis(940_000)), TransfersQuery("0xus", Millis(940_000))]
    assert audit.questions(at(3), SINCE, []) == []


def test_orders_by_cloid() -> None:
    """Rule 2: one question for each order at a time, a second apart, twenty under way at most."""
    audit = Audit(PLENTY, Nanos(0), NO_AGENTS, VenueLimits(["BTC"]))
    audit.questions(at(1), SINCE, [])
    names = [str(number) for number in range(25)]
    asks = audit.questions(at(1), SINCE, names)
    assert [ask.query for ask in asks] == [OrderStatusQuery(name) for name in names[:20]]
    answer(audit, asks)
    assert [ask.query for ask in audit.questions(at(1.5), SINCE, names)] == [
        OrderStatusQuery(name) for name in names[20:]
    ]
    assert len(audit.questions(at(2), SINCE, names)) == 15


def test_the_budget_holds_and_keeps_a_reserve() -> None:
    """Rule 3: routine questions leave a third, urgent ones may take it, nobody takes more."""
    audit = Audit(60, Nanos(0), NO_AGENTS, VenueLimits(["BTC"]))
    first = audit.questions(at(1), SINCE, [])
    assert {type(ask.query) for ask in first} == {AccountQuery, OpenOrdersQuery}  # fills would touch the reserve
    assert audit.deadline(at(1)) == at(1.1)
    answer(audit, first)
    audit.want(Kind.ORDERS, at(1))
    assert audit.questions(at(1), SINCE, [])[0].query == OpenOrdersQuery()
    total = sum(WEIGHTS.values())
    assert total > 60


def test_a_minute_of_urgency_stays_within_the_share() -> None:
    """Rule 3: however much is wanted, at most the burst and a minute's refill are spent."""
    audit, spent = Audit(450, Nanos(0), NO_AGENTS, VenueLimits(["BTC"])), 0
    for tenth in range(600):
        now = at(tenth / 10)
        for kind in Kind:
            audit.want(kind, now)
        asks = audit.questions(now, SINCE, [str(tenth)])
        for ask in asks:
            kind_found = audit.on_answer(ask.query_id)
            spent += WEIGHTS[kind_found] if kind_found else 2
    assert 800 < spent <= 900


def test_doubts_do_not_starve_the_lists() -> None:
    """Rule 3: with forty orders in doubt all else is read as often as ever, and the link refuses nothing."""
    audit = Audit(450, Nanos(0), NO_AGENTS, VenueLimits(["BTC"]))
    cloids = [str(number) for number in range(40)]
    seen: Counter[str] = Counter()
    link = MinuteBudget(450)  # as it counts
    for tenth in range(1_800):
        asks = audit.questions(at(tenth / 10), SINCE, cloids)
        seen.update(type(ask.query).__name__ for ask in asks)
        for ask in asks:
            kind = audit.on_answer(ask.query_id)
            assert link.take(WEIGHTS[kind] if kind else 2, at(tenth / 10))
    assert (seen["AccountQuery"], seen["OpenOrdersQuery"], seen["FillsQuery"]) == (36, 18, 6)
    assert 148 <= seen["OrderStatusQuery"] <= 150  # a burst of 75 and three minutes of 75, at two each


def test_each_doubt_has_its_turn() -> None:
    """Rule 4: where few can be asked for, nobody is asked for twice before everybody was once."""
    audit = Audit(450, Nanos(0), NO_AGENTS, VenueLimits(["BTC"]))
    cloids = [str(number) for number in range(60)]
    asked: list[str] = []
    for second in range(180):
        asks = audit.questions(at(second), {}, cloids)
        asked += [ask.query.cloid for ask in asks if isinstance(ask.query, OrderStatusQuery)]
        answer(audit, asks)
    assert len(asked) > len(cloids)
    assert set(asked[: len(cloids)]) == set(cloids)


def test_one_agent_a_minute() -> None:
    """Rule 1: the keys are asked for where there are any."""
    audit = Audit(PLENTY, Nanos(0), Agents("0xus", {"risk": "0x1"}), VenueLimits(["BTC"]))
    asked = []
    for second in range(120):
        asks = audit.questions(at(second), SINCE, [])
        asked += [second for ask in asks if ask.query == UserRoleQuery(user="0x1")]
        answer(audit, asks)
    assert asked == [0, 60]


def test_questions_by_cloid_leave_room_for_lists() -> None:
    """Rule 3: a halt with many orders in doubt can still be proven by three lists."""
    audit = Audit(150, Nanos(0), NO_AGENTS, VenueLimits(["BTC"]))
    cloids = [f"0x{number}" for number in range(50)]
    spent = 0
    for _ in range(10):
        asks = audit.questions(at(0), {}, cloids)
        spent += sum(isinstance(ask.query, OrderStatusQuery) for ask in asks)
        answer(audit, asks)
    assert 0 < spent < len(cloids)
    lists = 0
    for _ in range(4):
        audit.want(Kind.ORDERS, at(0))
        asks = audit.questions(at(0), {}, [])
        lists += sum(ask.query == OpenOrdersQuery() for ask in asks)
        answer(audit, asks)
    assert lists == 3

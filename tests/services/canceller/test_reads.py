"""Lists leave a sweep its room, at both sides of the limit."""

import pytest

from common.actor import Ask
from common.errors import ConfigFault
from common.hyperliquid.budget import MinuteBudget
from common.hyperliquid.wire import weight
from common.messages import QueryFailed, VenueOpenOrders
from common.messages.venue import AccountQuery, OpenOrdersQuery
from common.units import SECOND, Nanos
from services.canceller.reads import SWEEP_LISTS, Reads, require_room
from tests.services.canceller.test_core import LIMIT_S, OURS, SETTINGS, UNIT_S, Story, order

LIST = weight(OpenOrdersQuery())
ACCOUNT = weight(AccountQuery())


@pytest.mark.parametrize(("spare", "may"), [((1 + SWEEP_LISTS) * LIST, True), ((1 + SWEEP_LISTS) * LIST - 1, False)])
def test_a_list_must_leave_a_sweep_its_own(spare: int, may: bool) -> None:
    """Rule 2: exactly what a sweep may need stays; a minute later the weight is back."""
    reads = Reads(spare + ACCOUNT)
    reads.asked(AccountQuery(), Nanos(0))
    assert reads.may_list(Nanos(SECOND)) is may
    assert reads.may_list(Nanos(60 * SECOND))


def test_account_states_are_never_held_back() -> None:
    """Rule 1: what was asked counts even past the limit, as it does at the venue link."""
    reads = Reads(LIST)
    for _ in range(LIST):
        reads.asked(AccountQuery(), Nanos(0))
    assert not reads.may_list(Nanos(0))


@pytest.mark.parametrize(("account_read_ms", "needed"), [(2_000, 140), (60_001, 82), (500, 320)])
def test_the_least_budget(account_read_ms: int, needed: int) -> None:
    """Account states of a whole minute, one list and a sweep; one less names the setting."""
    require_room(needed, account_read_ms)
    with pytest.raises(ConfigFault, match=f"budget.canceller: {needed - 1} a minute is too little, .* need {needed}"):
        require_room(needed - 1, account_read_ms)


def test_a_sweep_finds_room_in_the_minutes_weight() -> None:
    """Rule 3: when both fall silent after minutes of quiet work, the link must not refuse what the sweep reads."""
    story, link = Story(), MinuteBudget(SETTINGS.budget.canceller)
    refused: list[float] = []
    lists = 0
    for tenth in range(1_900):
        second = tenth / 10
        if second < 180:
            story.alive()
        for ask in story.until(second).take(Ask):
            fits = link.take(weight(ask.query), story.now)
            if not fits:
                refused.append(second)
                story.send(QueryFailed(query_id=ask.query_id, reason="IP weight budget"))
            elif isinstance(ask.query, OpenOrdersQuery):
                lists += second > 180
                story.send(VenueOpenOrders(query_id=ask.query_id, orders=(order(OURS),), asked_at=story.now))
        if lists == SWEEP_LISTS:
            break
        story.cancelled()
        story.posted("success").ignore()
    assert (lists, refused) == (SWEEP_LISTS, [])
    assert 180 + LIMIT_S <= second < 181 + LIMIT_S + 2 * UNIT_S


def test_a_long_silence_leaves_room_for_another_cause() -> None:
    """Rule 3: what arrives late is swept too; then the silence is looked at anew, and a halt still finds its lists."""
    story, link = Story(), MinuteBudget(SETTINGS.budget.canceller)
    late_s = LIMIT_S + (SETTINGS.orders.order_expiry_ms + SETTINGS.orders.margin_ms) / 1_000
    swept: list[float] = []
    for tenth in range(1_500):
        second = tenth / 10
        for ask in story.until(second).take(Ask):
            assert link.take(weight(ask.query), story.now)
            if isinstance(ask.query, OpenOrdersQuery):
                orders = (order(OURS),) if late_s - 1 <= second < late_s + 0.2 else ()
                story.send(VenueOpenOrders(query_id=ask.query_id, orders=orders, asked_at=story.now))
        swept += [second for _ in story.cancelled()]
        story.posted("success").ignore()
    assert [late_s <= second < late_s + 0.5 for second in swept] == [True]
    assert link.spare(story.now) >= SWEEP_LISTS * weight(OpenOrdersQuery())

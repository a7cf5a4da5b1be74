"""The transition table is closed."""

import pytest

from common.messages import OrderState
from common.messages.orders import OrderState as S
from services.order_management.lifecycle import FINAL, MAY_STILL_FILL, REFUSED, TRANSITIONS, Evidence, next_state
from tests.services.order_management.picture import ARCHITECTURE, drawn


@pytest.mark.parametrize("state", OrderState)
@pytest.mark.parametrize("evidence", Evidence)
def test_every_pair_is_listed_once(state: OrderState, evidence: Evidence) -> None:
    """Rule 1: a transition or refused, never both and never neither."""
    assert (evidence in TRANSITIONS[state]) != (evidence in REFUSED[state])
    assert next_state(state, evidence) == TRANSITIONS[state].get(evidence)


def test_no_state_is_left_out() -> None:
    """Rule 1: the table and the list of refusals speak of the same states: all."""
    assert set(TRANSITIONS) == set(REFUSED) == set(OrderState)


def test_final_states_are_left_by_contradiction_alone() -> None:
    """Rule 2: and what was filled is never left."""
    for state in FINAL:
        assert set(TRANSITIONS[state].values()) <= {OrderState.UNKNOWN}
        assert set(TRANSITIONS[state]) <= {Evidence.CONTRADICTION}
    assert not TRANSITIONS[OrderState.FILLED]
    assert not TRANSITIONS[OrderState.FILLED_IMMEDIATELY]


def test_gone_is_not_taken_back() -> None:
    """Rule 3: an older answer that shows a cancelled order as open changes nothing."""
    assert next_state(OrderState.CANCEL_CONFIRMED, Evidence.RESTS) is OrderState.CANCEL_CONFIRMED
    assert next_state(OrderState.CANCEL_CONFIRMED, Evidence.PART_FILLED) is OrderState.CANCEL_CONFIRMED


@pytest.mark.parametrize("state", OrderState)
def test_doubt_never_ends(state: OrderState) -> None:
    """Rule 4: after doubt an order still counts."""
    after = next_state(state, Evidence.DOUBT)
    assert after is None or after in MAY_STILL_FILL


def test_every_state_is_reached() -> None:
    """A state that nothing leads to would be a promise without a keeper."""
    reached = {state for row in TRANSITIONS.values() for state in row.values()}
    assert set(OrderState) - reached == {OrderState.INTENT}
    assert {*FINAL, *MAY_STILL_FILL} | {OrderState.INTENT} == set(OrderState)


def test_a_modify_ends_by_its_own_leg_alone() -> None:
    """Rule 5: entered only from what rests; an old "open" and doubt leave it, its end or proof of no effect ends it."""
    entered = {state for state in OrderState if Evidence.MODIFY_SENT in TRANSITIONS[state]}
    assert entered == {OrderState.RESTING, OrderState.PARTIALLY_FILLED}
    stays = {evidence for evidence, to in TRANSITIONS[S.MODIFY_PENDING].items() if to is S.MODIFY_PENDING}
    assert stays == {Evidence.RESTS, Evidence.DOUBT, Evidence.PART_FILLED}
    assert next_state(S.MODIFY_PENDING, Evidence.MODIFY_OFF) is S.UNKNOWN
    assert next_state(S.MODIFY_PENDING, Evidence.CANCEL_ASKED) is S.CANCEL_PENDING


def test_the_picture_is_of_this_table() -> None:
    """ARCHITECTURE.md shows the table as it is; `python -m tests.services.order_management.picture` draws it anew."""
    text = ARCHITECTURE.read_text()
    assert drawn(text) == text
    assert drawn(text).count("stateDiagram-v2") == 1
    with pytest.raises(ValueError, match="no place"):
        drawn("# Architecture")

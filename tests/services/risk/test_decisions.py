"""The memory of one key."""

import pytest

from common.messages import ArmRecord, DecisionRecord, Message, NonceRecord
from common.units import Millis
from services.risk import decisions as module
from services.risk.decisions import Decisions
from tests.services.risk.scene import bid


def decided(nonce: int, *numbers: int, tag: str = "quote") -> DecisionRecord:
    return DecisionRecord(
        approval_id=nonce,
        asker="order_management",
        epoch=1,
        nonce=nonce,
        expires_after=Millis(nonce + 2_000),
        orders=tuple(bid(number) for number in numbers),
        vetoes=(),
        tag=tag,
    )


def memory(*rows: Message) -> Decisions:
    made = Decisions(margin_ms=2_000)
    for row in rows:
        made.restore(row)
    return made


def test_nonces_follow_venue_time_and_never_go_back() -> None:
    """Rule 1: the higher of the two; unknown without either."""
    made = Decisions(2_000)
    assert made.next_nonce(None) is None
    assert made.next_nonce(Millis(500)) == 500
    made.use(700)
    assert made.next_nonce(Millis(500)) == 701
    assert made.next_nonce(Millis(900)) == 900
    assert made.next_nonce(None) == 701


def test_nonces_survive_a_restart() -> None:
    """Rule 1: every row that names a nonce raises the floor, in any order."""
    rows = (decided(1_000, 1), NonceRecord(nonce=1_500, tag="cancel"), decided(1_200, 2), decided(900, tag="flatten"))
    assert memory(*rows).next_nonce(Millis(1)) == 1_501


def test_approved_means_recorded() -> None:
    """Rule 2: in this life or an earlier one."""
    made = memory(decided(1_000, 1))
    made.add(decided(2_000, 2))
    assert [made.approved(bid(number).cloid) for number in (1, 2, 3)] == [True, True, False]
    assert not made.approved("nonsense")


def test_what_may_still_arrive() -> None:
    """Rule 3: until it was shown, settled, or expired with margin; expiry alone ends acceptance."""
    made = memory(decided(1_000, 1, 2), decided(1_001, 3), decided(1_002, 4))
    assert [item.nonce for item in made.open()] == [1_000, 1_001, 1_002]
    made.arrived(bid(2).cloid)
    settled = made.settle(1_001)
    assert settled is not None
    assert settled.orders == (bid(3),)
    assert made.settle(1_001) is None
    assert [item.nonce for item in made.open()] == [1_002]
    assert made.may_arrive(None)
    assert made.may_arrive(Millis(3_002))
    assert not made.may_arrive(Millis(3_003))
    made.prune(Millis(5_002))
    assert made.open() != ()
    made.prune(Millis(5_003))
    assert made.open() == ()


def test_a_restart_remembers_only_what_may_still_arrive() -> None:
    """Rule 3: a long journal leaves the last seconds open, by its own nonces."""
    made = memory(*(decided(nonce, nonce) for nonce in range(1_000, 20_000, 500)))
    assert [item.nonce for item in made.open()] == list(range(15_500, 20_000, 500))


def test_what_was_before_this_memory_is_not_judged() -> None:
    """Rule 4: unknown begin, before the begin, and at the begin."""
    made = memory()
    stranger = bid(9).cloid
    assert not made.unapproved(stranger, Millis(10**12))
    made = memory(decided(1_000, 1))
    assert not made.unapproved(stranger, Millis(4_999)), "signed before the first row, it could arrive until then"
    assert made.unapproved(stranger, Millis(5_000))
    assert not made.unapproved(bid(1).cloid, Millis(5_000))


def test_a_person_s_look_begins_a_new_memory() -> None:
    """Rule 4: what was before the arming is not judged again, after a restart either."""
    rows = (decided(1_000, 1), ArmRecord(reason="", cleared=()), NonceRecord(nonce=5_000, tag="arm"), decided(6_000, 2))
    made = memory(*rows)
    assert not made.unapproved(bid(9).cloid, Millis(4_999))
    assert made.unapproved(bid(9).cloid, Millis(5_000))


def test_only_placing_nonces_may_be_burnt() -> None:
    """A noop for a nonce that no order was signed with is nobody's business."""
    made = memory(decided(1_000, 1), NonceRecord(nonce=1_500, tag="cancel"))
    made.settle(1_000)
    assert made.signed_with(1_000)
    assert not made.signed_with(1_500)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 4: the oldest cloids fall out, and with them the right to judge their time."""
    monkeypatch.setattr(module, "APPROVED_MAX", 3)
    monkeypatch.setattr(module, "NONCES_MAX", 2)
    made = memory(*(decided(nonce, nonce) for nonce in (1_000, 1_001, 1_002, 1_003)))
    assert [made.approved(bid(number).cloid) for number in (1_000, 1_001)] == [False, True]
    assert not made.unapproved(bid(1_000).cloid, Millis(1_000))
    assert [made.signed_with(nonce) for nonce in (1_001, 1_002, 1_003)] == [False, True, True]

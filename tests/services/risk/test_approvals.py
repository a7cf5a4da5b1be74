"""From a request to a signature, told to risk as a whole."""

import pytest

from common.actor import Record, Sign
from common.messages import (
    Approval,
    Approved,
    DecisionRecord,
    Exposure,
    HaltNotice,
    ModifyIntent,
    RiskCounts,
    Wake,
)
from common.messages.venue import Modify, Place
from common.units import SECOND, Nanos
from tests.services.risk.scene import Scene, ask, bid, cloid, codes


def test_an_order_is_recorded_then_signed_then_answered() -> None:
    """Rule 3: the row is durable before the signature exists; nonce and expiry follow the venue's time."""
    scene = Scene().ready()
    before = len(scene.performed)
    request = scene.request(bid(1), ask(2))
    scene.send(request)
    record = next(e.row for e in scene.performed[before:] if isinstance(e, Record))
    assert isinstance(record, DecisionRecord)
    kinds = [type(effect).__name__ for effect in scene.performed[before:]]
    assert kinds[:2] == ["Record", "Sign"]
    sign = scene.placed()[-1]
    assert sign.action == Place((bid(1), ask(2)))
    assert (sign.nonce, sign.expires_after) == (record.nonce, record.expires_after)
    assert scene.venue_ms - 1 <= sign.nonce <= scene.venue_ms
    assert record.expires_after == pytest.approx(scene.venue_ms + 2_000, abs=1)
    answer = scene.told(Approval, "order_management")[-1]
    assert answer.request_id == request.request_id
    assert answer.body == b"signed"
    assert answer.approved == (bid(1).cloid, ask(2).cloid)
    assert scene.last(Approved).cloids == answer.approved
    scene.send(Wake())
    assert scene.last(Exposure).coin == "BTC"
    assert (scene.last(Exposure).pending_bid, scene.last(Exposure).pending_ask) == (800, 800)


def test_nonces_only_grow() -> None:
    """Rule 3: two requests of one millisecond have two nonces."""
    scene = Scene().ready()
    scene.send(scene.request(bid(1)), scene.request(bid(2)))
    first, second = (sign.nonce for sign in scene.placed())
    assert second == first + 1


def test_reservations_of_one_batch_add_up() -> None:
    """Rule 2: each order is judged with everything before it counted: the limit fits twelve of these, not thirteen."""
    scene = Scene().ready()
    orders = [bid(number, ticks=599_900 - 10 * number) for number in range(1, 14)]
    scene.send(scene.request(*orders))
    answer = scene.last(Approval)
    assert len(answer.approved) == 12
    assert [(veto.cloid, veto.code) for veto in answer.vetoes] == [(orders[12].cloid, "position")]


def test_all_vetoed_uses_no_nonce() -> None:
    """Rule 4: an empty answer goes out at once, nothing is recorded or signed."""
    scene = Scene().ready()
    rows, signs = len(scene.rows), len(scene.signs)
    scene.send(scene.request(bid(1, ticks=100_000)))
    answer = scene.last(Approval)
    assert (answer.body, answer.nonce, answer.approved) == (b"", 0, ())
    assert codes(answer) == {"price_band"}
    assert (len(scene.rows), len(scene.signs)) == (rows, signs)


def test_no_signature_is_a_veto_and_counts_no_longer() -> None:
    """Rule 5: SignFailed gives every order of the batch back."""
    scene = Scene().ready()
    scene.sign_reason = "second limit"
    scene.send(scene.request(bid(1)))
    assert codes(scene.last(Approval)) == {"signer"}
    assert scene.risk._facts.ledger.pending("BTC") == (0, 0)
    scene.sign_reason = ""
    scene.send(scene.request(bid(2)))
    assert scene.last(Approval).approved == (bid(2).cloid,)


@pytest.mark.parametrize(
    ("late", "lapsed", "epoch", "code"),
    [
        (0, SECOND, 500, ""),
        (-1, SECOND, 500, "late"),
        (SECOND, 1, 500, ""),
        (SECOND, 0, 500, "target_lapsed"),
        (SECOND, SECOND, 499, "old_epoch"),
        (SECOND, SECOND, 501, "not_reconciled"),
    ],
)
def test_requests_that_are_refused_whole(late: int, lapsed: int, epoch: int, code: str) -> None:
    """Rule 1: deadline, target and epoch, both sides of each."""
    scene = Scene().ready()
    order = bid(1)
    request = scene.request(order, epoch=epoch, deadline=Nanos(scene.now + late), valid_until=Nanos(scene.now + lapsed))
    scene.send(request)
    answer = scene.last(Approval)
    assert (answer.request_id, answer.epoch) == (request.request_id, epoch)
    assert codes(answer) == ({code} if code else set())


def test_a_batch_is_one_action() -> None:
    """Rule 1: places and modifies never share one, nothing is replaced twice, and a hundred orders are enough."""
    scene = Scene().ready()
    change = ModifyIntent(old_cloid=cloid(1), order=bid(2))
    scene.send(scene.request(bid(3), modifies=(change,)))
    assert codes(scene.last(Approval)) == {"batch"}
    scene.send(scene.request(modifies=(change, ModifyIntent(old_cloid=cloid(1), order=bid(4)))))
    assert codes(scene.last(Approval)) == {"batch"}
    scene.send(scene.request(*[bid(number, lots=20) for number in range(100, 201)]))
    assert codes(scene.last(Approval)) == {"batch"}
    scene.send(scene.request(*[bid(number, lots=20) for number in range(300, 400)]))
    assert "batch" not in codes(scene.last(Approval))


def test_modifies_are_signed_as_one_and_counted_twice() -> None:
    """Rule 2: the good part of the batch is signed; old and new both count until the old one is proven gone."""
    scene = Scene().ready()
    scene.send(scene.request(bid(1), bid(2)))
    for number in (1, 2):
        scene.update(bid(number), number, "open")
    good = ModifyIntent(old_cloid=cloid(1), order=bid(3, ticks=599_800))
    bad = ModifyIntent(old_cloid=cloid(2), order=bid(4, ticks=100_000))
    lost = ModifyIntent(old_cloid=cloid(77), order=bid(5))
    scene.send(scene.request(modifies=(good, bad, lost)))
    assert scene.placed()[-1].action == Modify((good,))
    assert codes(scene.last(Approval)) == {"price_band", "unknown_order"}
    assert scene.risk._facts.ledger.pending("BTC") == (2_400, 0)


def test_the_rate_binds_last() -> None:
    """Rule 2: eighty at once; orders that are refused for another reason cost nothing."""
    scene = Scene().ready()
    scene.send(scene.request(*[bid(number, ticks=100_000) for number in range(1, 91)]))
    for number in range(100, 180):
        scene.send(scene.request(bid(number, lots=number)))
        scene.update(bid(number, lots=number), number, "canceled")
        assert codes(scene.last(Approval)) == set()
    scene.send(scene.request(bid(999, lots=20)))
    assert codes(scene.last(Approval)) == {"rate"}


@pytest.mark.parametrize(("pause", "expected"), [(0.75, {"repeat"}), (1.0, set())])
def test_the_same_order_passes_five_times_a_second(pause: float, expected: set[str]) -> None:
    """One of another size or side is another order, and what is refused does not count."""
    scene = Scene().ready()
    for number in range(1, 6):
        scene.send(scene.request(bid(number, lots=20)))
        assert codes(scene.last(Approval)) == set()
    scene.send(scene.request(bid(6, lots=20), bid(7, lots=21), ask(8, lots=20)))
    assert scene.last(Approval).approved == (cloid(7), cloid(8))
    assert codes(scene.last(Approval)) == {"repeat"}
    scene.wait(pause)
    scene.send(scene.request(bid(9, lots=20)))
    assert codes(scene.last(Approval)) == expected
    counts = scene.wait(0.5).last(RiskCounts)
    assert counts.vetoes["C8"] == 1 + len(expected)


def test_a_signature_made_in_a_halt_is_not_handed_out() -> None:
    """Rule 6: the answer is a veto, and the orders still count: their bytes exist."""
    scene = Scene().ready()
    effects = scene.risk.handle(scene.request(bid(1)), scene.now)
    sign = next(effect for effect in effects if isinstance(effect, Sign))
    scene.send(HaltNotice(request_id=1, by="cli"))
    scene.send(scene._sign(sign))
    assert codes(scene.last(Approval)) == {"halted"}
    assert scene.told(Approved) == []
    assert scene.risk._facts.ledger.pending("BTC") == (800, 0)

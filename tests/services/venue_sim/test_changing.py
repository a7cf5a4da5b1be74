"""Rules of services/venue_sim/changing.py, one story each."""

from services.venue_sim.api import AnswerKind, Filled, Resting, Success, Tif
from tests.services.venue_sim.stage import ALICE, BOB, BUY, ETH, SELL, Stage, order, refused

CLOID = "0x" + "c" * 32
MISSING = "Order was never placed, already canceled, or filled. asset=0"


def test_cancel_by_oid_and_by_cloid() -> None:
    """Rule 1: either name works once, and the status says canceled."""
    stage = Stage()
    (oid, named) = stage.rest(ALICE, order(BUY, "99000", "0.01"), order(BUY, "98000", "0.01", cloid=CLOID))
    number = stage.cancel(ALICE, oid, CLOID, oid)
    stage.block()
    answer = stage.answer(number)
    assert answer.kind is AnswerKind.CANCEL
    assert answer.statuses[:2] == (Success(), Success())
    assert refused(answer.statuses[2]) == MISSING
    assert stage.told(ALICE) == [(oid, "canceled", "0.01"), (named, "canceled", "0.01")]
    assert stage.bids() == []


def test_missing_orders_all_look_alike() -> None:
    """Rule 1: unknown, foreign, finished and other-coin orders get the same words."""
    stage = Stage()
    (foreign,) = stage.rest(BOB, order(BUY, "99000", "0.01"))
    (mine,) = stage.rest(ALICE, order(BUY, "3900", "0.1", coin=ETH))
    number = stage.cancel(ALICE, 7, "0x" + "d" * 32, foreign, mine)
    stage.block()
    assert [refused(status) for status in stage.answer(number).statuses] == [MISSING] * 4


def test_empty_cancel() -> None:
    """Rule 1: nothing to cancel is refused as a payload."""
    stage = Stage()
    number = stage.cancel(ALICE)
    stage.block()
    assert refused(stage.answer(number).statuses[0]) == "Orders are empty."


def test_modify_is_cancel_and_new() -> None:
    """Rule 2: the old oid is canceled, a new one opens behind those already there."""
    stage = Stage()
    (old,) = stage.rest(ALICE, order(BUY, "99000", "0.02", Tif.ALO, cloid=CLOID))
    (other,) = stage.rest(BOB, order(BUY, "99000", "0.02", Tif.ALO))
    number = stage.modify(ALICE, CLOID, order(BUY, "99000", "0.01", Tif.ALO, cloid=CLOID))
    stage.block()
    (status,) = stage.answer(number).statuses
    assert isinstance(status, Resting)
    assert stage.told(ALICE) == [(old, "canceled", "0.02"), (status.oid, "open", "0.01")]
    stage.rest(stage_taker := BOB, order(SELL, "99500", "0.01"))
    assert stage_taker == BOB
    stage.now_place(ALICE, order(SELL, "99000", "0.02", Tif.IOC))
    assert (other, "filled", "0") in stage.told(BOB)


def test_cancel_leg_succeeds_alone() -> None:
    """Rule 2: when the new order is refused the old one is gone all the same."""
    stage = Stage()
    stage.rest(BOB, order(SELL, "100001", "0.02"))
    (old,) = stage.rest(ALICE, order(BUY, "99000", "0.02", Tif.ALO))
    number = stage.modify(ALICE, old, order(BUY, "100001", "0.02", Tif.ALO))
    stage.block()
    (status,) = stage.answer(number).statuses
    assert refused(status) == (
        "Error placing new order during modify: "
        "Post only order would have immediately matched, bbo was 0@100001. asset=0"
    )
    assert stage.told(ALICE)[0] == (old, "canceled", "0.02")
    assert stage.info.open_orders(ALICE) == ()


def test_payload_refusal_keeps_the_old_order() -> None:
    """Rule 2: what fails before validation touches nothing."""
    stage = Stage()
    (old,) = stage.rest(ALICE, order(BUY, "99000", "0.02"))
    number = stage.modify(ALICE, old, order(BUY, "100", "0.02"))
    stage.block()
    assert "more than 95% away" in refused(stage.answer(number).statuses[0])
    assert [view.oid for view in stage.info.open_orders(ALICE)] == [old]


def test_dead_orders_are_not_modified() -> None:
    """Rule 3: refused, unless always_place asks for the new order anyway."""
    stage = Stage()
    number = stage.modify(ALICE, 7, order(BUY, "99000", "0.01", Tif.ALO))
    stage.block()
    assert refused(stage.answer(number).statuses[0]) == "Cannot modify canceled or filled order"
    number = stage.modify(ALICE, 7, order(BUY, "99000", "0.01", Tif.ALO), always=True)
    stage.block()
    assert isinstance(stage.answer(number).statuses[0], Resting)


def test_a_modify_does_not_take() -> None:
    """Rule 4: Ioc and crossing Gtc become Alo; with always_place they take."""
    for tif in (Tif.IOC, Tif.GTC):
        stage = Stage()
        stage.rest(BOB, order(SELL, "100001", "0.02"))
        (old,) = stage.rest(ALICE, order(BUY, "99000", "0.02"))
        number = stage.modify(ALICE, old, order(BUY, "100001", "0.02", tif))
        stage.block()
        assert "Post only order would have" in refused(stage.answer(number).statuses[0])
        (old,) = stage.rest(ALICE, order(BUY, "99000", "0.02"))
        number = stage.modify(ALICE, old, order(BUY, "100001", "0.02", tif), always=True)
        stage.block()
        assert isinstance(stage.answer(number).statuses[0], Filled)


def test_a_modify_that_rests_keeps_its_tif() -> None:
    """Rule 4: a Gtc that cannot trade stays one; an Ioc that cannot trade rests as Alo."""
    stage = Stage()
    (old,) = stage.rest(ALICE, order(BUY, "99000", "0.02"))
    for asked, kept in ((Tif.GTC, Tif.GTC), (Tif.IOC, Tif.ALO)):
        number = stage.modify(ALICE, old, order(BUY, "98000", "0.02", asked))
        stage.block()
        (status,) = stage.answer(number).statuses
        assert isinstance(status, Resting)
        (view,) = stage.info.open_orders(ALICE)
        assert view.tif is kept
        old = status.oid


def test_single_modify_answers_default_or_error() -> None:
    """The action modify has no statuses: it is default, or an error of the whole action."""
    stage = Stage()
    (old,) = stage.rest(ALICE, order(BUY, "99000", "0.02"))
    number = stage.modify(ALICE, old, order(BUY, "98000", "0.02"), single=True)
    again = stage.modify(ALICE, old, order(BUY, "98000", "0.02"), single=True)
    stage.block()
    assert (stage.answer(number).kind, stage.answer(number).statuses) == (AnswerKind.DEFAULT, ())
    assert stage.answer(again).error == "Cannot modify canceled or filled order"

"""Stories of halts: into them, contained, and out of them by the operator's word alone."""

import pytest

from common.actor import Latch, Record, Send, Sign, Unlatch
from common.messages import (
    Ack,
    Approval,
    ArmAnswer,
    ArmRecord,
    ArmRequest,
    CancelRequest,
    Halt,
    HaltDirectory,
    HaltFile,
    HaltNotice,
    OrderUpdates,
    PostureLevel,
    ServiceState,
    StreamUp,
)
from common.messages.venue import CancelOrders, Noop, OpenOrdersQuery, OrderUpdate
from common.units import SECOND, Nanos
from tests.services.risk.scene import Scene, ask, bid, cloid, codes, venue_order

FILE = HaltFile(name="a.json", cause="a person", by="cli")
HALTED = HaltDirectory(files=(FILE,))


def halted_scene(*, resting: bool = True) -> Scene:
    """A scene with one order of ours, halted by a file."""
    scene = Scene().ready()
    scene.wait(0.25)
    if resting:
        scene.send(scene.request(bid(1)))
        scene.update(bid(1), 9, "open")
    scene.directory = HALTED
    scene.send(HALTED)
    return scene


def arm(scene: Scene, names: str = "a.json", signature: bytes = b"good") -> ArmAnswer:
    scene.send(ArmRequest(request_id=1, command=names.encode(), signature=signature))
    return scene.told(ArmAnswer, "cli")[-1]


# --- into a halt ---------------------------------------------------------------------------------------


def test_a_file_halts_at_once() -> None:
    """Rule 1: posture, state and every later request say so."""
    scene = halted_scene()
    assert scene.state() is ServiceState.HALTED
    assert scene.level() is PostureLevel.HALTED
    told = scene.last(Halt)
    assert (told.halted, told.latched, told.contained, told.causes) == (True, True, False, (FILE,))
    scene.send(scene.request(ask(2)))
    assert codes(scene.last(Approval)) == {"halted"}


def test_an_unreadable_directory_halts() -> None:
    """Rule 1: doubt is a halt."""
    scene = Scene().ready()
    scene.send(HaltDirectory(readable=False))
    assert scene.state() is ServiceState.HALTED


def test_a_notice_halts_until_the_directory_was_looked_at() -> None:
    """Rule 1: acknowledged to the sender, closed at once, open again when the directory is empty."""
    scene = Scene().ready()
    scene.send(HaltNotice(request_id=5, by="canceller"), HaltNotice(request_id=6, by="Anna"))
    assert scene.told(Ack, "canceller") == [Ack(request_id=5)]
    assert scene.told(Ack, "cli") == [Ack(request_id=6)]
    scene.send(scene.request(bid(1)))
    assert codes(scene.last(Approval)) == {"halted"}
    scene.send(HaltDirectory(), scene.request(bid(2)))
    assert scene.last(Approval).approved == (cloid(2),)


def test_a_notice_about_nothing_ends_by_itself() -> None:
    """Rule 1: the shell reads the directory every unit and tells changes only."""
    scene = Scene().ready()
    scene.send(HaltNotice(request_id=5, by="cli"))
    scene.wait(0.5)
    scene.send(scene.request(bid(1)))
    assert scene.last(Approval).approved == (cloid(1),)


def test_a_breach_is_durable_before_anything_else() -> None:
    """Rules 2 and 3: Latch comes first, then cancels by both keys; the same cause latches once."""
    scene = Scene().ready()
    scene.send(scene.request(bid(1)))
    scene.update(bid(1), 9, "open")
    before = len(scene.performed)
    strange = venue_order(bid(77), 10, placed_ms=scene.venue_ms)
    update = OrderUpdate(order=strange, status="open", status_ms=scene.venue_ms)
    scene.send(OrderUpdates(updates=(update, update), received_at=scene.now))
    after = scene.performed[before:]
    names = [type(effect).__name__ for effect in after if not isinstance(effect, Send | Record)]
    assert names[:2] == ["Latch", "Sign"]
    latch = next(effect for effect in after if isinstance(effect, Latch))
    assert latch.cause == "unapproved order"
    assert "revoke the agents" in latch.evidence
    cancel = next(effect for effect in after if isinstance(effect, Sign)).action
    assert isinstance(cancel, CancelOrders)
    assert {one.cloid for one in cancel.cancels} == {cloid(1), cloid(77)}
    assert scene.told(CancelRequest, "canceller")[0].everything
    assert len(scene.latches) == 1


# --- contained -----------------------------------------------------------------------------------------


def test_contained_needs_three_empty_reads_after_the_last_arrival() -> None:
    """Rule 3: nothing is in flight, so the reads begin at once, 250 ms apart."""
    scene = halted_scene()
    scene.open.clear()
    asked = [effect for effect in scene.asks if isinstance(effect.query, OpenOrdersQuery)]
    scene.wait(0.25)
    assert not scene.last(Halt).contained
    scene.wait(0.5)
    assert scene.last(Halt).contained
    more = [effect for effect in scene.asks if isinstance(effect.query, OpenOrdersQuery)]
    assert len(more) - len(asked) <= 3


def test_in_flight_nonces_are_burnt_first() -> None:
    """Rule 3: a noop with the very nonce, repeated while the venue refuses it; without proof the expiry passes."""
    scene = Scene().ready()
    scene.noops_refused = True
    scene.send(scene.request(bid(1)))
    nonce = scene.placed()[-1].nonce
    scene.directory = HALTED
    scene.send(HALTED)
    assert [sign.nonce for sign in scene.signs if isinstance(sign.action, Noop)] == [nonce]
    scene.wait(1)
    assert [sign.nonce for sign in scene.signs if isinstance(sign.action, Noop)] == [nonce, nonce]
    scene.wait(0.75)
    assert not scene.last(Halt).contained
    scene.wait(1.5)
    assert scene.last(Halt).contained


def test_an_accepted_noop_contains_at_once() -> None:
    """Rule 3: what was burnt cannot arrive, so the reads begin."""
    scene = Scene().ready()
    scene.send(scene.request(bid(1)))
    scene.directory = HALTED
    scene.send(HALTED)
    scene.wait(0.75)
    assert scene.last(Halt).contained


def test_what_still_rests_is_cancelled_again() -> None:
    """Rule 3: by both keys, ever more slowly, and the empty reads start anew."""
    scene = halted_scene()
    asked = len(scene.told(CancelRequest))
    scene.wait(4)
    assert not scene.last(Halt).contained
    assert len(scene.told(CancelRequest)) - asked == 2
    scene.open.clear()
    scene.wait(4.5)
    assert scene.last(Halt).contained


def test_contained_ends_when_one_of_ours_shows_again() -> None:
    """Rule 3: the ten-second read goes on for ever."""
    scene = halted_scene(resting=False)
    scene.wait(2)
    assert scene.last(Halt).contained
    scene.open[3] = venue_order(bid(1), 3)
    scene.wait(10)
    assert not scene.last(Halt).contained


def test_a_start_with_a_halted_directory_contains_too() -> None:
    """Rule 3: the recorded decisions of the earlier life are burnt, what rests is cancelled, nothing is approved."""
    first = Scene().ready()
    first.send(first.request(bid(1)), first.request(bid(2)))
    second = Scene(first.rows, epoch=8, now=first.now, directory=HALTED)
    second.open[9] = venue_order(bid(1), 9)
    second.send(HALTED, StreamUp(connection=1))
    assert second.state() is ServiceState.HALTED
    second.wait(1)
    assert {type(sign.action) for sign in second.signs} == {CancelOrders, Noop}
    second.open.clear()
    second.wait(4)
    assert second.last(Halt).contained
    assert second.placed() == []


# --- out of it -----------------------------------------------------------------------------------------


def test_the_operator_ends_a_halt() -> None:
    """Rule 4: recorded, files removed, answered; then everything is read again before quotes pass."""
    scene = halted_scene(resting=False)
    scene.wait(2)
    before = len(scene.performed)
    answer = arm(scene)
    assert answer.ok
    assert answer.cleared == (FILE,)
    effects = scene.performed[before:]
    assert [type(effect).__name__ for effect in effects[:4]] == ["Record", "Record", "Unlatch", "Send"]
    record = effects[0]
    assert isinstance(record, Record)
    assert isinstance(record.row, ArmRecord)
    assert (record.row.reason, record.row.cleared) == ("looked at it", (FILE,))
    assert effects[2] == Unlatch(("a.json",))
    assert not scene.last(Halt).halted
    scene.wait(6)
    assert scene.state() is ServiceState.READY
    scene.send(scene.request(bid(2)))
    assert scene.last(Approval).approved == (cloid(2),)


@pytest.mark.parametrize(
    ("names", "signature", "reason"),
    [
        ("a.json", b"bad", "not signed by the operator key"),
        ("", b"good", "names no cause, or one that is not there"),
        ("a.json b.json", b"good", "names no cause, or one that is not there"),
    ],
)
def test_a_bad_command_clears_nothing(names: str, signature: bytes, reason: str) -> None:
    """Rule 4: the signature and every single name count."""
    scene = halted_scene(resting=False)
    scene.wait(2)
    answer = arm(scene, names, signature)
    assert (answer.ok, answer.reason, answer.cleared) == (False, reason, ())
    assert scene.state() is ServiceState.HALTED


def test_arming_waits_for_containment() -> None:
    """Rule 4: while something may rest or arrive nobody begins anew."""
    scene = halted_scene()
    assert arm(scene).reason.startswith("not contained yet")


def test_arming_what_is_not_halted_is_refused() -> None:
    """Rule 4: there is nothing to clear."""
    assert arm(Scene().ready()).reason == "not halted"


def test_a_file_that_is_not_named_keeps_the_halt() -> None:
    """Rule 4: what came after the person looked goes on halting."""
    scene = halted_scene(resting=False)
    scene.wait(2)
    later = HaltFile(name="z.json", cause="another")
    scene.directory = HaltDirectory(files=(FILE, later))
    scene.send(scene.directory)
    assert arm(scene).ok
    assert scene.state() is ServiceState.HALTED
    assert scene.last(Halt).causes == (later,)


def test_vanished_files_latch_anew() -> None:
    """Rule 5: removing files by hand ends nothing."""
    scene = halted_scene(resting=False)
    scene.directory = HaltDirectory()
    scene.send(HaltDirectory())
    assert scene.latches[-1].cause == "halt files vanished"
    assert scene.state() is ServiceState.HALTED


def test_a_crime_is_judged_once() -> None:
    """Rule 4: what the person has looked at does not halt again, in this life or in the next."""
    scene = Scene().ready()
    scene.open[5] = venue_order(bid(99), 5, placed_ms=scene.venue_ms)
    scene.wait(10)
    assert scene.latches[-1].cause == "unapproved order"
    crime = venue_order(bid(99), 5, placed_ms=scene.venue_ms - 5_000)
    scene.open.clear()
    scene.wait(5)
    assert arm(scene, "1.json").ok
    second = Scene(scene.rows, epoch=9, now=Nanos(scene.now + 10 * SECOND)).ready()
    update = OrderUpdate(order=crime, status="canceled", status_ms=second.venue_ms)
    second.send(OrderUpdates(updates=(update,), received_at=second.now))
    assert second.latches == []


# --- one coin alone ------------------------------------------------------------------------------------

BTC_ALONE = HaltDirectory(files=(HaltFile(name="b.json", cause="operator", by="cli", coin="BTC"),))


def coin_halted() -> Scene:
    """A scene with an order of ours in each coin; BTC is halted."""
    scene = Scene().ready()
    scene.wait(0.25)
    for number, order in enumerate((bid(1), bid(2, 299_900, 100, coin="ETH"))):
        scene.send(scene.request(order))
        scene.update(order, 9 + number, "open")
    scene.directory = BTC_ALONE
    scene.send(BTC_ALONE)
    return scene


def test_one_coin_is_halted_alone() -> None:
    """Rule 6: its orders are cancelled by both keys and refused from then on; the other coin goes on."""
    scene = coin_halted()
    cancelled = [sign.action for sign in scene.signs if isinstance(sign.action, CancelOrders)]
    assert [cancel.cloid for action in cancelled for cancel in action.cancels] == [cloid(1)]
    assert [cancel.cloid for cancel in scene.last(CancelRequest).cancels] == [cloid(1)]
    assert not scene.last(CancelRequest).everything
    assert (scene.level("BTC"), scene.level("ETH")) == (PostureLevel.HALTED, PostureLevel.NORMAL)
    scene.send(scene.request(bid(3), bid(4, 299_900, 100, coin="ETH")))
    assert scene.last(Approval).approved == (cloid(4),)
    assert scene.state() is ServiceState.READY


def test_what_rests_in_a_halted_coin_is_cancelled_at_the_next_list() -> None:
    """Rule 6: a cancel may fail, the venue's list does not forget."""
    scene = coin_halted()
    scene.signs.clear()
    scene.wait(11)
    cancelled = [sign.action for sign in scene.signs if isinstance(sign.action, CancelOrders)]
    assert {cancel.cloid for action in cancelled for cancel in action.cancels} == {cloid(1)}


def test_a_halted_coin_is_armed_once_nothing_of_it_may_fill() -> None:
    """Rules 4 and 6: the operator's word, and not before; afterwards the coin trades again."""
    scene = coin_halted()
    assert not arm(scene, "b.json").ok
    scene.update(bid(1), 9, "canceled")
    assert arm(scene, "b.json").ok
    scene.wait(0.25)
    scene.send(scene.request(bid(5)))
    assert scene.last(Approval).approved == (cloid(5),)


def test_a_coins_file_that_vanishes_halts_all() -> None:
    """Rule 5: whoever removes it is not the operator."""
    scene = coin_halted()
    scene.send(HaltDirectory())
    assert [latch.cause for latch in scene.latches] == ["halt files vanished"]


def test_a_coin_nobody_trades_halts_all() -> None:
    """Rule 6: a misspelt coin must not leave the meant one trading."""
    scene = Scene().ready()
    scene.send(HaltDirectory(files=(HaltFile(name="c.json", cause="operator", coin="BCT"),)))
    assert [(latch.cause, latch.evidence) for latch in scene.latches] == [("halt of an unknown coin", "BCT")]
    assert scene.state() is ServiceState.HALTED


def test_a_coin_stays_halted_through_a_restart() -> None:
    """Latched is latched: the new life reads the directory before anything else."""
    scene = Scene(coin_halted().rows, epoch=8, directory=BTC_ALONE).ready()
    assert (scene.level("BTC"), scene.level("ETH")) == (PostureLevel.HALTED, PostureLevel.NORMAL)


def test_a_whole_halt_goes_over_that_of_a_coin() -> None:
    """Arming the whole leaves the coin halted, where the command does not name it."""
    scene = coin_halted()
    both = HaltDirectory(files=(FILE, *BTC_ALONE.files))
    scene.directory = both
    scene.send(both)
    assert scene.state() is ServiceState.HALTED
    for number, order in enumerate((bid(1), bid(2, 299_900, 100, coin="ETH"))):
        scene.update(order, 9 + number, "canceled")
    scene.wait(4)
    assert arm(scene).ok
    scene.wait(8)
    assert (scene.level("BTC"), scene.level("ETH")) == (PostureLevel.HALTED, PostureLevel.NORMAL)

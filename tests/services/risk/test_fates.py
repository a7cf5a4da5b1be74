"""The report of a halt: every order that could fill when it began, with its proven fate."""

from common.messages import (
    Fate,
    FindingRecord,
    Halt,
    HaltDirectory,
    HaltFile,
    HaltReport,
    OrderIntent,
    StreamFills,
    StreamUp,
)
from tests.services.risk.scene import Scene, ask, bid, cloid, fill_of
from tests.services.risk.test_halting import HALTED, arm

CONTAINED_S = 1.5


def reports(scene: Scene) -> list[HaltReport]:
    return [row for row in scene.rows if isinstance(row, HaltReport)]


def fates(report: HaltReport) -> dict[str, Fate]:
    return {told.order.cloid: told.fate for told in report.fates}


def trading(*orders: OrderIntent, resting: tuple[int, ...] = ()) -> Scene:
    """A scene with these orders signed; the venue has shown those whose sequences rest."""
    scene = Scene().ready()
    for number, order in enumerate(orders, start=1):
        scene.send(scene.request(order))
        if number in resting:
            scene.update(order, number, "open")
    return scene


def halt(scene: Scene, directory: HaltDirectory = HALTED) -> None:
    scene.directory = directory
    scene.send(directory)


def test_the_names_are_durable_before_any_fate_is() -> None:
    """Rule 1: one resting and one that nobody has acknowledged, in the row of the halt's own turn."""
    scene = trading(bid(1), ask(2), resting=(1,))
    scene.noops_refused = True
    scene.answering = False
    halt(scene)
    (first,) = reports(scene)
    assert [(told.order, told.acknowledged) for told in first.fates] == [(bid(1), True), (ask(2), False)]
    assert (first.halts, first.complete, set(fates(first).values())) == (("a.json",), False, {Fate.UNKNOWN})
    assert first.began_ms == scene.venue_ms


def test_each_order_ends_with_its_fate_and_its_proof() -> None:
    """Rules 2 and 3: cancelled, part filled, filled; the un-acked: burnt; refused by the venue."""
    scene = trading(bid(1), bid(2), bid(3), bid(4), bid(5), resting=(1, 2, 3))
    scene.consumed.add(scene.placed()[4].nonce)
    halt(scene)
    fill = fill_of(bid(3), 800, scene.venue_ms, 77)
    scene.update(bid(1), 1, "canceled")
    scene.update(bid(2), 2, "canceled", left=500)
    scene.positions["BTC"] = 1_100
    scene.send(
        StreamFills(fills=(fill, fill_of(bid(2), 300, scene.venue_ms, 78)), snapshot=False, received_at=scene.now)
    )
    scene.open.pop(3)
    scene.update(bid(5), 5, "badAloPxRejected")
    scene.wait(CONTAINED_S)
    last = reports(scene)[-1]
    assert last.complete
    told = {one.order.cloid: (one.fate, one.filled, one.evidence) for one in last.fates}
    nonce = scene.placed()[3].nonce
    ends = {number: scene.statuses[cloid(number)][1].placed_ms for number in (1, 2, 5)}
    assert told == {
        cloid(1): (Fate.CANCELLED, 0, f"canceled at {ends[1]}"),
        cloid(2): (Fate.PARTLY_FILLED, 300, f"canceled at {ends[2]}"),
        cloid(3): (Fate.FILLED, 800, "own fills of 800 lots"),
        cloid(4): (Fate.NEVER_ACCEPTED, 0, f"noop with its nonce {nonce} accepted"),
        cloid(5): (Fate.NEVER_ACCEPTED, 0, f"badAloPxRejected at {ends[5]}"),
    }
    said = "5 orders: 1 cancelled, 1 filled, 1 partially filled, 2 never accepted"
    assert scene.last(Halt).fates == said


def test_an_end_that_nobody_heard_of_is_asked_for() -> None:
    """Rule 2: it is in no list any more; its status says why."""
    scene = trading(bid(1), resting=(1,))
    halt(scene)
    scene.open.clear()
    scene.statuses[cloid(1)] = ("canceled", scene.statuses[cloid(1)][1])
    scene.wait(2.5)
    last = reports(scene)[-1]
    assert (last.complete, fates(last)) == (True, {cloid(1): Fate.CANCELLED})


def test_an_order_that_never_came_is_proven_by_two_answers() -> None:
    """Rule 2: its noop is refused, its expiry passes, the venue knows no such order."""
    scene = trading(bid(1))
    scene.noops_refused = True
    halt(scene)
    scene.wait(8)
    (told,) = reports(scene)[-1].fates
    assert (told.fate, told.evidence) == (Fate.NEVER_ACCEPTED, "unknownOid twice after its expiry")
    found = [row.evidence for row in scene.rows if isinstance(row, FindingRecord) and "arrived" in row.kind]
    assert found == [f"{cloid(1)}: unknownOid twice after its expiry"]


def test_what_stays_unknown_is_named_after_a_while_and_again_when_it_is_proven() -> None:
    """Rule 3: 10 s after containment; the venue's answer makes it complete."""
    scene = trading(bid(1), resting=(1,))
    scene.statuses[cloid(1)] = ("something new", scene.statuses[cloid(1)][1])
    halt(scene)
    scene.open.clear()
    scene.wait(CONTAINED_S)
    assert scene.last(Halt).contained
    assert len(reports(scene)) == 1
    scene.wait(10)
    assert [report.complete for report in reports(scene)] == [False, False]
    assert scene.last(Halt).fates == "1 orders: 1 unknown"
    scene.statuses[cloid(1)] = ("filled", scene.statuses[cloid(1)][1])
    scene.update(bid(1), 1, "filled", left=0)
    assert [report.complete for report in reports(scene)] == [False, False, True]
    assert fates(reports(scene)[-1]) == {cloid(1): Fate.FILLED}


def test_a_halt_without_orders_says_so() -> None:
    """Rule 3: a report all the same."""
    scene = Scene().ready()
    halt(scene)
    scene.wait(CONTAINED_S)
    assert (reports(scene)[-1].complete, scene.last(Halt).fates) == (True, "no order could fill")


def test_an_order_that_shows_up_later_is_added() -> None:
    """Rule 4: one from before the home was lost."""
    scene = trading()
    scene.risk._facts.decisions.begin_at(scene.venue_ms)
    halt(scene)
    scene.update(bid(9), 9, "open")
    scene.update(bid(9), 9, "canceled")
    scene.wait(CONTAINED_S)
    assert fates(reports(scene)[-1]) == {cloid(9): Fate.CANCELLED}


def test_one_coin_is_reported_alone() -> None:
    """What rests in the other coin is no part of it."""
    scene = trading(bid(1), bid(2, 299_900, 1_000, coin="ETH"), resting=(1, 2))
    halt(scene, HaltDirectory(files=(HaltFile(name="b.json", cause="a person", by="cli", coin="BTC"),)))
    scene.update(bid(1), 1, "canceled")
    scene.wait(0.25)
    assert fates(reports(scene)[-1]) == {cloid(1): Fate.CANCELLED}
    assert reports(scene)[-1].complete


def test_a_new_life_goes_on_with_the_names_of_the_old_one() -> None:
    """Rule 1: risk dies with two orders unproven; the next one asks for both, and keeps what was proven."""
    before = trading(bid(1), bid(2), bid(3), resting=(1, 2))
    before.answering = False
    halt(before)
    before.update(bid(1), 1, "canceled")
    assert fates(reports(before)[-1])[cloid(1)] is Fate.CANCELLED
    after = Scene(before.rows, epoch=8, now=before.now, directory=HALTED)
    after.consumed = {sign.nonce for sign in before.placed()[:2]}
    after.statuses = {cloid(2): ("canceled", before.statuses[cloid(2)][1])}
    after.send(HALTED, StreamUp(connection=1))
    after.wait(8)
    last = reports(after)[-1]
    assert last.complete
    assert fates(last) == {cloid(1): Fate.CANCELLED, cloid(2): Fate.CANCELLED, cloid(3): Fate.NEVER_ACCEPTED}


def test_arming_ends_the_report() -> None:
    """The next halt is told of its own orders alone."""
    scene = trading(bid(1), resting=(1,))
    halt(scene)
    scene.update(bid(1), 1, "canceled")
    scene.wait(CONTAINED_S)
    assert arm(scene).ok
    scene.wait(6)
    assert scene.last(Halt).fates == ""
    scene.send(scene.request(bid(2)))
    halt(scene, HaltDirectory(files=(HaltFile(name="c.json", cause="again"),)))
    assert set(fates(reports(scene)[-1])) == {cloid(2)}

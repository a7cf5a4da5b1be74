"""Flattening after a halt: when, how much, how far from the mid, and when it gives up."""

from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from common.actor import Sign
from common.messages import DecisionRecord, FindingRecord, HaltDirectory, OrderIntent, StreamFills, TimeInForce
from common.messages.venue import Place
from common.units import MICROS_PER_USD, Lots, Side
from services.risk.decisions import FLATTEN_TAG
from tests.services.risk.scene import MARK, SETTINGS, Scene, fill_of
from tests.services.risk.test_halting import FILE, HALTED, arm

RETRIES = 3
SLIPPAGE_BPS = 40.0
CONTAINED_S = 1.5  # three empty lists; a try is not over before 2


def flattening(held: int, **kill: Any) -> Scene:
    """A scene that holds so many lots of BTC and is halted; contained after a while."""
    section = {"flatten": True, "slippage_bps": SLIPPAGE_BPS, "retries": RETRIES} | kill
    scene = Scene(settings=msgspec.structs.replace(SETTINGS, kill=msgspec.structs.replace(SETTINGS.kill, **section)))
    scene.positions = {"BTC": held}
    scene.ready()
    scene.directory = HALTED
    scene.send(HALTED)
    return scene


def tries(scene: Scene) -> list[tuple[OrderIntent, ...]]:
    return [sign.action.orders for sign in scene.signs if isinstance(sign.action, Place)]


def gone(scene: Scene, *, filled: bool) -> None:
    """The venue ends every order of the last try."""
    for number, order in enumerate(tries(scene)[-1]):
        oid = 100 * len(tries(scene)) + number
        if filled:
            fill = fill_of(order, order.lots, scene.venue_ms, oid)
            scene.positions["BTC"] += order.side.sign * order.lots
            scene.fills.append(fill)
            scene.send(StreamFills(fills=(fill,), snapshot=False, received_at=scene.now))
        scene.update(order, oid, "filled" if filled else "iocCancelRejected", left=0 if filled else order.lots)


def test_without_the_setting_a_position_stays() -> None:
    """Rule 1: nobody is flattened who did not ask for it."""
    scene = flattening(1_000, flatten=False)
    scene.wait(CONTAINED_S)
    assert scene.risk.detail == "contained"
    assert tries(scene) == []


def test_only_when_contained_and_only_what_is_held() -> None:
    """Rules 1, 2 and 6: recorded first, reduce-only, at once or not at all, within the limit of an order."""
    scene = flattening(-8_000)
    assert tries(scene) == []
    scene.wait(CONTAINED_S)
    orders = tries(scene)[0]
    assert sum(order.lots for order in orders) == 8_000
    assert {(order.side, order.tif, order.reduce_only) for order in orders} == {(Side.BUY, TimeInForce.IOC, True)}
    most = SETTINGS.coins["BTC"].max_order_usd * MICROS_PER_USD
    assert len(orders) == 3
    assert all(order.ticks * order.lots <= most for order in orders)
    (record,) = [row for row in scene.rows if isinstance(row, DecisionRecord)]
    assert (record.tag, record.orders) == (FLATTEN_TAG, orders)
    gone(scene, filled=True)
    scene.wait(10)
    assert len(tries(scene)) == 1
    assert scene.risk.detail == "contained"


def test_a_ladder_that_ends_at_the_slippage_and_says_so() -> None:
    """Rules 3, 4 and 5: each try waits for the last one, goes further, and the last goes no further than allowed."""
    scene = flattening(1_000)
    for number in range(1, RETRIES + 2):
        scene.wait(CONTAINED_S)
        assert len(tries(scene)) == number
        assert scene.risk.detail == f"flattening BTC, try {number} of {RETRIES + 1}"
        gone(scene, filled=False)
    scene.wait(CONTAINED_S)
    away = [float((MARK - orders[0].ticks) / Decimal(MARK) * 10_000) for orders in tries(scene)]
    assert away == [10.0, 20.0, 30.0, 40.0]
    assert scene.risk.detail == "BTC NOT flat"
    (finding,) = [row for row in scene.rows if isinstance(row, FindingRecord)]
    assert (finding.kind, finding.coin) == ("not flat", "BTC")
    assert finding.evidence == "1000 lots left after 4 tries within 40.0 bps; close by hand"


def test_without_a_fresh_price_it_waits() -> None:
    """Rule 4: a price of yesterday is none."""
    scene = flattening(1_000)
    scene.answering = False
    scene.wait(3, alive=False)
    scene.answering = True
    scene.wait(5, alive=False)
    assert scene.risk.detail == "flattening BTC, try 0 of 4"
    assert tries(scene) == []
    scene.wait(CONTAINED_S)
    assert len(tries(scene)) == 1


def test_arming_ends_it() -> None:
    """Rule 1: a person has looked, and the next halt begins with all tries."""
    scene = flattening(1_000)
    scene.wait(CONTAINED_S)
    gone(scene, filled=False)
    assert arm(scene, FILE.name).ok
    assert scene.directory == HaltDirectory()
    scene.wait(10)
    assert len(tries(scene)) == 1


def test_a_refused_signature_counts_for_nothing() -> None:
    """The shell's own limits may say no: nothing stays counted, the next try comes, and it is told."""
    scene = flattening(1_000)
    scene.sign_reason = "no recent mid of BTC"
    scene.wait(CONTAINED_S)
    scene.sign_reason = ""
    scene.wait(3)
    assert len(tries(scene)) == 1
    assert {row.kind for row in scene.rows if isinstance(row, FindingRecord)} == {"signature refused"}


@settings(max_examples=15, deadline=None)
@given(st.integers(-15_000, 15_000), st.integers(0, 3), st.sampled_from([5.0, 50.0, 500.0]))
def test_no_order_adds_or_goes_too_far(held: int, retries: int, slippage_bps: float) -> None:
    """Whatever is held: every order reduces, all together no more than the position, within the slippage."""
    scene = flattening(held, retries=retries, slippage_bps=slippage_bps)
    scene.wait(CONTAINED_S)
    assert len(tries(scene)) == (held != 0)
    for orders in tries(scene):
        assert sum(order.side.sign * order.lots for order in orders) == -held
        assert all(abs(order.ticks - MARK) * 10_000 <= slippage_bps * MARK for order in orders)
        assert all(order.lots > 0 for order in orders)
    assert all(isinstance(sign, Sign) and sign.expires_after for sign in scene.signs if isinstance(sign.action, Place))
    assert Lots(held) == scene.risk._facts.nearest("BTC")

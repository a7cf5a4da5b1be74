"""Stories of restraint and of breaches, told to risk as a whole."""

from decimal import Decimal

import pytest

from common.messages import (
    Approval,
    ArmAnswer,
    ArmRequest,
    FindingRecord,
    Halt,
    Heartbeat,
    PendingExposure,
    Position,
    PostureLevel,
    ServiceState,
    StreamFills,
    StreamUp,
    TopOfBook,
)
from common.units import Lots, Micros, Millis, Nanos, Ticks
from services.risk import gate
from tests.services.risk.scene import Scene, ask, bid, cloid, codes, fill_of


def restarted(positions: dict[str, int], equity: int = 100_000) -> Scene:
    scene = Scene()
    scene.positions |= positions
    scene.equity = Decimal(equity)
    return scene


def test_a_stale_account_pulls() -> None:
    """Rule 1: four reads without an answer; back after the hold-off."""
    scene = Scene().ready()
    scene.answering = False
    scene.wait(20)
    assert scene.level() is PostureLevel.NORMAL
    scene.wait(0.5)
    assert scene.level() is PostureLevel.PULL_QUOTES
    scene.answering = True
    scene.wait(4)
    assert scene.level() is PostureLevel.PULL_QUOTES
    scene.wait(6)
    assert scene.level() is PostureLevel.NORMAL


def test_a_coin_without_references_is_pulled_alone() -> None:
    """Rule 2: a crossed book of one coin does not touch the other."""
    scene = Scene().ready()
    crossed = TopOfBook(
        coin="BTC",
        venue_ms=scene.venue_ms,
        bid=(Ticks(600_100), Lots(1)),
        ask=(Ticks(600_000), Lots(1)),
        received_at=scene.now,
    )
    scene.send(crossed)
    scene.send(scene.request(bid(1)))
    assert codes(scene.last(Approval)) == {"posture"}
    assert scene.level("ETH") is PostureLevel.NORMAL
    assert "BTC: no live book" in scene.risk.detail


@pytest.mark.parametrize(("lots", "level"), [(10_000, PostureLevel.NORMAL), (10_001, PostureLevel.REDUCE_ONLY)])
@pytest.mark.parametrize("sign", [1, -1])
def test_beyond_the_hard_limit_only_reduces(lots: int, level: PostureLevel, sign: int) -> None:
    """6,000 USD are 10,000 lots at the mark, on either side."""
    scene = restarted({"BTC": sign * lots}).ready()
    assert scene.level() is level
    assert scene.level("ETH") is PostureLevel.NORMAL


def test_reduce_only_lets_the_way_back_through() -> None:
    """Rule 3: against the position with the flag, and nothing else."""
    scene = restarted({"BTC": 10_500}).ready()
    scene.send(scene.request(ask(1), ask(2, reduce_only=True), bid(3)))
    answer = scene.last(Approval)
    assert answer.approved == (cloid(2),)
    assert codes(answer) == {"reduce_only"}


@pytest.mark.parametrize(("lots", "halts"), [(15_999, False), (16_000, True)])
def test_position_runaway(lots: int, halts: bool) -> None:
    """Rule 3: twice the soft limit by the venue's own word is a kill."""
    scene = restarted({"BTC": -lots})
    scene.send(scene.directory, StreamUp(connection=1))
    scene.wait(2)
    assert [latch.cause for latch in scene.latches] == (["BTC position"] if halts else [])


def test_a_difference_pulls_then_kills() -> None:
    """Rule 4: two seconds of grace for fills that are on their way, ten for the person."""
    scene = Scene().ready()
    scene.positions["BTC"] = 100
    while not scene.risk._facts.ledger.position("BTC").differs_since:
        scene.wait(0.25)
    scene.wait(1.75)
    assert scene.level() is PostureLevel.NORMAL
    scene.wait(0.25)
    assert scene.level() is PostureLevel.PULL_QUOTES
    scene.wait(7.75)
    assert scene.latches == []
    scene.wait(0.25)
    assert [latch.cause for latch in scene.latches] == ["BTC position difference"]


def test_a_person_s_look_settles_a_difference() -> None:
    """Rule 4: after the arming the venue's word is what everything starts from."""
    scene = Scene().ready()
    scene.positions["BTC"] = 100
    scene.wait(20)
    assert [latch.cause for latch in scene.latches] == ["BTC position difference"]
    scene.send(ArmRequest(request_id=1, command=b"1.json", signature=b"good"))
    assert scene.last(ArmAnswer).ok
    scene.wait(15)
    assert len(scene.latches) == 1
    assert scene.risk._facts.ledger.position("BTC").lowest == 100
    assert scene.level() is PostureLevel.NORMAL


def test_a_fill_found_by_a_question_ends_the_difference() -> None:
    """Rule 4: a lost fill of ours is asked for at once, and nothing is killed."""
    scene = Scene().ready()
    scene.send(scene.request(bid(1)))
    scene.update(bid(1), 9, "open")
    scene.wait(0.25)
    scene.fills.append(fill_of(bid(1), 100, scene.venue_ms, 1))
    scene.positions["BTC"] = 100
    scene.wait(15)
    assert scene.latches == []
    assert scene.risk._facts.ledger.position("BTC").differs_since is None
    assert scene.level() is PostureLevel.NORMAL


def test_daily_loss() -> None:
    """Rule 5: half widens, one bad state pulls and asks again, two halt; an arming does not forgive it."""
    scene = Scene().ready()
    scene.equity = Decimal("99749.99")
    scene.wait(5)
    assert scene.level() is PostureLevel.WIDEN
    scene.equity = Decimal("98999.99")
    scene.wait(5.25)
    assert [latch.cause for latch in scene.latches] == ["loss"]
    assert scene.state() is ServiceState.HALTED
    scene.wait(2)
    scene.send(ArmRequest(request_id=1, command=b"1.json", signature=b"good"))
    assert scene.last(ArmAnswer).ok
    assert [latch.cause for latch in scene.latches] == ["loss"] * 2
    assert scene.state() is ServiceState.HALTED
    scene.send(scene.request(bid(1)))
    assert codes(scene.last(Approval)) == {"halted"}


def test_one_phantom_equity_does_not_halt() -> None:
    """Rule 5: the second state comes within the quarter second, and is good."""
    scene = Scene().ready()
    scene.equity = Decimal(1)
    while not scene.risk._facts.losses.suspected:
        scene.wait(0.25)
    if scene.latches == []:
        scene.equity = Decimal(100_000)
        scene.wait(1)
    assert scene.latches == []


def test_a_member_away_for_too_long_kills() -> None:
    """Rule 6: 30 s; whoever said that it was stopping may stay away."""
    scene = Scene().ready()
    scene.beat("strategy", stopping=True)
    scene.silent |= {"strategy", "market_data"}
    scene.wait(29.75)
    assert scene.latches == []
    scene.wait(0.5)
    assert [latch.cause for latch in scene.latches] == ["market_data absent"]


def position(lots: int, *, proven: bool = True) -> Position:
    zero = Decimal(0)
    return Position(
        coin="BTC",
        lots=Lots(lots),
        entry=None,
        realized_pnl=zero,
        fees=zero,
        funding=zero,
        fills=0,
        as_of_ms=Millis(0),
        proven=proven,
    )


def test_order_management_s_doubt_pulls() -> None:
    """Rule 7: a position that it cannot prove is not quoted."""
    scene = Scene().ready()
    scene.send(position(0, proven=False))
    assert scene.level() is PostureLevel.PULL_QUOTES
    assert scene.level("ETH") is PostureLevel.NORMAL


def test_a_lasting_disagreement_is_found_once() -> None:
    """Rule 7: written down after ten seconds, once, and again only after an agreement."""
    scene = Scene().ready()
    for lots, found in ((5, 1), (0, 1), (5, 2)):
        scene.send(position(lots))
        scene.wait(10)
        scene.wait(1)
        rows = [row for row in scene.rows if isinstance(row, FindingRecord)]
        assert [row.kind for row in rows] == ["position difference"] * found


def pending(bid_lots: int) -> PendingExposure:
    zero = Lots(0)
    return PendingExposure(
        coin="BTC",
        pending_bid=Lots(bid_lots),
        pending_ask=zero,
        net_pending_change=Lots(bid_lots),
        worst_case_max_position=Lots(bid_lots),
        worst_case_min_position=zero,
        resting_bid_notional=Micros(0),
        resting_ask_notional=Micros(0),
    )


@pytest.mark.parametrize(("silent", "kinds"), [(False, ["exposure difference"]), (True, [])])
def test_pending_orders_are_compared(silent: bool, kinds: list[str]) -> None:
    """Rule 4: a difference that lasts is found once; the last word of the silent is no difference."""
    scene = Scene().ready()
    if silent:
        scene.silent.add("order_management")
        scene.wait(2)
    for lots, wait_s in ((5, 9), (0, 2), (5, 11), (5, 2)):
        scene.send(pending(lots))
        scene.wait(wait_s)
    found = [row for row in scene.rows if isinstance(row, FindingRecord) and row.kind == "exposure difference"]
    assert [row.kind for row in found] == kinds
    assert all(row.evidence == "order_management 5 bid, 0 ask, risk 0 bid, 0 ask" for row in found)


def test_a_gate_that_lets_a_bad_order_through_kills(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 8: the probe of every turn notices a rule that was broken while running."""
    scene = Scene().ready()
    monkeypatch.setattr(gate, "_price", lambda _order, _view: None)
    scene.wait(0.25)
    assert [latch.cause for latch in scene.latches] == ["BTC gate self-test", "ETH gate self-test"]
    assert scene.last(Halt).halted


def test_another_build_is_not_traded_with() -> None:
    """Mixed versions never quote together."""
    scene = Scene().ready()
    scene.send(Heartbeat(service="strategy", epoch=1, state=ServiceState.READY, build="old"))
    assert scene.level() is PostureLevel.PULL_QUOTES


def test_a_worst_case_alone_never_kills() -> None:
    """Rule 3: what a restart finds in its records counts in full until it is proven gone, and that is no runaway."""
    scene = Scene().ready()
    scene.risk._facts.ledger.reserve(bid(1, lots=16_001), Millis(0), Nanos(0))
    scene.wait(0.25)
    assert scene.latches == []


def test_strangers_fills_are_adopted() -> None:
    """A manual trade moves the position, is written down, and kills nothing."""
    scene = Scene().ready()
    scene.wait(0.25)
    fill = fill_of(bid(1), 50, scene.venue_ms, 3, named=False)
    scene.fills.append(fill)
    scene.positions["BTC"] = 50
    scene.send(StreamFills(fills=(fill,), snapshot=False, received_at=scene.now))
    scene.wait(20)
    assert scene.latches == []
    assert scene.risk._facts.ledger.position("BTC").by_fills == 50
    assert [row.kind for row in scene.rows if isinstance(row, FindingRecord)] == ["foreign fill"]

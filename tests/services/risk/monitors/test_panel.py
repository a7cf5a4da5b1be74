"""All monitors together, told to risk as a whole: what they see, and the posture that follows."""

from decimal import Decimal

import pytest

from common.messages import (
    Approval,
    AssetContext,
    CancelAnswer,
    Exposure,
    FindingRecord,
    PendingExposure,
    Position,
    PostureLevel,
    RiskCounts,
    StreamFills,
    TopOfBook,
    Wake,
)
from common.units import Lots, Micros, Millis, Ticks
from services.risk.controls import BY_POSTURE, CONTROL_OF_CODE, Control
from services.risk.gate import VetoCode
from services.risk.monitors.assessment import Severity
from services.risk.monitors.panel import OF_A_COIN, OF_THE_ACCOUNT
from tests.services.risk.monitors.states import PLAIN
from tests.services.risk.scene import Scene, ask, bid, codes, fill_of


def test_a_quiet_state_finds_nothing() -> None:
    """The premise of everything: no monitor speaks without a reason, each once in its list."""
    monitors = OF_A_COIN if PLAIN.coin else OF_THE_ACCOUNT
    assert [monitor for monitor in monitors if monitor(PLAIN).severity is not Severity.NONE] == []
    assert len({*OF_A_COIN, *OF_THE_ACCOUNT}) == len(OF_A_COIN) + len(OF_THE_ACCOUNT) - 1  # staleness is in both


def test_every_code_has_a_control() -> None:
    """What is counted is counted under exactly one control."""
    assert {*CONTROL_OF_CODE, *BY_POSTURE} == set(VetoCode)
    assert not set(CONTROL_OF_CODE) & BY_POSTURE
    assert set(CONTROL_OF_CODE.values()) <= set(Control)


def touch(scene: Scene, mid: int) -> None:
    scene.send(
        TopOfBook(
            coin="BTC",
            venue_ms=scene.venue_ms,
            bid=(Ticks(mid - 10), Lots(1)),
            ask=(Ticks(mid + 10), Lots(1)),
            received_at=scene.now,
        )
    )


def test_a_flash_move_pulls_at_its_first_message() -> None:
    """C2: 120 bps at once; the coin alone, its orders refused, the refusal counted; back after window and cool-down."""
    scene = Scene().ready()
    touch(scene, 607_200)
    assert scene.level() is PostureLevel.PULL_QUOTES
    assert scene.level("ETH") is PostureLevel.NORMAL
    scene.send(scene.request(bid(1)))
    assert codes(scene.last(Approval)) == {"posture"}
    scene.wait(34)
    assert scene.level() is PostureLevel.PULL_QUOTES
    assert scene.last(RiskCounts).vetoes["C2"] == 2  # it began, and refused one order
    scene.wait(2)
    assert scene.level() is PostureLevel.NORMAL


def fills(scene: Scene, lots: int, count: int = 1, tid: int = 100) -> None:
    scene.wait(0.25)  # later than the last account state
    order = bid(1)
    made = tuple(fill_of(order, lots, scene.venue_ms, tid + number, named=False) for number in range(count))
    scene.fills += made
    scene.positions["BTC"] = scene.positions.get("BTC", 0) + lots * count
    scene.send(StreamFills(fills=made, snapshot=False, received_at=scene.now))


@pytest.mark.parametrize(
    ("lots", "level"),
    [(5_000, PostureLevel.NORMAL), (5_001, PostureLevel.WIDEN), (10_000, PostureLevel.WIDEN)],
)
def test_position_velocity(lots: int, level: PostureLevel) -> None:
    """C17: half of the limit within a minute widens; the minute over, quotes come back."""
    scene = Scene().ready()
    fills(scene, lots)
    assert scene.level() is level
    scene.wait(66)
    assert scene.level() is PostureLevel.NORMAL


def test_repeated_execution_kills() -> None:
    """C7: the hundred and first fill of a side within ten seconds; spread out they are business."""
    scene = Scene().ready()
    fills(scene, 1, 100)
    assert scene.latches == []
    fills(scene, 1, 1, tid=900)
    assert [latch.cause for latch in scene.latches] == ["BTC repeated execution"]
    slow = Scene().ready()
    fills(slow, 1, 100)
    slow.wait(10)
    fills(slow, 1, 1, tid=900)
    assert slow.latches == []


def test_fills_that_are_read_up_on_are_no_velocity() -> None:
    """After a restart a day of fills arrives at once."""
    scene = Scene().ready()
    old = tuple(fill_of(bid(1), 1, scene.venue_ms - 10_001, number, named=False) for number in range(300))
    scene.send(StreamFills(fills=old, snapshot=True, received_at=scene.now))
    assert scene.latches == []


def test_an_order_that_fills_more_than_it_asked_for_kills() -> None:
    """C7: filled beyond intended, by one lot."""
    scene = Scene().ready()
    scene.send(scene.request(bid(1)))
    scene.update(bid(1), 9, "open")
    for tid, lots in ((1, 800), (2, 1)):
        assert scene.latches == []
        fill = fill_of(bid(1), lots, scene.venue_ms, tid)
        scene.send(StreamFills(fills=(fill,), snapshot=False, received_at=scene.now))
        if tid == 1:
            assert scene.risk._facts.ledger.entry("BTC", bid(1).cloid) is None
    assert scene.latches == []  # gone is gone: the position itself is watched

    other = Scene().ready()
    other.send(other.request(bid(1)))
    fill = fill_of(bid(1), 801, other.venue_ms, 1)
    other.send(StreamFills(fills=(fill,), snapshot=False, received_at=other.now))
    assert [latch.cause for latch in other.latches] == ["BTC repeated execution"]


def test_orders_that_never_appear_are_trouble() -> None:
    """C18: twenty-one of unknown fate pull, forty-two kill."""
    scene = Scene().ready()
    for number in range(21):
        scene.send(scene.request(bid(number + 1, ticks=599_900 - 10 * number, lots=20)))
    scene.wait(4.5)
    assert scene.level() is PostureLevel.PULL_QUOTES
    assert scene.latches == []
    for _ in range(20):
        scene.send(CancelAnswer(request_id=1, error="no answer"))
    assert {latch.cause for latch in scene.latches} == {"BTC rejects and unknowns"}


def test_a_refused_order_is_trouble() -> None:
    """C18: by the own stream; the twenty-first in a minute."""
    scene = Scene().ready()
    for number in range(1, 22):
        scene.send(scene.request(bid(number, ticks=599_900 - 10 * number, lots=20)))
        assert scene.level() is PostureLevel.NORMAL
        scene.update(bid(number, ticks=599_900 - 10 * number, lots=20), number, "perpMarginRejected")
    assert scene.level() is PostureLevel.PULL_QUOTES


def test_a_worst_case_warns_and_blocks_nothing() -> None:
    """Soft limit: shown and written down once, with side and exposures; orders pass up to the hard one."""
    scene = Scene()
    scene.positions["BTC"] = 7_000
    scene.ready()
    scene.send(scene.request(bid(1, lots=1_000)))
    assert "worst case" not in scene.risk.detail
    scene.send(scene.request(bid(2, lots=20), bid(3, lots=1_980, ticks=599_800)))
    assert len(scene.last(Approval).approved) == 2
    scene.wait(0.25)
    assert scene.level() is PostureLevel.NORMAL
    assert "BTC: worst case: worst case beyond 8000 lots on long" in scene.risk.detail
    btc = [one for one in scene.told(Exposure) if one.coin == "BTC"][-1]
    assert btc.headroom_bid == 0
    rows = [row for row in scene.rows if isinstance(row, FindingRecord)]
    assert [row.kind for row in rows] == ["pending exposure"]
    scene.send(scene.request(bid(4, lots=20)))
    assert codes(scene.last(Approval)) == {"position"}


def test_open_interest_and_funding() -> None:
    """Circuit breakers by the own context stream."""
    scene = Scene().ready()

    def context(open_interest: float, funding: float) -> None:
        at = scene.now
        price = Ticks(600_000)
        scene.send(
            AssetContext(
                coin="BTC", mark=price, oracle=price, funding=funding, open_interest=open_interest, received_at=at
            )
        )

    context(1_000.0, 0.0011)
    assert scene.level() is PostureLevel.WIDEN
    context(899.0, 0.0)
    assert scene.level() is PostureLevel.PULL_QUOTES


def test_limits_fit_a_hundred_dollars() -> None:
    """An order of 50 USD passes, one of 51 does not; room for 160, what the soft limit leaves of twice the equity."""
    scene = Scene()
    scene.equity = Decimal(100)
    scene.ready()
    scene.send(scene.request(bid(1, ticks=599_900, lots=83), bid(2, ticks=599_900, lots=85)), Wake())
    assert len(scene.last(Approval).approved) == 1
    assert codes(scene.last(Approval)) == {"order_notional"}
    btc = [one for one in scene.told(Exposure) if one.coin == "BTC"][-1]
    assert btc.headroom_bid + 83 == 160_000_000 // 600_000
    assert btc.largest_order == 83


def test_a_phantom_of_little_equity_kills_nothing() -> None:
    """Limits follow the higher of two account states: one of a hundred dollars is no runaway."""
    scene = Scene()
    scene.positions["BTC"] = 7_000
    scene.ready()
    scene.equity = Decimal(90_000)
    facts = scene.risk._facts
    assert facts.coin_state("BTC", scene.now).limits.hard == 10_000


def test_what_order_management_says_changes_no_verdict() -> None:
    """An order_management that publishes neither exposure nor position: the same orders pass, the same are refused."""
    verdicts = []
    for lies in (False, True):
        scene = Scene()
        scene.positions["BTC"] = 9_000
        scene.ready()
        if lies:
            zero = Decimal(0)
            scene.send(
                Position(
                    coin="BTC",
                    lots=Lots(0),
                    entry=None,
                    realized_pnl=zero,
                    fees=zero,
                    funding=zero,
                    fills=0,
                    as_of_ms=Millis(0),
                    proven=True,
                ),
                PendingExposure(
                    coin="BTC",
                    pending_bid=Lots(0),
                    pending_ask=Lots(0),
                    net_pending_change=Lots(0),
                    worst_case_max_position=Lots(0),
                    worst_case_min_position=Lots(0),
                    resting_bid_notional=Micros(0),
                    resting_ask_notional=Micros(0),
                ),
            )
        scene.send(scene.request(bid(1, lots=900), bid(2, lots=200), ask(3)))
        answer = scene.last(Approval)
        verdicts.append((answer.approved, [(veto.cloid, veto.code) for veto in answer.vetoes]))
    assert verdicts[0] == verdicts[1]
    assert verdicts[0][1] == [(bid(2).cloid, "position")]


def test_the_time_between_words_counts() -> None:
    """A pull by a stale stream comes without any further message of it: by the unit's turn."""
    scene = Scene().ready()
    scene.answering = False
    scene.wait(20.5)
    assert "stale: account" in scene.risk.detail

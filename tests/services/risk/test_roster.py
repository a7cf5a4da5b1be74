"""The roster, each member on both sides of its limit. A unit is 250 ms."""

import pytest

from common.messages import CancellerStatus, Heartbeat, QuoteTarget, Reconciled, ServiceState
from common.units import MILLISECOND, SECOND, Millis, Nanos
from services.risk.roster import Roster
from tests.services.risk.scene import SETTINGS

UNIT = 250 * MILLISECOND


def beat(service: str, *, epoch: int = 5, build: str = "b", stopping: bool = False) -> Heartbeat:
    return Heartbeat(service=service, epoch=epoch, state=ServiceState.READY, build=build, stopping=stopping)


def target(coin: str, valid_until: int) -> QuoteTarget:
    return QuoteTarget(
        coin=coin,
        bids=(),
        asks=(),
        reason_bid="",
        reason_ask="",
        fair_ticks=0.0,
        mid_ticks=0.0,
        components_bps={},
        book_venue_ms=Millis(0),
        book_received_at=Nanos(0),
        valid_until=Nanos(valid_until),
    )


def canceller(*, read_at: int | None = 0, firing: str = "") -> CancellerStatus:
    at = None if read_at is None else Nanos(read_at)
    return CancellerStatus(epoch=1, venue_read_at=at, firing=firing, firings=0, schedule_cancel="")


def healthy(now: int = 0) -> Roster:
    roster = Roster(SETTINGS, Nanos(0), "b")
    for name in ("canceller", "market_data", "order_management", "strategy"):
        roster.on_heartbeat(beat(name), Nanos(now))
    for coin in ("BTC", "ETH"):
        roster.on_target(target(coin, 10**15), Nanos(now))
    roster.on_reconciled(Reconciled(epoch=5, done=True, detail=""))
    roster.on_canceller(canceller(read_at=now), Nanos(now))
    return roster


def texts(roster: Roster, now: int) -> set[str]:
    return {f"{cause.coin}{cause.text}" for cause in roster.causes(Nanos(now))}


def test_a_complete_roster_has_no_cause() -> None:
    """The premise of every test below."""
    assert texts(healthy(), 0) == set()


@pytest.mark.parametrize(
    ("name", "units"), [("strategy", 4), ("order_management", 5), ("canceller", 8), ("market_data", 8)]
)
def test_each_member_has_its_limit(name: str, units: int) -> None:
    """Rule 1: in units of liveness, from the last time it was heard."""
    roster = healthy()
    assert f"{name} silent" not in texts(roster, units * UNIT - 1)
    assert f"{name} silent" in texts(roster, units * UNIT)


def test_never_heard_counts_from_the_start() -> None:
    """Rule 1: a member that never came is silent after its limit too."""
    roster = Roster(SETTINGS, Nanos(0), "b")
    assert not roster.silent("strategy", Nanos(4 * UNIT - 1))
    assert roster.silent("strategy", Nanos(4 * UNIT))


def test_a_target_lapses() -> None:
    """Rule 2: by its own validity, and when it is not repeated; each coin for itself."""
    roster = healthy()
    roster.on_target(target("BTC", 100), Nanos(0))
    assert texts(roster, 99) == set()
    assert texts(roster, 100) == {"BTCstrategy's target lapsed"}
    assert "ETHstrategy's target lapsed" not in texts(roster, 4 * UNIT - 1)
    assert "ETHstrategy's target lapsed" in texts(roster, 4 * UNIT)


def test_the_asker_s_very_epoch_has_reconciled() -> None:
    """Rule 3: not done, another epoch, a newer one that was only heard of: all refused; an old one for ever."""
    roster = healthy()
    assert roster.reconciled(5)
    assert not roster.reconciled(4)
    roster.on_heartbeat(beat("order_management", epoch=6), Nanos(0))
    assert not roster.reconciled(5)
    assert not roster.reconciled(6)
    roster.on_reconciled(Reconciled(epoch=6, done=False, detail=""))
    assert not roster.reconciled(6)
    roster.on_reconciled(Reconciled(epoch=6, done=True, detail=""))
    assert roster.reconciled(6)
    roster.on_reconciled(Reconciled(epoch=5, done=True, detail=""))
    assert roster.reconciled(6)
    assert not roster.reconciled(5)


def test_the_canceller_s_read_of_the_venue() -> None:
    """Rule 4: every two seconds it reads; eight units more are allowed for the answer."""
    roster = healthy()
    limit = 2_000 * MILLISECOND + 8 * UNIT
    for at in (limit, limit + 1):
        roster.on_heartbeat(beat("canceller"), Nanos(at))
        assert ("canceller without a good read of the venue" in texts(roster, at)) is (at > limit)
    roster.on_canceller(canceller(read_at=None), Nanos(0))
    assert "canceller without a good read of the venue" in texts(roster, 0)


def test_each_further_firing_holds_longer() -> None:
    """Rule 4: 5, 10, 20, 40, 60, 60 seconds; ten quiet minutes begin anew."""
    roster = healthy()
    holds = []
    for number in range(6):
        at = Nanos(number * SECOND)
        for _ in range(2):  # repeated every unit while it fires
            roster.on_canceller(canceller(firing="risk silent"), at)
        holds += [cause.hold // SECOND for cause in roster.causes(at) if cause.text == "canceller firing"]
        roster.on_canceller(canceller(), at)
    assert holds == [5, 10, 20, 40, 60, 60]
    assert "canceller firing" not in texts(roster, 5 * SECOND)
    roster.on_canceller(canceller(firing="again"), Nanos(605 * SECOND))
    assert [cause.hold // SECOND for cause in roster.causes(Nanos(605 * SECOND)) if "firing" in cause.text] == [5]


def test_another_build_does_not_trade_with_us() -> None:
    """Rule 5: whoever says it, estimation included; who says nothing is not asked."""
    roster = healthy()
    roster.on_heartbeat(beat("strategy", build=""), Nanos(0))
    assert texts(roster, 0) == set()
    roster.on_heartbeat(beat("estimation", build="old"), Nanos(0))
    assert texts(roster, 0) == {"estimation runs another build"}


def test_absent_for_the_recovery_time_is_lost() -> None:
    """Rule 6: 120 units, unless it had announced its stop."""
    roster = healthy()
    assert roster.lost(Nanos(120 * UNIT - 1)) == ""
    assert roster.lost(Nanos(120 * UNIT)) == "canceller"
    for name in ("canceller", "market_data", "order_management"):
        roster.on_heartbeat(beat(name), Nanos(60 * UNIT))
    assert roster.lost(Nanos(120 * UNIT)) == "strategy"
    roster.on_heartbeat(beat("strategy", stopping=True), Nanos(0))
    assert roster.lost(Nanos(120 * UNIT)) == ""


def test_time_in_which_we_stood_still_proves_nobody_s_absence() -> None:
    """Rule 6: the recovery time starts anew when this process comes back; silence is noticed all the same."""
    roster = healthy()
    back = 500 * UNIT
    roster.on_own_pause(Nanos(back))
    assert roster.silent("strategy", Nanos(back))
    assert roster.lost(Nanos(back + 120 * UNIT - 1)) == ""
    assert roster.lost(Nanos(back + 120 * UNIT)) == "canceller"

"""One minute of trades, each once, by the venue's clock; what was not heard was not traded."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.messages import Approval, Exposure, StreamDown, StreamUp, Trade, VenueTime
from common.units import MILLISECOND, Lots, Millis, Nanos, Side, Ticks
from common.venue_clock import VenueClock
from services.risk.volume import AHEAD_MS_MAX, TradedVolume
from tests.services.risk.scene import Scene, bid, codes

NOW = Millis(1_700_000_000_000)


def clock() -> VenueClock:
    """Venue time is NOW at zero."""
    found = VenueClock()
    found.observe(VenueTime(venue_ms=NOW, resolution_ms=1), Nanos(0))
    return found


def at(after_ms: int) -> Nanos:
    return Nanos(after_ms * MILLISECOND)


def counted(volume: TradedVolume, after_ms: int) -> Lots:
    """Look so much later; the venue goes on saying what time it is."""
    volume._clock.observe(VenueTime(venue_ms=Millis(NOW + after_ms), resolution_ms=1), at(after_ms))
    return volume.lots(at(after_ms))


def trade(after_ms: int, lots: int = 1, tid: int = 0) -> Trade:
    return Trade(
        coin="BTC",
        venue_ms=Millis(NOW + after_ms),
        side=Side.BUY,
        ticks=Ticks(600_000),
        lots=Lots(lots),
        tid=tid,
        received_at=Nanos(0),
    )


def heard(*trades: Trade, by: VenueClock | None = None) -> TradedVolume:
    volume = TradedVolume(by or clock())
    for one in trades:
        volume.on_trade(one, at(0))
    return volume


@pytest.mark.parametrize(("later_ms", "lots"), [(0, 7), (59_999, 7), (60_000, 4), (60_001, 4), (60_005, 0)])
def test_a_trade_counts_for_a_minute(later_ms: int, lots: int) -> None:
    """Rule 1: from its own time on, that moment excluded."""
    assert counted(heard(trade(0, 3), trade(5, 4)), later_ms) == lots


def test_a_replay_counts_nothing_twice() -> None:
    """Rule 1: the venue sends its last trades again after each subscription, the newest ones included."""
    story = [trade(-10, 1, 1), trade(-5, 2, 2), trade(-5, 4, 3), trade(0, 8, 4)]
    assert heard(*story, *story, *story[2:]).lots(at(0)) == 15
    assert heard(*story[:2], *story).lots(at(0)) == 15


@pytest.mark.parametrize(
    ("one", "lots"),
    [
        (trade(0, 0), 0),
        (trade(0, -5), 0),
        (trade(AHEAD_MS_MAX, 5), 5),
        (trade(AHEAD_MS_MAX + 1, 5), 0),
        (trade(-60_000, 5), 0),
        (trade(-59_990, 5), 5),
    ],
)
def test_what_is_no_print(one: Trade, lots: int) -> None:
    """Rule 3; one from the far future moves nothing, and a later sound one counts."""
    volume = heard(one)
    assert volume.lots(at(0)) == lots
    volume.on_trade(trade(AHEAD_MS_MAX + 1, 9, 9), at(1))
    assert volume.lots(at(1)) == lots + 9


def test_without_venue_time_nothing_was_traded() -> None:
    """Rule 2."""
    assert heard(trade(0, 5), by=VenueClock()).lots(at(0)) == 0


events = st.lists(st.tuples(st.integers(0, 20_000), st.integers(1, 9), st.integers(0, 3)), max_size=40)


@settings(max_examples=100)
@given(events, st.integers(0, 90_000))
def test_never_more_than_was_traded(story: Sequence[tuple[int, int, int]], later_ms: int) -> None:
    """Whatever is heard how often: the sum is that of the distinct trades of the last minute."""
    when, made = 0, dict[tuple[int, int], Trade]()
    volume = TradedVolume(clock())
    for gap, lots, tid in story:
        when += gap
        one = made.setdefault((when, tid), trade(when, lots, tid))
        counted(volume, when)
        volume.on_trade(one, at(when))
    now = when + later_ms
    expected = sum(one.lots for (told, _), one in made.items() if now - told < 60_000)
    assert counted(volume, now) == expected


# --- in risk -------------------------------------------------------------------------------------------


def largest(scene: Scene) -> int:
    return [one for one in scene.told(Exposure) if one.coin == "BTC"][-1].largest_order


def test_a_fresh_start_quotes_little_until_it_has_heard_trades() -> None:
    """C4, rule 2: nothing heard: 20 USD pass, one lot more does not; the first trades make room at once."""
    scene = Scene()
    scene.traded = 0
    scene.ready()
    assert largest(scene) == 33
    scene.send(scene.request(bid(1, lots=33), bid(2, lots=34, ticks=599_800)))
    assert scene.last(Approval).approved == (bid(1).cloid,)
    assert codes(scene.last(Approval)) == {"volume"}
    scene.send(scene.trade("BTC", 600_000, 7_990))
    scene.send(scene.request(bid(3, lots=799)), scene.request(bid(4, lots=800)))
    assert [len(answer.approved) for answer in scene.told(Approval)[-2:]] == [1, 0]
    scene.send(scene.trade("BTC", 600_000, 10))
    scene.send(scene.request(bid(5, lots=800)))
    assert scene.last(Approval).approved == (bid(5).cloid,)


def test_a_market_that_falls_silent_is_quoted_with_little() -> None:
    """C4: a minute after the last trade; another coin's trades are not ours, and a reconnect makes none."""
    scene = Scene().ready()
    scene.traded = 0
    scene.wait(59)
    assert largest(scene) == 3_333
    scene.wait(2)
    assert largest(scene) == 33
    scene.send(scene.trade("ETH", 300_000, 10**6), scene.trade("DOGE", 1, 10**6))
    scene.send(StreamDown(connection=1, reason="test"), StreamUp(connection=2))
    scene.wait(6)
    assert largest(scene) == 33
    scene.traded = 10**6
    scene.wait(1)
    assert largest(scene) == 3_333


def test_a_trade_asks_for_nothing() -> None:
    """Many come: no effect follows from any of them."""
    scene = Scene().ready()
    assert scene.send(scene.trade("BTC", 600_000, 5)) == []

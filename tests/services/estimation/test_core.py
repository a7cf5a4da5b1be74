"""Estimation's rules, one test each; every setting changes what is said."""

from collections.abc import Iterator
from decimal import Decimal
from math import isfinite, pi, sqrt
from random import Random
from typing import Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.actor import Exit, Send, replay
from common.config import Settings
from common.messages import (
    ArrivalEstimate,
    Attribution,
    CascadeEstimate,
    Estimate,
    FeedHealth,
    Fill,
    FlowEstimate,
    LiveOrder,
    LiveOrders,
    MarkoutEstimate,
    Missed,
    OrderState,
    Position,
    ServiceState,
    Stopping,
    VolatilityEstimate,
    Wake,
)
from common.units import SECOND, Lots, Millis, Nanos, Side, Ticks
from services.estimation.core import Estimation, Inbox
from tests.market import ASK, BID, BOOT, SETTINGS, at, book, context, top, trade
from tests.script import Script

BTC = msgspec.structs.replace(SETTINGS, coins={"BTC": SETTINGS.coins["BTC"]})


def script(settings: Settings = BTC) -> Script[Inbox]:
    return Script(Estimation(settings, BOOT))


def health(reason: str = "", coin: str = "BTC") -> FeedHealth:
    return FeedHealth(coin=coin, fresh=not reason, reason=reason, book_age_ms=1, context_age_ms=1)


def one(story: Script[Inbox]) -> Estimate:
    """Take the one Estimate; what is said once a second beside it is the matter of other tests."""
    (estimate,) = story.take(Estimate)
    story.ignore()
    return estimate


def moving(settings: Settings = BTC, seconds: int = 60) -> Estimate:
    """Return what is said after a minute of prices that move by 20 ticks a second, with a larger bid."""
    story = script(settings)
    for second in range(seconds):
        shift = 20 * (second % 2)
        story.at(second).send(top(second, bid=BID + shift, ask=ASK + shift, bid_lots=300_000))
        estimate = one(story)
    return estimate


def test_every_change_gives_an_estimate() -> None:
    """Rule 1: books and tops alike, with the stamps of the market that they come from."""
    story = script().at(1).send(book(1))
    first = one(story)
    assert (first.as_of, first.book_venue_ms, first.mid_ticks, first.fair_ticks) == (at(1), 1_000, BID + 5, BID + 5)
    story.at(2).send(top(1.5, bid_lots=300_000))
    second = one(story)
    assert (second.as_of, second.book_venue_ms, second.fair_ticks) == (at(1.5), 1_500, BID + 6.25)
    story.send(top(9, venue_ms=1_501))
    assert one(story).as_of == at(2)  # a reception that lies ahead is now


def test_late_ones_are_counted() -> None:
    """Rule 1: older than the last view, from either stream, says nothing; an equal stamp does."""
    story = script().at(1).send(top(1)).ignore()
    story.send(book(1, venue_ms=999)).expect()
    assert "BTC: 1 late" in story.actor.detail
    story.send(book(1)).take(Estimate)
    story.expect()


def test_no_market_says_nothing() -> None:
    """Rule 2: a one-sided or crossed view neither speaks nor moves anything."""
    story = script().at(1).send(top(1)).ignore()
    story.send(top(2, bid=None), top(2, ask=BID), book(2, lots=0)).expect()
    story.at(2).send(top(1.5))
    assert one(story).book_venue_ms == 1_500


def test_floor() -> None:
    """Rule 3: a price that never moved: half a legal step (1 USD of 113,000) per second; the prior fades."""
    story = script()
    for second in range(2_000):
        story.at(second).send(top(second)).ignore()
    story.at(2_000).send(top(2_000))
    estimate = one(story)
    mid = BID + 5
    assert estimate.sigma_per_sqrt_s >= 5 / mid
    floored = msgspec.structs.replace(
        BTC, estimation=msgspec.structs.replace(BTC.estimation, sigma_prior_per_sqrt_s=1e-9)
    )
    assert moving(floored, seconds=1).sigma_per_sqrt_s == pytest.approx(5 / mid)
    assert moving(floored, seconds=1).sigma_total_per_sqrt_s == pytest.approx(5 / mid)


def test_stale_feed_breaks_the_chain() -> None:
    """Rule 4: a jump while the feed was not fresh is not volatility, and an older stamp may follow."""
    story = script().send(health())
    for second in range(20):
        story.at(second).send(top(second)).ignore()
    story.at(20).send(top(20))
    before = one(story)
    story.send(health("book stale"))
    assert story.actor.state is ServiceState.DEGRADED
    assert story.actor.detail == "BTC: book stale"
    story.send(health())
    for second in (21, 22, 23):
        story.at(second).send(top(second, bid=BID + 9_000, ask=ASK + 9_000))
        after = one(story)
    assert after.sigma_total_per_sqrt_s < before.sigma_total_per_sqrt_s
    story.send(health("socket down"), top(23, venue_ms=5))
    assert one(story).book_venue_ms == 5


def test_warm() -> None:
    """Rule 5: after 15 s of samples, not before, and a fresh process is cold."""
    assert not moving(seconds=15).warm
    assert moving(seconds=16).warm


def test_missed_trades_are_said() -> None:
    """Rule 6: in each estimate, and for a person; gaps of other topics heal by themselves."""
    story = script().send(trade(1, 1), trade(1, 2))
    story.send(
        Missed(sender="market_data", topic="Trade", coin="BTC", count=3),
        Missed(sender="market_data", topic="Book", coin="BTC", count=9),
        Missed(sender="market_data", topic="Trade", coin="DOGE", count=9),
    ).expect()
    story.send(top(1))
    assert one(story).missed == 3
    assert "BTC: 3 of 5 trades never arrived" in story.actor.detail


def test_states() -> None:
    """STARTING until every coin has an estimate, READY while the feeds are fresh."""
    story = script(SETTINGS).send(health(), health(coin="ETH"), top(1))
    states = [story.actor.state]
    story.send(top(1, coin="ETH", bid=4_300_00, ask=4_301_00)).ignore()
    states.append(story.actor.state)
    assert states == [ServiceState.STARTING, ServiceState.READY]
    assert story.actor.deadline() is None


def test_stop_and_wake() -> None:
    """Nothing to put away."""
    script().send(Wake()).expect().send(Stopping()).expect(Exit(0, "stopped as asked"))


def test_volatility_is_of_the_fair_price() -> None:
    """20 ticks every second, of 1,130,000: sigma is 20 / 1,130,000 once the prior is gone."""
    priorless = msgspec.structs.replace(
        BTC, estimation=msgspec.structs.replace(BTC.estimation, sigma_prior_per_sqrt_s=1e-12)
    )
    estimate = moving(priorless, seconds=300)
    exact = 20 / BID
    assert estimate.sigma_total_per_sqrt_s == pytest.approx(exact, rel=0.05)
    assert estimate.sigma_per_sqrt_s == pytest.approx(exact * sqrt(pi / 2), rel=0.05)  # |r| is constant here


def lived(settings: Settings) -> list[Send]:
    """Live five minutes of a market that has everything: swings, sweeps, a sudden move, contexts, fills of ours."""
    random = Random(1)
    story, shift, tid = script(settings), 0, 0
    said: list[Send] = []
    for second in range(300):
        shift += round(random.gauss(0, 15)) * 10
        bid, ask = BID + shift, ASK + shift
        story.at(second).send(
            top(second, bid=bid, ask=ask, bid_lots=300_000),
            context(second, open_interest=1_000.0 - (second > 200) * 20),
        )
        for ticks in range(ask, ask + random.choice([10, 50, 110, 320]), 10):
            tid += 1
            story.send(trade(second + 0.2, tid, ticks=ticks, lots=random.randint(1_000, 90_000)))
        if second % 60 == 30:
            story.send(live(second), own_fill(second, tid=second, ticks=bid))
        said += story.take(Send)
    return said


def live(number: int) -> LiveOrders:
    order = LiveOrder(
        cloid=f"0x{number:032x}",
        oid=None,
        side=Side.BUY,
        ticks=Ticks(BID),
        lots=Lots(10),
        reduce_only=False,
        state=OrderState.SENT,
    )
    return LiveOrders(coin="BTC", orders=(order,))


def own_fill(second: float, *, tid: int, ticks: int = BID, liquidation: bool = False) -> Fill:
    return Fill(
        coin="BTC",
        side=Side.BUY,
        ticks=Ticks(ticks),
        lots=Lots(10),
        venue_ms=Millis(int(1_000 * second)),
        tid=tid,
        oid=1,
        cloid=f"0x{int(second):032x}",
        start_position=Lots(0),
        fee=Decimal(0),
        closed_pnl=Decimal(0),
        crossed=False,
        liquidation=liquidation,
    )


CHANGED: Final[dict[str, float]] = {
    "half_life_s": 20.0,
    "fast_half_life_s": 1.0,
    "slow_half_life_s": 100.0,
    "sigma_prior_per_sqrt_s": 0.01,
    "microprice_tilt": 0.1,
    "warm_up_ms": 60_000,
    "variance_window_s": 5.0,
    "variance_half_life_s": 300.0,
    "arrival_from_bps": 1.0,
    "arrival_to_bps": 2.0,
    "arrival_half_life_s": 60.0,
    "arrival_k_prior_per_bps": 3.0,
    "arrival_a_prior_per_s": 2.0,
    "vpin_bucket_usd": 5_000.0,
    "momentum_threshold": 0.5,
    "cascade_pull_severity": 0.1,
    "markout_half_life_s": 30.0,
}


def test_every_setting_acts() -> None:
    """Changing one key of [estimation] changes what is said; no key is left out."""
    assert set(CHANGED) == set(msgspec.structs.asdict(SETTINGS.estimation))
    usual = lived(BTC)
    assert usual == lived(BTC)
    inert = [
        key
        for key, value in CHANGED.items()
        if lived(msgspec.structs.replace(BTC, estimation=msgspec.structs.replace(BTC.estimation, **{key: value})))
        == usual
    ]
    assert inert == []


SLOW: Final = (VolatilityEstimate, ArrivalEstimate, FlowEstimate, CascadeEstimate)


def test_slow_estimates_once_a_second() -> None:
    """Rule 7: with an Estimate, and not again before a second is over."""
    story = script().at(1).send(top(1))
    assert [type(effect.message) for effect in story.take(Send)] == [Estimate, *SLOW]
    story.at(1.999).send(top(1.999))
    assert [type(effect.message) for effect in story.take(Send)] == [Estimate]
    story.at(2).send(top(2))
    assert [type(effect.message) for effect in story.take(Send)] == [Estimate, *SLOW]


def test_a_burst_is_said_at_once() -> None:
    """Rule 7: five levels swept, whole with the next block."""
    story = script().at(1).send(top(1)).ignore()
    story.at(1.1).send(*(trade(1.1, tid, ticks=ASK + 10 * tid) for tid in range(5))).expect()
    story.at(1.2).send(top(1.2))
    kinds = [type(effect.message) for effect in story.take(Send)]
    assert kinds == [Estimate, CascadeEstimate]
    story.at(1.3).send(*(trade(1.3, 10 + tid, ticks=ASK + 10 * tid) for tid in range(4))).expect()
    story.at(1.4).send(top(1.4))
    one(story)


def test_own_fills_are_measured() -> None:
    """Markouts and the split of profit are said once they have something to say."""
    flat = Position(
        coin="BTC",
        lots=Lots(0),
        entry=None,
        realized_pnl=Decimal(0),
        fees=Decimal(0),
        funding=Decimal(0),
        fills=0,
        as_of_ms=Millis(0),
        proven=True,
    )
    story = script().at(1).send(top(1)).ignore()
    story.send(flat, live(2), own_fill(2, tid=1))
    story.at(4).send(top(4, bid=BID + 113, ask=ASK + 113), top(4.1, bid=BID + 113, ask=ASK + 113))
    (said,) = story.take(MarkoutEstimate)
    assert {(one.kind, one.of, one.horizon_s) for one in said.markouts} == {
        *(("side", "buy", 1), ("level", "0", 1), ("regime", "normal", 1))
    }
    (split,) = story.take(Attribution)
    assert split.spread_captured == Decimal("0.00005")
    story.ignore().send(Missed(sender="order_management", topic="Fill", coin="BTC", count=2))
    assert "BTC: 2 of 3 fills never arrived" in story.actor.detail


def test_an_own_liquidation_is_certain() -> None:
    """It counts for the cascade at once, flagged as the venue flags it."""
    story = script().at(1).send(top(1)).ignore()
    story.send(own_fill(1, tid=1)).expect()
    story.send(own_fill(1, tid=2, liquidation=True))
    (said,) = story.take(CascadeEstimate)
    assert said.severity > 0


def test_fits_run_on_deadlines() -> None:
    """Rule 8: no deadline without enough bursts; with them slices 20 ms apart until the fit is done, then none."""
    story = script()
    tid = 0
    for second in range(1, 62):
        story.at(second).send(top(second))
        assert story.actor.deadline() is None or second == 61
        for burst in range(4):
            for level in range(5):
                tid += 1
                story.send(trade(second + 0.1 + burst / 5, tid, ticks=ASK + 10 * level))
        story.ignore()
    assert story.actor.deadline() == at(61.02)
    story.until(62)
    assert story.actor.deadline() is None


seconds_ = st.integers(0, 400).map(lambda tenth: tenth / 10)
traffic = st.lists(
    st.tuples(
        st.integers(0, 40 * SECOND).map(Nanos),
        st.one_of(
            st.builds(book, seconds_, bid=st.integers(-1, 9), ask=st.integers(-1, 9), lots=st.integers(0, 10**6)),
            st.builds(top, seconds_, bid=st.integers(-1, 9) | st.none(), ask=st.integers(0, 9) | st.none()),
            st.builds(trade, seconds_, st.integers(0, 99), ticks=st.integers(-1, 20), lots=st.integers(-1, 10**6)),
            st.builds(context, seconds_, mark=st.integers(-1, 9), oracle=st.integers(-1, 9), open_interest=st.floats()),
            st.builds(own_fill, seconds_, tid=st.integers(0, 9), ticks=st.integers(-1, 9), liquidation=st.booleans()),
            st.builds(health, st.sampled_from(["", "stale"])),
        ),
    )
).map(lambda tape: sorted(tape, key=lambda tick: tick[0]))


def numbers(message: object) -> Iterator[float]:
    """Give every float of a message, those inside its parts too."""
    for value in msgspec.structs.astuple(message) if isinstance(message, msgspec.Struct) else ():
        if isinstance(value, float):
            yield value
        elif isinstance(value, tuple):
            for part in value:
                yield from numbers(part)
        else:
            yield from numbers(value)


@settings(max_examples=60)
@given(traffic)
def test_laws(tape: list[tuple[Nanos, Inbox]]) -> None:
    """Equal tapes give equal effects; every number is finite; fair within the spread; never newer than now."""
    first, second = Estimation(BTC, BOOT), Estimation(BTC, BOOT)
    effects = list(replay(first, tape))
    assert effects == list(replay(second, tape))
    for (now, message), batch in zip(tape, effects, strict=True):
        for effect in batch:
            assert isinstance(effect, Send)
            estimate = effect.message
            assert all(map(isfinite, numbers(estimate)))
            if not isinstance(estimate, Estimate):
                continue
            assert estimate.sigma_per_sqrt_s > 0
            assert estimate.sigma_total_per_sqrt_s > 0
            assert abs(estimate.fair_ticks - estimate.mid_ticks) <= 4
            assert estimate.as_of <= now
            assert message is not None

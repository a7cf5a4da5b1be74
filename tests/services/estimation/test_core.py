"""Estimation's rules, one test each; every setting changes what is said."""

from math import isfinite, pi, sqrt

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.actor import Exit, Send, replay
from common.config import Settings
from common.messages import Estimate, FeedHealth, Missed, ServiceState, Stopping, Wake
from common.units import SECOND, Nanos
from services.estimation.core import Estimation, Inbox
from tests.market import ASK, BID, BOOT, SETTINGS, at, book, top, trade, with_settings
from tests.script import Script

BTC = msgspec.structs.replace(SETTINGS, coins={"BTC": SETTINGS.coins["BTC"]})


def script(settings: Settings = BTC) -> Script[Inbox]:
    return Script(Estimation(settings, BOOT))


def health(reason: str = "", coin: str = "BTC") -> FeedHealth:
    return FeedHealth(coin=coin, fresh=not reason, reason=reason, book_age_ms=1, context_age_ms=1)


def one(story: Script[Inbox]) -> Estimate:
    (estimate,) = story.take(Estimate)
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


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("half_life_s", 20.0),
        ("fast_half_life_s", 1.0),
        ("sigma_prior_per_sqrt_s", 0.01),
        ("microprice_tilt", 0.1),
        ("warm_up_ms", 60_000),
    ],
)
def test_every_setting_acts(key: str, value: float) -> None:
    """Changing one key of [estimation] changes what is said."""
    story = (script(), script(with_settings("estimation", **{key: value})))
    said = []
    for one_story in story:
        for second in range(60):
            shift = 20 * (second % 2) + (200 * (second % 3) if second > 50 else 0)
            one_story.at(second).send(top(second, bid=BID + shift, ask=ASK + shift, bid_lots=300_000))
            estimate = one(one_story)
        said.append(estimate)
    assert said[0] != said[1]


seconds_ = st.integers(0, 400).map(lambda tenth: tenth / 10)
traffic = st.lists(
    st.tuples(
        st.integers(0, 40 * SECOND).map(Nanos),
        st.one_of(
            st.builds(book, seconds_, bid=st.integers(-1, 9), ask=st.integers(-1, 9), lots=st.integers(0, 10**6)),
            st.builds(top, seconds_, bid=st.integers(-1, 9) | st.none(), ask=st.integers(0, 9) | st.none()),
            st.builds(trade, seconds_, st.integers(0, 9)),
            st.builds(health, st.sampled_from(["", "stale"])),
        ),
    )
).map(lambda tape: sorted(tape, key=lambda tick: tick[0]))


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
            assert isinstance(estimate, Estimate)
            assert all(isfinite(value) for value in msgspec.structs.astuple(estimate) if isinstance(value, float))
            assert estimate.sigma_per_sqrt_s > 0
            assert estimate.sigma_total_per_sqrt_s > 0
            assert abs(estimate.fair_ticks - estimate.mid_ticks) <= 4
            assert estimate.as_of <= now
            assert message is not None

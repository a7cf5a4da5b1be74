"""One coin's rules on limits, guards and slow estimates; test_core.py has the others."""

import msgspec
import pytest

from common.messages import QuoteTarget
from common.units import Millis, Side
from services.strategy.core import Inbox
from services.strategy.reasons import Reason
from tests.market import BID, book, top
from tests.services.strategy.facts import (
    FRESH,
    LIMIT,
    ONE_COIN,
    PLAIN,
    arrivals,
    cascade,
    estimate,
    exposure,
    fill,
    flow,
    last,
    markout,
    position,
    posture,
    reasons,
    said,
    shifted,
    story,
    volatility,
)


@pytest.mark.parametrize(("lots", "size"), [(0, 442), (2_654, 442), (3_981, 221), (5_000, 51), (5_299, 10), (5_300, 0)])
def test_sizes_shrink_towards_the_limit(lots: int, size: int) -> None:
    """The adding side's first level: whole up to half of the limit, in proportion after it, never below 10 USD."""
    target = said(lots=lots)
    assert [level.lots for level in target.bids][:1] == ([size] if size else [])
    assert target.asks[0].lots == 442


def test_inventory_is_a_share_of_the_limit_in_force() -> None:
    """Risk leaves a small account a tenth of what is configured: its full position moves quotes as far as any other."""
    small = story().ignore().send(position(500), exposure(500, headroom_bid=0, headroom_ask=1_000))
    assert last(small).components_bps["skew"] == pytest.approx(-4)
    assert said(lots=500).components_bps["skew"] == pytest.approx(-4 * 500 / LIMIT, rel=1e-3)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (estimate(1, pull_bids=True), Reason.MOMENTUM),
        (cascade(1, pull_bids=True), Reason.CASCADE),
        (None, Reason.SWEPT),
    ],
)
def test_a_guarded_side_may_only_reduce(message: Inbox | None, reason: Reason) -> None:
    """Flat or long: bids go, with their reason, and asks stay; short: bids stay, capped at the position."""
    heard = [fill(tid) for tid in range(5)] if message is None else [message]
    for lots in (0, 1_000):
        target = last(story(lots=lots).ignore().send(*heard))
        assert (target.bids, target.reason_bid) == ((), reason)
        assert target.asks
        assert not any(level.reduce_only for level in target.asks)
    short = last(story(lots=-200).ignore().send(*heard))
    assert [(level.lots, level.reduce_only) for level in short.bids] == [(200, True)]


def test_a_cascade_halves_the_sizes_in_its_way() -> None:
    """Half of the first level and none of the second, which is below the minimum then; asks are whole."""
    assert shifted(last(story().ignore().send(cascade(1, factor=0.5)))) == (
        [(1_129_550, 221), (1_129_320, 24)],
        [(1_130_460, 442), (1_130_690, 49)],
    )
    for harmless in (cascade(1, factor=0.5, warm=False), cascade(-9, factor=0.5)):
        assert story().ignore().send(harmless).take(QuoteTarget) == []


def test_a_swept_side_comes_back_slowly() -> None:
    """Gone for 10 s, then its sizes grow over two minutes; fewer fills, or seldom ones, are life."""
    script = story().ignore().send(*(fill(tid) for tid in range(4))).expect()
    script.send(fill(9))
    assert reasons(script) == ("swept", "")

    def first_bid(seconds: float) -> int:
        script.until(seconds).ignore().send(posture(), estimate(seconds), top(seconds), exposure(0)).ignore()
        script.until(seconds + 0.25)
        bids = last(script).bids
        return bids[0].lots if bids else 0

    assert [first_bid(seconds) for seconds in (10.5, 11.25, 71, 131, 132)] == [0, 10, 222, 442, 442]
    script.send(*(fill(20 + tid, Side.SELL) for tid in range(4))).until(134.5).ignore()
    assert script.send(posture(), exposure(0), estimate(134.5), top(134.5), fill(30, Side.SELL)).take(QuoteTarget) != []
    assert script.send(position(0)).take(QuoteTarget) == []


def test_slow_estimates_wait_for_the_next_price() -> None:
    """They change the target that comes next, and send none themselves."""
    script = story().ignore().send(volatility(1, ahead=2e-4), markout(1, -3.0), flow(1), arrivals(1)).expect()
    target = last(script.send(estimate(1)))
    assert target.components_bps["bid.volatility"] == pytest.approx(-2)
    assert target.components_bps["bid.adverse"] == pytest.approx(-2.5)
    assert target.components_bps["ask.adverse"] == 0


def test_sizes_wait_for_their_estimate() -> None:
    """Rule 5: a top of book at known prices says nothing, whatever else has come; one at another price does at once."""
    heard = story().ignore().send(volatility(1, ahead=2e-4)).expect()
    heard.send(top(1, bid_lots=7)).expect()
    assert last(heard.send(top(1, bid=BID - 10))).components_bps["bid.volatility"] == pytest.approx(-2)


def test_a_market_too_wild_for_the_band() -> None:
    """What latency costs is never capped away: risk would refuse such a price, and this says so."""
    settings = msgspec.structs.replace(ONE_COIN, strategy=msgspec.structs.replace(PLAIN, latency_ms=200.0))
    script = story(settings).ignore().send(estimate(1, sigma=0.9))
    assert reasons(script) == ("outside_band", "outside_band")


def test_a_thin_book_is_said() -> None:
    """No order is more than three tenths of what its side of the book shows: here 10 lots of 34, or nothing of 30."""
    script = story().ignore().send(book(1, lots=34))
    assert [level.lots for level in last(script).bids] == [10, 10]
    script.send(book(1, lots=30))
    assert reasons(script) == ("thin_book", "thin_book")


def test_repeated_states_wait_for_the_next_unit() -> None:
    """Rule 5: the same health, position, exposure and posture are no news; with another number they are."""
    script = story().ignore()
    known = msgspec.structs.replace(FRESH, book_age_ms=9), msgspec.structs.replace(position(0), as_of_ms=Millis(9))
    script.send(*known, exposure(0), posture()).expect()
    assert last(script.send(position(LIMIT // 2))).components_bps["skew"] < 0
    script.send(exposure(LIMIT))
    assert reasons(script) == ("no_headroom", "")
    script.send(msgspec.structs.replace(FRESH, fresh=False))
    assert reasons(script) == ("feed_not_fresh", "feed_not_fresh")

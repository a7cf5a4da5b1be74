"""The strategy's rules, one test each; laws and settings are in test_laws.py."""

from math import inf, nan

import msgspec
import pytest

from common.actor import Exit
from common.config import Coin, Settings
from common.messages import FeedHealth, PostureLevel, QuoteShares, QuoteTarget, ServiceState, Stopping
from common.units import Lots, Millis, Side
from services.strategy.core import Inbox, Strategy
from services.strategy.reasons import Reason
from tests.market import BID, BOOT, SETTINGS, at, book, top
from tests.script import Script
from tests.services.strategy.facts import (
    BTC,
    FRESH,
    LIMIT,
    ONE_COIN,
    PLAIN,
    estimate,
    exposure,
    last,
    position,
    posture,
    reasons,
    said,
    shifted,
    story,
)
from tests.services.strategy.test_echo import ours


def with_parameters(settings: Settings, **parameters: float) -> Settings:
    return msgspec.structs.replace(settings, strategy=msgspec.structs.replace(settings.strategy, parameters=parameters))


def test_a_target_in_full() -> None:
    """What order_management gets: levels, stamps of the market, a validity of four units, no reason."""
    target = said()
    assert shifted(target) == (
        [(1_129_550, 442), (1_129_320, 49)],
        [(1_130_460, 442), (1_130_690, 49)],
    )
    assert (target.reason_bid, target.reason_ask) == ("", "")
    assert (target.fair_ticks, target.mid_ticks) == (BID + 5, BID + 5)
    assert (target.book_venue_ms, target.book_received_at, target.valid_until) == (1_000, at(1), at(2))
    assert target.components_bps["bid.base"] == -3


def test_repeated_each_unit_and_between_only_when_changed() -> None:
    """Rule 1: 250 ms apart; a smaller move than the grid is no change, a larger one is sent at once."""
    script = story().ignore().until(1.24)
    script.send(estimate(1.1, fair=BID + 5.01), top(1.1), book(1.1), posture(), position(0), exposure(0)).expect()
    script.until(1.25)
    (repeat,) = script.take(QuoteTarget)
    assert repeat.fair_ticks == BID + 5.01
    assert repeat.book_venue_ms == 1_100
    assert repeat.valid_until == at(2.25)
    script.send(estimate(1.25, fair=BID + 25.0))
    assert shifted(last(script))[0][0] == (1_129_570, 442)
    script.until(1.49).expect().until(1.5)
    assert len(script.take(QuoteTarget)) == 1


def test_from_the_start_there_is_a_target() -> None:
    """Rule 2: nothing heard is an empty target that says so."""
    script: Script[Inbox] = Script(Strategy(BTC, BOOT))
    script.until(0)
    assert reasons(script) == ("no_posture", "no_posture")
    assert script.actor.state is ServiceState.STARTING
    script.send(posture())
    assert reasons(script) == ("no_market", "no_market")


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (msgspec.structs.replace(FRESH, fresh=False), Reason.FEED_NOT_FRESH),
        (top(1, bid=None), Reason.ONE_SIDED_BOOK),
        (top(1, ask=BID), Reason.ONE_SIDED_BOOK),
        (estimate(1, fair=nan), Reason.BAD_ESTIMATE),
        (estimate(1, fair=0.0), Reason.BAD_ESTIMATE),
        (estimate(1, sigma=inf), Reason.BAD_ESTIMATE),
        (estimate(1, fair=BID * 1.5), Reason.BAD_ESTIMATE),
        (estimate(1, fair=BID / 1.5), Reason.BAD_ESTIMATE),
        (estimate(-1), Reason.STALE_ESTIMATE),
        (position(0, proven=False), Reason.POSITION_UNPROVEN),
        (posture(PostureLevel.PULL_QUOTES), Reason.PULL_QUOTES),
        (posture(PostureLevel.HALTED), Reason.HALTED),
        (posture(BTC=PostureLevel.PULL_QUOTES), Reason.PULL_QUOTES),
    ],
)
def test_bad_input_empties_the_target(message: Inbox, reason: Reason) -> None:
    """Rules 2 and 3: at once, both sides, with the one reason, and quotes come back with good input."""
    script = story().ignore().send(message)
    target = last(script)
    assert (target.bids, target.asks) == ((), ())
    assert (target.reason_bid, target.reason_ask) == (reason, reason)
    script.ignore().send(posture(), FRESH, top(1), estimate(1), position(0))
    assert last(script).bids


@pytest.mark.parametrize(
    ("kept", "reason"),
    [
        (frozenset({"top", "estimate"}), Reason.NO_EXPOSURE),
        (frozenset({"top", "estimate", "position"}), Reason.NO_EXPOSURE),
        (frozenset({"top", "estimate", "exposure"}), Reason.NO_EXPOSURE),
        (frozenset({"top", "position", "exposure"}), Reason.NO_MARKET),
        (frozenset({"estimate", "position", "exposure"}), Reason.NO_MARKET),
    ],
)
def test_missing_input(kept: frozenset[str], reason: Reason) -> None:
    """Rule 2: position and exposure are both needed, and so are market and estimate."""
    messages: dict[str, Inbox] = {
        "top": top(1),
        "estimate": estimate(1),
        "position": position(0),
        "exposure": exposure(0),
    }
    script: Script[Inbox] = Script(Strategy(BTC, BOOT))
    script.at(1).ignore().send(posture(), FRESH, *(messages[name] for name in sorted(kept)))
    assert reasons(script) == (reason, reason)


def test_book_age() -> None:
    """Rule 2: the market is believed for 2 s (8 units), by the last book or top of book; not at 2 s."""
    script = (
        story().ignore().until(1.2).send(book(1.2, venue_ms=500)).ignore()
    )  # an older view is life, but not a price
    for quarter in range(5, 13):
        script.until(quarter / 4).send(posture(), exposure(0), estimate(quarter / 4))
        assert all(target.bids for target in script.take(QuoteTarget))
    script.until(3.199).send(posture(), exposure(0), estimate(3.1)).ignore().until(3.2)
    script.send(estimate(3.1))
    assert reasons(script) == ("stale_book", "stale_book")
    assert script.actor.state is ServiceState.DEGRADED
    assert script.actor.detail == "BTC: stale_book"


def test_estimate_age() -> None:
    """Rule 2: a live book with a dead estimator is not quoted."""
    script = story().ignore().until(2.9).send(top(2.9), posture(), exposure(0))
    assert last(script).bids
    script.until(3).send(book(3))
    assert reasons(script) == ("stale_estimate", "stale_estimate")


def test_posture_age() -> None:
    """Rule 3: risk unheard for 4 units (1 s) empties the target; exposure alone is not a posture."""
    script = story().ignore().send(top(1.9), estimate(1.9)).until(1.99).send(exposure(0))
    assert last(script).bids
    script.until(2).send(exposure(0))
    assert reasons(script) == ("posture_unheard", "posture_unheard")
    assert script.actor.state is ServiceState.READY  # my own input is complete


def test_exposure_age() -> None:
    """Rule 3: an exposure is good for 4 units, too; posture alone says nothing of room."""
    script = story().ignore().until(1.9).send(posture(), estimate(1.9), top(1.9)).ignore().until(1.99)
    assert not script.take(QuoteTarget)
    script.until(2).send(posture())
    assert reasons(script) == ("no_exposure", "no_exposure")
    script.send(exposure(0))
    assert last(script).bids


def test_widen() -> None:
    """Rule 3: 5 bps more on both sides, of the whole mesh or of one coin."""
    wide = said(level=PostureLevel.WIDEN)
    assert shifted(wide)[0][0][0] == 1_128_980  # 9 bps below 113,000.5
    assert wide.components_bps["ask.widen"] == 5
    script = story().ignore().send(posture(BTC=PostureLevel.WIDEN))
    assert last(script).bids == wide.bids


@pytest.mark.parametrize(
    ("lots", "bids", "asks"),
    [(1_000, [], [442]), (-1_000, [442], []), (3, [], [3]), (-3, [3], []), (0, [], [])],
)
def test_reduce_only(lots: int, bids: list[int], asks: list[int]) -> None:
    """Rule 3: only the side that reduces, with the flag, no more than the position; the other says why."""
    target = said(lots=lots, level=PostureLevel.REDUCE_ONLY)
    assert ([q.lots for q in target.bids], [q.lots for q in target.asks]) == (bids, asks)
    assert all(level.reduce_only for level in (*target.bids, *target.asks))
    expected = "flat" if lots == 0 else "reduce_only"
    assert target.reason_bid == ("" if bids else expected)
    assert target.reason_ask == ("" if asks else expected)


def test_the_worse_position_binds() -> None:
    """Rule 4: order_management and risk differ: bids leave room for the longer, asks for the shorter."""
    script = story(lots=0).ignore().send(position(LIMIT - 12))
    target = last(script)
    assert sum(q.lots for q in target.bids) == 10
    script.send(position(0), exposure(12 - LIMIT))
    target = last(script)
    assert sum(q.lots for q in target.asks) == 10
    script.send(position(LIMIT - 9), exposure(0))
    assert reasons(script) == ("no_headroom", "")
    script.send(position(900), exposure(300), posture(PostureLevel.REDUCE_ONLY))
    assert sum(q.lots for q in last(script).asks) == 300
    script.send(exposure(-1))
    assert reasons(script) == ("flat", "flat")


@pytest.mark.parametrize(
    ("pending", "headroom", "wanted"),
    [(0, 884, 491), (884, 0, 491), (442, 442, 491), (0, 300, 300), (300, 0, 300), (0, 5, 0), (0, 0, 0)],
)
def test_headroom_counts_what_is_pending(pending: int, headroom: int, wanted: int) -> None:
    """Rule 4: what rests already is replaced by the ladder, so it is room; quotes do not shrink by resting."""
    script = (
        story()
        .ignore()
        .send(exposure(0, headroom_bid=headroom, pending_bid=pending, headroom_ask=headroom, pending_ask=pending))
    )
    found = script.take(QuoteTarget) or [said()]
    assert sum(q.lots for q in found[-1].bids) == wanted
    assert sum(q.lots for q in found[-1].asks) == wanted
    if not wanted:
        assert (found[-1].reason_bid, found[-1].reason_ask) == ("no_headroom", "no_headroom")


def test_over_the_limit_only_the_way_back() -> None:
    """Rule 4: nothing that rests is room once the position itself is over the limit."""
    script = story(lots=LIMIT + 50).ignore().send(exposure(LIMIT + 50, headroom_bid=0, pending_bid=900))
    found = script.take(QuoteTarget) or [said(lots=LIMIT + 50)]
    assert found[-1].bids == ()
    assert found[-1].reason_bid == "no_headroom"
    assert found[-1].asks


def test_never_crossing_the_newest_book() -> None:
    """Rule 5: the book moved below our bids before any new estimate: they step below its best ask at once."""
    script = story().ignore().send(top(1.1, bid=1_129_000, ask=1_129_010))
    target = last(script)
    assert [q.ticks for q in target.bids] == [1_129_000]
    assert [q.ticks for q in target.asks] == [1_130_460, 1_130_690]
    script.send(top(1.2, bid=1_131_000, ask=1_131_010))
    assert [q.ticks for q in last(script).asks] == [1_131_010]


def test_a_book_of_our_own_orders_is_no_market() -> None:
    """When everybody else has left, what is there is our own echo; one lot of somebody else is a market again."""
    shown = book(1.2)
    (bid, lots), ask = shown.bids[0], shown.asks[0]
    alone = msgspec.structs.replace(shown, bids=((bid, lots),), asks=(ask,))
    own = ours((Side.BUY, bid, lots))
    script = story().ignore().send(own, alone)
    assert reasons(script) == (Reason.ECHO, Reason.ECHO)
    others = msgspec.structs.replace(alone, bids=((bid, Lots(lots + 1)),), venue_ms=Millis(alone.venue_ms + 1))
    assert reasons(script.send(others)) == ("", "")


def test_an_older_view_is_no_price() -> None:
    """Rule 5: newest is by venue time; a late book does not move what we quote against."""
    script = story().ignore().send(book(1.2, venue_ms=999, bid=1_129_000, ask=1_129_010)).expect()
    script.send(book(1.2, venue_ms=1_000, bid=1_129_000, ask=1_129_010))
    assert [q.ticks for q in last(script).bids] == [1_129_000]


def test_inventory_leans() -> None:
    """Half of the limit long moves both sides down by half a half-spread (2 bps, 22.6 USD)."""
    flat, long = shifted(said()), shifted(said(lots=LIMIT // 2))
    assert flat[0][0][0] - long[0][0][0] == pytest.approx(226, abs=10)
    assert flat[1][0][0] - long[1][0][0] == pytest.approx(226, abs=10)


def test_a_small_account_quotes() -> None:
    """100 USD: at least one level a side, or a reason."""
    for order_usd in (10.0, 20.0, 40.0, 100.0):
        small = Coin(asset=0, size_decimals=5, max_position_usd=100.0, max_order_usd=100.0, order_usd=order_usd)
        settings = msgspec.structs.replace(BTC, coins={"BTC": small})
        script: Script[Inbox] = Script(Strategy(settings, BOOT))
        room = exposure(0, headroom_bid=88, headroom_ask=88)
        script.at(1).ignore().send(posture(), FRESH, top(1), estimate(1), position(0), room)
        target = last(script)
        assert target.bids
        assert target.asks
    small = Coin(asset=0, size_decimals=5, max_position_usd=10.0, max_order_usd=10.0, order_usd=10.0)
    target = said(msgspec.structs.replace(BTC, coins={"BTC": small}))
    assert (target.reason_bid, target.reason_ask) == ("below_minimum", "below_minimum")


def test_time_shares_follow_once_a_second() -> None:
    """Half a second without posture, then quoted bids and reduced asks; a side's shares sum to one."""
    script: Script[Inbox] = Script(Strategy(BTC, BOOT))
    script.until(0.5).ignore().send(posture(), FRESH, top(0.5), estimate(0.5), position(-9), exposure(-9)).ignore()
    script.send(estimate(0.5, pull_asks=True)).until(1)
    (shares,) = script.take(QuoteShares)
    assert shares == QuoteShares(
        coin="BTC",
        since=at(0),
        as_of=at(1),
        bid={"no_posture": 0.5, "quoted": 0.5},
        ask={"momentum": 0.5, "no_posture": 0.5},
    )
    script.ignore().until(1.99)
    assert not script.take(QuoteShares)


def test_a_model_that_answers_nonsense() -> None:
    """NaN is nowhere a price."""
    settings = msgspec.structs.replace(
        ONE_COIN, strategy=msgspec.structs.replace(PLAIN, model="tests.services.strategy.example_model")
    )
    target = said(with_parameters(settings, share=nan))
    assert (target.reason_bid, target.reason_ask, target.components_bps) == ("bad_model", "bad_model", {})
    assert said(with_parameters(settings, share=1.0)).bids


def test_coins_are_separate() -> None:
    """A message of one coin sends one target, a posture all; READY once each coin has had everything."""
    script = story(SETTINGS).ignore()
    eth = FeedHealth(coin="ETH", fresh=True, reason="", book_age_ms=1, context_age_ms=1)
    assert script.actor.state is ServiceState.STARTING
    script.send(
        eth,
        top(1, coin="ETH", bid=4_300_00, ask=4_300_10),
        estimate(1, coin="ETH", fair=430_005.0),
        position(0, coin="ETH"),
        exposure(0, coin="ETH"),
    )
    assert {target.coin for target in script.take(QuoteTarget)} == {"ETH"}
    states = [script.actor.state]
    assert states == [ServiceState.READY]
    script.send(posture(PostureLevel.WIDEN))
    assert [target.coin for target in script.take(QuoteTarget)] == ["BTC", "ETH"]
    script.send(top(1, coin="DOGE")).expect()


def test_stopping() -> None:
    """The last word is an empty target, so that nobody has to wait for it to lapse."""
    script = story().ignore().send(Stopping())
    assert script.take(Exit) == [Exit(0, "stopped as asked")]
    assert reasons(script) == ("stopping", "stopping")


def test_a_new_socket_may_begin_anywhere() -> None:
    """An absurd stamp is forgotten with the feed that it came from."""
    script = story().send(top(1, venue_ms=10**15)).ignore()
    script.send(msgspec.structs.replace(FRESH, fresh=False), FRESH, top(1.1, bid=BID - 10, ask=BID)).ignore()
    script.send(estimate(1.1))
    script.until(1.4)
    assert last(script).book_venue_ms == 1_100


def test_a_cold_estimator_is_not_quoted_on() -> None:
    """A restarted estimation knows nothing of this market yet: its first prices rest on no sample."""
    script: Script[Inbox] = Script(Strategy(BTC, BOOT))
    script.at(1).send(posture(), FRESH, top(1), estimate(1, warm=False), position(0), exposure(0))
    assert script.take(QuoteTarget)[-1].reason_bid == Reason.WARMING_UP
    script.send(estimate(1.1))
    assert script.take(QuoteTarget)[-1].bids

"""Market data's rules, one test each, then the laws that hold for any traffic."""

from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from common.actor import Ask, Exit, Reconnect, Send, replay
from common.config import Settings
from common.instrument import Instrument
from common.messages import (
    Book,
    FeedHealth,
    LeaderDown,
    LeaderTop,
    MalformedVenueData,
    QueryFailed,
    ServiceState,
    Stopping,
    StreamDown,
    StreamUp,
    TopOfBook,
    Trade,
    VenueMeta,
    Wake,
)
from common.messages.venue import MetaQuery
from common.sections import Leader
from common.units import SECOND, Nanos
from services.market_data.coin_feed import REFUSALS_IN_A_ROW_MAX
from services.market_data.core import Inbox, MarketData
from tests.market import BID, BOOT, SETTINGS, at, book, context, top, trade
from tests.script import Script

BTC = msgspec.structs.replace(SETTINGS, coins={"BTC": SETTINGS.coins["BTC"]})
UP = StreamUp(connection=1)
UNIVERSE = (
    Instrument(coin="BTC", asset=0, size_decimals=5, leverage_max=40),
    Instrument(coin="ETH", asset=1, size_decimals=4, leverage_max=25),
)


def script(settings: Settings = BTC) -> Script[Inbox]:
    return Script(MarketData(settings, BOOT))


def meta(*universe: Instrument, query_id: int = 1) -> VenueMeta:
    return VenueMeta(query_id=query_id, universe=universe or UNIVERSE)


def fresh() -> Script[Inbox]:
    """Return a feed that is fresh at 1.0 s."""
    story = script().at(1).ignore().send(UP, meta(), book(1), context(1))
    assert story.take(FeedHealth)[-1].fresh
    return story.ignore()


def state(story: Script[Inbox]) -> ServiceState:
    return story.actor.state


def reasons(story: Script[Inbox]) -> list[str]:
    return [health.reason for health in story.take(FeedHealth)]


def test_crossed_books_are_dropped_and_counted() -> None:
    """Rule 1: what cannot be true is not published, and the next health says how many."""
    story = fresh().send(book(1.1, ask=BID), top(1.1, ask=BID), book(1.1, lots=0)).expect()
    story.until(1.3)
    assert story.take(FeedHealth)[-1].refused == 3


def test_good_messages_pass_unchanged() -> None:
    """Rule 1: book, top, trade and context go on as they came."""
    passed = (book(1.2), top(1.2), trade(1.2, 5), context(1.2))
    fresh().send(*passed).expect(*passed)


def test_old_messages_and_replayed_trades_are_dropped() -> None:
    """Rule 2: an older book is refused, and the replay after a new subscribe gives only what we missed."""
    story = fresh().send(trade(1.1, 1), trade(1.2, 2)).ignore()
    story.send(book(1.2, venue_ms=999)).expect()
    story.send(StreamDown(connection=1, reason="closed")).ignore()
    story.send(trade(1.1, 1), trade(1.2, 2), trade(1.4, 3)).expect(trade(1.4, 3))
    story.send(StreamUp(connection=2)).take(Ask)
    assert story.take(FeedHealth)[-1].duplicates == 2


def test_health_every_unit_and_at_once_when_it_changes() -> None:
    """Rule 3: four times a second here, and with the message that changes it."""
    story = script().until(0.6)
    assert reasons(story) == ["no socket yet"] * 3
    story.send(UP).take(Ask)
    story.expect()
    story.send(meta(), context(0.6)).expect(context(0.6))
    story.send(book(0.7))
    assert [health.fresh for health in story.take(FeedHealth)] == [True]
    story.ignore().send(StreamDown(connection=1, reason="closed"))
    assert reasons(story) == ["socket down: closed"]


def test_fresh_needs_everything() -> None:
    """Rule 4: each missing piece is named, in order."""
    story = script().at(1).ignore()
    steps: tuple[tuple[Inbox, str], ...] = (
        (UP, "universe not seen yet"),
        (meta(), "no book yet"),
        (msgspec.structs.replace(book(1), asks=()), "one side of the book is empty"),
        (book(1), "no context yet"),
        (context(1), ""),
    )
    for message, reason in steps:
        story.send(message).ignore()
        assert story.actor.detail == (f"BTC: {reason}" if reason else "")
    assert state(story) is ServiceState.READY


def test_book_limit() -> None:
    """Rule 4: fresh until 2 s (8 units) after the last book, stale at 2 s, whatever else arrives."""
    story = fresh().until(2.9).ignore().send(top(2.9), context(2.9), book(2.9, ask=BID)).ignore()
    story.until(2.999999)
    assert all(health.fresh for health in story.take(FeedHealth))
    story.until(3)
    assert story.take(Reconnect) == [Reconnect("stale streams: BTC")]
    assert reasons(story) == ["reconnecting: stale streams: BTC"]


def test_context_limit() -> None:
    """Rule 4: a context is good for `risk.reference_age_ms`, here 5 s."""
    story = fresh()
    for tenth in range(10, 60, 5):
        story.until(tenth / 10).send(book(tenth / 10))
    story.ignore().until(5.999)
    assert story.take(FeedHealth)[-1].fresh
    story.ignore().until(6)
    assert story.take(Reconnect) == [Reconnect("stale streams: BTC")]
    assert not story.take(FeedHealth)[-1].fresh


def test_stale_within_the_hold_off_is_named() -> None:
    """Rule 4: while a reconnect must wait, health says what is stale."""
    story = script().at(1).ignore().send(UP, meta()).ignore().until(3)
    assert story.take(Reconnect)
    story.send(UP, book(3)).ignore().until(5)
    assert story.take(Reconnect) == []
    assert reasons(story)[-1] == "book stale"


def test_reconnect_holds_off() -> None:
    """Rule 5: never two within the hold-off, which doubles; health ends it."""
    story = script().at(1).ignore().send(UP, meta()).ignore()
    times = []
    for tick in range(10, 2_000):
        story.until(tick / 10)
        if story.take(Reconnect):
            times.append(tick / 10)
            story.send(StreamDown(connection=1, reason="asked"), StreamUp(connection=2))
        story.ignore()
    assert times == [3, 8, 18, 38, 78, 138, 198]


def test_health_resets_the_hold_off() -> None:
    """Rule 5: once every coin was fresh again the next reconnect waits 5 s, not 60."""
    story = script().at(1).ignore().send(UP, meta()).ignore()
    story.until(3)
    assert story.take(Reconnect)
    story.send(UP, book(3), context(3)).ignore().until(7.999).send(context(7.999)).ignore()
    assert story.take(Reconnect) == []
    story.until(8)
    assert story.take(Reconnect) == [Reconnect("stale streams: BTC")]
    story.ignore().send(UP).ignore().until(12.999)
    assert story.take(Reconnect) == []
    story.until(13)
    assert len(story.take(Reconnect)) == 1


def test_nonsense_without_end_reconnects() -> None:
    """Rule 5: a stream that is refused every time is given up though the book stream lives."""
    story = fresh()
    story.send(*[top(1.1, ask=BID)] * (REFUSALS_IN_A_ROW_MAX - 1)).expect()
    story.send(top(1.1, ask=BID))
    assert story.take(Reconnect) == [Reconnect("refused without end: BTC")]
    assert story.actor.detail == "BTC: reconnecting: refused without end: BTC"


def test_the_universe_is_asked_and_compared() -> None:
    """Rule 6: another asset index is DEGRADED, and the coin is not fresh; fixed at the next connection."""
    story = script().at(1).ignore().send(UP)
    assert story.take(Ask) == [Ask(1, MetaQuery())]
    story.send(meta(Instrument(coin="BTC", asset=3, size_decimals=5)), book(1), context(1)).ignore()
    assert state(story) is ServiceState.DEGRADED
    assert story.actor.detail == "BTC: [coins.BTC] says asset 0 and size_decimals 5, the venue 3 and 5"
    story.until(1.25)
    assert [health.fresh for health in story.take(FeedHealth)] == [False]
    story.send(StreamUp(connection=2)).expect(Ask(2, MetaQuery()))
    story.send(meta(Instrument(coin="BTC", asset=0, size_decimals=4), query_id=2)).expect()
    story.send(meta(UNIVERSE[1], query_id=2)).expect()
    assert story.actor.detail == "BTC: the venue does not list BTC; remove [coins.BTC]"
    story.send(meta(query_id=2))
    assert [health.fresh for health in story.take(FeedHealth)] == [True]
    assert state(story) is ServiceState.READY


def test_a_failed_question_is_asked_again() -> None:
    """Rule 6: after 5 s; an answer to an older question changes nothing, and once seen the universe stays seen."""
    story = script().at(1).ignore().send(UP).ignore()
    story.send(QueryFailed(query_id=1, reason="timeout"), QueryFailed(query_id=0, reason="old")).until(5.9)
    assert story.take(Ask) == []
    story.ignore().until(6)
    assert story.take(Ask) == [Ask(2, MetaQuery())]


def test_old_answers_change_nothing() -> None:
    """Rule 6: only the failure of the last question is a reason to ask again."""
    story = script().at(1).ignore().send(UP, UP).ignore().send(QueryFailed(query_id=1, reason="timeout")).until(9)
    assert story.take(Ask) == []


def test_a_new_socket_may_begin_anywhere() -> None:
    """Rule 2: order is judged within one connection; an absurd stamp does not outlive it."""
    story = fresh().send(book(1.1, venue_ms=10**15)).ignore()
    story.send(book(1.2)).expect()
    story.send(StreamDown(connection=1, reason="closed"), StreamUp(connection=2)).ignore()
    story.send(book(1.3))
    assert story.take(Book) == [book(1.3)]


def test_every_coin_counts() -> None:
    """READY needs each coin; a malformed message has no coin and counts for all; strangers are named."""
    story = script(SETTINGS).at(1).ignore().send(UP, meta(), book(1), context(1)).ignore()
    assert state(story) is ServiceState.STARTING
    story.send(book(1, coin="ETH"), context(1, coin="ETH")).ignore()
    assert state(story) is ServiceState.READY
    story.send(MalformedVenueData(channel="bbo", reason="nonsense"), book(1, coin="DOGE")).expect()
    story.until(1.3)
    assert [health.refused for health in story.take(FeedHealth)] == [1, 1]
    assert "1 messages of coins that are not configured" in story.actor.detail
    story.send(book(2.9), context(2.9)).ignore().until(3)
    assert state(story) is ServiceState.DEGRADED
    assert story.take(Reconnect) == [Reconnect("stale streams: ETH")]


def test_stop() -> None:
    """Nothing of ours rests at the venue: a stop is an exit."""
    script().at(1).ignore().send(Stopping()).expect(Exit(0, "stopped as asked"))


def test_limits_are_settings() -> None:
    """The unit, the book limit and the reference age act."""
    settings = msgspec.structs.replace(
        BTC,
        liveness=msgspec.structs.replace(BTC.liveness, unit_ms=1_000, book_feed=2),
        risk=msgspec.structs.replace(BTC.risk, reference_age_ms=1_000),
    )
    story = script(settings).until(2.5)
    assert len(reasons(story)) == 3
    story.send(UP, meta(), book(2.5), context(2.5)).ignore().until(3.5)
    assert story.take(Reconnect) == [Reconnect("stale streams: BTC")]


seconds = st.integers(0, 40).map(lambda quarter: quarter / 4)
traffic = st.lists(
    st.tuples(
        st.integers(0, 30 * SECOND).map(Nanos),
        st.one_of(
            st.builds(Wake),
            st.builds(StreamUp, connection=st.integers(0, 3)),
            st.builds(StreamDown, connection=st.just(0), reason=st.just("lost")),
            st.builds(book, seconds, ask=st.integers(BID - 1, BID + 2), venue_ms=st.integers(0, 9)),
            st.builds(top, seconds, bid=st.integers(BID - 1, BID + 2) | st.none(), venue_ms=st.integers(0, 9)),
            st.builds(trade, seconds, st.integers(0, 5), venue_ms=st.integers(0, 9)),
            st.builds(context, seconds, mark=st.integers(0, 1)),
            st.just(meta()),
        ),
    ),
    max_size=60,
).map(lambda tape: sorted(tape, key=lambda tick: tick[0]))


@given(traffic)
def test_laws(tape: list[tuple[Nanos, Inbox]]) -> None:
    """Equal tapes give equal effects; nothing crossed leaves; no trade leaves twice; reconnects are 5 s apart."""
    first, second = MarketData(BTC, BOOT), MarketData(BTC, BOOT)
    effects = list(replay(first, tape))
    assert effects == list(replay(second, tape))
    sent = [effect.message for batch in effects for effect in batch if isinstance(effect, Send)]
    trades = [(message.venue_ms, message.tid) for message in sent if isinstance(message, Trade)]
    assert len(trades) == len(set(trades))
    for message in sent:
        if isinstance(message, Book):
            assert message.bids[0] < message.asks[0]
        if isinstance(message, TopOfBook) and message.bid and message.ask:
            assert message.bid < message.ask
    at = [now for (now, _), batch in zip(tape, effects, strict=True) for e in batch if isinstance(e, Reconnect)]
    assert all(later - earlier >= 5 * SECOND for earlier, later in pairwise(at))


def test_mismatch_of_size_grid_alone() -> None:
    """Rule 6: the size grid is compared too."""
    story = script().at(1).ignore().send(UP, meta(Instrument(coin="BTC", asset=0, size_decimals=4))).ignore()
    assert state(story) is ServiceState.DEGRADED


def test_the_leader_passes_by() -> None:
    """Rule 7: prices go on, conflated; a lost leader is a word in the detail, and no state of the service."""
    settings = msgspec.structs.replace(BTC, leader=Leader(symbols={"BTC": "btcusdt"}))
    price = LeaderTop(coin="BTC", bid=1.0, ask=2.0, received_at=at(1))
    story = script(settings).at(1).ignore().send(UP, meta(), book(1), context(1)).ignore()
    story.send(price).expect(price)
    story.send(price, price).expect()
    story.at(1.019).until(1.02).expect(price)
    story.send(LeaderDown(reason="closed")).expect()
    assert (state(story), story.actor.detail) == (ServiceState.READY, "leader: closed")
    story.send(price).expect()
    assert story.actor.detail == ""
    fresh().send(price).expect()  # nobody asked for one

"""The leader from its price to our quotes: both sides move alike; one that is absent changes no byte."""

from collections.abc import Iterable
from math import inf, nan
from typing import Final, TypeAlias, cast

import hypothesis
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.actor import Effect, Send
from common.config import Settings
from common.messages import Book, FeedHealth, LeaderEstimate, LeaderTop, QuoteTarget, TopOfBook
from common.units import SECOND, Nanos
from services.estimation.core import Estimation
from services.strategy.core import Inbox, Strategy
from tests.market import BID, BOOT, at, book, top
from tests.services.estimation.test_core_leader import LED, lesson, price
from tests.services.strategy.facts import FRESH, exposure, position, posture

Fact: TypeAlias = Book | TopOfBook | FeedHealth | LeaderTop
Tape: TypeAlias = list[tuple[Nanos, Fact]]

UNLED: Final = msgspec.structs.replace(LED, leader=None)
UNIT: Final = LED.liveness.units(1)


def said(settings: Settings, tape: Iterable[tuple[Nanos, Fact]]) -> list[tuple[Nanos, QuoteTarget]]:
    """Play a tape to estimation and strategy; risk and order_management say each unit that all is well."""
    estimation, strategy = Estimation(settings, BOOT), Strategy(settings, BOOT)
    targets: list[tuple[Nanos, QuoteTarget]] = []
    unit = Nanos(0)

    def tell(messages: Iterable[object], now: Nanos) -> None:
        for message in messages:
            for effect in strategy.handle(cast("Inbox", message), now):
                assert isinstance(effect, Send)
                if isinstance(effect.message, QuoteTarget):
                    targets.append((now, effect.message))

    def published(effects: list[Effect]) -> list[object]:
        sent = [effect.message for effect in effects if isinstance(effect, Send)]
        return [message for message in sent if not isinstance(message, LeaderEstimate)]

    for now, message in tape:
        while unit <= now:
            tell((posture(), position(0), exposure(0)), unit)
            unit = Nanos(unit + UNIT)
        if not isinstance(message, LeaderTop):
            tell([message], now)
        tell(published(estimation.handle(message, now)), now)
    return targets


def bytes_of(targets: list[tuple[Nanos, QuoteTarget]]) -> bytes:
    return msgspec.msgpack.encode(targets)


# --- a leader that is no leader ----------------------------------------------------------------------

moments = st.integers(0, 30_000).map(lambda ms: ms / 1_000)
touches = st.builds(
    lambda seconds, ticks, lots: (at(seconds), top(seconds, bid=BID + ticks, ask=BID + ticks + 10, bid_lots=lots)),
    moments,
    st.integers(-3_000, 3_000),
    st.integers(1, 300_000),
)
books = st.builds(lambda seconds: (at(seconds), book(seconds)), moments)
broken = st.builds(
    lambda seconds, fresh: (at(seconds), msgspec.structs.replace(FRESH, fresh=fresh)), moments, st.booleans()
)
markets = st.lists(touches | books | broken, min_size=10, max_size=60)
odd = st.sampled_from((nan, inf, -inf, 0.0, -1.0))
useless = st.one_of(
    st.builds(
        lambda seconds, bid, ask: (at(seconds), LeaderTop(coin="BTC", bid=bid, ask=ask, received_at=at(seconds))),
        moments,
        odd,
        odd | st.floats(1, 9),
    ),
    st.builds(
        lambda seconds, bid, more: (
            at(seconds),
            LeaderTop(coin="BTC", bid=bid + more, ask=bid, received_at=at(seconds)),
        ),
        moments,
        st.floats(1, 1e6),
        st.floats(0, 9),
    ),
    st.builds(lambda seconds: (at(seconds + 1.5), price(seconds, 50)), moments),  # too old when it comes
    st.builds(lambda seconds: (at(seconds), msgspec.structs.replace(price(seconds, 50), coin="ETH")), moments),
)


def in_order(*parts: Tape) -> Tape:
    return sorted((tick for part in parts for tick in part), key=lambda tick: tick[0])


@given(markets, st.lists(useless, max_size=40))
@hypothesis.settings(max_examples=25)
def test_no_leader_and_a_useless_one_are_the_same(market: Tape, leader: Tape) -> None:
    """Absent, crossed, NaN, of another coin, or older than it may be: the bytes of quoting without the section."""
    warm: Tape = [(at(0), FRESH), *((at(n / 2), top(n / 2)) for n in range(60))]
    later: Tape = [*((Nanos(now + 30 * SECOND), moved(message, 30)) for now, message in market), (at(62), top(62))]
    false: Tape = [(Nanos(now + 30 * SECOND), moved(message, 30)) for now, message in leader]
    wanted = bytes_of(said(UNLED, in_order(warm, later)))
    assert bytes_of(said(LED, in_order(warm, later))) == wanted
    assert bytes_of(said(LED, in_order(warm, later, false))) == wanted


def moved(message: Fact, seconds: int) -> Fact:
    """Return the same so much later."""
    if isinstance(message, FeedHealth):
        return message
    changes: dict[str, object] = {"received_at": Nanos(message.received_at + seconds * SECOND)}
    if not isinstance(message, LeaderTop):
        changes["venue_ms"] = message.venue_ms + seconds * 1_000
    return msgspec.structs.replace(message, **changes)


# --- a leader that leads -----------------------------------------------------------------------------

TAUGHT: Final[Tape] = [(at(0), FRESH), *((at(seconds), cast("Fact", message)) for seconds, message in lesson())]


def quotes(target: QuoteTarget) -> tuple[object, ...]:
    return target.bids, target.asks, target.reason_bid, target.reason_ask, target.fair_ticks, target.components_bps


@given(st.integers(-100, 100), st.integers(-20, 20))
@hypothesis.settings(max_examples=12)
def test_both_sides_move_and_the_spread_stays(ticks: int, other: int) -> None:
    """Whatever the leader says: every part of both half-spreads is what it was, and the tilt is within its bound."""
    low, high = (
        said(LED, [*TAUGHT, (at(40), price(40, 200 + each))])[-1][1] for each in (10 * ticks, 10 * (ticks + other))
    )
    parts = [
        {n: bps for n, bps in each.components_bps.items() if "." in n and "rounding" not in n} for each in (low, high)
    ]
    assert parts[0] == parts[1]
    tilts = [each.components_bps["leader"] for each in (low, high)]
    assert all(abs(tilt) <= 2 for tilt in tilts)
    for before, after in ((low.bids, high.bids), (low.asks, high.asks)):
        assert (after[0].ticks - before[0].ticks) * other >= 0
    assert (
        abs((high.asks[0].ticks - high.bids[0].ticks) - (low.asks[0].ticks - low.bids[0].ticks)) <= 20
    )  # two grid steps


@pytest.mark.parametrize("silent_s", [1.4999, 1.5])
def test_a_silent_leader_leaves_the_quotes_as_they_were_without_it(silent_s: float) -> None:
    """Both sides of the limit, at the next word of anybody."""
    market = [tick for tick in TAUGHT if not isinstance(tick[1], LeaderTop)]
    tape: Tape = [(at(40), price(40, 400)), (at(40 + silent_s), top(40 + silent_s, bid=BID + 200, ask=BID + 210))]
    with_it, without = said(LED, [*TAUGHT, *tape])[-1][1], said(UNLED, [*market, tape[1]])[-1][1]
    assert (quotes(with_it) == quotes(without)) is (silent_s >= 1.5)

"""Shares of time by reason, and the list of times without a quote."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from common.messages import Posture, PostureLevel, QuoteTarget
from common.units import MILLISECOND, SECOND, Millis, Nanos
from services.replay.absences import ABSENCES_MAX, QUOTED, Absence, Absences

QUIET = QuoteTarget(
    coin="BTC",
    bids=(),
    asks=(),
    reason_bid="",
    reason_ask="",
    fair_ticks=1.0,
    mid_ticks=1.0,
    components_bps={},
    book_venue_ms=Millis(0),
    book_received_at=Nanos(0),
    valid_until=Nanos(0),
)


def target(bid: str = "", ask: str = "") -> QuoteTarget:
    return msgspec.structs.replace(QUIET, reason_bid=bid, reason_ask=ask)


def at(seconds: float) -> Nanos:
    return Nanos(int(seconds * SECOND))


def test_each_second_has_one_reason() -> None:
    """Warming up for 2 s, quoted for 6, stale for 2."""
    seen = Absences(("BTC",))
    seen.see(target(bid="warming_up"), at(0))
    seen.see(target(), at(2))
    seen.see(target(bid="stale_book"), at(8))
    seen.close(at(10))
    assert seen.reasons(at(10))["BTC bid"] == {QUOTED: 0.6, "stale_book": 0.2, "warming_up": 0.2}
    assert seen.reasons(at(10))["BTC ask"] == {QUOTED: 1.0}
    assert seen.listed == [
        Absence(coin="BTC", side="bid", reason="warming_up", from_s=0, until_s=2),
        Absence(coin="BTC", side="bid", reason="stale_book", from_s=8, until_s=10),
    ]


def test_short_gaps_and_too_many_are_not_listed() -> None:
    """A report is read by people; shares of time count all of it."""
    seen = Absences(("BTC",))
    seen.see(target(bid="a"), at(0))
    seen.see(target(), Nanos(499 * MILLISECOND))
    assert seen.listed == []
    for number in range(ABSENCES_MAX + 10):
        seen.see(target(bid="b"), at(2 * number + 1))
        seen.see(target(), at(2 * number + 2))
    assert len(seen.listed) == ABSENCES_MAX


def test_postures_by_time() -> None:
    """Three quarters normal, one quarter pulled."""
    seen = Absences(("BTC",))
    seen.see(Posture(level=PostureLevel.NORMAL, coins={}, causes=(), risk_epoch=1), at(0))
    seen.see(Posture(level=PostureLevel.PULL_QUOTES, coins={}, causes=(), risk_epoch=1), at(3))
    assert seen.postures(at(4)) == {"NORMAL": 0.75, "PULL_QUOTES": 0.25}


@given(st.lists(st.tuples(st.sampled_from(["", "a", "b"]), st.integers(1, 1_000)), min_size=1, max_size=30))
def test_shares_sum_to_one(story: list[tuple[str, int]]) -> None:
    """No second is counted twice, none is lost."""
    seen = Absences(("BTC",))
    now = 0
    for word, seconds in story:
        seen.see(target(bid=word), at(now))
        now += seconds
    assert abs(sum(seen.reasons(at(now))["BTC bid"].values()) - 1) < 1e-12

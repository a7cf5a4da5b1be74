"""A flood of prices becomes one every twenty milliseconds, the newest of each coin."""

from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from common.messages import LeaderTop
from common.units import MILLISECOND, Nanos
from services.market_data.leader_feed import PASS_EVERY, LeaderFeed

TOP = LeaderTop(coin="BTC", bid=1.0, ask=2.0, received_at=Nanos(0))


def test_first_at_once_newest_later() -> None:
    """The first passes, the next wait until 20 ms after it, and only the newest of them is left."""
    feed = LeaderFeed(("BTC", "ETH"))
    assert feed.hear(TOP, Nanos(5)) == [TOP]
    assert feed.due_at is None
    newest = msgspec.structs.replace(TOP, bid=1.5)
    assert feed.hear(TOP, Nanos(6)) == []
    assert feed.hear(newest, Nanos(7)) == []
    assert feed.due_at == 5 + PASS_EVERY
    assert feed.due(Nanos(4 + PASS_EVERY)) == []
    assert feed.due(Nanos(5 + PASS_EVERY)) == [newest]
    assert feed.due_at is None


def test_coins_do_not_wait_for_each_other() -> None:
    """Each has its own pace; a coin that has no leader passes nothing."""
    feed = LeaderFeed(("BTC", "ETH"))
    feed.hear(TOP, Nanos(5))
    other = msgspec.structs.replace(TOP, coin="ETH")
    assert feed.hear(other, Nanos(6)) == [other]
    assert feed.hear(msgspec.structs.replace(TOP, coin="SOL"), Nanos(7)) == []


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["BTC", "ETH"])), max_size=60))
def test_nothing_newest_is_lost(steps: list[tuple[int, str]]) -> None:
    """At most one of a coin in 20 ms; what came last is what was passed last."""
    feed, now = LeaderFeed(("BTC", "ETH")), 0
    passed: list[tuple[int, LeaderTop]] = []
    last: dict[str, LeaderTop] = {}
    for number, (gap_ms, coin) in enumerate(steps):
        now += gap_ms * MILLISECOND
        last[coin] = msgspec.structs.replace(TOP, coin=coin, bid=1 + number / 100)
        passed += [(now, top) for top in feed.hear(last[coin], Nanos(now))]
    now += PASS_EVERY
    passed += [(now, top) for top in feed.due(Nanos(now))]
    for coin, newest in last.items():
        own = [(at, top) for at, top in passed if top.coin == coin]
        assert own[-1][1] == newest
        assert all(after[0] - before[0] >= PASS_EVERY for before, after in pairwise(own))

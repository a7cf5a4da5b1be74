"""Sequence numbers: newest wins, gaps are counted, heartbeats reveal what is missing."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from common.messages import Envelope, FeedHealth, Trade
from common.sequences import Heard, Outbox
from common.units import Lots, Millis, Nanos, Side, Ticks


def envelope(epoch: int, sequence: int, *, key: str = "BTC") -> Envelope:
    return Envelope(sender="market_data", epoch=epoch, sequence=sequence, sent_at=Nanos(0), key=key)


def health(coin: str, *, fresh: bool) -> FeedHealth:
    return FeedHealth(coin=coin, fresh=fresh, reason="", book_age_ms=None, context_age_ms=None)


def trade(coin: str) -> Trade:
    return Trade(
        coin=coin, venue_ms=Millis(1), side=Side.BUY, ticks=Ticks(1), lots=Lots(1), tid=1, received_at=Nanos(1)
    )


def test_a_gap_is_counted_once_and_old_news_is_dropped() -> None:
    """A repeated or older message must not undo a newer state."""
    heard = Heard()
    assert heard.take("Book", envelope(1, 1)) == (True, 0, True)
    assert heard.take("Book", envelope(1, 4)) == (True, 2, False)
    assert heard.take("Book", envelope(1, 4)) == (False, 0, False)
    assert heard.take("Book", envelope(1, 3)) == (False, 0, False)
    assert heard.gaps == 2


def test_a_new_epoch_is_no_gap_and_the_old_one_is_over() -> None:
    """A restarted sender counts from one; what its former self still had in flight is stale."""
    heard = Heard()
    heard.take("Book", envelope(5, 90))
    assert heard.take("Book", envelope(6, 1)) == (True, 0, True)
    assert heard.take("Book", envelope(5, 91)) == (False, 0, False)


def test_a_heartbeat_reveals_a_lost_last_message() -> None:
    """The last message of a slow topic may be lost with nothing after it to show the gap."""
    heard = Heard()
    heard.take("Posture", envelope(1, 3, key=""))
    topics = frozenset({"Posture"})
    assert not heard.behind("market_data", 1, {"Posture/": 3}, topics)
    assert heard.behind("market_data", 1, {"Posture/": 4}, topics)
    assert heard.behind("market_data", 2, {"Posture/": 1}, topics)
    assert not heard.behind("market_data", 1, {"Halt/": 9}, topics)


def test_a_snapshot_holds_the_last_message_of_each_full_state_topic() -> None:
    """A late joiner sees the present, not the past, and no message of a topic that is a stream of events."""
    outbox = Outbox("market_data", 7)
    for message in (health("BTC", fresh=False), health("BTC", fresh=True), health("ETH", fresh=False), trade("BTC")):
        outbox.frames(message, Nanos(5))
    assert len(outbox.snapshot(1).frames) == 2
    assert outbox.sequences() == {"FeedHealth/BTC": 2, "FeedHealth/ETH": 1}


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9))))
def test_what_is_taken_only_ever_rises(stream: list[tuple[int, int]]) -> None:
    """Whatever the order of arrival, the delivered (epoch, sequence) pairs are strictly increasing."""
    heard = Heard()
    taken = [pair for pair in stream if heard.take("Book", envelope(*pair))[0]]
    assert taken == sorted(set(taken))


def test_an_envelope_names_its_sender() -> None:
    """The receiver judges roles by the envelope."""
    decoded = msgspec.msgpack.decode(Outbox("risk", 3).envelope(4, Nanos(9), "BTC"), type=Envelope)
    assert decoded == Envelope(sender="risk", epoch=3, sequence=4, sent_at=Nanos(9), key="BTC")

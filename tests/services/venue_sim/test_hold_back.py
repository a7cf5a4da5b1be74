"""Old data: how late, and in which order."""

from random import Random
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from common.units import Millis
from services.venue_sim import hold_back
from services.venue_sim.hold_back import HoldBack
from services.venue_sim.subscriptions import Bbo

BBO: Final = Bbo(coin="BTC")


def test_waits_at_least_and_at_most() -> None:
    """A message leaves within the range, not a millisecond before its time."""
    held = HoldBack((300, 300), Random(1))
    held.hold(1, BBO, b"a", Millis(1_000))
    assert held.release(Millis(1_299)) == []
    assert held.release(Millis(1_300)) == [(1, b"a", BBO)]
    assert held.release(Millis(9_999)) == []


@given(st.integers(), st.lists(st.tuples(st.integers(1, 3), st.sampled_from("xyz"), st.integers(0, 50)), max_size=60))
def test_order_is_kept(seed: int, story: list[tuple[int, str, int]]) -> None:
    """Rule 2: one connection hears one subscription in order, whatever the ages."""
    held, now, sent = HoldBack((0, 900), Random(seed)), 0, dict[tuple[int, str], list[int]]()
    for serial, (connection, channel, pause) in enumerate(story):
        now += pause
        held.hold(connection, Bbo(coin=channel), f"{channel}{serial}".encode(), Millis(now))
        sent.setdefault((connection, channel), []).append(serial)
    heard: dict[tuple[int, str], list[int]] = {}
    for connection, text, _ in held.release(Millis(now + 900)):
        heard.setdefault((connection, text[:1].decode()), []).append(int(text[1:]))
    assert heard == sent


def test_who_has_gone_hears_nothing() -> None:
    """What waits for a closed connection is dropped, what waits for others is not."""
    held = HoldBack((100, 100), Random(1))
    held.hold(1, BBO, b"one", Millis(0))
    held.hold(2, BBO, b"two", Millis(0))
    held.forget(1)
    assert held.release(Millis(100)) == [(2, b"two", BBO)]


def test_no_age_holds_nothing() -> None:
    """Without an age there is nothing to hold."""
    assert HoldBack((0, 0), Random(1)).is_idle
    assert not HoldBack((0, 1), Random(1)).is_idle


def test_overflow_goes_out_early() -> None:
    """Past the limit the oldest leave before their time instead of eating the memory."""
    held = HoldBack((1_000, 1_000), Random(1))
    for serial in range(hold_back.HELD_MAX + 2):
        held.hold(1, BBO, str(serial).encode(), Millis(0))
    assert [text for _, text, _ in held.release(Millis(1))] == [b"0", b"1"]

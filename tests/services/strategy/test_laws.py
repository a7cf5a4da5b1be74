"""Laws of the strategy for any input, and every setting moves a target."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.actor import Send, replay
from common.messages import (
    Book,
    FeedHealth,
    Message,
    PostureLevel,
    QuoteTarget,
    TopOfBook,
)
from common.units import MILLISECOND, SECOND, Nanos
from services.strategy.core import Inbox, Strategy
from services.strategy.quoting import Reason
from tests.market import BID, BOOT, SETTINGS, book, top, with_settings
from tests.script import Script
from tests.services.strategy.facts import BTC, FRESH, LIMIT, estimate, exposure, position, posture, said


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("strategy", "levels", 2),
        ("strategy", "half_spread_bps", 4.0),
        ("strategy", "level_step_bps", 3.0),
        ("strategy", "volatility_multiple", 2.0),
        ("strategy", "horizon_s", 4.0),
        ("strategy", "full_inventory_shift", 0.5),
        ("strategy", "cold_premium_bps", 4.0),
        ("strategy", "widen_premium_bps", 1.0),
        ("coins.BTC", "order_usd", 400.0),
        ("coins.BTC", "max_order_usd", 300.0),
        ("coins.BTC", "max_position_usd", 3_000.0),
        ("risk", "price_band_bps", 15.0),
        ("risk", "reference_gap_bps", 0.01),
        ("liveness", "valid_until", 3),
        ("liveness", "posture_unheard", 1),
        ("liveness", "book_feed", 1),
    ],
)
def test_every_setting_moves_a_target(section: str, key: str, value: float) -> None:
    """With a cold estimate, half of the limit, and Widen, each key shows."""
    changed = with_settings(section, **{key: value})
    targets = []
    for settings in (SETTINGS, changed):
        script: Script[Inbox] = Script(Strategy(settings, BOOT))
        script.at(1).ignore()
        wide = posture(PostureLevel.WIDEN)
        script.send(wide, FRESH, top(1), estimate(1, fair=BID + 7.0, confidence=0.5), position(2_000), exposure(2_000))
        script.until(1.25)
        targets.append([target for target in script.take(QuoteTarget) if target.coin == "BTC"][-1])
    assert targets[0] != targets[1]


# --- laws ------------------------------------------------------------------------------------------

moments = st.integers(0, 60).map(lambda tenth: tenth / 10)
floats = st.floats(allow_nan=True, allow_infinity=True)
lots_ = st.integers(-6_000, 6_000)
levels_ = st.sampled_from(PostureLevel)
messages = st.one_of(
    st.builds(top, moments, bid=st.integers(BID - 300, BID + 300) | st.none(), ask=st.integers(BID, BID + 400)),
    st.builds(book, moments, bid=st.integers(BID - 300, BID + 300), ask=st.integers(BID, BID + 400)),
    st.builds(estimate, moments, fair=st.floats(BID * 0.99, BID * 1.01), sigma=st.floats(1e-6, 1e-3)),
    st.builds(estimate, moments, fair=floats, sigma=floats),
    st.builds(position, lots_, proven=st.booleans()),
    st.builds(exposure, lots_, pending_bid=st.integers(0, 999), pending_ask=st.integers(0, 999)),
    st.builds(posture, levels_),
    st.sampled_from([FRESH, msgspec.structs.replace(FRESH, fresh=False)]),
)
full: tuple[Message, ...] = (posture(), FRESH, top(0), estimate(0), position(0), exposure(0))
traffic = st.lists(st.tuples(st.integers(0, 6 * SECOND).map(Nanos), messages), max_size=40).map(
    lambda tape: [(Nanos(0), message) for message in full] + sorted(tape, key=lambda tick: tick[0])
)


@given(traffic)
def test_laws(tape: list[tuple[Nanos, Inbox]]) -> None:
    """Equal tapes, equal bytes; post-only against the newest book; one reason for each side without levels."""
    first, second = Strategy(BTC, BOOT), Strategy(BTC, BOOT)
    effects = list(replay(first, tape))
    assert msgspec.msgpack.encode(effects) == msgspec.msgpack.encode(list(replay(second, tape)))
    for (now, _), batch in zip(tape, effects, strict=True):
        assert len(batch) <= 1
        for effect in batch:
            assert isinstance(effect, Send)
            target = effect.message
            assert isinstance(target, QuoteTarget)
            assert bool(target.bids) is (target.reason_bid == "")
            assert bool(target.asks) is (target.reason_ask == "")
            assert all(Reason(reason) for reason in (target.reason_bid, target.reason_ask) if reason)
            assert target.valid_until == now + 1_000 * MILLISECOND
            if target.bids and target.asks:
                assert target.bids[0].ticks < target.asks[0].ticks


@given(traffic)
def test_never_crossing_whatever_comes(tape: list[tuple[Nanos, Inbox]]) -> None:
    """The newest view by venue time is never crossed."""
    strategy, seen = Strategy(BTC, BOOT), None
    for now, message in tape:
        if isinstance(message, Book | TopOfBook):
            seen = message if seen is None or message.venue_ms >= seen.venue_ms else seen
        if isinstance(message, FeedHealth) and not message.fresh:
            seen = None
        for effect in strategy.handle(message, now):
            assert isinstance(effect, Send)
            target = effect.message
            assert isinstance(target, QuoteTarget)
            if target.bids or target.asks:
                assert seen is not None
                bid, ask = (seen.bid, seen.ask) if isinstance(seen, TopOfBook) else (seen.bids[0], seen.asks[0])
                assert bid is not None
                assert ask is not None
                assert all(level.ticks < ask[0] for level in target.bids)
                assert all(level.ticks > bid[0] for level in target.asks)


@given(st.integers(-LIMIT, LIMIT).filter(bool), st.sampled_from([PostureLevel.NORMAL, PostureLevel.WIDEN]))
def test_the_reducing_side_survives(lots: int, level: PostureLevel) -> None:
    """Normal, Widen and ReduceOnly all leave the way back open."""
    for posture_level in (level, PostureLevel.REDUCE_ONLY):
        target = said(lots=lots, level=posture_level)
        assert target.asks if lots > 0 else target.bids

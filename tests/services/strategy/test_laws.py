"""Laws of the strategy for any input, of every built-in model; test_knobs.py has its settings."""

from math import isfinite

import hypothesis
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.actor import Send, replay
from common.config import Coin
from common.messages import (
    Book,
    FeedHealth,
    Message,
    PostureLevel,
    QuoteShares,
    QuoteTarget,
    TopOfBook,
)
from common.sections import BUILT_IN_MODELS
from common.units import MILLISECOND, SECOND, Nanos, Side
from services.strategy.core import Inbox, Strategy
from services.strategy.reasons import Reason
from tests.market import BID, BOOT, book, top
from tests.script import Script
from tests.services.strategy.facts import (
    FRESH,
    LIMIT,
    ONE_COIN,
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
    said,
    story,
    volatility,
)

MODELS = {
    name: msgspec.structs.replace(ONE_COIN, strategy=msgspec.structs.replace(ONE_COIN.strategy, model=name))
    for name in BUILT_IN_MODELS
}
every_model = pytest.mark.parametrize("model", BUILT_IN_MODELS)


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
    st.builds(fill, st.integers(0, 99), st.sampled_from(Side)),
    st.builds(arrivals, moments, a=floats, k=floats, confidence=floats),
    st.builds(arrivals, moments, a=st.floats(0.01, 10), k=st.floats(0.1, 5)),
    st.builds(flow, moments, vpin=floats | st.none(), imbalance=floats, funding=floats | st.none(), due_s=floats),
    st.builds(cascade, moments, side=st.sampled_from(Side), factor=floats, pull_bids=st.booleans()),
    st.builds(markout, moments, floats, floats | st.none(), side=st.sampled_from(Side)),
    st.builds(volatility, moments, fast=floats, ahead=floats),
    st.builds(estimate, moments, jump_ratio=floats, pull_bids=st.booleans(), pull_asks=st.booleans()),
    st.sampled_from([FRESH, msgspec.structs.replace(FRESH, fresh=False)]),
)
full: tuple[Message, ...] = (posture(), FRESH, top(0), estimate(0), position(0), exposure(0))
traffic = st.lists(st.tuples(st.integers(0, 6 * SECOND).map(Nanos), messages), max_size=40).map(
    lambda tape: [(Nanos(0), message) for message in full] + sorted(tape, key=lambda tick: tick[0])
)


@every_model
@given(traffic)
@hypothesis.settings(max_examples=25)
def test_laws(model: str, tape: list[tuple[Nanos, Inbox]]) -> None:
    """Equal tapes, equal bytes; one reason for each side without levels; nothing said is NaN or infinite."""
    first, second = Strategy(MODELS[model], BOOT), Strategy(MODELS[model], BOOT)
    effects = list(replay(first, tape))
    assert msgspec.msgpack.encode(effects) == msgspec.msgpack.encode(list(replay(second, tape)))
    for (now, _), batch in zip(tape, effects, strict=True):
        assert len(batch) <= 2
        for effect in batch:
            assert isinstance(effect, Send)
            target = effect.message
            if isinstance(target, QuoteShares):
                assert all(sum(shares.values()) == pytest.approx(1) for shares in (target.bid, target.ask) if shares)
                continue
            assert isinstance(target, QuoteTarget)
            assert bool(target.bids) is (target.reason_bid == "")
            assert bool(target.asks) is (target.reason_ask == "")
            assert all(Reason(reason) for reason in (target.reason_bid, target.reason_ask) if reason)
            assert target.valid_until == now + 1_000 * MILLISECOND
            assert all(isfinite(bps) for bps in (target.fair_ticks, *target.components_bps.values()))
            if target.bids and target.asks:
                assert target.bids[0].ticks < target.asks[0].ticks


@every_model
@given(traffic)
@hypothesis.settings(max_examples=25)
def test_never_crossing_whatever_comes(model: str, tape: list[tuple[Nanos, Inbox]]) -> None:
    """The newest view by venue time is never crossed."""
    strategy, seen = Strategy(MODELS[model], BOOT), None
    for now, message in tape:
        if isinstance(message, Book | TopOfBook):
            seen = message if seen is None or message.venue_ms >= seen.venue_ms else seen
        if isinstance(message, FeedHealth) and not message.fresh:
            seen = None
        for effect in strategy.handle(message, now):
            assert isinstance(effect, Send)
            target = effect.message
            if isinstance(target, QuoteTarget) and (target.bids or target.asks):
                assert seen is not None
                bid, ask = (seen.bid, seen.ask) if isinstance(seen, TopOfBook) else (seen.bids[0], seen.asks[0])
                assert bid is not None
                assert ask is not None
                assert all(level.ticks < ask[0] for level in target.bids)
                assert all(level.ticks > bid[0] for level in target.asks)


@every_model
@given(st.integers(-LIMIT - 99, LIMIT + 99).filter(bool), st.sampled_from([PostureLevel.NORMAL, PostureLevel.WIDEN]))
@hypothesis.settings(max_examples=25)
def test_the_reducing_side_survives(model: str, lots: int, level: PostureLevel) -> None:
    """Normal, Widen and ReduceOnly all leave the way back open; a side that is over the limit is gone."""
    for posture_level in (level, PostureLevel.REDUCE_ONLY):
        target = said(MODELS[model], lots=lots, level=posture_level)
        assert target.asks if lots > 0 else target.bids
        if abs(lots) > LIMIT:
            assert not (target.bids if lots > 0 else target.asks)


@every_model
@given(st.integers(-LIMIT, LIMIT), st.integers(1, LIMIT), st.floats(1e-6, 1e-3), st.floats(1, 30))
@hypothesis.settings(max_examples=25)
def test_inventory_and_volatility(model: str, lots: int, more: int, sigma: float, times: float) -> None:
    """More inventory never moves a quote up; more volatility never brings one nearer, without inventory."""
    low, high = (said(MODELS[model], lots=held) for held in (lots, min(LIMIT, lots + more)))
    for side in ("bids", "asks"):
        before, after = getattr(low, side), getattr(high, side)
        if before and after:
            assert after[0].ticks <= before[0].ticks
    calm, wild = (
        last(story(MODELS[model]).ignore().send(estimate(1, sigma=each, fair=BID + 5.0), posture(PostureLevel.WIDEN)))
        for each in (sigma, sigma * times)
    )
    if calm.bids and wild.bids and calm.asks and wild.asks:
        assert wild.bids[0].ticks <= calm.bids[0].ticks
        assert wild.asks[0].ticks >= calm.asks[0].ticks


@every_model
@given(st.floats(10, 200), st.floats(10, 100), st.integers(0, 100), st.integers(-100, 100))
@hypothesis.settings(max_examples=40)
def test_a_small_account_quotes_or_says_why(
    model: str, limit_usd: float, order_usd: float, room: int, lots: int
) -> None:
    """100 USD or so: each side has a level, or exactly one reason that is about limits or the smallest order."""
    limit_usd = max(limit_usd, order_usd)
    coin = Coin(asset=0, size_decimals=5, max_position_usd=limit_usd, max_order_usd=limit_usd, order_usd=order_usd)
    strategy = msgspec.structs.replace(MODELS[model].strategy, full_inventory_shift=1.0)
    settings = msgspec.structs.replace(MODELS[model], coins={"BTC": coin}, strategy=strategy)
    script: Script[Inbox] = Script(Strategy(settings, BOOT))
    left = exposure(lots, headroom_bid=max(0, room - lots), headroom_ask=max(0, room + lots))
    script.at(1).ignore().send(posture(), FRESH, top(1), estimate(1), position(lots), left)
    target = last(script)
    for levels, reason in ((target.bids, target.reason_bid), (target.asks, target.reason_ask)):
        assert levels or reason in {"no_headroom", "below_minimum"}

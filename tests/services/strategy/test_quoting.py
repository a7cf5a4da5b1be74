"""Quoting: the ladder's arithmetic, both sides of each limit, and the laws that hold for any market."""

from math import inf, isfinite, nan

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from common.config import Coin, Strategy
from common.instrument import NOTIONAL_MIN, Instrument, notional
from common.messages import QuoteLevel
from common.units import Lots, Side, Ticks
from services.strategy.quoting import Allowance, Market, Reason, Shape, components, ladder, quote_ticks, shape
from tests.market import ASK, BID

BTC = Instrument(coin="BTC", asset=0, size_decimals=5)
COIN = Coin(asset=0, size_decimals=5, max_position_usd=6_000.0, max_order_usd=2_000.0, order_usd=500.0)
STRATEGY = Strategy()
MARKET = Market(bid=Ticks(BID), ask=Ticks(ASK), fair_ticks=BID + 5.0, sigma_per_sqrt_s=0.0001, confidence=1.0)
PLENTY = Allowance(lots=Lots(10**9))


def one_side(
    side: Side,
    *,
    market: Market = MARKET,
    distances: Shape | None = None,
    coin: Coin = COIN,
    strategy: Strategy = STRATEGY,
    band_bps: float = 200.0,
    allowance: Allowance = PLENTY,
    instrument: Instrument = BTC,
) -> tuple[QuoteLevel, ...] | Reason:
    return ladder(
        side,
        market,
        distances or shape(strategy, market, 0.0, widen=False),
        instrument=instrument,
        coin=coin,
        strategy=strategy,
        band_bps=band_bps,
        allowance=allowance,
    )


def levels(side: Side, **changes: object) -> tuple[QuoteLevel, ...]:
    quoted = one_side(side, **changes)  # type: ignore[arg-type]  # passed on as given
    assert isinstance(quoted, tuple)
    return quoted


def with_coin(**changes: float) -> Coin:
    return msgspec.structs.replace(COIN, **changes)


def test_parts_of_the_half_spread() -> None:
    """3 bps, sigma over one second (1 bp here), and premia that are added, each under its name."""
    assert shape(STRATEGY, MARKET, 0.0, widen=False).parts == {
        "base": 3.0,
        "volatility": pytest.approx(1.0),
        "cold": 0.0,
        "widen": 0.0,
    }
    cold = msgspec.structs.replace(MARKET, confidence=0.0)
    assert shape(STRATEGY, cold, 0.0, widen=True).half_spread == pytest.approx(3 + 1 + 2 + 5)
    slower = msgspec.structs.replace(STRATEGY, horizon_s=4.0)
    assert shape(slower, MARKET, 0.0, widen=False).half_spread == pytest.approx(3 + 2)


@pytest.mark.parametrize(
    ("inventory", "skew"), [(0.0, 0.0), (0.5, -2.0), (-0.5, 2.0), (1.0, -4.0), (1.5, -4.0), (-1.5, 4.0), (1e-9, -4e-9)]
)
def test_skew(inventory: float, skew: float) -> None:
    """One half-spread (4 bps) at the limit and beyond, linear before, against the inventory, never lost."""
    assert shape(STRATEGY, MARKET, inventory, widen=False).skew == pytest.approx(skew)


def test_prices_by_hand() -> None:
    """Fair 113,000.5: 4, 6 and 8 bps away, rounded outward to whole dollars."""
    bids = [level.ticks for level in levels(Side.BUY)]
    asks = [level.ticks for level in levels(Side.SELL)]
    assert bids == [1_129_550, 1_129_320, 1_129_100]  # 112,955.2998 / 112,932.6997 / 112,910.0996
    assert asks == [1_130_460, 1_130_690, 1_130_910]


def test_sizes_by_hand() -> None:
    """500 USD a level, rounded down to lots, no reduce-only flag."""
    bids = levels(Side.BUY)
    assert [level.lots for level in bids] == [442, 442, 442]  # 0.00442653 BTC
    assert not any(level.reduce_only for level in bids)


@pytest.mark.parametrize(("lots", "sizes"), [(884, [442, 442]), (894, [442, 442, 10]), (893, [442, 442]), (10, [10])])
def test_the_allowance_is_a_sum(lots: int, sizes: list[int]) -> None:
    """Levels fill it from the inside; what is left of it counts only as a whole order (10 lots are 11.30 USD)."""
    assert [level.lots for level in levels(Side.BUY, allowance=Allowance(lots=Lots(lots)))] == sizes


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"allowance": Allowance(lots=Lots(9))}, Reason.NO_HEADROOM),
        ({"allowance": Allowance(lots=Lots(0))}, Reason.NO_HEADROOM),
        ({"allowance": Allowance(lots=Lots(-5))}, Reason.NO_HEADROOM),
        ({"coin": with_coin(order_usd=10.0, max_order_usd=10.4)}, Reason.BELOW_MINIMUM),
        ({"band_bps": 3.9}, Reason.OUTSIDE_BAND),
        ({"distances": Shape(parts={"base": 10_001.0}, skew=0.0), "band_bps": 2_000.0}, Reason.OUTSIDE_BAND),
        ({"distances": Shape(parts={"base": inf}, skew=0.0)}, Reason.OUTSIDE_BAND),
        ({"distances": Shape(parts={"base": nan}, skew=0.0)}, Reason.OUTSIDE_BAND),
    ],
)
def test_reasons(changes: dict[str, object], reason: Reason) -> None:
    """No level has exactly one reason."""
    assert one_side(Side.BUY, **changes) is reason  # type: ignore[arg-type]  # passed on as given


def test_the_smallest_order_has_a_margin() -> None:
    """10 USD asked for becomes the fewest lots worth 10.50 USD; 2,000 USD is the most of one order."""
    small = levels(Side.BUY, coin=with_coin(order_usd=10.0))
    assert [level.lots for level in small] == [10, 10, 10]
    assert all(notional(level.ticks, level.lots) >= NOTIONAL_MIN * 1.05 for level in small)
    large = levels(Side.BUY, coin=with_coin(order_usd=5_000.0))
    assert all(notional(level.ticks, level.lots) <= 2_000_000_000 for level in large)
    assert large[0].lots == 1_770


def test_the_band_keeps_the_near_levels() -> None:
    """Levels that risk would refuse are not wanted; the others are."""
    assert [level.ticks for level in levels(Side.SELL, band_bps=7.0)] == [1_130_460, 1_130_690]


def test_never_crossing() -> None:
    """A skew that would cross is stopped one legal step from the other side; equal prices are one order."""
    crossing = Shape(parts={"base": 3.0}, skew=-30.0)
    asks = levels(Side.SELL, distances=crossing)
    assert [level.ticks for level in asks] == [ASK]
    assert asks[0].lots == 3 * 442
    bids = levels(Side.BUY, distances=Shape(parts={"base": 3.0}, skew=30.0))
    assert [level.ticks for level in bids] == [BID]


def test_merged_levels_stay_within_one_order() -> None:
    """Three levels at one price are capped by max_order_usd."""
    crossing = Shape(parts={"base": 3.0}, skew=-30.0)
    asks = levels(Side.SELL, distances=crossing, coin=with_coin(max_order_usd=1_000.0))
    assert [level.lots for level in asks] == [884]


def test_a_remainder_may_be_closed_whole() -> None:
    """Reduce-only: a position below the minimum is one order of exactly its size; a part of one is refused."""
    whole = Allowance(lots=Lots(3), reduce_only=True, whole=True)
    assert levels(Side.SELL, allowance=whole) == (QuoteLevel(ticks=Ticks(1_130_460), lots=Lots(3), reduce_only=True),)
    part = Allowance(lots=Lots(3), reduce_only=True)
    assert one_side(Side.SELL, allowance=part) is Reason.NO_HEADROOM
    larger = levels(Side.SELL, allowance=Allowance(lots=Lots(445), reduce_only=True, whole=True))
    assert [level.lots for level in larger] == [442]  # 3 lots are left: closed whole once the first has filled


def test_components_add_up() -> None:
    """Fair x (1 + (skew + parts) / 10,000) is the innermost price of each side, exactly as quoted."""
    cold = msgspec.structs.replace(MARKET, confidence=0.0)
    distances = shape(STRATEGY, cold, 0.3, widen=True)
    bids, asks = levels(Side.BUY, market=cold, distances=distances), levels(Side.SELL, market=cold, distances=distances)
    said = components(cold, distances, bids, asks)
    assert (said["bid.base"], said["ask.base"], said["ask.widen"], said["bid.cold"]) == (-3, 3, 5, -2)
    for name, level in (("bid", bids[0]), ("ask", asks[0])):
        bps = said["skew"] + sum(value for part, value in said.items() if part.startswith(f"{name}."))
        assert cold.fair_ticks * (1 + bps / 10_000) == pytest.approx(level.ticks, abs=1e-6)
    assert not any(part.startswith("ask.") for part in components(cold, distances, bids, ()))


@pytest.mark.parametrize(
    ("fair", "sigma", "sane"),
    [
        (BID + 5.0, 1e-9, True),
        (0.0, 1.0, False),
        (nan, 1.0, False),
        (inf, 1.0, False),
        (BID + 5.0, 0.0, False),
        (BID + 5.0, nan, False),
        (BID * 1.0148, 1.0, True),  # the gap is 150 bps of the mid
        (BID * 1.0152, 1.0, False),
        (BID * 0.9848, 1.0, False),
    ],
)
def test_sanity(fair: float, sigma: float, *, sane: bool) -> None:
    """Estimates must be positive and finite, and belong to the market that is quoted."""
    assert msgspec.structs.replace(MARKET, fair_ticks=fair, sigma_per_sqrt_s=sigma).is_sane(150.0) is sane


# --- laws ------------------------------------------------------------------------------------------

instruments = st.builds(Instrument, coin=st.just("X"), asset=st.just(0), size_decimals=st.integers(0, 5))


@st.composite
def markets(draw: st.DrawFn) -> Market:
    bid = draw(st.integers(100, 10**9))
    ask = bid + draw(st.integers(1, max(1, bid // 100)))
    return Market(
        bid=Ticks(bid),
        ask=Ticks(ask),
        fair_ticks=draw(st.floats(bid * 0.99, ask * 1.01)),
        sigma_per_sqrt_s=draw(st.floats(1e-9, 0.01)),
        confidence=draw(st.floats(0, 1)),
    )


strategies = st.builds(
    Strategy,
    levels=st.integers(1, 10),
    half_spread_bps=st.floats(0.01, 50),
    level_step_bps=st.floats(0.01, 20),
    volatility_multiple=st.floats(0, 3),
    horizon_s=st.floats(0.01, 10),
    full_inventory_shift=st.floats(0.01, 5),
)


@given(instruments, markets(), strategies, st.tuples(st.floats(-2, 2), st.booleans()), st.integers(0, 10**12))
def test_laws_of_both_sides(
    instrument: Instrument, market: Market, strategy: Strategy, lean: tuple[float, bool], lots: int
) -> None:
    """Bid below ask, post-only against the touch, legal, worth 10 USD, within caps and allowance, sorted outward."""
    distances = shape(strategy, market, lean[0], widen=lean[1])
    allowance = Allowance(lots=Lots(lots))
    sides = {
        side: one_side(
            side, market=market, distances=distances, strategy=strategy, instrument=instrument, allowance=allowance
        )
        for side in Side
    }
    for side, quoted in sides.items():
        if isinstance(quoted, Reason):
            continue
        prices = [level.ticks for level in quoted]
        assert quoted
        assert prices == sorted(set(prices), reverse=side is Side.BUY)
        assert sum(level.lots for level in quoted) <= lots
        for level in quoted:
            assert instrument.is_legal(level.ticks)
            assert level.ticks < market.ask if side is Side.BUY else level.ticks > market.bid
            assert NOTIONAL_MIN <= notional(level.ticks, level.lots) <= COIN.max_order_usd * 1_000_000
    bids, asks = (quoted if isinstance(quoted, tuple) else () for quoted in sides.values())
    if bids and asks:
        assert bids[0].ticks < asks[0].ticks
    said = components(market, distances, bids, asks)
    assert all(isfinite(value) for value in said.values())


@given(markets(), strategies, st.floats(-1, 1), st.floats(-1, 1), st.sampled_from(Side))
def test_more_inventory_moves_quotes_down(
    market: Market, strategy: Strategy, one: float, other: float, side: Side
) -> None:
    """Strictly before rounding, never up after it."""
    low, high = sorted((one, other))
    assume(high - low > 1e-6)
    less, more = (shape(strategy, market, inventory, widen=False) for inventory in (low, high))
    assert quote_ticks(side, market, more, 1.0, 0) < quote_ticks(side, market, less, 1.0, 0)
    before = one_side(side, market=market, distances=less, strategy=strategy, band_bps=9_000.0)
    after = one_side(side, market=market, distances=more, strategy=strategy, band_bps=9_000.0)
    if isinstance(before, tuple) and isinstance(after, tuple):
        assert after[0].ticks <= before[0].ticks


@given(markets(), strategies, st.floats(0, 0.01), st.sampled_from(Side))
def test_more_volatility_never_narrows(market: Market, strategy: Strategy, more: float, side: Side) -> None:
    """At no inventory, the innermost quote of a wilder market is not nearer."""
    wilder = msgspec.structs.replace(market, sigma_per_sqrt_s=market.sigma_per_sqrt_s + more)
    calm = one_side(side, market=market, strategy=strategy, band_bps=9_000.0)
    wild = one_side(
        side,
        market=wilder,
        distances=shape(strategy, wilder, 0.0, widen=False),
        strategy=strategy,
        band_bps=9_000.0,
    )
    if isinstance(calm, tuple) and isinstance(wild, tuple):
        assert side.sign * (wild[0].ticks - calm[0].ticks) <= 0

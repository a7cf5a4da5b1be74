"""The ladder: prices and sizes by hand, its reasons, and laws for any market and configuration."""

from math import inf, isfinite, nan

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from common.config import Coin
from common.instrument import NOTIONAL_MIN, Instrument, notional
from common.messages import QuoteLevel
from common.sections import Strategy
from common.units import Lots, Side, Ticks
from services.strategy import models
from services.strategy.ladder import Allowance, Grid, components, ladder, quote_ticks
from services.strategy.market import Arrival, Market
from services.strategy.models.interface import Setup, View
from services.strategy.premia import Shape, shape
from services.strategy.reasons import Reason
from tests.market import ASK, BID

BTC = Instrument(coin="BTC", asset=0, size_decimals=5)
COIN = Coin(asset=0, size_decimals=5, max_position_usd=6_000.0, max_order_usd=2_000.0, order_usd=500.0)
ARRIVAL = Arrival(a_per_s=0.2, k_per_bps=1.3)
MARKET = Market(
    bid=Ticks(BID),
    ask=Ticks(ASK),
    fair_ticks=BID + 5.0,
    sigma_per_sqrt_s=0.0001,
    confidence=1.0,
    arrivals=dict.fromkeys(Side, ARRIVAL),
)
PLENTY = Allowance(lots=Lots(10**9))
MODELS = ("glft", "avellaneda_stoikov", "symmetric")


def flat(half_spread: float = 4.0, shift: float = 0.0, cost: float = 0.0) -> Shape:
    return Shape(
        parts={side: {"base": half_spread} for side in Side},
        shifts={"skew": shift},
        half_spread=dict.fromkeys(Side, half_spread),
        shift=shift,
        cost=dict.fromkeys(Side, cost),
    )


def grid(
    strategy: Strategy | None = None, *, coin: Coin = COIN, band_bps: float = 200.0, instrument: Instrument = BTC
) -> Grid:
    return Grid(instrument=instrument, coin=coin, strategy=strategy or Strategy(), band_bps=band_bps)


def one_side(
    side: Side,
    *,
    market: Market = MARKET,
    distances: Shape | None = None,
    allowance: Allowance = PLENTY,
    **of_grid: object,
) -> tuple[QuoteLevel, ...] | Reason:
    return ladder(side, market, distances or flat(), grid(**of_grid), allowance)  # type: ignore[arg-type]  # passed on


def levels(side: Side, **changes: object) -> tuple[QuoteLevel, ...]:
    quoted = one_side(side, **changes)  # type: ignore[arg-type]  # passed on as given
    assert isinstance(quoted, tuple)
    return quoted


def with_coin(**changes: float) -> Coin:
    return msgspec.structs.replace(COIN, **changes)


def arriving(k_per_bps: float, market: Market = MARKET) -> Market:
    return msgspec.structs.replace(market, arrivals=dict.fromkeys(Side, Arrival(a_per_s=0.2, k_per_bps=k_per_bps)))


WIDE = arriving(0.1)  # so that outer levels are worth something


def test_prices_by_hand() -> None:
    """Fair 113,000.5: 4, 6 and 9 bps away, rounded outward to whole dollars."""
    bids = [level.ticks for level in levels(Side.BUY, market=WIDE)]
    asks = [level.ticks for level in levels(Side.SELL, market=WIDE)]
    assert bids == [1_129_550, 1_129_320, 1_128_980]  # 112,955.2998 / 112,932.6997 / 112,898.79955
    assert asks == [1_130_460, 1_130_690, 1_131_030]


@pytest.mark.parametrize(
    ("k", "cost", "sizes"),
    [
        (0.1, 0.0, [324, 398, 442]),  # 4, 6 exp(-0.2) = 4.91 and 9 exp(-0.5) = 5.46 of the best, 5.46
        (0.1, 3.0, [121, 298, 442]),  # 1, 2.456 and 3.639
        (1.3, 0.0, [442, 49]),  # the second 6 exp(-2.6) / 4; the third is worth 2 USD
        (1.3, 4.0, [0, 442, 22]),  # the first earns nothing, the third 5 exp(-6.5) against 2 exp(-2.6)
        (1.3, 9.0, [442]),  # nothing earns anything
    ],
)
def test_sizes_follow_expected_profit(k: float, cost: float, sizes: list[int]) -> None:
    """lambda(depth) x (depth - cost), the best level 500 USD, rounded down to lots."""
    quoted = levels(Side.BUY, market=arriving(k), distances=flat(cost=cost))
    assert [level.lots for level in quoted] == [lots for lots in sizes if lots]
    assert quoted[0].ticks == (1_129_320 if sizes[0] == 0 else 1_129_550)


@pytest.mark.parametrize(("lots", "sizes"), [(722, [324, 398]), (732, [324, 398, 10]), (10, [10]), (330, [324])])
def test_the_allowance_is_a_sum(lots: int, sizes: list[int]) -> None:
    """Levels fill it from the inside; what is left of it counts only as a whole order (10 lots are 11.30 USD)."""
    assert [level.lots for level in levels(Side.BUY, market=WIDE, allowance=Allowance(lots=Lots(lots)))] == sizes


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"allowance": Allowance(lots=Lots(9))}, Reason.NO_HEADROOM),
        ({"allowance": Allowance(lots=Lots(0))}, Reason.NO_HEADROOM),
        ({"allowance": Allowance(lots=Lots(-5))}, Reason.NO_HEADROOM),
        ({"allowance": Allowance(lots=Lots(99), largest=Lots(9))}, Reason.NO_HEADROOM),
        ({"allowance": Allowance(lots=Lots(99), visible=Lots(33))}, Reason.THIN_BOOK),
        ({"coin": with_coin(order_usd=10.0, max_order_usd=10.4)}, Reason.BELOW_MINIMUM),
        ({"band_bps": 3.9}, Reason.OUTSIDE_BAND),
        ({"distances": flat(10_001.0), "band_bps": 2_000.0}, Reason.OUTSIDE_BAND),
        ({"distances": flat(inf)}, Reason.OUTSIDE_BAND),
        ({"distances": flat(nan)}, Reason.OUTSIDE_BAND),
    ],
)
def test_reasons(changes: dict[str, object], reason: Reason) -> None:
    """No level has exactly one reason."""
    assert one_side(Side.BUY, **changes) is reason  # type: ignore[arg-type]  # passed on as given


def test_the_smallest_order_has_a_margin() -> None:
    """10 USD asked for becomes the fewest lots worth 10.50 USD, of one level; 2,000 USD is the most of one order."""
    small = levels(Side.BUY, coin=with_coin(order_usd=10.0))
    assert [level.lots for level in small] == [10]
    assert notional(small[0].ticks, small[0].lots) >= NOTIONAL_MIN * 1.05
    large = levels(Side.BUY, coin=with_coin(order_usd=5_000.0))
    assert all(notional(level.ticks, level.lots) <= 2_000_000_000 for level in large)
    assert large[0].lots == 1_770


def test_no_order_is_the_market() -> None:
    """Three tenths of what the side shows, and what risk allows, for each order."""
    assert [q.lots for q in levels(Side.BUY, allowance=Allowance(lots=Lots(999), visible=Lots(1_000)))] == [300, 49]
    assert [q.lots for q in levels(Side.BUY, allowance=Allowance(lots=Lots(999), largest=Lots(20)))] == [20, 20]


def test_the_band_keeps_the_near_levels() -> None:
    """Levels that risk would refuse are not wanted; the others are."""
    assert [level.ticks for level in levels(Side.SELL, market=WIDE, band_bps=7.0)] == [1_130_460, 1_130_690]


def test_never_crossing() -> None:
    """A skew that would cross is stopped one legal step from the other side; equal prices are one order."""
    asks = levels(Side.SELL, market=WIDE, distances=flat(shift=-30.0))
    assert [level.ticks for level in asks] == [ASK]
    assert asks[0].lots == 324 + 398 + 442
    bids = levels(Side.BUY, distances=flat(shift=30.0))
    assert [level.ticks for level in bids] == [BID]


def test_merged_levels_stay_within_one_order() -> None:
    """Three levels at one price are capped by max_order_usd."""
    asks = levels(Side.SELL, market=WIDE, distances=flat(shift=-30.0), coin=with_coin(max_order_usd=1_000.0))
    assert [level.lots for level in asks] == [884]


def test_a_remainder_may_be_closed_whole() -> None:
    """Reduce-only: a position below the minimum is one order of exactly its size; a part of one is refused."""
    whole = Allowance(lots=Lots(3), reduce_only=True, whole=True)
    assert levels(Side.SELL, allowance=whole) == (QuoteLevel(ticks=Ticks(1_130_460), lots=Lots(3), reduce_only=True),)
    part = Allowance(lots=Lots(3), reduce_only=True)
    assert one_side(Side.SELL, allowance=part) is Reason.NO_HEADROOM
    larger = levels(Side.SELL, allowance=Allowance(lots=Lots(445), reduce_only=True, whole=True))
    assert [level.lots for level in larger] == [442]  # 3 lots are left: closed whole once the first has filled


# --- laws ------------------------------------------------------------------------------------------

instruments = st.builds(Instrument, coin=st.just("X"), asset=st.just(0), size_decimals=st.integers(0, 5))
arrivals = st.builds(Arrival, a_per_s=st.floats(1e-4, 1e4), k_per_bps=st.floats(0.01, 100), confidence=st.floats(0, 1))


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
        jump_ratio=draw(st.floats(0, 1e6)),
        sigma_fast_per_sqrt_s=draw(st.floats(0, 0.01)),
        sigma_ahead_per_sqrt_s=draw(st.floats(0, 0.01)),
        arrivals={side: draw(arrivals) for side in Side},
        adverse_bps={side: draw(st.floats(0, 50)) for side in Side},
        vpin=draw(st.floats(0, 1)),
        imbalance=draw(st.floats(-1e6, 1e6)),
        funding_per_hour=draw(st.floats(-0.1, 0.1)),
        funding_due_s=draw(st.floats(0, 3_600)),
    )


strategies = st.builds(
    Strategy,
    model=st.sampled_from(MODELS),
    levels=st.integers(1, 10),
    level_ratio=st.floats(1.01, 5),
    half_spread_bps=st.floats(0.01, 50),
    volatility_multiple=st.floats(0, 3),
    horizon_s=st.floats(0.01, 10),
    full_inventory_shift=st.floats(0.01, 20),
    maker_fee_bps=st.floats(-1, 10),
    latency_ms=st.floats(0, 1_000),
    half_spread_min_bps=st.floats(0.01, 5),
    half_spread_max_bps=st.floats(5, 100),
)
REFERENCE = Arrival(a_per_s=0.2, k_per_bps=1.3)


def shaped(strategy: Strategy, market: Market, inventory: float, *, widen: bool = False) -> Shape:
    setup = Setup(chosen=strategy, orders_at_limit=12.0, sigma_bps=1.0, arrival=REFERENCE)
    distances = models.load(strategy.model)(View(market=market, inventory=inventory), setup)
    return shape(strategy, market, distances, widen=widen)


@given(instruments, markets(), strategies, st.tuples(st.floats(-1, 1), st.booleans()), st.integers(0, 10**12))
@settings(max_examples=100)
def test_laws_of_both_sides(
    instrument: Instrument, market: Market, strategy: Strategy, lean: tuple[float, bool], lots: int
) -> None:
    """Bid below ask, post-only against the touch, legal, worth 10 USD, within caps and allowance, sorted outward."""
    distances = shaped(strategy, market, lean[0], widen=lean[1])
    assert distances.is_finite
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
    for name, quoted in (("bid", bids), ("ask", asks)):
        if quoted:
            bps = sum(value for part, value in said.items() if "." not in part or part.startswith(f"{name}."))
            assert market.fair_ticks * (1 + bps / 10_000) == pytest.approx(quoted[0].ticks, rel=1e-9)


@given(markets(), strategies, st.floats(-1, 1), st.floats(-1, 1), st.sampled_from(Side))
@settings(max_examples=60)
def test_more_inventory_moves_quotes_down(
    market: Market, strategy: Strategy, one: float, other: float, side: Side
) -> None:
    """Strictly before rounding, never up after it."""
    low, high = sorted((one, other))
    assume(high - low > 1e-3)
    less, more = (shaped(strategy, market, inventory) for inventory in (low, high))
    assert more.shift < less.shift
    assert quote_ticks(side, market, more, 1.0) <= quote_ticks(side, market, less, 1.0)
    before = one_side(side, market=market, distances=less, strategy=strategy, band_bps=9_000.0)
    after = one_side(side, market=market, distances=more, strategy=strategy, band_bps=9_000.0)
    if isinstance(before, tuple) and isinstance(after, tuple):
        assert after[0].ticks <= before[0].ticks


@given(markets(), strategies, st.floats(1, 100), st.sampled_from(Side))
@settings(max_examples=60)
def test_more_volatility_never_narrows(market: Market, strategy: Strategy, times: float, side: Side) -> None:
    """At no inventory, the half-spread of a wilder market is not smaller, whichever estimate says so."""
    calm = shaped(strategy, market, 0.0)
    for field in ("sigma_per_sqrt_s", "sigma_fast_per_sqrt_s", "sigma_ahead_per_sqrt_s"):
        wilder = msgspec.structs.replace(market, **{field: getattr(market, field) * times})
        assert shaped(strategy, wilder, 0.0).half_spread[side] >= calm.half_spread[side] * (1 - 1e-12)

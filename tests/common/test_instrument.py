"""Prices and sizes stay on the venue's grid, in the direction that the name says."""

from decimal import Decimal
from math import ceil, floor

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from common.instrument import PRICE_DECIMALS_MAX, SIGNIFICANT_FIGURES_MAX, Instrument, notional
from common.units import MICROS_PER_USD, Lots, Side, Ticks

instruments = st.integers(0, 6).map(lambda decimals: Instrument(coin="X", asset=0, size_decimals=decimals))
ticks_between = st.floats(1, 1e13) | st.integers(1, 10**13)


def obeys_the_venue(instrument: Instrument, ticks: int) -> bool:
    """The venue's rule in its own words, on the decimal text of the price."""
    price = instrument.price(ticks)
    if price <= 0:
        return False
    if price == price.to_integral_value():
        return True
    text = format(price, "f").rstrip("0")
    digits = text.replace(".", "").lstrip("0")
    decimals = len(text.partition(".")[2])
    return len(digits) <= SIGNIFICANT_FIGURES_MAX and decimals <= PRICE_DECIMALS_MAX - instrument.size_decimals


@pytest.mark.parametrize(
    ("size_decimals", "price", "legal"),
    [
        (1, "1234.5", True),
        (1, "1234.56", False),
        (5, "123456", True),
        (1, "123456", True),
        (1, "123456.7", False),
        (1, "12345.6", False),
        (0, "0.001234", True),
        (1, "0.01234", True),
        (1, "99999", True),
        (1, "100001", True),
        (2, "99.999", True),
        (2, "100.01", True),
        (2, "100.001", False),
    ],
)
def test_prices_of_the_venues_examples(size_decimals: int, price: str, legal: bool) -> None:
    """Five significant figures, whole numbers always."""
    instrument = Instrument(coin="X", asset=0, size_decimals=size_decimals)
    assert instrument.is_legal(instrument.ticks(price)) is legal


@pytest.mark.parametrize(("size_decimals", "price"), [(0, "0.0012345"), (1, "0.012345"), (5, "0.01"), (6, "0.1")])
def test_too_many_decimals_are_off_the_grid(size_decimals: int, price: str) -> None:
    """More than 6 - size_decimals decimals is no price of this coin."""
    with pytest.raises(ValueError, match=f"X price {price} is not a multiple"):
        Instrument(coin="X", asset=0, size_decimals=size_decimals).ticks(price)


@given(instrument=instruments, ticks=st.integers(-10, 10**13))
def test_legal_is_what_the_venue_takes(instrument: Instrument, ticks: int) -> None:
    """`is_legal` agrees with the rule as text, for every coin and size of price, zero and below included."""
    assert instrument.is_legal(ticks) is obeys_the_venue(instrument, ticks)


@given(instrument=instruments, ticks=ticks_between)
def test_legal_floor_and_ceil_are_the_nearest(instrument: Instrument, ticks: float) -> None:
    """Both are legal, on their side, and no legal price lies in between."""
    low, high = instrument.legal_floor(ticks), instrument.legal_ceil(ticks)
    assert low <= ticks <= high
    assert obeys_the_venue(instrument, high)
    assert low == 0 or obeys_the_venue(instrument, low)
    for between in {floor(ticks), ceil(ticks), low + 1, high - 1, (low + high) // 2} - {low, high}:
        assert not (low < between < high and obeys_the_venue(instrument, between))
    if obeys_the_venue(instrument, floor(ticks)) and ticks == floor(ticks):
        assert low == high == ticks


@given(instrument=instruments, power=st.integers(1, 12), offset=st.integers(-2, 2))
def test_rounding_at_powers_of_ten(instrument: Instrument, power: int, offset: int) -> None:
    """The step changes there: up lands on the power itself, down stays on the finer side."""
    ticks = 10**power + offset
    assume(ticks > 0)
    low, high = instrument.legal_floor(ticks), instrument.legal_ceil(ticks)
    assert low <= ticks <= high
    assert obeys_the_venue(instrument, low)
    assert obeys_the_venue(instrument, high)


@given(instrument=instruments, side=st.sampled_from(Side), ticks=ticks_between)
def test_outward_never_crosses(instrument: Instrument, side: Side, ticks: float) -> None:
    """A bid is never raised by rounding, an ask never lowered."""
    outward = instrument.legal_outward(side, ticks)
    assert (outward - ticks) * side.sign <= 0
    assert outward == (instrument.legal_floor(ticks) if side is Side.BUY else instrument.legal_ceil(ticks))


@given(instrument=instruments, ticks=st.integers(-(10**15), 10**15), lots=st.integers(-(10**15), 10**15))
def test_conversions_are_exact(instrument: Instrument, ticks: int, lots: int) -> None:
    """Out to Decimal and back loses nothing, for prices and signed sizes."""
    assert instrument.ticks(instrument.price(ticks)) == ticks
    assert instrument.lots(instrument.size(lots)) == lots
    assert instrument.ticks(str(instrument.price(ticks))) == ticks


@given(instrument=instruments, size=st.decimals(-1_000, 1_000, places=8) | st.floats(-1_000, 1_000))
def test_edges_between_floats_and_grid(instrument: Instrument, size: Decimal | float) -> None:
    """`lots_floor` rounds down, also below zero; `ticks_nearest` is at most half a tick away."""
    lots = instrument.lots_floor(size)
    assert instrument.size(lots) <= Decimal(size) < instrument.size(lots + 1)
    assert abs(instrument.price(instrument.ticks_nearest(size)) - Decimal(size)) <= instrument.price(1) / 2


@given(instrument=instruments, ticks=st.integers(1, 10**9), lots=st.integers(-(10**9), 10**9))
def test_notional_is_exact(instrument: Instrument, ticks: int, lots: int) -> None:
    """Ticks times lots is micro-USD for every coin, whatever its grid; the sign of a size does not count."""
    micros = notional(Ticks(ticks), Lots(lots))
    assert Decimal(micros) == instrument.price(ticks) * abs(instrument.size(lots)) * MICROS_PER_USD


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "0.000001"])
def test_values_off_the_grid(value: str) -> None:
    """What is no multiple of the lot, or no number, is refused with the coin's name."""
    btc = Instrument(coin="BTC", asset=0, size_decimals=5)
    with pytest.raises(ValueError, match="BTC size"):
        btc.lots(value)

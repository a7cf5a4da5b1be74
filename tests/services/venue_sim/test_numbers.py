"""How numbers are printed."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.venue_sim.numbers import decimal, fixed


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (1_133_770, 1, "113377.0"),
        (766_990, 5, "7.6699"),
        (0, 6, "0.0"),
        (-5, 6, "-0.000005"),
        (-25_000_000, 6, "-25.0"),
        (7, 0, "7.0"),
        (100, 0, "100.0"),
    ],
)
def test_fixed(value: int, decimals: int, text: str) -> None:
    """As the venue was seen to print them."""
    assert fixed(value, decimals) == text


@given(st.integers(-(10**18), 10**18), st.integers(0, 8))
def test_fixed_is_exact(value: int, decimals: int) -> None:
    """The text is the number, with one decimal at least and none too many."""
    text = fixed(value, decimals)
    assert Decimal(text) == Decimal(value).scaleb(-decimals)
    fraction = text.partition(".")[2]
    assert fraction == "0" or not fraction.endswith("0")


@given(st.decimals(allow_nan=False, allow_infinity=False, places=10, min_value=-(10**9), max_value=10**9))
def test_decimal_is_exact(value: Decimal) -> None:
    """Same for numbers that are no multiple of a grid."""
    text = decimal(value)
    assert Decimal(text) == value
    assert "E" not in text
    assert text.rpartition(".")[2] == "0" or not text.endswith("0")

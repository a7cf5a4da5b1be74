"""How the venue prints numbers: no exponent, no trailing zeros, one decimal at least."""

from decimal import Decimal
from functools import lru_cache
from typing import Final

from common.instrument import Instrument
from common.units import Lots, Micros, Ticks

USD_DECIMALS: Final = 6
PRINTED_MAX: Final = 1 << 14  # a block tells the same prices and sizes to streams, answers and log; some MB


@lru_cache(PRINTED_MAX)
def fixed(value: int, decimals: int) -> str:
    """Print `value` x 10^-`decimals`: 1133770, 1 -> "113377.0"."""
    digits = str(abs(value)).rjust(decimals + 1, "0")
    whole = digits[: len(digits) - decimals]
    fraction = digits[len(whole) :].rstrip("0") or "0"
    return f"{'-' if value < 0 else ''}{whole}.{fraction}"


def decimal(value: Decimal) -> str:
    text = format(value, "f")
    if "." not in text:
        return f"{text}.0"
    text = text.rstrip("0")
    return f"{text}0" if text.endswith(".") else text


def usd(micros: Micros | int) -> str:
    return fixed(micros, USD_DECIMALS)


def price(instrument: Instrument, ticks: Ticks | int) -> str:
    return fixed(ticks, instrument.price_decimals)


def size(instrument: Instrument, lots: Lots | int) -> str:
    return fixed(lots, instrument.size_decimals)

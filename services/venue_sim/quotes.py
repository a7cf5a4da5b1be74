"""Prices as the venue writes them."""

from decimal import ROUND_HALF_EVEN, Decimal

from common.instrument import Instrument
from services.venue_sim.texts import plain

_SIX_PLACES = Decimal("1e-6")


def price_text(instrument: Instrument, ticks: int | None) -> str:
    """Write a price without trailing zeros; an empty side is 0."""
    return plain(instrument.price(ticks or 0))


def average_price(instrument: Instrument, micros: int, lots: int) -> Decimal:
    """Return the mean price in USD, six decimals at most, half-even."""
    average = Decimal(micros) / lots
    return average.scaleb(-instrument.price_decimals).quantize(_SIX_PLACES, rounding=ROUND_HALF_EVEN)

"""The venue's numbers into ours: exact, finite, or refused."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import PeerFault
from common.hyperliquid.wire_types import (
    Order,
    finite,
    lots,
    lots_positive,
    lots_unsigned,
    ticks,
    ticks_nearest,
)
from tests.common.hyperliquid.coins import BTC, MS


@pytest.mark.parametrize("text", ["999999999999.9", "-999999999999", "0", "0.000000000001", "-0"])
def test_in_range(text: str) -> None:
    """Rule 3: twelve digits before the point are plenty."""
    assert finite(Decimal(text), "x") == Decimal(text)


@pytest.mark.parametrize("text", ["1000000000000", "-1e12", "NaN", "sNaN", "Infinity", "-Infinity", "1e999999", "0e99"])
def test_out_of_range(text: str) -> None:
    """Rule 3: what could blow up a later product is refused, whatever it is called."""
    for read in (ticks, ticks_nearest, lots, lots_positive, lots_unsigned):
        with pytest.raises(PeerFault):
            read(BTC, Decimal(text))


def test_grid() -> None:
    """Rule 2: prices and sizes are exact, references go to the nearest tick."""
    assert ticks(BTC, Decimal("100.10")) == 1001
    assert ticks_nearest(BTC, Decimal("100.06")) == 1001
    assert (lots(BTC, Decimal("-0.00001")), lots_unsigned(BTC, Decimal(0)), lots_positive(BTC, Decimal(1))) == (
        *(-1, 0),
        100_000,
    )
    for read, text in (
        *((ticks, "100.06"), (ticks, "0"), (ticks, "-1"), (ticks_nearest, "0.04"), (lots, "0.000001")),
        *((lots_positive, "0"), (lots_positive, "-1"), (lots_unsigned, "-0.00001")),
    ):
        with pytest.raises(PeerFault):
            read(BTC, Decimal(text))


@given(st.integers(1, 10**12))
def test_every_tick_is_read_back(number: int) -> None:
    """Rule 2: what our own grid can say survives the wire."""
    assert ticks(BTC, BTC.price(number)) == ticks_nearest(BTC, BTC.price(number)) == number


def test_additions_are_ignored() -> None:
    """Rule 1: a field of tomorrow is no fault, a missing one of today is."""
    order = {"coin": "BTC", "side": "B", "limitPx": "1", "sz": "1", "origSz": "1", "oid": 1, "timestamp": MS}
    assert msgspec.convert({**order, "moonPhase": 3}, Order).oid == 1
    for name in order:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({key: value for key, value in order.items() if key != name}, Order)

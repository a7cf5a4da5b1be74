"""Fair price: the mid, tilted by a bounded share of the half-spread to where it is likely to move.

The tilt is the imbalance of the sizes at the touch: a large bid beside a small ask says that the next price is
higher. With a full tilt of 1 this is the size-weighted mid (Stoikov, The micro-price, 2018, his first order).
"""

from typing import Final

from common.instrument import NOTIONAL_MIN, notional
from common.touch import Touch
from common.units import Micros

# A touch below the venue's smallest order is a remainder, not an opinion.
THIN_TOUCH: Final[Micros] = NOTIONAL_MIN


def fair_ticks(touch: Touch, tilt: float) -> float | None:
    """Return the microprice in ticks, within mid +- tilt x half the spread; None unless the touch is two-sided.

    `tilt` is a share of the half-spread, 0..1. The mid itself is returned where a side of the touch is thin.
    """
    mid = touch.mid_ticks
    if mid is None or touch.bid is None or touch.ask is None:
        return None
    (bid, bid_lots), (ask, ask_lots) = touch.bid, touch.ask
    if notional(bid, bid_lots) < THIN_TOUCH or notional(ask, ask_lots) < THIN_TOUCH:
        return mid
    imbalance = (bid_lots - ask_lots) / (bid_lots + ask_lots)
    return mid + tilt * imbalance * (ask - bid) / 2

"""Who is pressing: order-flow imbalance at the touch, and the signed flow of trades.

Rules
  1. Each change of the touch is an event e = what joined the bid less what left it, minus the same of the ask (Cont,
     Kukanov and Stoikov 2014): a better price brings its whole size, a worse one takes the old size away.
  2. Imbalance is the sum of events faded by OFI_HALF_LIFE_S, over the faded mean of the size at the touch: how many
     touches were pushed, positive upwards.
  3. Trade flow is USD per second, bought less sold by takers, at half-lives of 1, 5 and 30 s.
  4. Questions change nothing. NaN, late and not positive input changes nothing and is counted. O(1) per event.
"""

from math import exp, isfinite
from typing import Final

from common.touch import Touch
from common.units import MICROS_PER_USD, Micros, Side
from services.estimation.forgetting import Forgetting, decay

OFI_HALF_LIFE_S: Final = 5.0  # of the published correlation with moves, most lies within ten seconds
DEPTH_HALF_LIFE_S: Final = 300.0  # of the size at the touch
FLOW_HALF_LIVES_S: Final = (1.0, 5.0, 30.0)


class OrderFlow:
    """Order-flow imbalance of one coin."""

    def __init__(self) -> None:
        self._last: Touch | None = None
        self._pushed = 0.0  # lots
        self._depth = Forgetting(DEPTH_HALF_LIFE_S)
        self.refused = 0

    def add(self, touch: Touch) -> None:
        last = self._last
        if touch.bid is None or touch.ask is None or not touch.two_sided or touch.is_older_than(last):
            self.refused += 1
            return
        self._last = touch
        if last is None or last.bid is None or last.ask is None:
            return
        dt_s = (touch.venue_ms - last.venue_ms) / 1_000
        if dt_s > 0:
            self._pushed *= exp(-decay(OFI_HALF_LIFE_S) * dt_s)
            self._depth.fade(dt_s)
        (bid, bid_lots), (ask, ask_lots) = touch.bid, touch.ask
        (was_bid, was_bid_lots), (was_ask, was_ask_lots) = last.bid, last.ask
        joined_bid = (bid_lots if bid >= was_bid else 0) - (was_bid_lots if bid <= was_bid else 0)
        joined_ask = (ask_lots if ask <= was_ask else 0) - (was_ask_lots if ask >= was_ask else 0)
        self._pushed += joined_bid - joined_ask
        self._depth.add((bid_lots + ask_lots) / 2)

    def restart(self) -> None:
        """Compare nothing across this moment."""
        self._last = None

    @property
    def imbalance(self) -> float:
        """Return how many mean touches were pushed, positive upwards; 0 before the second touch."""
        depth = self._depth.mean
        return self._pushed / depth if depth > 0 else 0.0

    @property
    def effective_samples(self) -> float:
        return self._depth.effective_samples


class TradeFlow:
    """Signed flow of public trades of one coin; times in seconds of venue time."""

    def __init__(self) -> None:
        self._flows = [0.0] * len(FLOW_HALF_LIVES_S)  # USD, faded
        self._last_s: float | None = None
        self.refused = 0

    def add(self, side: Side, notional: Micros, at_s: float) -> None:
        if not (isfinite(at_s) and notional > 0) or (self._last_s is not None and at_s < self._last_s):
            self.refused += 1
            return
        signed = side.sign * notional / MICROS_PER_USD
        self._flows = [flow + signed for flow in self._faded(at_s)]
        self._last_s = at_s

    def restart(self) -> None:
        """Stamps may go back from here."""
        self._last_s = None

    def usd_per_s(self, at_s: float) -> tuple[float, ...]:
        """Return the mean net flow under each of FLOW_HALF_LIVES_S."""
        faded = self._faded(at_s)
        return tuple(flow * decay(half_life) for flow, half_life in zip(faded, FLOW_HALF_LIVES_S, strict=True))

    def _faded(self, at_s: float) -> list[float]:
        dt_s = 0.0 if self._last_s is None else max(0.0, at_s - self._last_s)
        return [flow * exp(-decay(hl) * dt_s) for flow, hl in zip(self._flows, FLOW_HALF_LIVES_S, strict=True)]

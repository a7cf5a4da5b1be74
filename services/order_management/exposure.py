"""What our orders may still do to the position: running sums, changed by differences, read at once.

Rules
  1. An order counts its leaves for as long as it may still fill, and nothing of what is filled already.
  2. Reading costs the same however many orders there are or were.
"""

from dataclasses import dataclass, field

from common.instrument import notional
from common.units import Lots, Micros, Side, Ticks


@dataclass(slots=True)
class OrderExposure:
    """One coin's orders that may still fill, each under a name of its own."""

    _lots: dict[Side, int] = field(default_factory=lambda: dict.fromkeys(Side, 0))
    _notional: dict[Side, int] = field(default_factory=lambda: dict.fromkeys(Side, 0))
    _counted: dict[str, tuple[Side, Ticks, Lots]] = field(default_factory=dict)

    def count(self, name: str, side: Side, price: Ticks, leaves: Lots) -> None:
        """Say what the order `name` may still fill, in place of what was said before; 0 leaves end it."""
        old = self._counted.pop(name, None)
        if old is not None:
            self._add(old[0], old[1], -old[2])
        if leaves:
            self._counted[name] = (side, price, leaves)
            self._add(side, price, leaves)

    def pending_exposure(self) -> tuple[Lots, Lots]:
        """Return (bid, ask) lots."""
        return Lots(self._lots[Side.BUY]), Lots(self._lots[Side.SELL])

    def net_pending_change(self) -> Lots:
        """Return the change of the position if everything fills."""
        return Lots(self._lots[Side.BUY] - self._lots[Side.SELL])

    def worst_case_positions(self, position: Lots) -> tuple[Lots, Lots]:
        """Return (min, max): all asks and no bid filled, all bids and no ask filled."""
        return Lots(position - self._lots[Side.SELL]), Lots(position + self._lots[Side.BUY])

    def resting_notional(self) -> tuple[Micros, Micros]:
        """Return (bid, ask) value of the leaves at the orders' own prices."""
        return Micros(self._notional[Side.BUY]), Micros(self._notional[Side.SELL])

    def _add(self, side: Side, price: Ticks, lots: int) -> None:
        self._lots[side] += lots
        self._notional[side] += notional(price, lots) if lots > 0 else -notional(price, lots)

"""Orders of a paper desk: what rests follows the target, without order management's proofs.

Rules
  1. An order is kept within the tolerances of `[orders]`; changed where it is not in the market's way; else cancelled.
  2. Whatever is asked for is at the venue with the block after the next.
  3. Never more orders on a side than the target wants there: what is being cancelled holds its place.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

import msgspec

from common.config import Orders
from common.messages import QuoteLevel, QuoteTarget
from common.units import Lots, Side
from services.order_management.requote import EXPOSED
from services.venue_sim.api import (
    CancelOrders,
    CancelTarget,
    ModifyOrders,
    ModifyTarget,
    OrderSpec,
    OrderView,
    PlaceOrders,
    Tif,
)

DELAY_BLOCKS: Final = 2
Change: TypeAlias = PlaceOrders | ModifyOrders | CancelOrders


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One action on its way."""

    due: int  # block
    action: Change
    oid: int = 0  # that it changes or cancels
    side: Side
    new: int = 0  # lots that it may add


class PaperOrders:
    """Of one coin."""

    def __init__(self, coin: str, tolerances: Orders) -> None:
        self._coin = coin
        self._tolerances = tolerances
        self._asked: list[Asked] = []

    def due(self, block: int) -> list[Change]:
        """Take what is at the venue with this block."""
        due = [asked.action for asked in self._asked if asked.due <= block]
        self._asked = [asked for asked in self._asked if asked.due > block]
        return due

    def pending(self, side: Side, resting: Sequence[OrderView]) -> Lots:
        """Return what may still fill on a side."""
        rests = sum(order.lots for order in resting if order.side is side)
        return Lots(rests + sum(asked.new for asked in self._asked if asked.side is side))

    def follow(self, target: QuoteTarget, resting: Sequence[OrderView], block: int) -> None:
        """Rules 1 and 3."""
        for side, levels in ((Side.BUY, target.bids), (Side.SELL, target.asks)):
            own = [order for order in resting if order.side is side]
            busy = {asked.oid for asked in self._asked}
            free = [order for order in own if order.oid not in busy]
            wanted = [level for level in levels if not self._keeps(level, free, target.fair_ticks)]
            wanted = [level for level in wanted if not self._changes(side, level, free, target.fair_ticks, block)]
            for order in free:
                cancel = CancelOrders((CancelTarget(coin=self._coin, ref=order.oid),))
                self._ask(block, cancel, side, oid=order.oid)
            room = len(levels) - len(own) - sum(asked.side is side and not asked.oid for asked in self._asked)
            for level in wanted[: max(0, room)]:
                self._ask(block, PlaceOrders((self._spec(side, level),)), side, new=level.lots)

    def _keeps(self, level: QuoteLevel, free: list[OrderView], fair_ticks: float) -> bool:
        """Take the nearest order that will do out of the free ones."""
        limit = self._tolerances.price_tolerance * abs(level.ticks - fair_ticks)
        near = [
            order
            for order in free
            if abs(order.ticks - level.ticks) <= limit
            and abs(order.lots - level.lots) <= self._tolerances.size_tolerance * level.lots
            and order.reduce_only == level.reduce_only
        ]
        if near:
            free.remove(min(near, key=lambda order: abs(order.ticks - level.ticks)))
        return bool(near)

    def _changes(self, side: Side, level: QuoteLevel, free: list[OrderView], fair_ticks: float, block: int) -> bool:
        reach = EXPOSED * abs(level.ticks - fair_ticks)
        able = [order for order in free if (fair_ticks - order.ticks) * side.sign >= reach]
        if not able:
            return False
        old = min(able, key=lambda order: abs(order.ticks - level.ticks))
        free.remove(old)
        change = ModifyOrders((ModifyTarget(ref=old.oid, order=self._spec(side, level)),))
        self._ask(block, change, side, oid=old.oid, new=max(0, level.lots - old.lots))
        return True

    def _ask(self, block: int, action: Change, side: Side, *, oid: int = 0, new: int = 0) -> None:
        self._asked.append(Asked(due=block + DELAY_BLOCKS, action=action, oid=oid, side=side, new=new))

    def _spec(self, side: Side, level: QuoteLevel) -> OrderSpec:
        return OrderSpec(
            coin=self._coin,
            side=side,
            ticks=level.ticks,
            lots=level.lots,
            tif=Tif.ALO,
            reduce_only=level.reduce_only,
        )

"""The makers of a synthetic book: a ladder of slots around a reference that lags the true price.

Rules
  1. Each slot is one order with its own distance and size. It is moved when it is too far from where it should be:
     soon when it is dangerous (nearer to the reference than its maker wants), lazily otherwise.
  2. A slot that was filled stays empty for a while, so a sweep leaves a hole that heals within a second or two.
  3. Orders are post-only: makers never take, not even quotes of ours that lie badly.
  4. When the conduct changes every slot moves at once; on a side that nobody makes every order is cancelled.
"""

from collections.abc import Mapping
from math import exp, log
from random import Random
from typing import Final

import msgspec

from common.instrument import Instrument
from common.units import MICROS_PER_USD, Lots, Side, Ticks
from services.venue_sim.api import (
    Action,
    CancelOrders,
    CancelTarget,
    ModifyOrders,
    ModifyTarget,
    OrderSpec,
    PlaceOrders,
    Tif,
)
from services.venue_sim.scenarios import ORDINARY, Conduct

SLOTS: Final = 20  # a side, as many as l2Book shows; the outermost is about 30 bps away
TOUCH_BPS: Final = 0.6  # of the innermost slot, from the reference: the spread is about 1.2 bps
LAG_S: Final = 0.4  # how far the makers' reference runs behind the true price
REFILL_S: Final = 0.5  # mean, rule 2
REACTION_S: Final = 0.15  # mean, rule 1, dangerous
LAZY_S: Final = 1.0  # mean, rule 1, otherwise
FIDGET_S: Final = 20.0  # mean time after which a slot is moved for no reason
USD_MEDIAN: Final = 12_000.0  # of the innermost slot; deeper ones are larger
USD_SPREAD: Final = 0.7  # sd of the logarithm


class Slot(msgspec.Struct, kw_only=True):
    """One order that should rest."""

    side: Side
    rank: int
    cloid: str
    distance_bps: float
    ticks: Ticks = Ticks(0)  # where it was placed last; 0: by an earlier process or conduct, then it is moved at once
    lots: int = 0  # what rests of it
    empty_s: float = 0.0  # how long it still stays empty; counted only while it is


class MarketMakers:
    """All slots of one coin."""

    def __init__(self, instrument: Instrument, serial: int, start_ticks: float, chance: Random) -> None:
        self._instrument = instrument
        self._chance = chance
        self._conduct = ORDINARY
        self.reference = start_ticks
        self.slots = {
            slot.cloid: slot
            for number, (side, rank) in enumerate((side, rank) for side in Side for rank in range(SLOTS))
            for slot in [
                Slot(side=side, rank=rank, cloid=f"0x{serial:016x}{number:016x}", distance_bps=self._distance(rank))
            ]
        }

    def depth(self, side: Side, limit: float) -> int:
        """Return the lots that a taker of `side` finds among us up to this price."""
        return sum(
            slot.lots for slot in self.slots.values() if slot.side is not side and (limit - slot.ticks) * side.sign >= 0
        )

    def step(
        self, true_ticks: float, dt_s: float, resting: Mapping[str, int], conduct: Conduct = ORDINARY
    ) -> list[Action]:
        """Follow the true price and put the slots in order; `resting` is what the venue says is left, by cloid."""
        self.reference += (true_ticks - self.reference) * (1 - exp(-dt_s / LAG_S))
        self._follow(conduct)
        places: list[OrderSpec] = []
        modifies: list[ModifyTarget] = []
        cancels: list[CancelTarget] = []
        for cloid, slot in self.slots.items():
            left = resting.get(cloid, 0)
            if not (conduct.bids if slot.side is Side.BUY else conduct.asks):
                if left:
                    cancels.append(CancelTarget(coin=self._instrument.coin, ref=cloid))
                slot.lots = 0
            elif left:
                slot.lots = left
                if self._wants_to_move(slot, dt_s):
                    modifies.append(ModifyTarget(ref=cloid, order=self._order(slot)))
            else:
                if slot.lots:  # it was filled, or a move was refused as it would have taken
                    slot.lots, slot.empty_s = 0, self._chance.expovariate(1 / REFILL_S)
                slot.empty_s -= dt_s
                if slot.empty_s <= 0:
                    places.append(self._order(slot))
        wanted: list[Action] = []
        if places:
            wanted.append(PlaceOrders(tuple(places)))
        if modifies:
            wanted.append(ModifyOrders(tuple(modifies)))
        if cancels:
            wanted.append(CancelOrders(tuple(cancels)))
        return wanted

    def _follow(self, conduct: Conduct) -> None:
        """Apply rule 4."""
        if conduct is not self._conduct:
            self._conduct = conduct
            for slot in self.slots.values():
                slot.ticks, slot.empty_s = Ticks(0), 0.0

    def _wants_to_move(self, slot: Slot, dt_s: float) -> bool:
        if not slot.ticks:
            return True
        actual = (1 - slot.ticks / self.reference) * 10_000 * slot.side.sign
        tolerance = 0.3 + 0.15 * slot.distance_bps
        if actual < slot.distance_bps - tolerance:
            mean_s = REACTION_S
        elif actual > slot.distance_bps + tolerance:
            mean_s = LAZY_S
        else:
            mean_s = FIDGET_S
        return self._chance.random() * mean_s < dt_s

    def _order(self, slot: Slot) -> OrderSpec:
        slot.distance_bps = self._distance(slot.rank)
        raw = self.reference * (1 - slot.side.sign * slot.distance_bps / 10_000)
        slot.ticks = self._instrument.legal_outward(slot.side, raw)
        usd = exp(self._chance.gauss(log(USD_MEDIAN), USD_SPREAD)) * (1 + 0.4 * slot.rank) * self._conduct.depth
        slot.lots = max(1, int(usd * MICROS_PER_USD / slot.ticks))
        return OrderSpec(
            coin=self._instrument.coin,
            side=slot.side,
            ticks=slot.ticks,
            lots=Lots(slot.lots),
            tif=Tif.ALO,
            cloid=slot.cloid,
        )

    def _distance(self, rank: int) -> float:
        """Return a slot's distance from the reference in bps: wider steps further out, never twice the same."""
        nominal = (TOUCH_BPS + 0.45 * rank * (1 + 0.15 * rank)) * self._conduct.width
        return nominal * self._chance.uniform(0.85, 1.15)

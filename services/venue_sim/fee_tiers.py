"""Fee rates by what an account traded in the fourteen days before today.

Rules
  1. When a UTC day ends, the rates of every account that traded follow from its fourteen days until then: from the
     volume, taker and maker, by the table of tiers; from its share of all maker volume, by the table of rebates.
  2. A sub-account trades at its master's rates and counts for them.
  3. Rates that were set by hand hold until the day ends.
"""

from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from common.units import MICROS_PER_USD
from services.venue_sim.views import FeeRates

if TYPE_CHECKING:
    from services.venue_sim.floor import Floor

DAYS: Final = 14
_MILLION: Final = 1_000_000 * MICROS_PER_USD
# (more volume than this, taker and maker rate in millionths), the venue's own
TIERS: Final = (
    (0, 450, 150),
    (5 * _MILLION, 400, 120),
    (25 * _MILLION, 350, 80),
    (100 * _MILLION, 300, 40),
    (500 * _MILLION, 280, 0),
    (2_000 * _MILLION, 260, 0),
    (7_000 * _MILLION, 240, 0),
)
# (more than this share of maker volume in thousandths, maker rate)
REBATES: Final = ((5, -10), (15, -20), (30, -30))


class DayVolume(msgspec.Struct):
    """What was traded on one UTC day, micros."""

    day: int
    taker: int = 0
    maker: int = 0


class Volumes:
    """The latest days of one account, or of the whole venue."""

    def __init__(self) -> None:
        self.days: deque[DayVolume] = deque(maxlen=DAYS + 1)  # and today

    def add(self, day: int, notional: int, *, is_maker: bool) -> None:
        if not self.days or self.days[-1].day != day:
            self.days.append(DayVolume(day))
        today = self.days[-1]
        if is_maker:
            today.maker += notional
        else:
            today.taker += notional

    def before(self, day: int) -> tuple[int, int]:
        """Return taker and maker volume of the fourteen days before this one."""
        counted = [each for each in self.days if day - DAYS <= each.day < day]
        return sum(each.taker for each in counted), sum(each.maker for each in counted)


def rates(taker: int, maker: int, maker_of_all: int) -> FeeRates:
    """Return the rates for these volumes (rule 1)."""
    taker_ppm, maker_ppm = next(
        (cross, add) for above, cross, add in reversed(TIERS) if taker + maker > above or above == 0
    )
    for thousandths, rebate in REBATES:
        if maker * 1_000 > maker_of_all * thousandths:
            maker_ppm = rebate
    return FeeRates(maker_ppm=maker_ppm, taker_ppm=taker_ppm)


class FeeTiers:
    def __init__(self, floor: "Floor") -> None:
        self._floor = floor

    def end_day(self) -> None:
        """Set everybody's rates for the day that has begun."""
        floor = self._floor
        _, maker_of_all = floor.volumes.before(floor.day)
        volumes: dict[str, tuple[int, int]] = {}  # by master
        for account in floor.accounts.values():
            if not account.internal:
                taker, maker = account.volumes.before(floor.day)
                owner = floor.sub_accounts.master(account.user) or account.user
                so_far = volumes.get(owner, (0, 0))
                volumes[owner] = (so_far[0] + taker, so_far[1] + maker)
        for account in floor.accounts.values():
            if not account.internal:
                owner = floor.sub_accounts.master(account.user) or account.user
                due = rates(*volumes[owner], maker_of_all)
                if due != account.rates:
                    floor.set_fees(account, due)

"""Named markets: how the synthetic market behaves, and when. Pure tables.

Rules
  1. A scenario is a script of phases; after the last it begins anew. Its clock starts with the venue.
  2. A number of `Conduct` is a multiple of the ordinary market's, unless its name has a unit.
  3. What a script does to the price it undoes within the same round, so that the next round begins where this one did.
"""

from collections.abc import Mapping
from math import inf
from types import MappingProxyType
from typing import Final

import msgspec

from common.errors import ConfigFault


class Conduct(msgspec.Struct, frozen=True, kw_only=True):
    """The behaviour of everybody in the market; the defaults are the ordinary market."""

    volatility: float = 1.0  # of the true price
    drift_bps_per_s: float = 0.0  # of the true price
    stress_per_s: float = 0.0  # its fall, in maintenance margins (1 / twice the maximum leverage) of the coin
    jumps: float = 1.0  # how often
    arrivals: float = 1.0  # of takers that nobody excited
    buy_share: float = 0.5  # of noise takers
    depth: float = 1.0  # sizes of the makers' orders
    width: float = 1.0  # their distances from the price
    bids: bool = True  # whether makers bid at all
    asks: bool = True
    halted: bool = False  # the venue takes no order
    crowd: float = 1.0  # capital of the leveraged traders
    crowd_pace: float = 1.0  # how soon they go in
    crowd_leaves: bool = True  # whether they go out by themselves
    crowd_longs: float = 0.5  # share of those who buy
    crowd_leverage: tuple[float, float] = (0.25, 0.75)  # of the coin's maximum, drawn from this range


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    seconds: float
    conduct: Conduct


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    description: str  # one line for those who choose
    phases: tuple[Phase, ...]

    @property
    def seconds(self) -> float:
        """Return how long one round takes."""
        return sum(phase.seconds for phase in self.phases)

    def phase(self, elapsed_s: float) -> Phase:
        """Return what goes on so long after the start (rule 1)."""
        left = elapsed_s % self.seconds if self.seconds < inf else 0.0
        for phase in self.phases:
            if left < phase.seconds:
                return phase
            left -= phase.seconds
        return self.phases[-1]  # a remainder lost in rounding


ORDINARY: Final = Conduct()
ORDINARY_MARKET: Final = Scenario(
    description="", phases=(Phase(name="ordinary", seconds=inf, conduct=ORDINARY),)
)  # without a name: what a venue plays when no scenario is chosen


def _steady(description: str, conduct: Conduct) -> Scenario:
    return Scenario(description=description, phases=(Phase(name="steady", seconds=inf, conduct=conduct),))


def _script(description: str, *phases: tuple[str, float, Conduct]) -> Scenario:
    return Scenario(
        description=description,
        phases=tuple(Phase(name=name, seconds=seconds, conduct=conduct) for name, seconds, conduct in phases),
    )


_CROWDED: Final = Conduct(crowd=7.0, crowd_pace=20.0, crowd_leaves=False, crowd_longs=1.0, crowd_leverage=(0.75, 1.0))

SCENARIOS: Final[Mapping[str, Scenario]] = MappingProxyType(
    {
        "calm": _steady(
            "little moves, few trades, no jumps",
            Conduct(volatility=0.4, jumps=0.0, arrivals=0.5),
        ),
        "volatile": _steady(
            "four times the volatility, frequent jumps, twice the trades",
            Conduct(volatility=4.0, jumps=6.0, arrivals=2.0, width=1.5),
        ),
        "trend": _script(
            "up by 1 % in five minutes, a rest, down by 1 % in five minutes, a rest",
            ("up", 300.0, Conduct(drift_bps_per_s=1 / 3, buy_share=0.65)),
            ("top", 60.0, ORDINARY),
            ("down", 300.0, Conduct(drift_bps_per_s=-1 / 3, buy_share=0.35)),
            ("bottom", 60.0, ORDINARY),
        ),
        "flash-crash": _script(
            "after 30 s down by 3 % within 8 s in a thin book, back within 30 s, then two quiet minutes",
            ("before", 30.0, ORDINARY),
            ("crash", 8.0, Conduct(drift_bps_per_s=-37.5, arrivals=3.0, buy_share=0.1, depth=0.15, width=3.0)),
            ("bottom", 5.0, Conduct(depth=0.15, width=3.0, arrivals=2.0)),
            ("recovery", 30.0, Conduct(drift_bps_per_s=10.0, buy_share=0.65, depth=0.5, width=1.5)),
            ("after", 120.0, ORDINARY),
        ),
        "liquidation-cascade": _script(
            "leveraged longs crowd in; a fall liquidates the first, their sales liquidate the next; slow recovery",
            ("crowding", 45.0, _CROWDED),
            ("fall", 10.0, msgspec.structs.replace(_CROWDED, stress_per_s=0.16, crowd_pace=0.0, depth=0.5, width=2.0)),
            ("cascade", 45.0, msgspec.structs.replace(_CROWDED, crowd_pace=0.0, depth=0.5, width=2.0)),
            ("recovery", 60.0, Conduct(stress_per_s=-0.16 * 10 / 60, crowd_pace=0.0)),
            ("after", 60.0, Conduct(crowd_pace=0.0)),
        ),
        "thin": _steady(
            "a twelfth of the depth, five times the spread, few trades",
            Conduct(depth=0.08, width=5.0, arrivals=0.3),
        ),
        "halted": _script(
            "after 30 s the venue takes no order for 20 s while the true price moves on; again each 80 s",
            ("before", 30.0, ORDINARY),
            ("halted", 20.0, Conduct(halted=True)),
            ("after", 30.0, ORDINARY),
        ),
        "one-sided": _script(
            "after 20 s nobody asks for 20 s, then after another 20 s nobody bids for 20 s",
            ("before", 20.0, ORDINARY),
            ("no asks", 20.0, Conduct(asks=False, buy_share=0.7)),
            ("between", 20.0, ORDINARY),
            ("no bids", 20.0, Conduct(bids=False, buy_share=0.3)),
        ),
    }
)
NAMES: Final = tuple(SCENARIOS)


def find(name: str) -> Scenario:
    """Return a scenario by name, the ordinary market for none; ConfigFault lists the names."""
    if not name:
        return ORDINARY_MARKET
    found = SCENARIOS.get(name)
    if found is None:
        raise ConfigFault(f"there is no scenario {name!r}; choose one of {', '.join(NAMES)}")
    return found

"""What the cascade detector is worth: the same days with its answer on and off, and one mesh.

Development used seeds 1 to 20 of the cascade and 1 to 5 of the ordinary market; none of those is used here.
"""

from collections.abc import Sequence
from statistics import mean, stdev
from typing import Final

import msgspec
import pytest

from common.messages import QuoteTarget
from common.units import SECOND
from services.strategy.reasons import Reason
from services.venue_sim.scenarios import SCENARIOS
from tests.common.simulation.paper_desk import PaperDesk
from tests.common.simulation.whole_mesh import SETTINGS, WholeMesh

CASCADE: Final = "liquidation-cascade"
CASCADE_SEEDS: Final = range(101, 121)
ORDINARY_SEEDS: Final = range(201, 207)
ORDINARY_S: Final = 120.0
T_95: Final = {6: 2.571, 20: 2.093}  # Student's, two-sided, by the number of pairs


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """One desk's cascade."""

    adverse_usd: float  # the most that was long while the price fell
    loss_usd: float  # the furthest that equity fell below what it was when the fall began, recovery included


class Ordinary(msgspec.Struct, frozen=True, kw_only=True):
    earned_usd: float
    pulled: float  # share of the time


def desk(seed: int, scenario: str, *, guard: bool) -> PaperDesk:
    strategy = msgspec.structs.replace(SETTINGS.strategy, cascade_guard=guard)
    return PaperDesk(msgspec.structs.replace(SETTINGS, strategy=strategy), seed, scenario)


def cascade_day(seed: int, *, guard: bool) -> Day:
    one = desk(seed, CASCADE, guard=guard)
    crowding, fall, cascade, recovery, _ = (phase.seconds for phase in SCENARIOS[CASCADE].phases)
    while one.seconds < crowding:
        one.block()
    before = lowest = one.equity_usd
    adverse = max(0.0, one.position_usd)
    while one.seconds < crowding + fall + cascade + recovery:
        one.block()
        lowest = min(lowest, one.equity_usd)
        if one.seconds < crowding + fall + cascade:
            adverse = max(adverse, one.position_usd)
    return Day(adverse_usd=adverse, loss_usd=before - lowest)


def ordinary_day(seed: int, *, guard: bool) -> Ordinary:
    one, pulled, blocks = desk(seed, "", guard=guard), 0, 0
    one.block()
    before = one.equity_usd
    while one.seconds < ORDINARY_S:
        one.block()
        said = one.cascade
        blocks += 1
        pulled += said is not None and (said.pull_bids or said.pull_asks)
    return Ordinary(earned_usd=one.equity_usd - before, pulled=pulled / blocks)


def interval(differences: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % interval of the mean of paired differences."""
    middle = mean(differences)
    half = T_95[len(differences)] * stdev(differences) / len(differences) ** 0.5
    return middle - half, middle + half


@pytest.mark.truth
def test_the_detector_saves_inventory_and_money() -> None:
    """Twenty cascades: less held on the losing side and less lost, pair by pair, beyond chance."""
    pairs = [(cascade_day(seed, guard=True), cascade_day(seed, guard=False)) for seed in CASCADE_SEEDS]
    held = interval([on.adverse_usd - off.adverse_usd for on, off in pairs])
    lost = interval([on.loss_usd - off.loss_usd for on, off in pairs])
    assert max(off.adverse_usd for _, off in pairs) > SETTINGS.coins["BTC"].order_usd
    assert held[1] < 0, f"adverse inventory, USD: {held}"
    assert lost[1] < 0, f"loss, USD: {lost}"


@pytest.mark.truth
def test_the_ordinary_market_does_not_pay_for_it() -> None:
    """Quotes are pulled for cascades less than 1 % of the time, and no less is earned, within the interval."""
    pairs = [(ordinary_day(seed, guard=True), ordinary_day(seed, guard=False)) for seed in ORDINARY_SEEDS]
    assert mean(on.pulled for on, _ in pairs) < 0.01
    assert interval([on.earned_usd - off.earned_usd for on, off in pairs])[1] >= 0


def wanted(mesh: WholeMesh, coin: str) -> QuoteTarget:
    said = (message for _, _, message in reversed(mesh.simulation.published) if isinstance(message, QuoteTarget))
    return next(target for target in said if target.coin == coin)


def sides(mesh: WholeMesh) -> set[str]:
    return {order.side for order in mesh.judge.resting("BTC").values()}


@pytest.mark.truth
def test_the_side_run_over_goes_and_the_way_out_stays() -> None:
    """All cores, long when the fall comes: by the venue's log no bid rests while a cascade pulls bids, and asks do."""
    venue = msgspec.structs.replace(SETTINGS.venue_sim, scenario=CASCADE)
    mesh = WholeMesh(41, settings=msgspec.structs.replace(SETTINGS, venue_sim=venue))
    crowding, fall, cascade, *_ = (phase.seconds for phase in SCENARIOS[CASCADE].phases)
    mesh.run_for(crowding - 2)
    mesh.venue.fault("manual_trade", mesh.simulation.now, coin="BTC", side="buy", size="0.012")
    mesh.run_for(2)
    assert sides(mesh) == {"A", "B"}
    pulled = witnessed = 0  # moments; what rests follows the target within one of them
    while mesh.simulation.now < (crowding + fall + cascade) * SECOND and witnessed < 8:
        mesh.run_for(0.25)
        target = wanted(mesh, "BTC")
        pulled = pulled + 1 if target.reason_bid == Reason.CASCADE else 0
        if pulled > 1 and target.asks and mesh.judge.positions()["BTC"] > 0:
            assert "B" not in sides(mesh)
            witnessed += sides(mesh) == {"A"}
    assert witnessed >= 8

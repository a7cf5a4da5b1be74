"""Every estimate moves an order at the venue: the mesh runs twice, and one number differs."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec
import pytest

from common.actor import Actor, Effect, Send
from common.messages import (
    ArrivalEstimate,
    ArrivalSide,
    CascadeEstimate,
    Estimate,
    FlowEstimate,
    Markout,
    MarkoutEstimate,
    Message,
    ServiceState,
    VolatilityEstimate,
)
from common.units import SECOND, Nanos, Side
from tests.common.simulation.whole_mesh import WholeMesh

RUN_S = 26  # quotes rest from the sixteenth second on
LOSS = Markout(
    kind="side",
    of="buy",
    horizon_s=5,
    from_fill_bps=-9.0,
    from_fill_error_bps=1.0,
    effective_samples=10.0,
    from_placement_bps=0.0,
    from_placement_error_bps=None,
    placement_samples=0.0,
)


Alter = Callable[[Message], list[Message]]


@dataclass
class Altered:
    """Estimation, but what it says is changed on its way out."""

    actor: Actor[Any]
    alter: Alter

    def handle(self, message: Message, now: Nanos) -> list[Effect]:
        effects = self.actor.handle(message, now)
        said = [[Send(new) for new in self.alter(e.message)] if isinstance(e, Send) else [e] for e in effects]
        return [effect for group in said for effect in group]

    def deadline(self) -> Nanos | None:
        return self.actor.deadline()

    @property
    def state(self) -> ServiceState:
        return self.actor.state

    @property
    def detail(self) -> str:
        return self.actor.detail


def numbers(kind: type[Message], **changes: object) -> Alter:
    """Every message of this kind has these numbers."""
    return lambda said: [msgspec.structs.replace(said, **changes) if isinstance(said, kind) else said]


def lost(said: Message) -> list[Message]:
    """Our bids have been losing."""
    if not isinstance(said, FlowEstimate):
        return [] if isinstance(said, MarkoutEstimate) else [said]
    return [said, MarkoutEstimate(coin=said.coin, as_of=said.as_of, fills=10, missed=0, markouts=(LOSS,))]


def mesh_with(alter: Alter) -> WholeMesh:
    mesh = WholeMesh(31, start=False)
    seat = mesh.simulation.seats["estimation"]
    build = seat.build
    seat.build = lambda boot, rows: Altered(build(boot, rows), alter)
    return mesh.start().run_for(RUN_S)


@cache
def unchanged() -> WholeMesh:
    return mesh_with(lambda said: [said])


def orders(mesh: WholeMesh) -> list[tuple[str, str, str, str]]:
    return [(order.coin, order.side, order.px, order.orig_sz) for order in mesh.judge.orders()]


def apart_bps(mesh: WholeMesh) -> Decimal:
    """Return the distance between the best resting bid and ask of BTC, as soon as both sides rest."""
    until = mesh.simulation.now + REQUOTE_MAX
    while {order.side for order in mesh.judge.resting("BTC").values()} != {"A", "B"} and mesh.simulation.now < until:
        mesh.run_for(0.25)
    resting = mesh.judge.resting("BTC").values()
    bid = max(Decimal(order.px) for order in resting if order.side == "B")
    ask = min(Decimal(order.px) for order in resting if order.side == "A")
    return (ask - bid) / bid * 10_000


FEW = ArrivalSide(
    a_per_s=0.2,
    k_per_bps=0.2,
    k_low_per_bps=0.2,
    k_high_per_bps=0.2,
    effective_samples=99.0,
    confidence=1.0,
    warm=True,
)


CASES: dict[str, tuple[Alter, int | None]] = {  # and how many bps further apart the best two are then
    "sigma": (numbers(Estimate, sigma_per_sqrt_s=6e-4), 1),
    "markouts": (lost, 5),
    "jumps": (numbers(Estimate, jump_ratio=9.0), 2),
    "sigma ahead": (numbers(VolatilityEstimate, expected_sigma_per_sqrt_s=3e-3, ready=True), 2),
    "sigma fast": (numbers(VolatilityEstimate, sigma_fast_per_sqrt_s=1e-3), 2),
    "arrivals": (numbers(ArrivalEstimate, bids=FEW, asks=FEW), 2),
    "vpin": (numbers(FlowEstimate, vpin=1.0), 1),
    "flow": (numbers(FlowEstimate, order_flow_imbalance=9.0), None),
    "funding": (numbers(FlowEstimate, funding_per_hour=1e-3, funding_due_s=0.0), None),
    "cascade": (numbers(CascadeEstimate, size_factor=0.2, side=Side.SELL), None),
}
QUICK = ("sigma", "markouts")
REQUOTE_MAX = 5 * SECOND  # a side that the market came to meet is away for a moment


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.truth) for name in CASES]
)
def test_an_estimate_moves_orders(name: str) -> None:
    """Other orders reach the venue; what makes a half-spread wider leaves the best two further apart."""
    alter, wider_bps = CASES[name]
    changed, before = mesh_with(alter), unchanged()
    assert orders(changed)
    assert orders(changed) != orders(before)
    if wider_bps is not None:
        assert apart_bps(changed) > apart_bps(before) + wider_bps

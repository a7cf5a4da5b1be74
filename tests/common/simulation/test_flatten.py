"""A contained halt sells what is held, in the whole mesh: the venue's log shows only ways out."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from common.messages import DecisionRecord, FindingRecord, HaltFile
from services.risk.decisions import FLATTEN_TAG
from tests.common.simulation.whole_mesh import SETTINGS, WholeMesh

HELD_USD = 1_500


def halted(seed: int, **fields: Any) -> tuple[WholeMesh, int]:
    """A mesh that holds some BTC is halted by a person; returns the last line of the log before."""
    kill = msgspec.structs.replace(SETTINGS.kill, flatten=True, **fields)
    mesh = WholeMesh(seed, settings=msgspec.structs.replace(SETTINGS, kill=kill)).run_for(20)
    price = next(Decimal(order.px) for order in mesh.judge.orders() if order.coin == "BTC")
    size = (HELD_USD / price).quantize(Decimal("0.00001"))
    mesh.venue.fault("manual_trade", mesh.simulation.now, coin="BTC", side="buy", size=str(size))
    mesh.run_for(5)
    assert mesh.judge.positions()["BTC"] > 0
    mesh.simulation.halt.append(HaltFile(name="0000", cause="operator", by="cli"))
    return mesh, mesh.judge.seq


def records(mesh: WholeMesh) -> list[DecisionRecord]:
    rows = mesh.simulation.seats["risk"].records
    return [row for row in rows if isinstance(row, DecisionRecord) and row.tag == FLATTEN_TAG]


def test_what_is_held_is_sold_and_nothing_else_is_done() -> None:
    """After LATCHED only reduce-only, immediate orders of the decision log are accepted, and the position is 0."""
    mesh, mark = halted(31)
    mesh.run_for(20)
    approved = {order.cloid for record in records(mesh) for order in record.orders}
    flattened = [order for order in mesh.judge.orders(after=mark) if order.cloid in approved]
    assert flattened
    assert all(order.reduce_only for order in flattened)
    assert {coin: lots for coin, lots in mesh.judge.positions().items() if lots} == {}
    assert mesh.judge.resting() == {}
    mark = mesh.judge.seq
    mesh.run_for(20)
    assert mesh.judge.placing(after=mark) == []
    assert [file.cause for file in mesh.simulation.halt] == ["operator"]


@pytest.mark.truth
def test_a_book_too_thin_is_left_to_a_person() -> None:
    """Nobody buys within a hundredth of a basis point: so many tries, then it says so, and nothing was sold dearly."""
    mesh, mark = halted(32, slippage_bps=0.01, retries=2)
    mesh.run_for(40)
    assert len([record for record in records(mesh) if record.orders[0].coin == "BTC"]) == 3
    approved = {order.cloid for record in records(mesh) for order in record.orders}
    assert [fill for fill in mesh.judge.fills(after=mark) if fill.cloid in approved] == []
    assert mesh.judge.positions()["BTC"] > 0
    rows = mesh.simulation.seats["risk"].records
    assert "not flat" in {row.kind for row in rows if isinstance(row, FindingRecord)}
    assert "BTC NOT flat" in mesh.states()["risk"]
    assert mesh.judge.resting() == {}

"""The report of a halt in the whole mesh, order by order against the venue's log."""

from collections.abc import Mapping
from decimal import Decimal

import pytest

from common.messages import DecisionRecord, Fate, Halt, HaltFile, HaltReport
from tests.common.simulation.whole_mesh import SETTINGS, WholeMesh

CAUSE = HaltFile(name="0000", cause="operator", by="cli")


def halt(mesh: WholeMesh) -> tuple[set[str], dict[str, Fate]]:
    """Halt, contain, and return what the venue had at that moment, with the fates that risk reports."""
    resting = {order.cloid or "" for order in mesh.judge.resting().values()}
    mesh.simulation.halt.append(CAUSE)
    mesh.run_for(12)
    halts = [message for _, name, message in mesh.simulation.published if name == "risk" and isinstance(message, Halt)]
    assert halts[-1].contained
    report = reports(mesh)[-1]
    assert report.complete
    return resting, {told.order.cloid: told.fate for told in report.fates}


def reports(mesh: WholeMesh) -> list[HaltReport]:
    return [row for row in mesh.simulation.seats["risk"].records if isinstance(row, HaltReport)]


def check_by_the_log(mesh: WholeMesh, fates: Mapping[str, Fate]) -> None:
    """Each fate is the one that the venue's own log tells."""
    ends = {order.cloid or "": order for order in mesh.judge.orders()}
    for cloid, fate in fates.items():
        filled = sum((Decimal(fill.sz) for fill in mesh.judge.fills() if fill.cloid == cloid), Decimal(0))
        if cloid not in ends or "Rejected" in ends[cloid].status:
            assert fate is Fate.NEVER_ACCEPTED
        elif filled:
            whole = filled == Decimal(ends[cloid].orig_sz)
            assert fate is (Fate.FILLED if whole else Fate.PARTLY_FILLED)
        else:
            assert fate is Fate.CANCELLED


def test_each_order_that_rested_is_named_with_its_end() -> None:
    """A halt of a healthy mesh: what the venue listed at that moment, and what it says of each afterwards."""
    mesh = WholeMesh(61).run_for(20)
    resting, fates = halt(mesh)
    assert resting
    assert resting <= set(fates)
    check_by_the_log(mesh, fates)
    assert Fate.CANCELLED in fates.values()


@pytest.mark.truth
def test_orders_that_nobody_had_acknowledged_are_proven_too() -> None:
    """Half of the posts are lost and the answers to the others: what is un-acked is burnt, found or asked for."""
    mesh = WholeMesh(62).run_for(20)
    mesh.venue.lost_orders, mesh.venue.lost_answers = 0.5, 1.0
    mesh.run_for(3)
    signed = mesh.simulation.now
    young = {
        order.cloid
        for row in mesh.simulation.seats["risk"].records
        if isinstance(row, DecisionRecord)
        and row.expires_after - SETTINGS.orders.order_expiry_ms > mesh.venue._venue_ms(signed) - 500
        for order in row.orders
    }
    _, fates = halt(mesh)
    assert young
    assert young <= set(fates) | {order.cloid for order in mesh.judge.orders()}
    check_by_the_log(mesh, fates)
    first = reports(mesh)[0]
    assert any(not told.acknowledged for told in first.fates)
    assert Fate.NEVER_ACCEPTED in fates.values()


@pytest.mark.truth
def test_risk_dies_in_the_middle_and_the_report_is_complete() -> None:
    """Its next life knows the names from the journal."""
    mesh = WholeMesh(63).run_for(20)
    resting = {order.cloid or "" for order in mesh.judge.resting().values()}
    mesh.simulation.halt.append(CAUSE)
    while not reports(mesh):
        mesh.run_for(0.05)
    mesh.simulation.crash("risk")
    mesh.run_for(3)
    mesh.simulation.start("risk")
    mesh.run_for(15)
    fates = {told.order.cloid: told.fate for told in reports(mesh)[-1].fates}
    assert reports(mesh)[-1].complete
    assert resting <= set(fates)
    check_by_the_log(mesh, fates)

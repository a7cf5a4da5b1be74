"""The judge of limits: the last order within each limit passes, the first one beyond it is a fault."""

from typing import Any

import pytest

from common import witness
from tests.common.simulation.whole_mesh import SETTINGS
from tests.mesh.limits import Limits

USER = "0x" + "ab" * 20
HEAD: dict[str, Any] = {"t": 0, "block": 1}


def order(seq: int, oid: int, status: str = "open", **changes: Any) -> witness.Order:
    fields: dict[str, Any] = {
        "coin": "BTC",
        "side": "B",
        "px": "50000",
        "sz": "0.04",
        "orig_sz": "0.04",
        "tif": "Alo",
        "reduce_only": False,
        "placed_ms": 1,
    }
    return witness.Order(seq=seq, oid=oid, cloid=None, user=USER, status=status, **(HEAD | fields | changes))


def fill(seq: int, oid: int, side: str, size: str) -> witness.Fill:
    return witness.Fill(
        **HEAD,
        seq=seq,
        user=USER,
        coin="BTC",
        oid=oid,
        cloid=None,
        side=side,
        px="50000",
        sz=size,
        start_position="0",
        dir="",
        closed_pnl="0",
        fee="0",
        crossed=False,
        tid=seq,
        liquidation=False,
    )


def faults(*lines: witness.AnyLine) -> list[str]:
    price = witness.Price(**HEAD, seq=0, coin="BTC", mark_px="50000", oracle_px="50000")
    return [fault.partition(":")[0] for fault in Limits(SETTINGS, USER).follow([price, *lines]).faults]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"orig_sz": "0.04001"}, ["order size"]),
        ({"px": "51250", "orig_sz": "0.001"}, []),
        ({"px": "51251", "orig_sz": "0.001"}, ["price"]),
        ({"px": "48749", "orig_sz": "0.001"}, ["price"]),
        ({"coin": "DOGE"}, ["coin"]),
    ],
)
def test_one_order(changes: dict[str, str], found: list[str]) -> None:
    """2,000 USD an order; 2 % and half a percent of movement from the mark; configured coins."""
    assert faults(order(1, 1, **changes)) == found


def test_the_worst_case_counts_position_and_orders() -> None:
    """Three full orders of a side fit into 6,000 USD, also when one has filled; a fourth only once one is gone."""
    three = [order(number, number) for number in (1, 2, 3)]
    assert faults(*three) == []
    assert faults(*three, order(4, 4)) == ["position"]
    assert faults(*three, fill(4, 1, "B", "0.04"), order(5, 1, "filled"), order(6, 4)) == ["position"]
    assert faults(*three, order(4, 1, "canceled"), order(5, 4)) == []
    assert faults(*three, order(4, 4, side="A")) == []
    assert faults(*three, order(4, 4, reduce_only=True)) == []

"""The leader on the real mesh: its word moves quotes while our book stays; its end takes that back."""

import json
from decimal import Decimal
from typing import Any

import pytest

from common import witness
from tests.mesh.live import LiveMesh

pytestmark = pytest.mark.mesh

CHANGES = {
    "venue_sim": {"faults": True},
    "leader": {"symbols": {"BTC": "btcusdt"}, "max_tilt_bps": 10.0},
}


def leader(mesh: LiveMesh) -> Any:
    """Return the tilt of BTC's quotes and the age of the leader's price, as `mm status` says them."""
    found = mesh.status()["coins"]["BTC"]
    return found["leader_tilt_bps"], found["leader_age_ms"]


def mid(mesh: LiveMesh, until: int) -> Decimal:
    """Return the middle of BTC's book as of this line of the venue's log."""
    seen = (line for line in reversed(mesh.judge.lines) if isinstance(line, witness.Bbo) and line.seq <= until)
    last = next(line for line in seen if line.coin == "BTC" and line.bid_px and line.ask_px)
    return (Decimal(last.bid_px or 0) + Decimal(last.ask_px or 0)) / 2


def told(mesh: LiveMesh) -> float:
    """Return what `mm why` says of the bid: the bps that the leader moves it; zero while it is not quoted."""
    (found,) = json.loads(mesh.mm("why", "BTC", "--json").stdout)
    return float(found["bid"]["components_bps"].get("leader", 0.0))


def test_a_lie_moves_quotes_and_silence_takes_it_back(mesh: LiveMesh) -> None:
    """Warm, wrong by 60 bps, then dead, then nonsense: quotes move, return, and rest all the while."""
    mesh.wait("a belief in the leader", lambda: (leader(mesh)[0] or 0.0) != 0.0, 40)
    mesh.wait_quoting(coins=("BTC",))
    after = mesh.judge.seq
    best = max(Decimal(order.px) for order in mesh.judge.resting("BTC").values() if order.side == "B")
    lie = mesh.venue.fault("leader_wrong", bps=60.0)

    def raised() -> bool:
        """A new bid is higher than the best before by two bps more than the book's own mid is."""
        bids = [order for order in mesh.judge.refresh().orders(after) if (order.coin, order.side) == ("BTC", "B")]
        return any(Decimal(bid.px) / best > mid(mesh, bid.seq) / mid(mesh, after) + Decimal("0.0002") for bid in bids)

    mesh.wait("a bid that follows the leader", raised, 5)
    mesh.venue.fault("leader_stall")
    mesh.venue.clear(lie)
    mesh.wait("a stale leader", lambda: (leader(mesh)[1] or 0) > 2_000, 5)
    assert leader(mesh)[0] == 0.0
    assert told(mesh) == 0.0
    mesh.venue.clear()
    mesh.venue.fault("leader_nonsense")
    mesh.wait("another connection", lambda: "leader: " in mesh.mm("status").stdout, 15)
    mesh.wait_quoting(coins=("BTC",))
    assert mesh.status()["state"] == "READY"
    mesh.venue.clear()
    mesh.wait("a leader again", lambda: (leader(mesh)[1] or 9_999) < 1_000, 15)

"""When the venue alone proves that a halt is contained: one test a rule, both sides of each limit."""

import pytest

from common.messages.venue import VenueOrder
from common.units import Lots, Millis, Side, Ticks
from services.cli.containment import LOOK_GAP_S, LOOKS_NEEDED, Containment
from services.cli.venue import OpenOrders
from tests.services.cli.samples import cloid

ORDER = VenueOrder(
    coin="BTC",
    oid=1,
    cloid=cloid(),
    side=Side.BUY,
    ticks=Ticks(1),
    lots=Lots(1),
    original_lots=Lots(1),
    placed_ms=Millis(0),
)


def look(venue_s: int | None, *ours: VenueOrder) -> OpenOrders:
    return OpenOrders(venue_s=venue_s, ours=ours, foreign=(ORDER,))


def dated(window_ms: int = 4_000) -> Containment:
    """A proof whose halt file is dated 1,000 s at the latest 1,001 s; looks count from 1,005 s on."""
    proof = Containment(window_ms)
    assert not proof.see(look(1_000))
    return proof


def test_three_empty_looks_after_the_window_prove_it() -> None:
    """Rule 3: not the first, not the second, the third; foreign orders are not the matter."""
    proof = dated()
    assert [proof.see(look(1_005)) for _ in range(LOOKS_NEEDED)] == [False, False, True]


def test_everything_means_everybodys() -> None:
    """Rule 3: where everything is to go, an order of others is one too many, and its coin is named."""
    proof = Containment(4_000, everything=True)
    proof.see(look(1_000))
    assert [proof.see(look(1_005)) for _ in range(LOOKS_NEEDED)] == [False] * LOOKS_NEEDED
    assert "1 orders of others rest in BTC" in proof.detail
    empty = OpenOrders(venue_s=1_006, ours=(), foreign=())
    assert [proof.see(empty) for _ in range(LOOKS_NEEDED)] == [False, False, True]
    assert proof.detail == "nothing rests, seen 3 of 3 times"


def test_looks_before_the_window_do_not_count() -> None:
    """Rules 1 and 2: a second too early an order that was signed before the halt may still arrive."""
    proof = dated()
    assert not any(proof.see(look(1_004)) for _ in range(10))
    assert [proof.see(look(1_005)) for _ in range(LOOKS_NEEDED)] == [False, False, True]


def test_a_broken_second_of_the_window_counts_whole() -> None:
    """Rule 2: dates have whole seconds, so the window is rounded up."""
    proof = dated(window_ms=4_001)
    assert not any(proof.see(look(1_005)) for _ in range(10))
    assert [proof.see(look(1_006)) for _ in range(LOOKS_NEEDED)] == [False, False, True]


@pytest.mark.parametrize("bad", [None, look(None), look(1_006, ORDER)], ids=["silent", "undated", "resting"])
def test_the_row_begins_anew(bad: OpenOrders | None) -> None:
    """Rule 3: an order, a silence or an answer without a date in between proves nothing about before."""
    proof = dated()
    assert [proof.see(seen) for seen in (look(1_006), look(1_006), bad)] == [False, False, False]
    assert [proof.see(look(1_007)) for _ in range(LOOKS_NEEDED)] == [False, False, True]


def test_silence_at_first_moves_the_date() -> None:
    """Rule 1: only an answer dates the file, so the window starts with the first one."""
    proof = Containment(4_000)
    assert not proof.see(None)
    assert not proof.proven
    assert not any(proof.see(look(1_000)) for _ in range(10))
    assert proof.detail == "orders signed before the halt may arrive for another 5 s"


def test_no_look_is_wasted() -> None:
    """While the window runs the next look is at its end, then the looks come one gap apart."""
    proof = dated()
    assert proof.wait_s == pytest.approx(4 + LOOK_GAP_S)
    proof.see(look(1_005))
    assert proof.wait_s == LOOK_GAP_S

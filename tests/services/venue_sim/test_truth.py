"""Which liquidations make a cascade."""

from services.venue_sim.truth import CHAIN_MS, Cascades


def test_three_in_a_row_make_one() -> None:
    """Two are none; the third tells when the run began; a fourth makes no second one."""
    found = Cascades()
    found.add(-1_000.0, 50_000)
    found.add(-1_000.0, 50_000 + CHAIN_MS)
    assert list(found.began_ms) == []
    found.add(500.0, 50_000 + 2 * CHAIN_MS)
    found.add(500.0, 50_000 + 2 * CHAIN_MS)
    assert list(found.began_ms) == [50_000]
    assert found.usd == 3_000.0


def test_a_pause_ends_a_run() -> None:
    """A millisecond more than the limit between two liquidations, and counting begins anew."""
    found = Cascades()
    for now_ms in (50_000, 50_001, 50_002 + CHAIN_MS, 50_003 + CHAIN_MS):
        found.add(-1.0, now_ms)
    assert list(found.began_ms) == []
    found.add(-1.0, 50_004 + CHAIN_MS)
    assert list(found.began_ms) == [50_002 + CHAIN_MS]

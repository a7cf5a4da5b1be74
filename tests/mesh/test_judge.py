"""The judge itself: what counts as pulled, and what is only the gap inside a requote."""

from pathlib import Path

import pytest

from common import witness
from tests.mesh.judge import PULLED_MS, Judge

USER = "0x" + "ab" * 20


def order(seq: int, t: int, oid: int, status: str) -> witness.Order:
    return witness.Order(
        seq=seq,
        t=t,
        block=1,
        user=USER,
        coin="BTC",
        oid=oid,
        cloid=None,
        side="B",
        px="1",
        sz="1",
        orig_sz="1",
        status=status,
        tif="Alo",
        reduce_only=False,
        placed_ms=1,
    )


@pytest.mark.parametrize(
    ("gap_ms", "after", "pulled"), [(PULLED_MS, 1, True), (PULLED_MS - 1, 1, False), (900, 3, False)]
)
def test_pulled_is_a_while_without_orders(gap_ms: int, after: int, pulled: bool, tmp_path: Path) -> None:
    """The limit itself counts, a moment less is a requote, and what was over before does not count."""
    judge = Judge(tmp_path, USER)
    judge.lines = [order(1, 0, 1, "open"), order(2, 1_000, 1, "canceled"), order(3, 1_000 + gap_ms, 2, "open")]
    assert judge.pulled("BTC", after) is pulled


def test_an_open_end_counts_from_the_last_order(tmp_path: Path) -> None:
    """While nothing comes back, the log's own time says how long nothing has rested."""
    judge = Judge(tmp_path, USER)
    judge.lines = [order(1, 0, 1, "open"), order(2, 1_000, 1, "canceled")]
    assert not judge.pulled("BTC", 1)
    judge.lines.append(witness.Connection(seq=3, t=1_000 + PULLED_MS, block=2, number=1, event="open", detail=""))
    assert judge.pulled("BTC", 1)

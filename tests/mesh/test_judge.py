"""The judge itself: what counts as pulled, and what is only the gap inside a requote."""

from pathlib import Path

import msgspec
import pytest

from common import witness
from tests.mesh.judge import PULLED_MS, Judge, Orphans

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


def test_orphans_are_timed_from_the_first_look() -> None:
    """An order that nobody names is timed until it is named or gone; a second one has a time of its own."""
    judge = Judge(Path("/nonexistent"), USER)
    orphans = Orphans(judge)
    orphans.look(set())
    named, unnamed = (msgspec.structs.replace(order(1, 0, oid, "open"), cloid=f"{oid}") for oid in (1, 2))
    judge.lines += [named, unnamed]
    orphans.look({"1"})
    judge.lines.append(order(2, 3_000, 3, "open"))
    orphans.look({"1"})
    assert orphans.longest_ms == 3_000
    judge.lines += [order(3, 4_000, 2, "canceled"), order(4, 9_000, 1, "open")]
    orphans.look({"1"})
    assert orphans.longest_ms == 6_000, "the third, by then"
    judge.lines.append(order(5, 9_000, 4, "badAloPxRejected"))
    orphans.look({"1"})
    assert orphans.taken == {1, 2, 3}

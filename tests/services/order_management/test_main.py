"""What a new life of order_management reads of its journal."""

from pathlib import Path

from common.journal import Journal
from common.messages import BootRecord
from common.units import Nanos
from services.order_management.__main__ import memory
from services.order_management.rebuild import checkpoint
from tests.services.order_management.parts import desk


def test_from_the_last_checkpoint(tmp_path: Path) -> None:
    """A start costs the same however long the journal is; before the first checkpoint everything is read."""
    stands = checkpoint(desk())
    with Journal(tmp_path / "order_management.sqlite") as journal:
        journal.append(BootRecord(epoch=1), Nanos(1))
        assert list(memory(journal)) == [BootRecord(epoch=1)]
        journal.append_all([stands, BootRecord(epoch=2), stands, BootRecord(epoch=3)], Nanos(1))
        assert list(memory(journal)) == [stands, BootRecord(epoch=3)]

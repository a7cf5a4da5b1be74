"""What a new life of risk reads of its journal."""

from decimal import Decimal
from pathlib import Path

from common.journal import Journal
from common.messages import DayRecord, NonceRecord
from common.units import Nanos
from services.risk.__main__ import MEMORY_ROWS, memory


def test_the_day_and_the_last_decisions(tmp_path: Path) -> None:
    """A start costs the same however long the journal is, and never forgives a loss of today."""
    days = [DayRecord(day=day, equity=Decimal(100)) for day in (1, 2)]
    later = [NonceRecord(nonce=nonce, tag="noop") for nonce in range(MEMORY_ROWS + 1)]
    with Journal(tmp_path / "risk.sqlite") as journal:
        assert list(memory(journal)) == []
        journal.append_all([*days, *later], Nanos(1))
        assert list(memory(journal)) == [days[1], *later[1:]]

"""What a new life of the canceller reads of its journal."""

from pathlib import Path

from common.journal import Journal
from common.messages import NonceRecord
from common.units import Nanos
from services.canceller.__main__ import memory


def test_the_last_nonce(tmp_path: Path) -> None:
    """Nonces only grow, so the newest row says everything."""
    with Journal(tmp_path / "canceller.sqlite") as journal:
        journal.append_all([NonceRecord(nonce=nonce, tag="cancel") for nonce in (1, 2, 3)], Nanos(1))
        assert list(memory(journal)) == [NonceRecord(nonce=3, tag="cancel")]

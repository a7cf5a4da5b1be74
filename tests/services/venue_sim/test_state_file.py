"""The file that the venue's accounts lie in."""

import sqlite3
from pathlib import Path

import pytest

from common.errors import ConfigFault
from services.venue_sim import durable, state_file
from services.venue_sim.state_file import StateFile
from tests.services.venue_sim.door import ALICE, limit, place
from tests.services.venue_sim.keeper import Keeper


def test_an_empty_file_is_a_new_venue(tmp_path: Path) -> None:
    """Nothing kept is None, not an empty venue."""
    assert StateFile(tmp_path / "new" / "venue.sqlite").load() is None


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    """Something else in the place of the file is a fault that names it; so is another version."""
    path = tmp_path / "venue.sqlite"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(ConfigFault, match=r"venue\.sqlite"):
        StateFile(path)
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(ConfigFault, match="another version"):
        StateFile(other)


def test_old_records_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file keeps as many records of an account as the venue remembers, oldest out first."""
    monkeypatch.setattr(state_file, "PRUNE_BLOCKS", 5)
    monkeypatch.setattr(state_file, "ORDERS_REMEMBERED_MAX", 3)
    keeper = Keeper(tmp_path / "venue.sqlite").meet()
    for _ in range(8):
        keeper.do(ALICE, place(limit("90000", "0.1", tif="Ioc")))
    while keeper.file._blocks % 5:
        keeper.block()
    saved = keeper.file.load()
    assert saved is not None
    kept = [durable._records.decode(each).order.oid for each in saved.records[ALICE.address]]
    assert len(kept) == 3
    assert kept == sorted(kept)
    assert kept[-1] == max(order["order"]["oid"] for order in keeper.door.ask("historicalOrders", user=ALICE.address))

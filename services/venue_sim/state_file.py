"""The venue's durable state as one SQLite file (shell; what is in it: services/venue_sim/durable.py).

One transaction a block, in the write-ahead log, without waiting for the disk: it survives the death of the process at
any moment; after a power cut a local test venue may start empty.
"""

import sqlite3
from pathlib import Path
from typing import Final

from common.errors import ConfigFault
from services.venue_sim.durable import Changes, Saved
from services.venue_sim.rules import FILLS_REMEMBERED_MAX, ORDERS_REMEMBERED_MAX

VERSION: Final = 1
PRUNE_BLOCKS: Final = 2_000  # old records are deleted so often; what piles up between is small
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS venue (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS accounts (user TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS nonces (signer TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS records (id INTEGER PRIMARY KEY, user TEXT NOT NULL, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS money (id INTEGER PRIMARY KEY, user TEXT NOT NULL, value BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS records_of ON records (user, id);
CREATE INDEX IF NOT EXISTS money_of ON money (user, id);
"""
_PRUNE_RECORDS: Final = """
DELETE FROM records WHERE user = :user
AND id <= (SELECT id FROM records WHERE user = :user ORDER BY id DESC LIMIT 1 OFFSET :kept)
"""
_PRUNE_MONEY: Final = """
DELETE FROM money WHERE user = :user
AND id <= (SELECT id FROM money WHERE user = :user ORDER BY id DESC LIMIT 1 OFFSET :kept)
"""
# An update in place keeps the row's number, by which accounts come back in the order in which they were opened.
_KEEP_ACCOUNT: Final = "INSERT INTO accounts VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"
_KEEP_NONCES: Final = "INSERT INTO nonces VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"
_MONEY_KEPT: Final = 3 * FILLS_REMEMBERED_MAX  # fills, fundings and ledger entries together


class StateFile:
    """One writer at a time: the caller holds the lock of its home."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._blocks = 0
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._database = sqlite3.connect(path, isolation_level=None)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = OFF")
            self._check_version()
            self._database.executescript(_TABLES)
        except sqlite3.Error as error:
            raise ConfigFault(f"{path}: cannot be used ({error}); delete it for an empty venue") from error
        path.chmod(0o600)

    def _check_version(self) -> None:
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if version not in {0, VERSION}:
            raise ConfigFault(f"{self._path}: written by another version; delete it for an empty venue")
        self._database.execute(f"PRAGMA user_version = {VERSION}")

    def load(self) -> Saved | None:
        """Return what was kept; None when there is nothing."""
        named = dict(self._database.execute("SELECT name, value FROM venue"))
        if "venue" not in named:
            return None
        return Saved(
            venue=named["venue"],
            agents=named.get("agents"),
            accounts=dict(self._database.execute("SELECT user, value FROM accounts ORDER BY rowid")),
            nonces=dict(self._database.execute("SELECT signer, value FROM nonces ORDER BY rowid")),
            records=_grouped(self._database.execute("SELECT user, value FROM records ORDER BY id")),
            money=_grouped(self._database.execute("SELECT user, value FROM money ORDER BY id")),
        )

    def save(self, changes: Changes) -> None:
        """Write one block; sqlite3.Error when that fails."""
        write = self._database.executemany
        self._database.execute("BEGIN")
        named = [("venue", changes.venue)] + ([("agents", changes.agents)] if changes.agents is not None else [])
        write("INSERT OR REPLACE INTO venue VALUES (?, ?)", named)
        write(_KEEP_ACCOUNT, changes.accounts.items())
        write(_KEEP_NONCES, changes.nonces.items())
        write("INSERT INTO records (user, value) VALUES (?, ?)", changes.records)
        write("INSERT INTO money (user, value) VALUES (?, ?)", changes.money)
        self._blocks += 1
        if self._blocks % PRUNE_BLOCKS == 0:
            self._prune()
        self._database.execute("COMMIT")

    def _prune(self) -> None:
        for (user,) in self._database.execute("SELECT user FROM accounts").fetchall():
            self._database.execute(_PRUNE_RECORDS, {"user": user, "kept": ORDERS_REMEMBERED_MAX})
            self._database.execute(_PRUNE_MONEY, {"user": user, "kept": _MONEY_KEPT})

    def close(self) -> None:
        self._database.close()


def _grouped(rows: sqlite3.Cursor) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    for user, value in rows:
        found.setdefault(user, []).append(value)
    return found

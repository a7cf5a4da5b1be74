"""The journal of one service: an append-only table of messages that survives a kill at any moment.

Rules
  1. A row is durable, as journal.sync says, when `append` returns; several rows together are one transaction.
  2. Only the owner appends (it holds the service's lock); anyone of the same user may read meanwhile.
  3. A failed write, a damaged file, a missing row, a row that does not decode: `Unrecoverable`, which names the
     file and the row. Nothing is repaired and nothing is retried: a retried fsync proves nothing.
"""

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar
from zlib import crc32

from common.config import JournalSync
from common.errors import PeerFault, Unrecoverable
from common.messages import MESSAGES, Message, decode, encode
from common.units import MILLISECOND, Nanos

SCHEMA_VERSION: Final = 1
PAGE_ROWS_MAX: Final = 1_000  # rows held in memory while reading; no read transaction outlives a page
WAL_BYTES_MAX: Final = 16 * 1024 * 1024  # what stays on disk of the log after a burst
BUSY_S_MAX: Final = 2.0  # nobody else writes, so waiting longer than one checkpoint means a second owner

_SCHEMA: Final = f"""
CREATE TABLE records(
    seq INTEGER PRIMARY KEY,  -- 1, 2, 3 ... without a gap
    at INTEGER NOT NULL,      -- CLOCK_MONOTONIC, ns: comparable within one boot of the host
    wall_ms INTEGER NOT NULL, -- for people
    kind TEXT NOT NULL,
    body BLOB NOT NULL,
    crc INTEGER NOT NULL      -- over all of the above: SQLite itself does not notice a flipped bit
) STRICT;
CREATE INDEX records_kind ON records(kind);
PRAGMA user_version = {SCHEMA_VERSION};
"""
_COLUMNS: Final = "SELECT seq, at, wall_ms, kind, body, crc FROM records"
_KINDS: Final = frozenset(MESSAGES)
_FAULTS: Final = (sqlite3.Error, UnicodeDecodeError)  # the latter from error texts that quote a damaged schema

T = TypeVar("T", bound=Message)
Row = tuple[int, int, int, str, bytes, int]


class Journal:
    """One service's own rows: `Journal(path, sync)` for the owner, `Journal.read_only(path)` for everyone else."""

    def __init__(self, path: Path, sync: JournalSync = JournalSync.NORMAL, *, writable: bool = True) -> None:
        self.path = path
        if writable:
            self._create()
        self._db = self._connect("rw" if writable else "ro")
        try:
            if writable:
                self._prepare(sync)
            self._check()
            self._last = self._last_seq()
        except (*_FAULTS, Unrecoverable) as error:
            self._db.close()
            raise self._fault("cannot be opened", error) from error

    @classmethod
    def read_only(cls, path: Path) -> Self:
        """Open for reading while the owner goes on writing; Unrecoverable when there is no journal."""
        return cls(path, writable=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        try:
            self._db.close()
        except _FAULTS as error:
            raise self._fault("cannot be closed", error) from error

    # --- writing ---

    def append(self, row: Message, now: Nanos) -> int:
        """Write one row durably and return its number."""
        return self.append_all((row,), now)

    def append_all(self, rows: Sequence[Message], now: Nanos) -> int:
        """Write all of these or none, in one transaction, and return the last number."""
        if not rows:
            return self._last
        wall_ms = time.time_ns() // MILLISECOND  # this is a shell, and the column is read by people alone
        sealed = [_seal(self._last + n, now, wall_ms, row) for n, row in enumerate(rows, start=1)]
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)", sealed)
            self._db.execute("COMMIT")
        except (*_FAULTS, OSError) as error:
            with contextlib.suppress(*_FAULTS):  # what made the write fail may fail this as well
                if self._db.in_transaction:
                    self._db.rollback()
            raise self._fault(f"row {self._last + 1} cannot be written", error) from error
        self._last = sealed[-1][0]
        return self._last

    # --- reading ---

    def rows(self, kinds: tuple[type[Message], ...] | None = None, after: int = 0) -> Iterator[tuple[int, Message]]:
        """Give the rows above `after` in order, of these kinds or all, as far as they were written at this call."""
        return self._walk(kinds, after, self._last_seq())

    def since(self, kind: type[Message]) -> Iterator[Message]:
        """Give all rows from the newest one of this kind on; every row where there is none."""
        newest = self._newest(kind)
        return self._messages(newest[0] - 1 if newest else 0)

    def newest(self, count: int) -> Iterator[Message]:
        """Give the last so many rows, oldest first."""
        return self._messages(max(0, self._last_seq() - count))

    def last(self, kind: type[T]) -> T | None:
        """Return the newest row of this kind."""
        row = self._newest(kind)
        if row is None:
            return None
        message = self._open(row)
        assert isinstance(message, kind), f"{row[3]} decoded to {type(message)}"
        return message

    # --- parts ---

    def _messages(self, after: int) -> Iterator[Message]:
        return (message for _, message in self.rows(after=after))

    def _newest(self, kind: type[Message]) -> Row | None:
        rows = self._read(f"{_COLUMNS} WHERE kind = ? ORDER BY seq DESC LIMIT 1", (kind.__name__,))
        return rows[0] if rows else None

    def _walk(self, kinds: tuple[type[Message], ...] | None, after: int, until: int) -> Iterator[tuple[int, Message]]:
        while after < until:
            page = self._page(kinds, after, until)
            for row in page:
                if kinds is None and row[0] != after + 1:
                    raise Unrecoverable(f"{self.path}: row {after + 1} is missing")
                yield row[0], self._open(row)
                after = row[0]
            if len(page) < PAGE_ROWS_MAX:
                break
        if kinds is None and after < until:
            raise Unrecoverable(f"{self.path}: row {after + 1} is missing")

    def _create(self) -> None:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
            self.path.chmod(0o600)  # SQLite gives the same mode to the log beside it
        except OSError as error:
            raise self._fault("cannot be opened", error) from error

    def _connect(self, mode: str) -> sqlite3.Connection:
        uri = f"{self.path.absolute().as_uri()}?mode={mode}"
        try:
            return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_S_MAX)
        except _FAULTS as error:
            raise self._fault("cannot be opened", error) from error

    def _prepare(self, sync: JournalSync) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute(f"PRAGMA synchronous = {sync.value}")
        self._db.execute(f"PRAGMA journal_size_limit = {WAL_BYTES_MAX}")
        if self._version() == 0:
            self._db.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}COMMIT;")

    def _version(self) -> int:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        return int(version)

    def _check(self) -> None:
        if (version := self._version()) != SCHEMA_VERSION:
            raise Unrecoverable(f"{self.path}: journal of version {version}, this build reads {SCHEMA_VERSION}")
        # one flipped bit can hide the end of the table, never of its index too; rows are numbered without a gap
        (indexed,) = self._db.execute("SELECT count(*) FROM records INDEXED BY records_kind").fetchone()
        if indexed != (last := self._last_seq()):
            raise Unrecoverable(f"{self.path}: journal ends at row {last}, its index knows {indexed} rows")

    def _last_seq(self) -> int:
        try:
            (seq,) = self._db.execute("SELECT coalesce(max(seq), 0) FROM records").fetchone()
        except _FAULTS as error:
            raise self._fault("cannot be read", error) from error
        return int(seq)

    def _page(self, kinds: tuple[type[Message], ...] | None, after: int, until: int) -> list[Row]:
        chosen, names = "", [kind.__name__ for kind in kinds or ()]
        if kinds is not None:
            chosen = f"AND kind IN ({', '.join('?' * len(names))})"
        query = f"{_COLUMNS} WHERE seq > ? AND seq <= ? {chosen} ORDER BY seq LIMIT {PAGE_ROWS_MAX}"
        return self._read(query, (after, until, *names))

    def _read(self, query: str, values: tuple[object, ...]) -> list[Row]:
        try:
            return self._db.execute(query, values).fetchall()
        except _FAULTS as error:
            raise self._fault("cannot be read", error) from error

    def _open(self, row: Row) -> Message:
        seq, at, wall_ms, kind, body, crc = row
        if not isinstance(body, bytes) or crc != _crc(seq, at, wall_ms, kind, body):
            raise Unrecoverable(f"{self.path}: journal row {seq} is damaged: its checksum differs")
        try:
            return decode(kind, body)
        except PeerFault as error:
            raise self._fault(f"row {seq} cannot be understood", error) from error

    def _fault(self, what: str, error: Exception) -> Unrecoverable:
        return error if isinstance(error, Unrecoverable) else Unrecoverable(f"{self.path}: journal {what}: {error}")


def _seal(seq: int, at: int, wall_ms: int, message: Message) -> Row:
    assert type(message) in _KINDS, f"{type(message).__name__} could not be read back: not in MESSAGES"
    kind, body = type(message).__name__, encode(message)
    return seq, at, wall_ms, kind, body, _crc(seq, at, wall_ms, kind, body)


def _crc(seq: int, at: int, wall_ms: int, kind: str, body: bytes) -> int:
    return crc32(body, crc32(f"{seq} {at} {wall_ms} {kind} ".encode()))

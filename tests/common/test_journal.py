"""The journal keeps what it promised, names what it cannot read, and never guesses."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.config import JournalSync
from common.errors import Unrecoverable
from common.journal import PAGE_ROWS_MAX, Journal, _crc
from common.messages import BootRecord, Message, NonceRecord, Wake
from common.units import Nanos

ROOT = Path(__file__).parents[2]
NOW = Nanos(5)


def written(path: Path, *rows: Message) -> Path:
    with Journal(path) as journal:
        journal.append_all(rows, NOW)
    return path


def read(path: Path) -> list[tuple[int, Message]]:
    with Journal(path) as journal:
        return list(journal.rows())


def test_rows_come_back_in_order(tmp_path: Path) -> None:
    """Rule 1: what was appended is there after a new start, numbered from one without a gap."""
    path = tmp_path / "data" / "risk.sqlite"
    with Journal(path) as journal:
        assert journal.append(BootRecord(epoch=7), NOW) == 1
        assert journal.append_all((NonceRecord(nonce=1, tag="a"), NonceRecord(nonce=2, tag="b")), NOW) == 3
    with Journal(path, JournalSync.FULL) as journal:
        assert journal.append(BootRecord(epoch=8), NOW) == 4
        assert [seq for seq, _ in journal.rows()] == [1, 2, 3, 4]
        assert list(journal.rows(after=3)) == [(4, BootRecord(epoch=8))]
        assert list(journal.rows((BootRecord,))) == [(1, BootRecord(epoch=7)), (4, BootRecord(epoch=8))]
        assert list(journal.rows((BootRecord, NonceRecord), after=2)) == [
            (3, NonceRecord(nonce=2, tag="b")),
            (4, BootRecord(epoch=8)),
        ]
        assert list(journal.rows(())) == []
        assert journal.last(NonceRecord) == NonceRecord(nonce=2, tag="b")
        assert journal.last(Wake) is None


def test_a_start_reads_from_the_newest_of_a_kind(tmp_path: Path) -> None:
    """So a start costs the same however long the journal is: that row and what follows; all where there is none."""
    rows = [BootRecord(epoch=7), NonceRecord(nonce=1, tag="a"), BootRecord(epoch=8), NonceRecord(nonce=2, tag="b")]
    with Journal(tmp_path / "j.sqlite") as journal:
        assert list(journal.since(BootRecord)) == list(journal.newest(3)) == []
        journal.append_all(rows, NOW)
        assert list(journal.since(BootRecord)) == rows[2:]
        assert list(journal.since(Wake)) == rows
        assert list(journal.newest(1)) == rows[3:]
        assert list(journal.newest(4)) == list(journal.newest(5)) == rows


def test_no_rows_is_no_transaction(tmp_path: Path) -> None:
    """An empty batch writes nothing and gives the last number."""
    with Journal(tmp_path / "j.sqlite") as journal:
        assert journal.append_all((), NOW) == 0
        assert list(journal.rows()) == []


@pytest.mark.parametrize("count", [PAGE_ROWS_MAX - 1, PAGE_ROWS_MAX, PAGE_ROWS_MAX + 1])
def test_reading_crosses_pages(tmp_path: Path, count: int) -> None:
    """Rows are read page by page without losing or repeating the one at the edge, appends meanwhile apart."""
    with Journal(tmp_path / "j.sqlite") as journal:
        journal.append_all([BootRecord(epoch=n) for n in range(count)], NOW)
        seen = []
        for seq, _ in journal.rows():
            journal.append(BootRecord(epoch=0), NOW) if seq == 1 else None
            seen.append(seq)
        assert seen == list(range(1, count + 1))


def test_files_are_private(tmp_path: Path) -> None:
    """Nobody else may read orders: 0600 files, the write-ahead log included, in a 0700 directory."""
    old = os.umask(0)
    try:
        path = tmp_path / "data" / "risk.sqlite"
        with Journal(path) as journal:
            journal.append(Wake(), NOW)
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
            assert modes == {"risk.sqlite": 0o600, "risk.sqlite-wal": 0o600, "risk.sqlite-shm": 0o600}
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    finally:
        os.umask(old)


def test_an_open_file_is_closed_to_others(tmp_path: Path) -> None:
    """A journal that somebody copied back with the wrong mode is private again before a row is written."""
    path = written(tmp_path / "j.sqlite", Wake())
    path.chmod(0o644)
    with Journal(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(("sync", "level"), [(JournalSync.NORMAL, 1), (JournalSync.FULL, 2)])
def test_sync_level(tmp_path: Path, sync: JournalSync, level: int) -> None:
    """Rule 1: journal.sync decides what a row survives."""
    with Journal(tmp_path / "j.sqlite", sync) as journal:
        assert journal._db.execute("PRAGMA synchronous").fetchone() == (level,)
        assert journal._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_readers_see_the_owner_writing(tmp_path: Path) -> None:
    """Rule 2: the command line reads while the owner writes, before and after, and can write nothing."""
    path = tmp_path / "j.sqlite"
    with Journal(path) as owner:
        owner.append(BootRecord(epoch=1), NOW)
        with Journal.read_only(path) as reader:
            assert reader.last(BootRecord) == BootRecord(epoch=1)
            owner.append(BootRecord(epoch=2), NOW)
            assert len(list(reader.rows())) == 2
            with pytest.raises(Unrecoverable, match="row 2 cannot be written"):
                reader.append(Wake(), NOW)
    with Journal.read_only(path) as reader:
        assert len(list(reader.rows())) == 2


def test_read_only_makes_no_file(tmp_path: Path) -> None:
    """Looking for a journal that is not there is a clear fault, and leaves nothing behind."""
    path = tmp_path / "absent.sqlite"
    with pytest.raises(Unrecoverable, match=r"absent\.sqlite"):
        Journal.read_only(path)
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_cannot_even_be_taken_back_is_unrecoverable(tmp_path: Path) -> None:
    """Rule 3: whatever state the failure left the library in, the caller hears the one kind of error."""
    journal = Journal(tmp_path / "gone.sqlite")
    journal._db.close()
    with pytest.raises(Unrecoverable, match=r"gone\.sqlite: journal row 1 cannot be written"):
        journal.append(BootRecord(epoch=1), Nanos(0))


def test_a_full_disk_is_unrecoverable_and_writes_none(tmp_path: Path) -> None:
    """Rules 1 and 3: a batch that does not fit leaves no part of itself, and the fault names file and row."""
    path = tmp_path / "full.sqlite"
    with Journal(path) as journal:
        journal.append(BootRecord(epoch=1), NOW)
        pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
        journal._db.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(Unrecoverable, match=r"full\.sqlite: journal row 2 cannot be written: .*full"):
            journal.append_all([NonceRecord(nonce=n, tag="x" * 1_000) for n in range(50)], NOW)
        assert list(journal.rows()) == [(1, BootRecord(epoch=1))]


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    """Rule 2: a row that another owner put in between is a fault, never a silent renumbering."""
    path = tmp_path / "j.sqlite"
    with Journal(path) as first, Journal(path) as second:
        first.append(BootRecord(epoch=1), NOW)
        with pytest.raises(Unrecoverable, match="UNIQUE"):
            second.append(BootRecord(epoch=2), NOW)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("UPDATE records SET body = x'00' WHERE seq = 2", "row 2 is damaged"),
        ("UPDATE records SET at = at + 1 WHERE seq = 2", "row 2 is damaged"),
        ("UPDATE records SET kind = 'Wake' WHERE seq = 2", "row 2 is damaged"),
        ("DELETE FROM records WHERE seq = 2", "ends at row 3, its index knows 2 rows"),
        ("DELETE FROM records WHERE seq < 3", "ends at row 3, its index knows 1 rows"),
        ("PRAGMA user_version = 9", "version 9"),
        ("DROP TABLE records", "no such table"),
    ],
)
def test_tampering_is_named(tmp_path: Path, sql: str, said: str) -> None:
    """Rule 3: a changed, missing or foreign row is named, and nothing after it is delivered."""
    path = written(tmp_path / "j.sqlite", *(BootRecord(epoch=n) for n in range(1, 4)))
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(sql)
    db.close()
    with pytest.raises(Unrecoverable, match=said) as caught:
        read(path)
    assert "j.sqlite" in str(caught.value)


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_a_row_that_vanishes_later_is_missed(tmp_path: Path, missing: int) -> None:
    """Rule 3: a gap that appears under an open journal is named by the row that is not there."""
    with Journal(tmp_path / "j.sqlite") as journal:
        journal.append_all([BootRecord(epoch=n) for n in range(3)], NOW)
        rows = journal.rows()
        db = sqlite3.connect(journal.path, isolation_level=None)
        db.execute("DELETE FROM records WHERE seq = ?", (missing,))
        db.close()
        with pytest.raises(Unrecoverable, match=f"row {missing} is missing"):
            list(rows)


def test_a_row_of_another_schema_is_named(tmp_path: Path) -> None:
    """Rule 3: a row whose checksum holds and whose type is unknown is named by its number."""
    path = tmp_path / "j.sqlite"
    with Journal(path) as journal:
        journal.append(Wake(), NOW)
        kind, body = "Foreign", b"\x80"
        journal._db.execute("INSERT INTO records VALUES (2,0,0,?,?,?)", (kind, body, _crc(2, 0, 0, kind, body)))
        with pytest.raises(Unrecoverable, match="row 2 cannot be understood: unknown message type 'Foreign'"):
            list(journal.rows())
        with pytest.raises(Unrecoverable, match="row 2"):
            list(journal.rows(after=1))


def test_not_a_database(tmp_path: Path) -> None:
    """Rule 3: any other file in that place is refused and left as it is."""
    path = tmp_path / "j.sqlite"
    path.write_bytes(b"hello, I am a text file " * 100)
    for opened in (Journal, Journal.read_only):
        with pytest.raises(Unrecoverable, match=r"j\.sqlite"):
            opened(path)
    assert path.read_bytes().startswith(b"hello")


def test_a_symlink_is_refused(tmp_path: Path) -> None:
    """A link in the place of the journal could make us write into a file of somebody's choice."""
    (tmp_path / "j.sqlite").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Unrecoverable, match=r"j\.sqlite"):
        Journal(tmp_path / "j.sqlite")
    assert not (tmp_path / "elsewhere").exists()


@given(seed=st.integers(0, 2**32), flips=st.integers(1, 3))
def test_bit_flips_never_misread(tmp_path_factory: pytest.TempPathFactory, seed: int, flips: int) -> None:
    """Rule 3: whatever bits flip on disk, reading gives the rows that were written, or Unrecoverable."""
    rows = [NonceRecord(nonce=1_000 + n, tag="quote") for n in range(40)]
    path = written(tmp_path_factory.mktemp("flip") / "j.sqlite", *rows)
    data, chance = bytearray(path.read_bytes()), Random(seed)
    for _ in range(flips):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
    seen: list[Message] = []
    try:
        with Journal(path) as journal:
            seen.extend(message for _, message in journal.rows())
    except Unrecoverable as fault:
        assert "j.sqlite" in str(fault)  # noqa: PT017  # either outcome is right, and both are checked
        assert seen == rows[: len(seen)]
    else:
        assert seen == rows


_KILLED = """
import os, sys
from pathlib import Path
from common.journal import Journal
from common.messages import BootRecord
journal = Journal(Path(sys.argv[1]))
for epoch in range(1, 100_000):
    journal.append(BootRecord(epoch=epoch), 0)
    print(epoch, flush=True)
"""


def test_kill_loses_nothing(tmp_path: Path) -> None:
    """Rule 1: every row that `append` returned for is there after kill -9 in the middle of writing."""
    path = tmp_path / "j.sqlite"
    child = subprocess.Popen([sys.executable, "-c", _KILLED, str(path)], stdout=subprocess.PIPE, cwd=ROOT)
    assert child.stdout is not None
    said = [int(child.stdout.readline()) for _ in range(50)][-1]
    child.send_signal(signal.SIGKILL)
    said = max([said, *(int(line) for line in child.stdout.read().split(b"\n")[:-1])])
    child.wait()
    child.stdout.close()
    rows = [message for _, message in read(path)]
    assert rows[:said] == [BootRecord(epoch=n) for n in range(1, said + 1)]
    assert len(rows) - said <= 1

"""The files of the witness log."""

from pathlib import Path

from common import witness
from services.venue_sim.log_files import LogFiles


def line(seq: int) -> bytes:
    return witness.encode(witness.Connection(seq=seq, t=1, block=1, number=1, event="open", detail="x" * 50))


def test_rotation(tmp_path: Path) -> None:
    """Rule 2: a file past its size is followed by the next one, and only so many are kept."""
    files = LogFiles(tmp_path, bytes_max=200, files_max=3)
    for seq in range(1, 21):
        if files.is_full:
            files.rotate()
        files.append(line(seq))
    files.close()
    assert len(witness.files(tmp_path)) == 3
    kept = [found.seq for found in witness.read(tmp_path)]
    assert kept == list(range(kept[0], 21))
    assert 6 <= len(kept) <= 9


def test_a_restart_goes_on_counting(tmp_path: Path) -> None:
    """The last number is found again, behind a torn line and in an older file when the newest is empty."""
    files = LogFiles(tmp_path)
    assert files.last_sequence == 0
    files.append(line(1) + line(2))
    files.close()
    with witness.files(tmp_path)[-1].open("ab") as torn:
        torn.write(line(3)[:-10])
    again = LogFiles(tmp_path, fsync=True)
    assert again.last_sequence == 2
    again.close()
    assert LogFiles(tmp_path).last_sequence == 2
    assert [found.seq for found in witness.read(tmp_path)] == [1, 2]

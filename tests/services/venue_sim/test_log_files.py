"""The files of the witness log."""

import json
import os
from pathlib import Path

import pytest

from common import witness
from common.witness_check import verify
from services.venue_sim.log_files import LogFiles
from tests.services.venue_sim.live_server import live, socket, subscribe


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


@pytest.mark.parametrize(("fsync", "forced"), [(False, 0), (True, 2)])
def test_fsync_is_optional(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fsync: bool, forced: int) -> None:
    """With it each block's lines are on the disk before the next; a block without lines costs nothing."""
    files = LogFiles(tmp_path, fsync=fsync)
    calls: list[int] = []
    monkeypatch.setattr(os, "fsync", calls.append)
    for lines in (line(1), b"", line(2)):
        files.append(lines)
    assert len(calls) == forced
    files.close()


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


def test_every_file_can_be_judged(tmp_path: Path) -> None:
    """Rule 2: each file of a living venue begins with the whole state, so the kept ones are judged without the lost."""
    log = LogFiles(tmp_path, bytes_max=20_000, files_max=3)

    async def story(port: int) -> None:
        async with socket(port) as opened:
            await subscribe(opened, type="bbo", coin="BTC")
            while len(witness.files(tmp_path)) < 3 or (tmp_path / "witness-000001.jsonl").exists():
                json.loads(await opened.recv())

    live(story, log)
    first = {path: witness.decode(path.read_bytes().splitlines(keepends=True)[0]) for path in witness.files(tmp_path)}
    assert all(isinstance(line, witness.Opening) for line in first.values())
    report = verify(tmp_path)
    assert [str(finding) for finding in report.findings] == []
    assert report.kinds["opening"] == 3

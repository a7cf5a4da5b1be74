"""The files of the witness log: appended to, rotated, bounded.

Rules
  1. One block is one write: a crash loses whole blocks at the end, nothing in between.
  2. A full file is closed and the next one begun; only FILES_MAX files are kept. Each begins with an opening.
"""

import os
from pathlib import Path
from typing import Final

from common import witness
from common.errors import PeerFault

FILE_BYTES_MAX: Final = 64 * 1024 * 1024  # opens quickly in any tool
FILES_MAX: Final = 32  # 2 GiB, about four days of two coins
_TAIL_BYTES: Final = 256 * 1024  # longer than any line


class LogFiles:
    """The files of one directory, appended to and rotated (rule 2)."""

    def __init__(
        self, directory: Path, *, fsync: bool = False, bytes_max: int = FILE_BYTES_MAX, files_max: int = FILES_MAX
    ) -> None:
        self._directory = directory
        self._fsync = fsync
        self._bytes_max = bytes_max
        self._files_max = files_max
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        existing = witness.files(directory)
        self.last_sequence = _last_sequence(existing)
        self._number = int(existing[-1].stem.partition("-")[2]) if existing else 0
        self._file = self._next()

    @property
    def is_full(self) -> bool:
        return os.fstat(self._file).st_size > self._bytes_max

    def rotate(self) -> None:
        """Begin the next file; what is appended next must be an opening."""
        os.close(self._file)
        self._file = self._next()

    def append(self, lines: bytes) -> None:
        """Write one block's lines; OSError when the disk does not take them."""
        if not lines:
            return
        rest = memoryview(lines)
        while rest:
            rest = rest[os.write(self._file, rest) :]
        if self._fsync:
            os.fsync(self._file)

    def close(self) -> None:
        os.fsync(self._file)
        os.close(self._file)

    def _next(self) -> int:
        self._number += 1
        for old in witness.files(self._directory)[: 1 - self._files_max]:
            old.unlink()
        path = self._directory / f"witness-{self._number:06d}.jsonl"
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def _last_sequence(existing: list[Path]) -> int:
    for path in reversed(existing):
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            for raw in reversed(file.read().splitlines(keepends=True)):
                if not raw.endswith(b"\n"):
                    continue
                try:
                    return witness.decode(raw).seq
                except PeerFault:
                    break  # the first piece of the tail: no whole line is left
    return 0

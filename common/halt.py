"""The halt directory: not empty means halted, a coin or all of them, whoever put what there.

Rules
  1. Anyone of this home may add a file, asking nobody; it is durable when `add` returns. Every file has a name of
     its own: what is added later is never mistaken for what a person has already cleared.
  2. Doubt is a halt: an unreadable directory, a file that says nothing readable, an entry that is no file.
  3. Only names that the directory itself lists are removed. A file that stays says so at the next `read`.
  4. More files than are listed halt everything: what the others say is not known.
"""

import contextlib
import os
import re
import secrets
import time
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from common.errors import Unrecoverable
from common.log import redacted
from common.messages import HaltDirectory, HaltFile
from common.units import MILLISECOND, Millis

FILES_MAX: Final = 50  # read and listed, oldest first; the rest shows when these are cleared
FILE_BYTES_MAX: Final = 16 * 1024
CAUSE_MAX: Final = 200  # characters
EVIDENCE_MAX: Final = 500  # characters: with FILES_MAX it keeps the list well within one message of the mesh
UNREADABLE: Final = "unreadable"


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What a file holds; people write such files as well, so nothing but the cause is needed."""

    cause: str
    evidence: str = ""
    by: str = ""
    at_ms: Annotated[int, Meta(ge=0, lt=1 << 53)] = 0
    everything: bool = False
    coin: str = ""


class HaltDir:
    """One directory; each look reads it anew, because its time stamps are too coarse to tell a change."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, cause: str, evidence: str, by: str, *, everything: bool = False, coin: str = "") -> HaltFile:
        """Halt, durably; Unrecoverable when the disk refuses (the caller has to stop trading by itself)."""
        at_ms = time.time_ns() // MILLISECOND  # for people, and for the order of the files
        name = f"{at_ms}-{re.sub('[^a-z_]', '', by) or 'unknown'}-{secrets.token_hex(4)}.json"
        content = Content(
            cause=_plain(cause, CAUSE_MAX),
            evidence=_plain(evidence, EVIDENCE_MAX),
            by=_plain(by, CAUSE_MAX),
            at_ms=at_ms,
            everything=everything,
            coin=_plain(coin, CAUSE_MAX),
        )
        # made in place, not renamed into it: if the disk fills up in between, the empty file halts as well
        try:
            descriptor = os.open(self.path / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
            with os.fdopen(descriptor, "wb") as out:
                out.write(msgspec.json.encode(content))
                out.flush()
                os.fsync(descriptor)
            self._sync()
        except OSError as error:
            raise Unrecoverable(f"{self.path / name}: halt file cannot be written: {error.strerror}") from error
        return _file(name, content)

    def read(self) -> HaltDirectory:
        """Say what halts us now; never raises."""
        try:
            entries = sorted(self.path.iterdir())
        except OSError:
            return HaltDirectory(readable=False)
        files = [file for entry in entries[:FILES_MAX] if (file := _read(entry)) is not None]
        if len(entries) > FILES_MAX and files:
            files[-1] = msgspec.structs.replace(files[-1], coin="")  # rule 4, and its cause stays to be read
        return HaltDirectory(files=tuple(files))

    def remove(self, names: tuple[str, ...]) -> None:
        """Remove these files (risk alone does); what cannot be removed stays and goes on halting."""
        try:
            for entry in self.path.iterdir():
                if _shown(entry) in names:
                    with contextlib.suppress(OSError):  # still there, and `read` lists it
                        entry.unlink()
            self._sync()
        except OSError:
            return  # the directory is unreadable, and `read` says that

    def _sync(self) -> None:
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _read(entry: Path) -> HaltFile | None:
    """Return one file, or None when it went away meanwhile."""
    name = _shown(entry)
    try:
        descriptor = os.open(entry, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        return _file(name, Content(cause=UNREADABLE, evidence=str(error.strerror)))
    try:
        return _file(name, msgspec.json.decode(os.read(descriptor, FILE_BYTES_MAX), type=Content))
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        return _file(name, Content(cause=UNREADABLE, evidence=type(error).__name__))
    finally:
        os.close(descriptor)


def _file(name: str, content: Content) -> HaltFile:
    return HaltFile(
        name=name,
        cause=content.cause[:CAUSE_MAX],
        evidence=content.evidence[:EVIDENCE_MAX],
        by=content.by[:CAUSE_MAX],
        at_ms=Millis(content.at_ms),
        everything=content.everything,
        coin=content.coin[:CAUSE_MAX],
    )


def _plain(text: str, characters_max: int) -> str:
    """Make text that any file and message can carry and anybody may read."""
    return str(redacted(text)).encode("utf-8", "backslashreplace").decode()[:characters_max]


def _shown(entry: Path) -> str:
    """Spell a name so that a message can carry it, whatever bytes it has."""
    return os.fsencode(entry.name).decode("utf-8", "backslashreplace")

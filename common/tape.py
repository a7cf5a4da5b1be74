"""Tapes: what a service received, `(now, message)`, recorded so that a day can be lived again.

A tape is a magic word and chunks. A chunk is its length, the crc of all bytes so far, and a zstd frame of
messages; a message is now, the lengths of its kind and body, and both. The last chunk is empty.
Rules
  1. Equal messages at equal times give equal bytes: chunks end by size and by the messages' own time.
  2. Every bit counts: a missing, cut, changed or lengthened tape is a ConfigFault that names file and message.
     What lies in the chunks before the damage is given first.
  3. A tape is a convenience: a disk that is full ends the tape, not the service.
"""

from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from struct import error as StructError  # noqa: N812  # the module names its exception in lower case
from typing import BinaryIO, Final
from zlib import crc32

import zstandard

from common import log
from common.errors import ConfigFault, PeerFault
from common.messages import Message, decode, encode
from common.units import SECOND, Nanos

CHUNK_BYTES_MAX: Final = 64 * 1024  # before compression; one message may exceed it
CHUNK_SPAN_MAX: Final = Nanos(SECOND)  # what a killed service loses at most
PAYLOAD_BYTES_MAX: Final = 64 * 1024 * 1024  # of a chunk read back: more is a damaged length

_MAGIC: Final = b"ballast tape 1\n"
_CHUNK: Final = Struct("<II")  # compressed length, crc
_MESSAGE: Final = Struct("<QBI")  # now, length of kind, length of body


class TapeWriter:
    """Writes one tape; ConfigFault when the file exists or cannot be made."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file: BinaryIO | None = path.open("xb", buffering=0)
        except OSError as error:
            raise ConfigFault(f"{path}: tape cannot be made ({error.strerror}); move an old one away") from error
        self._compressor = zstandard.ZstdCompressor()
        self._crc = crc32(_MAGIC)
        self._chunk = bytearray()
        self._chunk_began = Nanos(0)
        self._out(_MAGIC)

    def write(self, now: Nanos, message: Message) -> None:
        """Add one message; it is on disk a chunk later."""
        if self._file is None:
            return
        if self._chunk and (now - self._chunk_began >= CHUNK_SPAN_MAX or len(self._chunk) >= CHUNK_BYTES_MAX):
            self._end_chunk()
        if not self._chunk:
            self._chunk_began = now
        kind, body = type(message).__name__.encode(), encode(message)
        self._chunk += _MESSAGE.pack(now, len(kind), len(body)) + kind + body

    def close(self) -> None:
        """End the tape; one that was not closed reads as cut."""
        if self._chunk:
            self._end_chunk()
        self._end_chunk()
        self._abandon()

    def _end_chunk(self) -> None:
        payload = self._compressor.compress(bytes(self._chunk)) if self._chunk else b""
        self._chunk.clear()
        self._crc = _chain(self._crc, payload)
        self._out(_CHUNK.pack(len(payload), self._crc) + payload)

    def _out(self, data: bytes) -> None:
        if self._file is None:
            return
        try:
            if self._file.write(data) == len(data):
                return
            reason = "disk full"
        except OSError as error:
            reason = str(error.strerror)
        log.get().error("tape ends early", file=str(self.path), reason=reason)
        self._abandon()

    def _abandon(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            file.close()


def read(path: Path) -> Iterator[tuple[Nanos, Message]]:
    """Give the messages of a tape; ConfigFault at the damage, which is named by the message that is missing."""
    count = 0
    try:
        with path.open("rb") as file:
            for payload in _chunks(file):
                for now, kind, body in _messages(payload):
                    yield now, decode(kind, body)
                    count += 1
    except OSError as error:
        raise ConfigFault(f"{path}: tape cannot be read: {error.strerror}") from error
    except (PeerFault, StructError, UnicodeDecodeError) as error:
        raise ConfigFault(f"{path}: message {count + 1}: {error}") from error


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    """Give the decompressed chunks; PeerFault says what is wrong."""
    if file.read(len(_MAGIC)) != _MAGIC:
        raise PeerFault("this is no tape, or its head is damaged")
    crc = crc32(_MAGIC)
    while True:
        head = file.read(_CHUNK.size)
        if len(head) < _CHUNK.size:
            raise PeerFault("the tape is cut: it was not closed, or its end is lost")
        length, wanted = _CHUNK.unpack(head)
        payload = file.read(min(length, PAYLOAD_BYTES_MAX))
        crc = _chain(crc, payload)
        if crc != wanted:
            raise PeerFault("the tape is damaged or cut: its checksum differs")
        if not length:
            break
        yield _decompressed(payload)
    if file.read(1):
        raise PeerFault("the tape goes on after its end")


def _decompressed(payload: bytes) -> bytes:
    try:
        return zstandard.ZstdDecompressor().decompress(payload, max_output_size=PAYLOAD_BYTES_MAX)
    except zstandard.ZstdError as error:
        raise PeerFault(f"chunk cannot be decompressed: {error}") from error


def _messages(payload: bytes) -> Iterator[tuple[Nanos, str, bytes]]:
    at = 0
    while at < len(payload):
        now, kind_length, body_length = _MESSAGE.unpack_from(payload, at)
        middle = at + _MESSAGE.size + kind_length
        yield Nanos(now), payload[at + _MESSAGE.size : middle].decode(), payload[middle : middle + body_length]
        at = middle + body_length


def _chain(crc: int, payload: bytes) -> int:
    return crc32(payload, crc32(len(payload).to_bytes(4, "little"), crc))

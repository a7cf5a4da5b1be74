"""Recordings of the real venue's traffic, unpacked: what other clients keep for their own tests."""

import io
import json
import re
import tarfile
from functools import cache
from typing import Any, Final, NamedTuple

import zstandard

from common.config import Network
from common.hyperliquid.signing import Signature
from tests.data import data_file

FOLDER: Final = "J_hl_wire_fixtures"
PYTHON: Final = "hyperliquid-python-sdk_cassettes_info_test.tar.zst"
RUST: Final = "nautilus_hyperliquid_test_data.tar.zst"
FILLS: Final = "E_hl_node_fills_20251027/node_fills_by_block_777010829_777011828.jsonl.zst"


def unpacked(name: str) -> bytes:
    """Return a compressed file's content; `name` counts from the data's root."""
    packed = data_file(name).read_bytes()
    return zstandard.ZstdDecompressor(max_window_size=2**31).stream_reader(packed).read()


@cache
def archive(name: str) -> dict[str, bytes]:
    """Return the files of an archive by their names."""
    with tarfile.open(fileobj=io.BytesIO(unpacked(f"{FOLDER}/{name}"))) as tar:
        return {
            member.name.rpartition("/")[2]: found.read()
            for member in tar.getmembers()
            if (found := tar.extractfile(member)) is not None
        }


def cassette(test: str) -> Any:
    """Return the last answer that the official client recorded: a folded, single-quoted scalar of YAML."""
    text = archive(PYTHON)[f"{test}.yaml"].decode()
    quoted = re.findall(r"string: '((?:[^']|'')*)'", text)[-1]
    return json.loads(re.sub(r"\n+\s*", lambda fold: "\n" * (fold.group().count("\n") - 1) or " ", quoted))


def kept(name: str) -> Any:
    """Return one JSON file of the Rust client's test data."""
    return json.loads(archive(RUST)[name])


def node_fills() -> list[Any]:
    """Return two minutes of everybody's fills, as a node writes them."""
    return [fill for line in unpacked(FILLS).splitlines() for _, fill in json.loads(line)["events"]]


def stream_messages() -> list[Any]:
    """Return the WebSocket messages of a morning: books and trades."""
    lines = unpacked(f"{FOLDER}/hftbacktest_btcusd_20250126.raw.zst").splitlines()
    return [json.loads(line.split(b" ", 1)[1]) for line in lines if line.strip()]


class RecordedVector(NamedTuple):
    """One L1 action, signed for both networks by the official client."""

    action: dict[str, Any]
    vault: str | None
    nonce: int
    expires_after: int | None
    connection_id: str
    signed: dict[Network, tuple[str, Signature]]  # digest and signature


def _vector_blocks() -> list[list[str]]:
    blocks = data_file("signing_vectors.txt").read_text().split("\n## ")[1:]
    return [[line.strip() for line in block.splitlines()] for block in blocks]


def _signature(text: str) -> Signature:
    return Signature(**json.loads(text.replace("'", '"')))


def recorded_l1_vectors() -> list[RecordedVector]:
    found = []
    for lines in _vector_blocks():
        if not lines[1].startswith("action "):
            continue
        _, vault, _, nonce, _, expires = lines[2].split()
        signed = {}
        for line, network in ((lines[5], Network.MAINNET), (lines[6], Network.TESTNET)):
            _, _, digest, signature = line.split(maxsplit=3)
            signed[network] = (digest, _signature(signature))
        found.append(
            RecordedVector(
                action=json.loads(lines[1].removeprefix("action ")),
                vault=None if vault == "None" else vault,
                nonce=int(nonce),
                expires_after=None if expires == "None" else int(expires),
                connection_id=lines[4].split()[1],
                signed=signed,
            )
        )
    return found


def recorded_user_vectors() -> list[tuple[dict[str, Any], str, Signature]]:
    """Return action, digest and signature of each user-signed vector."""
    return [
        (
            {"type": lines[0].split()[0], **json.loads(lines[0][lines[0].index("{") :])},
            lines[1].split()[3],
            _signature(lines[2]),
        )
        for lines in _vector_blocks()
        if not lines[1].startswith("action ")
    ]

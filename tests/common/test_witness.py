"""Reading the venue's own log."""

from pathlib import Path

import pytest

from common import witness
from common.errors import PeerFault


def bbo(seq: int) -> witness.Bbo:
    return witness.Bbo(seq=seq, t=5, block=2, coin="BTC", bid_px="1.0", bid_sz="2.0", ask_px=None, ask_sz=None)


def test_the_line_of_a_kind() -> None:
    """A line is one JSON object whose kind is the lower-case name of its struct."""
    assert witness.encode(bbo(7)) == (
        b'{"kind":"bbo","seq":7,"t":5,"block":2,"coin":"BTC","bid_px":"1.0","bid_sz":"2.0","ask_px":null,'
        b'"ask_sz":null}\n'
    )
    assert witness.decode(witness.encode(bbo(7))) == bbo(7)


def test_files_are_one_log(tmp_path: Path) -> None:
    """Rules 1 and 4: files in the order of their numbers; a line that a crash cut short is skipped."""
    (tmp_path / "witness-000010.jsonl").write_bytes(witness.encode(bbo(3)) + b'{"kind":"bbo","seq":4')
    (tmp_path / "witness-000009.jsonl").write_bytes(witness.encode(bbo(1)) + witness.encode(bbo(2)))
    assert [line.seq for line in witness.read(tmp_path)] == [1, 2, 3]
    assert [line.seq for line in witness.read(tmp_path, after=2)] == [3]


def test_no_directory_is_an_empty_log(tmp_path: Path) -> None:
    """A venue that never started has no lines."""
    assert list(witness.read(tmp_path / "none")) == []


@pytest.mark.parametrize("line", [b"", b"{}\n", b'{"kind":"other","seq":1,"t":1,"block":1}\n', b"\xff\n"])
def test_damaged_lines(line: bytes) -> None:
    """A whole line that is none is a fault, not a gap."""
    with pytest.raises(PeerFault):
        witness.decode(line)

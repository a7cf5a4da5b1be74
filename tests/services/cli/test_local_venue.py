"""What `mm venue` does, short of being the venue; the venue itself is asked in this process."""

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from common import witness
from common.errors import ConfigFault
from services.cli import local_venue
from services.cli.local_venue import Wish
from services.cli.main import app
from tests.services.venue_sim.door import ALICE, BOB, Door, limit, place


def mm(*words: str) -> Result:
    return CliRunner().invoke(app, ["venue", *words])


def test_the_words_that_start_a_venue() -> None:
    """Only what was chosen is said; the rest is the venue's own business."""
    program = [sys.executable, "-m", "services.venue_sim", "--alone"]
    assert local_venue.command(Wish(port=0)) == [*program, "--port=0"]
    everything = Wish(port=1, home=Path("h"), seed=-2, equity=5.5, scenario="thin", tape=Path("a b"), faults=True)
    assert local_venue.command(everything) == [
        *program,
        *("--port=1", "--home=h", "--seed=-2", "--equity=5.5", "--scenario=thin", "--tape=a b", "--faults"),
    ]


def test_parameters_of_a_fault() -> None:
    """Only the first = divides; a word without one is named."""
    assert local_venue.parameters(["share=0.05", "text=a=b", "user="]) == {"share": "0.05", "text": "a=b", "user": ""}
    with pytest.raises(ConfigFault, match=r"'share'.*key=value"):
        local_venue.parameters(["count=1", "share"])


# --- the log ---


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A file with one trade in it."""
    door = Door()
    door.log()
    door.venue.open_log()
    door.meet(ALICE, BOB)
    door.do(ALICE, place(limit("99000", "0.1")))
    door.do(BOB, place(limit("99000", "0.1", buy=False)))
    folder = tmp_path / "home" / "witness"
    folder.mkdir(parents=True)
    path = folder / "witness-000001.jsonl"
    path.write_bytes(b"".join(map(witness.encode, door.block().log())))
    return path


def test_a_good_log(log: Path) -> None:
    """A file, its directory and the home are one log: exit code 0, and what was in it."""
    for path in (log, log.parent, log.parent.parent):
        found = mm("verify", str(path))
        assert (found.exit_code, "the rules hold" in found.stdout) == (0, True)
        assert "2 fill" in found.stdout


def test_a_bad_log(log: Path) -> None:
    """Every finding is printed, exit code 1."""
    log.write_text(log.read_text().replace('"sz":"0.1"', '"sz":"0.2"', 1))
    found = mm("verify", str(log))
    assert found.exit_code == 1
    assert found.stdout.startswith("seq ")
    assert "rules are broken" in found.stdout
    many = mm("verify", str(log.parent))
    assert many.stdout.startswith("witness-000001.jsonl:")


@pytest.mark.parametrize("content", [None, "# no log\n"])
def test_no_log(tmp_path: Path, content: str | None) -> None:
    """What is missing, empty or something else is one clear line and exit code 2."""
    path = tmp_path / "notes.txt"
    if content is not None:
        path.write_text(content)
    for asked in (path, tmp_path):
        found = mm("verify", str(asked))
        assert found.exit_code == 2
        (line,) = found.stderr.splitlines()
        assert str(asked) in line


def test_an_unreadable_log(tmp_path: Path) -> None:
    """A directory in the place of a file."""
    (tmp_path / "witness-000001.jsonl").mkdir()
    found = mm("verify", str(tmp_path))
    assert (found.exit_code, "cannot be read" in found.stderr) == (2, True)

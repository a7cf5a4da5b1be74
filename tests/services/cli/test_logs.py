"""The last lines of the logs."""

from pathlib import Path

import pytest

from common.errors import ConfigFault
from services.cli import exits
from services.cli.logs import LINES_MAX, Tail, logs
from tests.services.cli.samples import made_home


def test_the_last_lines_then_what_is_added(tmp_path: Path) -> None:
    """At first the end of the file, then each whole line once; half a line waits for its end."""
    path = tmp_path / "risk.log"
    path.write_text("".join(f"{n}\n" for n in range(LINES_MAX + 5)))
    tail = Tail(path)
    assert list(tail.lines()) == [str(n) for n in range(5, LINES_MAX + 5)]
    assert list(tail.lines()) == []
    with path.open("a") as log:
        log.write("one\ntw")
    assert list(tail.lines()) == ["one"]
    with path.open("a") as log:
        log.write("o\n")
    assert list(tail.lines()) == ["two"]


def test_a_rotated_log_is_read_from_its_beginning(tmp_path: Path) -> None:
    """Supervisord renames the old file and opens a new one."""
    path = tmp_path / "risk.log"
    path.write_text("old\n")
    tail = Tail(path)
    assert list(tail.lines()) == ["old"]
    path.rename(tmp_path / "risk.log.1")
    assert list(tail.lines()) == []
    path.write_text("new and longer\n")
    assert list(tail.lines()) == ["new and longer"]


def test_one_log_or_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Among several each line says whose it is."""
    home = made_home(tmp_path)
    with pytest.raises(ConfigFault, match="no log of risk yet"):
        logs(home, "risk", follow=False)
    (home.logs / "risk.log").write_text("a\n")
    (home.logs / "strategy.log").write_text("b\n")
    assert logs(home, "risk", follow=False) == exits.OK
    assert capsys.readouterr().out == "a\n"
    assert logs(home, None, follow=False) == exits.OK
    assert capsys.readouterr().out == "risk: a\nstrategy: b\n"

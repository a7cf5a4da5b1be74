"""The command: settings changed from the command line, clear errors, a report on disk."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from common.config import Profile
from common.errors import ConfigFault
from services.cli.configuration import profile_file
from services.replay.__main__ import EX_OK, EX_USAGE, main, settings_of
from services.replay.run import Report
from tests.services.replay.test_run import TAPE

SIM = profile_file(Profile.SIM)


def test_single_settings_are_changed_and_checked() -> None:
    """A bare word is a string, everything else TOML."""
    settings = settings_of(SIM, ["strategy.levels=2", "coins.BTC.order_usd = 250.0", "log.level=DEBUG"])
    assert (settings.strategy.levels, settings.coins["BTC"].order_usd, settings.log.level) == (2, 250.0, "DEBUG")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("strategy.levels", "section.key=value"),
        ("levels=2", "section.key=value"),
        (".levels=2", "section.key=value"),
        ("strategy.nonsense=2", "nonsense"),
        ("strategy.levels=99", "levels"),
        ("profile.x=1", "profile is no section"),
    ],
)
def test_a_wrong_change_is_named(change: str, words: str) -> None:
    """Before anything is played."""
    with pytest.raises(ConfigFault, match=words):
        settings_of(SIM, [change])


@pytest.mark.parametrize(
    "words",
    [
        ["/nonexistent"],
        [str(TAPE), "--speed", "fast"],
        [str(TAPE), "--speed", "0"],
        [str(TAPE), "--config", "/none"],
        [str(TAPE), "--strategy", "nonsense"],
        [str(TAPE), "--against", "nonsense"],
        [str(TAPE), "--against", "glft"],
        [str(TAPE), "--from", "9999"],
    ],
)
def test_bad_input_is_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The line says what was wrong."""
    assert main(words) == EX_USAGE
    said = capsys.readouterr().err
    assert said.startswith("replay: ")
    assert "Traceback" not in said


def test_a_report_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON for machines, a page for people, one line a coin in the terminal."""
    out = tmp_path / "out"
    words = [str(TAPE), "--seconds", "20", "--speed", "100000", "--out", str(out), "--set", "strategy.levels=1"]
    words += ["--strategy", "symmetric"]
    assert main(words) == EX_OK
    report = msgspec.json.decode((out / "report.json").read_bytes(), type=Report)
    assert report.seconds == 20.0
    assert "<svg" in (out / "report.html").read_text()
    assert "BTC: net " in capsys.readouterr().out


def test_a_second_strategy_is_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the page, in JSON, and in one sentence in the terminal; so short a sample decides nothing."""
    words = [str(TAPE), "--from", "60", "--seconds", "20", "--out", str(tmp_path), "--against", "symmetric"]
    assert main(words) == EX_OK
    report = msgspec.json.decode((tmp_path / "report.json").read_bytes(), type=Report)
    assert report.comparison is not None
    assert [side.strategy for side in report.comparison.sides] == ["glft", "glft", "symmetric", "symmetric"]
    assert report.comparison.verdict in capsys.readouterr().out
    page = (tmp_path / "report.html").read_text()
    assert "Compared" in page
    assert "The sample is too small to tell" in page


@pytest.mark.parametrize("text", ["-1", "inf", "nan", "soon"])
def test_a_start_that_is_none(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The option is named."""
    with pytest.raises(SystemExit):
        main([str(TAPE), f"--from={text}"])
    assert "--from" in capsys.readouterr().err


def test_mm_hands_its_words_over() -> None:
    """`mm replay` is the same program."""
    command = [sys.executable, "-c", "from services.cli.main import main; main()", "replay", "/nonexistent"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == EX_USAGE
    assert "replay: /nonexistent" in done.stderr

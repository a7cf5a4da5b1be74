"""The self-assessment says what was proven, for which limits and when, and what was not."""

from pathlib import Path

import pytest

from common.home import Home
from common.limits_hash import limits_hash
from services.cli.catalogue import CONTROLS
from services.cli.drill.results import DAY_S, Drill, Result, store
from services.cli.selfassess import report, selfassess
from tests.services.cli.samples import CONFIG, settings

NOW = 1_790_000_000
HASH = limits_hash(settings())


def drilled(*names: str, at_s: int = NOW, limits: str = HASH, passed: bool = True) -> Drill:
    results = tuple(Result(control=name, passed=passed, evidence="seen | at the venue") for name in names)
    return Drill(at_s=at_s, limits_hash=limits, seconds=1.0, results=results)


def row(text: str, control: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(f"| {control} |"))


def test_every_control_has_a_row() -> None:
    """Without any drill each of them is missing, and the count says so."""
    text = report(settings(), [], NOW)
    assert all("| never | missing |" in row(text, control.name) for control in CONTROLS)
    assert f"0 of {len(CONTROLS)}" in text
    assert HASH in text


@pytest.mark.parametrize(
    ("drill", "verdict"),
    [
        (drilled("C3"), "passed"),
        (drilled("C3", at_s=NOW - 30 * DAY_S), "passed"),
        (drilled("C3", at_s=NOW - 31 * DAY_S), "stale: 31 days old"),
        (drilled("C3", limits="other"), "stale: limits other"),
        (drilled("C3", passed=False), "FAILED"),
    ],
)
def test_a_result_counts_for_its_limits_and_its_time(drill: Drill, verdict: str) -> None:
    """Rule 1, both sides of the age."""
    found = row(report(settings(), [drill], NOW), "C3")
    assert f"| {verdict} |" in found
    assert "RTS 6 art. 15(1)(b)" in found
    assert "seen \\| at the venue" in found


def test_the_last_result_of_a_control_counts() -> None:
    """A drill of one control leaves the older results of the others."""
    text = report(settings(), [drilled("C3", "C4", at_s=NOW - DAY_S), drilled("C3", passed=False)], NOW)
    assert "| FAILED |" in row(text, "C3")
    assert "| passed |" in row(text, "C4")
    assert f"1 of {len(CONTROLS)}" in text


def test_the_file_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """To a file, or to stdout."""
    config = tmp_path / "c.toml"
    config.write_text(CONFIG)
    home = Home(tmp_path / "home")
    store(home, drilled("C1"))
    assert selfassess(home, config, tmp_path / "report.md") == 0
    assert "# Self-assessment" in (tmp_path / "report.md").read_text()
    capsys.readouterr()
    assert selfassess(home, config, None) == 0
    assert "| C1 | Price collar of an order |" in capsys.readouterr().out

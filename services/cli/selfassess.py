"""`mm selfassess`: what the controls are, which rules ask for them, and when each was seen to work.

Each control with the rule that asks for it, its owner, its tests, its metric, and when it last tripped in a drill.
Rules
  1. A result counts for the limits that it was made with: of other limits it is stale, as it is when it is too old.
  2. What was never drilled is said to be missing. Nothing is left out because it looks bad.
"""

import time
from pathlib import Path
from typing import Final

from common import config
from common.config import Settings
from common.errors import ConfigFault
from common.home import Home
from common.limits_hash import limits_hash
from services.cli import exits
from services.cli.catalogue import CONTROLS, Control
from services.cli.drill.results import DAY_S, Drill, Result, latest, stored

HEAD: Final = ("control", "what for", "rule", "owner", "test", "metric", "last drill", "result", "evidence")


def selfassess(home: Home, path: Path, out: Path | None) -> int:
    """Write the report; to stdout where no file is named."""
    text = report(config.load(path), stored(home), time.time_ns() // 1_000_000_000)
    if out is None:
        print(text, end="")  # noqa: T201  # a command speaks on stdout
        return exits.OK
    try:
        out.write_text(text)
    except OSError as error:
        raise ConfigFault(f"--out {out}: cannot be written ({error.strerror})") from error
    print(f"written: {out}")  # noqa: T201  # same
    return exits.OK


def report(settings: Settings, drills: list[Drill], now_s: int) -> str:
    """Return the report as Markdown."""
    last = latest(drills)
    rows = [_row(control, last.get(control.name), settings, now_s) for control in CONTROLS]
    good = sum(row[7] == "passed" for row in rows)
    lines = [
        "# Self-assessment of controls",
        "",
        f"- written: {_date(now_s)}",
        f"- profile: {settings.profile}, coins {', '.join(sorted(settings.coins))}",
        f"- limits: {limits_hash(settings)}; a drill counts for {settings.drill.max_age_days} days",
        f"- controls that tripped in a drill of these limits: {good} of {len(rows)}",
        "",
        "The rules cited bind investment firms and brokers, not a person who trades own money; they are the bar.",
        "",
        _line(HEAD),
        _line(tuple("---" for _ in HEAD)),
        *map(_line, rows),
    ]
    return "\n".join(lines) + "\n"


def _row(control: Control, found: tuple[Drill, Result] | None, settings: Settings, now_s: int) -> tuple[str, ...]:
    known = (control.name, control.title, control.rule, control.owner, control.test, f"`{control.watched}`")
    if found is None:
        return (*known, "never", "missing", "")
    drill, result = found
    age_s = now_s - drill.at_s
    if drill.limits_hash != limits_hash(settings):
        verdict = f"stale: limits {drill.limits_hash}"
    elif age_s > settings.drill.max_age_days * DAY_S:
        verdict = f"stale: {age_s // DAY_S} days old"
    else:
        verdict = "passed" if result.passed else "FAILED"
    return (*known, _date(drill.at_s), verdict, result.evidence)


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in cells)} |"


def _date(at_s: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at_s))

"""Results of drills on disk, and whether the last one is good enough to trade with.

Rules
  1. A drill is of one set of limits, known by their hash (common/limits_hash.py). Changed limits need a new one.
  2. Good is: of these very limits, not older than `[drill] max_age_days`, every control tripped, none left out.
  3. A file that cannot be read proves nothing. Whatever is wrong is said with the command that mends it.
"""

import time
from pathlib import Path
from typing import Final

import msgspec

from common import keys
from common.config import Settings
from common.errors import ConfigFault
from common.home import Home
from common.limits_hash import limits_hash
from services.cli.catalogue import CONTROLS

DAY_S: Final = 86_400
FUTURE_S_MAX: Final = 300  # a result from further ahead was made by a wrong clock


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What provoking one control led to."""

    control: str
    passed: bool
    evidence: str
    seconds: float = 0.0


class Drill(msgspec.Struct, frozen=True, kw_only=True):
    """One run of drills."""

    at_s: int  # Unix time of its end
    limits_hash: str
    seconds: float
    results: tuple[Result, ...]

    @property
    def passed(self) -> bool:
        return all(result.passed for result in self.results)

    @property
    def complete(self) -> bool:
        return {result.control for result in self.results} >= {control.name for control in CONTROLS}


def directory(home: Home) -> Path:
    return home.path / "drills"


def store(home: Home, drill: Drill) -> Path:
    """Write one drill; returns its file."""
    home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory(home).mkdir(mode=0o700, exist_ok=True)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(drill.at_s))
    path = directory(home) / f"{stamp}-{drill.limits_hash}-{time.monotonic_ns()}.json"
    keys.write_new(path, msgspec.json.format(msgspec.json.encode(drill)) + b"\n")
    return path


def stored(home: Home) -> list[Drill]:
    """Return every readable drill of this home, oldest first (rule 3)."""
    drills = []
    for path in sorted(directory(home).glob("*.json")):
        try:
            drills.append(msgspec.json.decode(path.read_bytes(), type=Drill))
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            continue
    return sorted(drills, key=lambda drill: drill.at_s)


def latest(drills: list[Drill]) -> dict[str, tuple[Drill, Result]]:
    """Return each control's last result, with the drill that it is of."""
    return {result.control: (drill, result) for drill in drills for result in drill.results}


def fault(drills: list[Drill], settings: Settings, now_s: int) -> str:
    """Say why these limits may not trade with real orders; "" when they may (rule 2)."""
    wanted = limits_hash(settings)
    whole = [drill for drill in drills if drill.complete]
    if not whole:
        return "has no complete drill"
    of_these = [drill for drill in whole if drill.limits_hash == wanted]
    if not of_these:
        return f"was drilled with other limits: {whole[-1].limits_hash}, these are {wanted}"
    last = of_these[-1]
    if not last.passed:
        failed = ", ".join(result.control for result in last.results if not result.passed)
        return f"failed its last drill: {failed}"
    age_s = now_s - last.at_s
    if not -FUTURE_S_MAX <= age_s <= settings.drill.max_age_days * DAY_S:
        return f"had its last drill {age_s / DAY_S:.1f} days ago, {settings.drill.max_age_days} are allowed"
    return ""


def require(home: Home, settings: Settings, command: str) -> None:
    """Refuse to trade for real without a good drill; `command` is what makes one."""
    found = fault(stored(home), settings, int(time.time_ns() // 1_000_000_000))
    if found:
        raise ConfigFault(f"{home.path} {found}; run `{command}` (about four minutes, on a local venue of its own)")

"""How often a service may die: its epoch, the pause before it starts again, and when to stop trying.

Rules
  1. The epoch grows with every start, also when this file is lost: max(last + 1, Unix seconds).
  2. Only a start after an unclean end counts; a clean stop leaves a mark.
  3. Before the n-th counted start in the window the service sleeps min(2^n, throttle_max_s) seconds, n from 0:
     1 s after the first crash, then 2, 4, 8, and the limit.
  4. More than `starts` counted ones in the window is over budget: the service comes up halted.
  5. A damaged file is an unclean end without history, never an exception.
"""

import os
from pathlib import Path
from typing import Final

import msgspec

from common.config import CrashBudget
from common.errors import Unrecoverable

DOUBLINGS_MAX: Final = 20  # 2^20 s is beyond any limit; it keeps the power a small number


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """What the last start left behind."""

    epoch: int
    clean: bool
    starts: tuple[int, ...] = ()  # Unix seconds of the counted ones, newest last


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """What this start has to do."""

    epoch: int
    unclean: bool
    over_budget: bool
    throttle_s: float  # sleep so long before anything else, over budget or not


def decide(last: Mark | None, now_s: int, settings: CrashBudget) -> tuple[Start, Mark]:
    """Decide on one start; `last` is None on the first start ever. Pure."""
    recent = [at for at in last.starts if abs(now_s - at) < settings.window_s] if last else []
    unclean = last is not None and not last.clean
    counted = [*recent, now_s] if unclean else recent
    over_budget = unclean and len(counted) > settings.starts
    doublings = min(len(counted) - 1, DOUBLINGS_MAX)
    epoch = max(last.epoch + 1 if last else 1, now_s)
    start = Start(
        epoch=epoch,
        unclean=unclean,
        over_budget=over_budget,
        throttle_s=min(2.0**doublings, settings.throttle_max_s) if unclean else 0.0,
    )
    return start, Mark(epoch=epoch, clean=False, starts=tuple(counted[-settings.starts - 1 :]))


def start(path: Path, now_s: int, settings: CrashBudget) -> Start:
    """Take note of a start; `now_s` is Unix seconds. Unrecoverable when the file cannot be written."""
    decided, mark = decide(_read(path), now_s, settings)
    _write(path, mark)
    return decided


def mark_clean(path: Path) -> None:
    """Take note of a clean stop: the last thing before the exit."""
    if last := _read(path):
        _write(path, msgspec.structs.replace(last, clean=True))


def _read(path: Path) -> Mark | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Mark)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return Mark(epoch=0, clean=False)


def _write(path: Path, mark: Mark) -> None:
    draft = path.with_suffix(".new")
    try:
        with draft.open("wb") as file:
            file.write(msgspec.json.encode(mark))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise Unrecoverable(f"{path}: cannot be written: {error.strerror}") from error

"""`mm up`: start a run, watch it, stop it in order."""

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from types import FrameType
from typing import Final, Self

import msgspec
from rich.console import Console
from rich.live import Live

from common.config import Profile
from common.errors import HouseError
from common.halt import HaltDir
from common.home import Home
from services.cli import exits, holder
from services.cli.configuration import Overrides, profile_file
from services.cli.gather import Overview, overview
from services.cli.launch import Run, await_services, configure, held_home, start, with_free_ports, write_home
from services.cli.status import Status
from services.cli.stopping import STOP_S_MAX, last_words, stop_run
from services.cli.table import line, screen

LOOK_S: Final = 1.0


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asked for."""

    home: Path
    profile: Profile
    config: Path | None
    overrides: Overrides
    detach: bool
    seconds: float | None
    ask_passphrase: Callable[[str], str]  # shows this text and reads one


class Judgement:
    """Whether the mesh has done what it is for: READY, with quotes resting, at the same time."""

    def __init__(self) -> None:
        self.ready = False
        self.quoted = False
        self.both = False

    def see(self, status: Status) -> None:
        ready, quoted = status.state == "READY", status.quotes
        self.ready |= ready
        self.quoted |= quoted
        self.both |= ready and quoted

    @property
    def verdict(self) -> str:
        if self.both:
            return "was READY and quoted"
        missing = [text for text, seen in (("READY", self.ready), ("quoting", self.quoted)) if not seen]
        return f"was never {' and never '.join(missing) or 'READY while quoting'}"


def up(wish: Wish) -> int:
    home = Home(wish.home.resolve())
    path = wish.config or profile_file(wish.profile)
    chosen = configure(home, path, wish.overrides)
    with held_home(home) as lock:
        chosen = with_free_ports(path, wish.overrides, chosen.settings)
        halted = _halted(home)
        if halted and wish.seconds is not None:
            raise exits.Refused(f"{halted}\nmm: nothing was started")
        words = holder.typed(home, chosen.settings, wish.ask_passphrase)
        write_home(home, chosen)
        with _Signals() as signals:
            holder.start(home, words)
            run = start(home, chosen.settings, lock)
            problem = await_services(run, signals.arrived)
            if halted and not problem:
                exits.report(halted)
            if wish.detach and not problem and not signals.arrived():
                _say(f"running on {home.path}; see `mm status`, stop with `mm down`")
                return exits.OK
            return _attended(run, wish, problem, signals)


def _attended(run: Run, wish: Wish, problem: str, signals: "_Signals") -> int:
    """Watch until something ends it, then stop in order; return the exit code."""
    judgement = Judgement()
    if not problem:
        try:
            problem = _watch(run, wish.seconds, judgement, signals)
        except HouseError as fault:  # whatever we cannot show, the run is stopped in order
            problem = str(fault)
    if run.supervisord.poll() is not None:
        if run.supervisord.returncode == 0 and not problem:
            _say("stopped by somebody else")
            return exits.OK if judgement.both or wish.seconds is None else exits.NOT_YET
        exits.report(problem or f"supervisord ended with {run.supervisord.returncode}; see `mm logs`")
        return exits.FAILED
    if problem:
        exits.report(problem)
    left = stop_run(run.home, run.supervisor, _say)
    ended = await_end(run.supervisord)
    _say(last_words(left))
    if problem or left or not ended:
        return exits.FAILED
    if wish.seconds is None:
        return exits.OK
    _say(f"the mesh {judgement.verdict}")
    return exits.OK if judgement.both else exits.NOT_YET


def await_end(supervisord: subprocess.Popen[bytes]) -> bool:
    """Wait for supervisord; one that does not end is killed, and its services end by themselves."""
    try:
        supervisord.wait(STOP_S_MAX)
    except subprocess.TimeoutExpired:
        exits.report(f"supervisord (pid {supervisord.pid}) did not end and was killed")
        supervisord.kill()
        supervisord.wait()
        return False
    return True


def _watch(run: Run, seconds: float | None, judgement: Judgement, signals: "_Signals") -> str:
    """Show the run until its time is over, a signal comes or supervisord ends; return what went wrong."""
    until = None if seconds is None else time.monotonic() + seconds
    with _Picture() as show:
        while not signals.arrived() and run.supervisord.poll() is None:
            found = overview(run.home)
            judgement.see(found.status)
            show(found)
            left = LOOK_S if until is None else min(LOOK_S, until - time.monotonic())
            if left <= 0:
                return ""
            signals.wait(left)
    return ""


def _halted(home: Home) -> str:
    """Say why this home is latched and how to clear it; "" when it is not."""
    directory = HaltDir(home.halt).read()
    if not directory.halted:
        return ""
    causes = [f"{file.cause}: {file.evidence}".rstrip(": ") for file in directory.files]
    return (
        f"HALTED: {'; '.join(causes) or f'{home.halt} is unreadable'}\n"
        f'mm: when the cause is gone: mm arm --reason "..." --home {home.path}'
    )


def _say(text: str) -> None:
    Console(highlight=False, soft_wrap=True).print(text, markup=False)


class _Picture:
    """A live table on a terminal, a line a second elsewhere."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._live = Live(console=self._console, auto_refresh=False) if self._console.is_terminal else None

    def __enter__(self) -> Callable[[Overview], None]:
        if self._live:
            self._live.start()
        return self._show

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def _show(self, found: Overview) -> None:
        if self._live:
            self._live.update(screen(found.status, found.details), refresh=True)
        else:
            self._console.print(line(found.status), markup=False, soft_wrap=True)


class _Signals:
    """Turns Ctrl-C, SIGTERM and a closed terminal into a wish to stop; further ones change nothing."""

    def __init__(self) -> None:
        self._stop = Event()
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number in self._before:
            signal.signal(number, signal.SIG_DFL)

    def arrived(self) -> bool:
        return self._stop.is_set()

    def wait(self, seconds: float) -> None:
        self._stop.wait(seconds)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stop.set()

"""`mm down` and `mm restart`: stop a run, or begin one service anew."""

import time
from typing import Final

from common.errors import ConfigFault, PeerFault
from common.home import SERVICES, Home
from services.cli import exits
from services.cli.gather import is_held
from services.cli.stopping import STOP_S_MAX, await_end, last_words, stop_run
from services.cli.supervision import ProcessInfo, Supervisor

RESTART_S_MAX: Final = 30.0
POLL_S: Final = 0.1


def down(home: Home) -> int:
    """Stop in order; 0 also when nothing runs."""
    if not is_held(home.lock("up")):
        _say(f"nothing runs on {home.path}")
        return exits.OK
    supervisor = Supervisor(home.run())
    if not supervisor.answers():
        raise PeerFault(f"a run holds {home.lock('up')}, but its supervisord does not answer; see `mm doctor`")
    left = stop_run(home, supervisor, _say)
    if not await_end(home, STOP_S_MAX):
        exits.report(f"supervisord still holds {home.lock('up')}; try again")
        return exits.NOT_YET
    _say(last_words(left))
    return exits.FAILED if left else exits.OK


def restart(home: Home, service: str) -> int:
    """Stop and start one service; 0 when the new process holds its lock."""
    if service not in SERVICES:
        raise ConfigFault(f"unknown service {service}: there are {', '.join(SERVICES)}")
    if not is_held(home.lock("up")):
        exits.report(f"nothing runs on {home.path}; start with `mm up`")
        return exits.NOT_YET
    supervisor = Supervisor(home.run())
    if service not in supervisor.processes():
        raise ConfigFault(f"{service} is no part of this run")
    before = supervisor.processes()[service].pid
    supervisor.stop(service)
    if not _reaches(supervisor, service, stopped=True):
        raise PeerFault(f"{service} (pid {before}) does not stop; see `mm logs {service}`")
    supervisor.start(service)
    if not _reaches(supervisor, service, stopped=False):
        exits.report(f"{service} does not stay up; see `mm logs {service}`")
        return exits.NOT_YET
    _say(f"{service} restarted: pid {supervisor.processes()[service].pid}, was {before or 'not running'}")
    return exits.OK


def _reaches(supervisor: Supervisor, service: str, *, stopped: bool) -> bool:
    until = time.monotonic() + RESTART_S_MAX
    while time.monotonic() < until:
        info: ProcessInfo = supervisor.processes()[service]
        if info.is_stopped == stopped and (stopped or info.statename == "RUNNING"):
            return True
        if not stopped and info.halted_by_design:
            return False
        time.sleep(POLL_S)
    return False


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201  # a command speaks on stdout

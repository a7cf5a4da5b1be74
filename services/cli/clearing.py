"""`mm arm`: a person clears the halt. Only risk removes halt files, on the operator's signature only."""

import sys
import time
from collections.abc import Callable, Mapping
from typing import Final

from common import keys, mesh
from common.arming import arm_command, sign_command
from common.config import Profile, Settings
from common.errors import ConfigFault, PeerFault
from common.halt import HaltDir
from common.home import SERVICES, Home
from common.hyperliquid.signing import SigningKey
from common.messages import ArmAnswer, ArmRequest, HaltFile
from common.process import forbid_dumps
from common.units import MILLISECOND, Millis
from common.wiring import CLI, wiring
from services.cli import exits
from services.cli.gather import is_held, settings_of
from services.cli.halting import risk_word
from services.cli.supervision import ProcessInfo, Supervisor

REASON_MAX: Final = 500  # characters; risk refuses more
ARM_S_MAX: Final = 5.0
RISK_START_S_MAX: Final = 20.0
AGREE_S_MAX: Final = 10.0
POLL_S: Final = 0.2


def arm(home: Home, reason: str, ask_passphrase: Callable[[], str]) -> int:
    """List the causes, have risk clear them, start what had halted by design."""
    settings = settings_of(home)
    if settings is None:
        raise ConfigFault(f"{home.config}: there is no run here yet; start with `mm up --home {home.path}`")
    if not 1 <= len(reason.strip()) <= REASON_MAX:
        raise ConfigFault(f"--reason: say in 1 to {REASON_MAX} characters why trading may go on")
    directory = HaltDir(home.halt).read()
    if directory.halted or directory.coins:
        for file in directory.files:
            _say(cause(file))
        key = operator_key(home, settings, ask_passphrase)
        supervisor = _running(home)
        _await_risk(home, supervisor)
        names = tuple(file.name for file in directory.files)
        answer = _until_risk_agrees(home, key, reason.strip(), names)
        _say(f"cleared {len(answer.cleared)} of {len(names)}")
    else:
        _say("not halted")
        supervisor = _running(home)
    for name in to_start(supervisor.processes()):
        _say(f"starting {name}")
        supervisor.start(name)
    return exits.OK


def to_start(processes: Mapping[str, ProcessInfo]) -> list[str]:
    """Name the services that halted by design, risk first."""
    order = ("risk", *(name for name in SERVICES if name != "risk"))
    return [name for name in order if name in processes and processes[name].halted_by_design]


def cause(file: HaltFile) -> str:
    """One halt file for a person."""
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(file.at_ms / 1_000))
    evidence = f" ({file.evidence})" if file.evidence else ""
    what = f"{file.coin} alone: " if file.coin else ""
    return f"{at} UTC  {what}{file.by or 'unknown'}: {file.cause}{evidence}"


def operator_key(home: Home, settings: Settings, ask_passphrase: Callable[[], str]) -> SigningKey:
    """Open the operator's keystore with the passphrase in its file, or with the one that a person types."""
    forbid_dumps()
    store = keys.keystore_path(home, "operator", settings.keys.operator)
    words = keys.passphrase_path(home, "operator", settings.keys.operator)
    strict = settings.profile is not Profile.SIM
    if words.exists():
        return keys.load(store, words, strict=strict)
    if not sys.stdin.isatty():
        raise ConfigFault(f"{words}: no passphrase of the operator key, and no terminal to ask for it on")
    return keys.unlock(store, ask_passphrase(), strict=strict)


def _running(home: Home) -> Supervisor:
    if not is_held(home.lock("up")):
        raise PeerFault(f"nothing runs on {home.path}; `mm up` starts it HALTED, then arm it")
    return Supervisor(home.run())


def _await_risk(home: Home, supervisor: Supervisor) -> None:
    """Have risk run: it reads the halt directory before anything else, and only it may clear it."""
    until = time.monotonic() + RISK_START_S_MAX
    if not is_held(home.lock("risk")):
        _say("starting risk")
        supervisor.start("risk")
    while risk_word(home) is None:
        if time.monotonic() > until:
            raise PeerFault("risk does not answer; see `mm logs risk`")
        time.sleep(POLL_S)


def _until_risk_agrees(home: Home, key: SigningKey, reason: str, names: tuple[str, ...]) -> ArmAnswer:
    """Ask again while risk refuses for now: one that has just started does not know the venue's time yet."""
    until = time.monotonic() + AGREE_S_MAX
    told = ""
    while not (answer := _ask_risk(home, key, reason, names)).ok:
        if time.monotonic() > until:
            raise exits.Refused(f"risk refused: {answer.reason}")
        if answer.reason != told:
            told = answer.reason
            _say(f"risk does not agree yet: {told}")
        time.sleep(POLL_S)
    return answer


def _ask_risk(home: Home, key: SigningKey, reason: str, names: tuple[str, ...]) -> ArmAnswer:
    command = arm_command(reason, names, Millis(time.time_ns() // MILLISECOND))
    request = ArmRequest(request_id=time.monotonic_ns(), command=command, signature=sign_command(key, command))
    answer = mesh.ask(wiring(home, CLI), "risk", request, ARM_S_MAX)
    if not isinstance(answer, ArmAnswer):
        raise PeerFault(f"risk answered {type(answer).__name__} to an arm request")
    return answer


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201  # a command speaks on stdout

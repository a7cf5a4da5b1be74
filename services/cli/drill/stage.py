"""A throwaway mesh to drill on: real processes, a venue that breaks on request, these very limits.

Rules
  1. Its home, its sockets and its ports are its own; they are gone afterwards, and so are its processes.
  2. The limits are those of the configuration that is drilled. Only what makes a venue local is replaced: address,
     account, keys, ports, and a crash budget that outlives killing on purpose.
  3. Whatever is waited for is waited for until a named time and no longer.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final, TypeAlias

import httpx

from common import endpoints, keys, mesh
from common.errors import HouseError, PeerFault
from common.halt import HaltDir
from common.home import Home
from common.messages import Heartbeat, Posture, PostureLevel
from common.units import Ticks
from common.wiring import CLI, wiring
from services.cli import exits
from services.cli.configuration import ROOT, Document, toml_text
from services.cli.drill.asker import Asker
from services.cli.drill.venue_log import VenueLog
from services.cli.gather import settings_of
from services.cli.venue_faults import FaultLink

START_S_MAX: Final = 90.0  # eight interpreters on a busy machine; an idle one needs 6 s
COMMAND_S_MAX: Final = 60.0
SETTLE_S_MAX: Final = 75.0  # until quotes rest: a warm-up of 15 s, a hold-off, a minute's count that runs off
TRIP_S_MAX: Final = 30.0  # of one control, unless its own pace is slower
POLL_S: Final = 0.1
ZERO: Final = Decimal(0)
ASK_S_MAX: Final = 1.0
SIGNALLED: Final = ("risk", "order_management", "canceller")
LOCAL: Final = ("venue", "keys", "mesh", "cpu", "tape", "metrics", "venue_sim", "crash_budget", "drill", "alerts")

Changes: TypeAlias = Mapping[str, Mapping[str, object]]  # section -> key -> value


class NotTripped(HouseError):
    """A control did not do what it is there for; the text says what was seen instead."""


def local(document: Document, changes: Changes) -> Document:
    """Return a configuration with these limits for a local venue (rule 2)."""
    base = tomllib.loads((ROOT / "deploy" / "sim.toml").read_text())
    kept = {section: value for section, value in document.items() if section not in LOCAL}
    chosen: Document = {
        **kept,
        "profile": "sim",
        "venue": base["venue"],
        "venue_sim": {"faults": True},
        "crash_budget": {"starts": 50, "throttle_max_s": 0.5},
        "journal": {"sync": "normal"},
    }
    for section, values in changes.items():
        chosen[section] = {**chosen.get(section, {}), **values}
    return chosen


class Stage:
    """One running mesh. Use `stage` to be sure that it ends."""

    def __init__(self, folder: Path, document: Document) -> None:
        self.home = Home(folder / "home")
        self.config = folder / "drill.toml"
        self.config.write_text(toml_text(document))
        (folder / "run").mkdir(mode=0o700)
        self._environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder / "run"), "COLUMNS": "200"}

    def start(self) -> None:
        ports = ("--venue-port", "0", "--metrics-port", "0")
        done = self.mm("up", "--detach", "--config", str(self.config), *ports, seconds_max=START_S_MAX)
        if done.returncode != 0:
            raise PeerFault(f"the mesh of the drill did not start: {(done.stderr or done.stdout).strip()[-400:]}")
        settings = settings_of(self.home)
        assert settings is not None, "the mesh runs"
        public = keys.read_public(self.home)
        self.settings = settings
        self.account, self.agents = public.account, public.agents
        self.coins = tuple(sorted(settings.coins))
        self.log = VenueLog(self.home.witness, public.account)
        self.venue = FaultLink.of_home(self.home)
        self.asker = Asker(self.home, settings, public.account, self.epoch)

    # --- doing -----------------------------------------------------------------------------------------

    def mm(self, *words: str, seconds_max: float = COMMAND_S_MAX) -> "subprocess.CompletedProcess[str]":
        """Run one command on this home."""
        command, *rest = words
        return subprocess.run(  # noqa: S603  # our own interpreter and words
            [sys.executable, "-m", "services.cli.main", command, "--home", str(self.home.path), *rest],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds_max,
            check=False,
        )

    def restart(self, service: str) -> None:
        done = self.mm("restart", service)
        if done.returncode != exits.OK:
            raise NotTripped(f"mm restart {service} ended with {done.returncode}: {done.stderr.strip()[-200:]}")

    def signal(self, service: str, number: signal.Signals) -> None:
        os.kill(int(self.home.lock(service).read_text()), number)

    @contextlib.contextmanager
    def fault(self, name: str, **parameters: object) -> Iterator[None]:
        """Have a lasting fault while this lasts."""
        number = self.venue.fault(name, **parameters)
        try:
            yield
        finally:
            self.venue.clear(number)

    # --- seeing ----------------------------------------------------------------------------------------

    def metric(self, name: str, **labels: str) -> float:
        """Return one metric as an operator sees it; 0 where it is not there yet."""
        url = endpoints.read(self.home)[endpoints.METRICS]
        try:
            text = httpx.get(url, timeout=ASK_S_MAX).text
        except httpx.HTTPError as error:
            raise PeerFault(f"metrics: {error}") from error
        inside = ",".join(f'{key}="{value}"' for key, value in labels.items())
        wanted = f"{name}{{{inside}}} " if inside else f"{name} "
        return next((float(line.split()[-1]) for line in text.splitlines() if line.startswith(wanted)), 0.0)

    def blocks(self, control: str) -> float:
        return self.metric("mm_risk_block_total", control=control)

    def posture(self, coin: str) -> PostureLevel:
        found = mesh.snapshot(wiring(self.home, CLI), "risk", ASK_S_MAX).get((Posture.__name__, ""))
        return found.coins[coin] if isinstance(found, Posture) else PostureLevel.HALTED

    def restraints(self) -> tuple[str, ...]:
        """Return what risk says it restrains quoting for."""
        found = mesh.snapshot(wiring(self.home, CLI), "risk", ASK_S_MAX).get((Posture.__name__, ""))
        return found.causes if isinstance(found, Posture) else ()

    def causes(self) -> list[str]:
        return [file.cause for file in HaltDir(self.home.halt).read().files]

    def epoch(self) -> int:
        """Return the epoch of the order_management that lives."""
        found = mesh.snapshot(wiring(self.home, CLI), "order_management", ASK_S_MAX).get((Heartbeat.__name__, ""))
        if not isinstance(found, Heartbeat):
            raise PeerFault("order_management has no heartbeat yet")
        return found.epoch

    def touch(self, coin: str) -> tuple[Ticks, Ticks]:
        """Return best bid and best ask by the venue."""
        url = endpoints.read(self.home)[endpoints.VENUE]
        try:
            answer = httpx.post(f"{url}/info", json={"type": "l2Book", "coin": coin}, timeout=ASK_S_MAX)
            bids, asks = answer.json()["levels"]
            instrument = self.settings.instrument(coin)
            return instrument.ticks(bids[0]["px"]), instrument.ticks(asks[0]["px"])
        except (httpx.HTTPError, json.JSONDecodeError, LookupError, ValueError) as error:
            raise PeerFault(f"the venue's book of {coin}: {error}") from error

    def position(self, coin: str) -> Decimal:
        """Return what the account holds by the venue."""
        url = endpoints.read(self.home)[endpoints.VENUE]
        body = {"type": "clearinghouseState", "user": self.account}
        try:
            held = httpx.post(f"{url}/info", json=body, timeout=ASK_S_MAX).json()["assetPositions"]
            return next((Decimal(each["position"]["szi"]) for each in held if each["position"]["coin"] == coin), ZERO)
        except (httpx.HTTPError, json.JSONDecodeError, LookupError, InvalidOperation) as error:
            raise PeerFault(f"the venue's account state: {error}") from error

    # --- waiting ---------------------------------------------------------------------------------------

    def until(self, what: str, look: Callable[[], Any], seconds_max: float = TRIP_S_MAX) -> Any:  # what `look` returns
        """Look until there is something; NotTripped when there is not (rule 3)."""
        end = time.monotonic() + seconds_max
        trouble = ""
        while True:
            try:
                if found := look():
                    return found
                trouble = ""
            except PeerFault as fault:
                trouble = f" ({fault})"
            if time.monotonic() >= end:
                raise NotTripped(f"not within {seconds_max:g} s: {what}{trouble}")
            time.sleep(POLL_S)

    def settle(self) -> None:
        """Make the mesh quote all coins on both sides, armed again where it was halted."""
        if self.causes():
            self.until("armed again", self._armed, SETTLE_S_MAX)
        self.until("quotes on both sides", lambda: all(map(self.log.refresh().quoted, self.coins)), SETTLE_S_MAX)

    def _armed(self) -> bool:
        return self.mm("arm", "--reason", "the next drill").returncode == 0 and not self.causes()

    def empty(self, coin: str = "") -> bool:
        return self.log.refresh().resting(coin) == 0

    # --- the end ---------------------------------------------------------------------------------------

    def end(self) -> None:
        """Rule 1."""
        for service in SIGNALLED:  # one of them may still stand still
            with contextlib.suppress(OSError, ValueError):
                self.signal(service, signal.SIGCONT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.mm("down")
        with contextlib.suppress(OSError, ValueError):  # `mm down` has not ended it: supervisord's children follow it
            os.kill(int(self.home.lock("up").read_text()), signal.SIGKILL)


@contextlib.contextmanager
def stage(document: Document, changes: Changes) -> Iterator[Stage]:
    """Start a mesh with these limits, give it, and end it whatever happens."""
    folder = Path(tempfile.mkdtemp(prefix="mmd"))
    one = Stage(folder, local(document, changes))
    try:
        one.start()
        yield one
    finally:
        one.end()
        shutil.rmtree(folder, ignore_errors=True)

"""The real mesh: real processes under the real supervisord.conf, on free ports, in short directories.

It always cleans up after itself.

Waits are on conditions. A bound of T seconds is checked as `5 T + the largest stall that a canary thread saw`, because
the machine is noisy; what exactly happens in T is tested on virtual time, and in the order of the witness log.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

import httpx

from common.home import SERVICES, Home
from services.cli.configuration import ROOT, toml_text
from services.cli.venue_faults import FaultLink
from tests.mesh.judge import Judge

Document: TypeAlias = dict[str, Any]  # parsed TOML or JSON

START_S_MAX: Final = 90.0  # nine interpreters on two busy cores; an idle machine needs 8 s
COMMAND_S_MAX: Final = 60.0
TEST_UNIT_MS: Final = 1_000  # liveness unit of the tests: scheduling noise must not look like silence


class Canary(threading.Thread):
    """Measures the largest stall of this machine while it lives."""

    TICK_S: Final = 0.05

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.stall_s = 0.0
        self._over = threading.Event()

    def run(self) -> None:
        last = time.monotonic()
        while not self._over.wait(self.TICK_S):
            now = time.monotonic()
            self.stall_s = max(self.stall_s, now - last - self.TICK_S)
            last = now

    def stop(self) -> None:
        self._over.set()
        self.join()


def settings_text(changes: Document) -> str:
    """Return the sim profile with the tests' liveness unit and these changes, section by section."""
    document: Document = tomllib.loads((ROOT / "deploy" / "sim.toml").read_text())
    wide: Document = {
        "liveness": {"unit_ms": TEST_UNIT_MS},
        "crash_budget": {"starts": 50, "throttle_max_s": 0.5},  # these tests kill on purpose
    }
    for part in (wide, changes):
        for section, values in part.items():
            document.setdefault(section, {}).update(values)
    return toml_text(document)


class LiveMesh:
    """One run. Use `live_mesh` to be sure that it ends."""

    def __init__(self, folder: Path, changes: Document) -> None:
        self.home = Home(folder / "home")
        self.config = folder / "test.toml"
        self.config.write_text(settings_text(changes))
        self._run = folder / "run"
        self._run.mkdir(mode=0o700)
        self.canary = Canary()
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": str(self._run), "COLUMNS": "200"}

    # --- commands --------------------------------------------------------------------------------------

    def mm(self, *words: str, timeout_s: float = COMMAND_S_MAX) -> subprocess.CompletedProcess[str]:
        """Run one `mm` command on this home."""
        command, *rest = words
        return subprocess.run(
            [sys.executable, "-m", "services.cli.main", command, "--home", str(self.home.path), *rest],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def up(self, *words: str) -> subprocess.CompletedProcess[str]:
        ports = ("--venue-port", "0", "--metrics-port", "0")
        return self.mm("up", "--detach", "--config", str(self.config), *ports, *words, timeout_s=START_S_MAX)

    def status(self) -> Document:
        found: Document = json.loads(self.mm("status", "--json").stdout)
        return found

    # --- conditions ------------------------------------------------------------------------------------

    def wait(self, what: str, condition: Callable[[], object], seconds: float) -> None:
        """Wait until the condition holds; `seconds` is the honest bound, the check is five times looser."""
        began = time.monotonic()
        while not condition():
            limit = 5 * seconds + self.canary.stall_s
            if time.monotonic() - began > limit:
                raise AssertionError(f"not within {limit:.0f} s: {what}\n{self.report()}")
            time.sleep(0.1)

    def wait_ready(self, seconds: float = 25.0) -> None:
        self.wait("READY", lambda: self.status()["state"] == "READY", seconds)

    def quoting(self, coins: tuple[str, ...] = ("BTC", "ETH")) -> bool:
        """Say whether the venue has bids and asks of ours in all these coins."""
        resting = self.judge.refresh().resting()
        sides = {(order.coin, order.side) for order in resting.values()}
        return all((coin, side) in sides for coin in coins for side in "BA")

    def wait_quoting(self, seconds: float = 25.0, coins: tuple[str, ...] = ("BTC", "ETH")) -> None:
        self.wait("quotes on both sides", lambda: self.quoting(coins), seconds)

    def report(self) -> str:
        """Return what a person needs to understand a failure: states, details and the ends of the logs."""
        lines = [self.mm("status").stdout]
        for name in SERVICES:
            path = self.home.logs / f"{name}.log"
            if path.exists():
                tail = path.read_text(errors="replace").splitlines()[-6:]
                lines += [f"--- {name}", *(line[:600] for line in tail)]
        return "\n".join(lines)

    # --- parts -----------------------------------------------------------------------------------------

    @property
    def public(self) -> Document:
        found: Document = json.loads((self.home.keys / "public.json").read_text())
        return found

    @property
    def judge(self) -> Judge:
        if not hasattr(self, "_judge"):
            self._judge = Judge(self.home.witness, self.public["account"])
        return self._judge

    @property
    def venue(self) -> FaultLink:
        """Return where faults are asked for; the mesh must run with {"venue_sim": {"faults": True}}."""
        return FaultLink.of_home(self.home)

    @property
    def venue_url(self) -> str:
        url: str = json.loads(self.home.endpoints.read_text())["venue"]
        return url

    def info(self, kind: str, **fields: object) -> Any:  # the venue's JSON
        body = {"type": kind, "user": self.public["account"], **fields}
        return httpx.post(f"{self.venue_url}/info", json=body, timeout=5).json()

    def pid(self, service: str) -> int:
        if service == "venue_sim":
            found: int = httpx.get(f"{self.venue_url}/health", timeout=5).json()["pid"]
            return found
        return int(self.home.lock(service).read_text())

    def kill(self, service: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Signal one service; return the pid it had."""
        pid = self.pid(service)
        os.kill(pid, number)
        return pid

    def wait_restarted(self, service: str, old_pid: int, seconds: float = 15.0) -> None:
        def back() -> bool:
            try:
                return self.pid(service) != old_pid
            except (httpx.HTTPError, ValueError, OSError):
                return False

        self.wait(f"{service} restarted", back, seconds)

    def processes(self) -> list[int]:
        """Return every process whose command line names this home."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with contextlib.suppress(OSError):
                    command = (entry / "cmdline").read_bytes()
                    environment = (entry / "environ").read_bytes() if b"supervisord" in command else b""
                    if str(self.home.path).encode() in command + environment:
                        found.append(int(entry.name))
        return found

    def end(self) -> None:
        """Stop in order when possible, and by force when not."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.mm("down", timeout_s=COMMAND_S_MAX)
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
                os.kill(pid, signal.SIGKILL)
        self.canary.stop()


@contextlib.contextmanager
def live_mesh(
    changes: Document | None = None, *, start: bool = True, words: tuple[str, ...] = ()
) -> Iterator[LiveMesh]:
    """Start a mesh, give it, and end it whatever happens."""
    folder = Path(tempfile.mkdtemp(prefix="bl"))
    mesh = LiveMesh(folder, changes or {})
    mesh.canary.start()
    try:
        if start:
            done = mesh.up(*words)
            assert done.returncode == 0, done.stdout + done.stderr
        yield mesh
    finally:
        mesh.end()
        shutil.rmtree(folder, ignore_errors=True)

"""Where everything of one run lies: one home directory, and a short run directory for its sockets.

The run directory has a short name derived from the home (ipc paths end at 107 bytes), mode 0700, recorded in HOME/run.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from common.errors import ConfigFault

SERVICES: Final = (
    *("venue_sim", "risk", "canceller", "order_management"),
    *("market_data", "estimation", "strategy", "metrics"),
)  # in the order of starting; stopping is the reverse
RUN_PATH_BYTES_MAX: Final = 70  # leaves room for the longest socket name within the 107 bytes of an ipc path


@dataclass(frozen=True, slots=True)
class Home:
    """Names of files only; nothing is created by looking."""

    path: Path

    @property
    def config(self) -> Path:
        """The effective configuration of this home, written by `mm up`."""
        return self.path / "config.toml"

    @property
    def endpoints(self) -> Path:
        """JSON {"venue": URL, "metrics": URL} with the ports that were chosen."""
        return self.path / "endpoints.json"

    @property
    def run_record(self) -> Path:
        return self.path / "run"

    @property
    def halt(self) -> Path:
        """The halt directory: not empty means halted."""
        return self.path / "halt"

    @property
    def keys(self) -> Path:
        """Keystores and public.json {"account": address, "agents": {"risk": address, "canceller": address}}."""
        return self.path / "keys"

    @property
    def passphrases(self) -> Path:
        return self.path / "passphrases"

    @property
    def curve(self) -> Path:
        """Key pairs of the mesh's sockets (common/curve.py)."""
        return self.path / "curve"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def witness(self) -> Path:
        """The local venue's log."""
        return self.path / "witness"

    @property
    def tapes(self) -> Path:
        return self.path / "tape"

    def database(self, service: str) -> Path:
        return self.path / "data" / f"{service}.sqlite"

    def lock(self, service: str) -> Path:
        return self.path / "lock" / f"{service}.lock"

    def mark(self, service: str) -> Path:
        """Epoch and start times of a service (common/crash_budget.py)."""
        return self.path / "lock" / f"{service}.json"

    def run(self) -> Path:
        """Return the recorded run directory; ConfigFault when there is none."""
        try:
            text = self.run_record.read_bytes().decode().strip()
        except OSError as error:
            raise ConfigFault(f"{self.run_record}: cannot be read ({error.strerror}); start with `mm up`") from error
        except UnicodeDecodeError:
            text = ""
        if not text.startswith("/") or "\0" in text:
            raise ConfigFault(f"{self.run_record}: names no directory; delete it and run `mm up`")
        return Path(text)

    def default_run(self) -> Path:
        """Name a short run directory for this home."""
        digest = hashlib.sha256(str(self.path.resolve()).encode()).hexdigest()[:10]
        parent = os.environ.get("XDG_RUNTIME_DIR") or "/tmp"  # noqa: S108  # the directory itself is made 0700
        run = Path(parent) / f"ballast-{digest}"
        if len(str(run).encode()) > RUN_PATH_BYTES_MAX:
            raise ConfigFault(f"{run}: too long for ipc sockets; set XDG_RUNTIME_DIR to a shorter directory")
        return run

    def prepare(self) -> None:
        """Make the directories, private to this user."""
        for directory in (
            self.path,
            self.halt,
            self.keys,
            self.passphrases,
            self.curve,
            self.logs,
            self.witness,
            self.tapes,
        ):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for directory in (self.path / "data", self.path / "lock"):
            directory.mkdir(mode=0o700, exist_ok=True)

"""HOME/endpoints.json: the URLs that a run chose, one key for each service that listens.

Two services and `mm up` write it, each its own key, so a write holds a file lock and replaces the whole file at once.
"""

import fcntl
import os
from pathlib import Path
from typing import Final

import msgspec

from common.errors import ConfigFault
from common.home import Home

VENUE: Final = "venue"
METRICS: Final = "metrics"
FAULTS: Final = "faults"  # path of a socket


def fault_socket(port: int) -> Path:
    """Name the socket for faults of a local venue that has no home."""
    parent = os.environ.get("XDG_RUNTIME_DIR") or "/tmp"  # noqa: S108  # the directory itself is made 0700
    return Path(parent) / f"ballast-venue-{port}" / "faults.sock"


def read(home: Home) -> dict[str, str]:
    """Return name -> URL, empty before the first run; ConfigFault when the file is not that."""
    try:
        return msgspec.json.decode(home.endpoints.read_bytes(), type=dict[str, str])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigFault(f"{home.endpoints}: cannot be read ({error}); delete it and run `mm up`") from error


def write(home: Home, name: str, url: str) -> None:
    """Set one key; the others stay."""
    with home.lock("endpoints").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        text = msgspec.json.format(msgspec.json.encode({**read(home), name: url}, order="sorted"))
        draft = home.endpoints.with_suffix(".draft")
        draft.write_bytes(text + b"\n")
        os.replace(draft, home.endpoints)  # noqa: PTH105  # one system call: readers see the old file or the new

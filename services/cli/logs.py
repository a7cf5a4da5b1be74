"""`mm logs`: the last lines of the services' logs, and what follows."""

import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from common.errors import ConfigFault
from common.home import SERVICES, Home
from services.cli import exits

LINES_MAX: Final = 100  # of each log, before following
FOLLOW_S: Final = 0.25
SUPERVISORD: Final = "supervisord"


def logs(home: Home, service: str | None, *, follow: bool) -> int:
    names = (SUPERVISORD, *SERVICES)
    if service is not None and service not in names:
        raise ConfigFault(f"unknown service {service}: there are {', '.join(names)}")
    paths = [home.logs / f"{name}.log" for name in ((service,) if service else names)]
    tails = [Tail(path) for path in paths if follow or path.exists()]
    if not tails:
        raise ConfigFault(f"{home.logs}: no log of {service or 'any service'} yet")
    prefixed = len(paths) > 1
    while True:
        for tail in tails:
            for line in tail.lines():
                print(f"{tail.name}: {line}" if prefixed else line, flush=follow)  # noqa: T201  # speaks on stdout
        if not follow:
            return exits.OK
        time.sleep(FOLLOW_S)


class Tail:
    """The last lines of one file at first, then whatever is added; a rotated file is read from its beginning."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self._path = path
        self._offset = 0
        self._inode = 0
        self._first = True

    def lines(self) -> Iterator[str]:
        """Give whole lines that were not given yet."""
        try:
            with self._path.open("rb") as file:
                status = self._path.stat()
                if status.st_ino != self._inode or status.st_size < self._offset:
                    self._inode, self._offset = status.st_ino, 0
                file.seek(self._offset)
                whole = [raw for raw in file if raw.endswith(b"\n")]
        except OSError:
            return  # not there yet
        self._offset += sum(map(len, whole))
        kept = deque(whole, maxlen=LINES_MAX) if self._first else whole
        self._first = False
        for raw in kept:
            yield raw.decode(errors="replace").rstrip("\n")

"""`mm record`: write the market facts of a running mesh into a tape."""

import time
from pathlib import Path
from typing import Final

from common.home import Home
from common.mesh import Listener
from common.tape import TapeWriter
from common.wiring import CLI, wiring
from services.cli import exits
from services.cli.gather import is_held

TOPICS: Final = ("Book", "TopOfBook", "Trade", "AssetContext", "LeaderTop")
PAUSE_S_MAX: Final = 0.5


def record(home: Home, seconds: float, out: Path) -> int:
    """Record for so long; 3 when market_data does not run or says nothing."""
    if not is_held(home.lock("market_data")):
        exits.report(f"market_data does not run on {home.path}; start with `mm up`")
        return exits.NOT_YET
    tape = TapeWriter(out)
    listener = Listener(wiring(home, CLI), {"market_data": TOPICS})
    count = 0
    until = time.monotonic() + seconds
    try:
        while (left := until - time.monotonic()) > 0:
            heard = listener.receive(min(left, PAUSE_S_MAX))
            if heard is not None:
                tape.write(*heard)
                count += 1
    except KeyboardInterrupt:
        exits.report("interrupted; the tape is closed")
    finally:
        listener.close()
        tape.close()
    print(f"{count} messages in {out}")  # noqa: T201  # a command speaks on stdout
    return exits.OK if count else exits.NOT_YET

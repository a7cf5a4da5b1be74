"""Exit codes of every `mm` command, and the one place where faults become a line for a person."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Final, NoReturn, ParamSpec

from common.errors import ConfigFault, HouseError

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2  # command line or configuration; click uses the same number
NOT_YET: Final = 3  # done what could be done, but what was asked for is not (yet) so
REFUSED: Final = 4  # already running, halted, or risk said no

P = ParamSpec("P")


class Refused(HouseError):
    """Raised when doing it would be wrong in the present state; the text says what to do instead."""


def report(text: str) -> None:
    """One line on stderr."""
    sys.stderr.write(f"mm: {text}\n")


def ending(command: Callable[P, int]) -> Callable[P, NoReturn]:
    """Make a command's return value the exit code, and the faults of the house one line each."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> NoReturn:
        try:
            code = command(*args, **kwargs)
        except Refused as fault:
            report(str(fault))
            code = REFUSED
        except ConfigFault as fault:
            report(str(fault))
            code = USAGE
        except HouseError as fault:  # a peer that talks nonsense, a damaged journal
            report(str(fault))
            code = FAILED
        except KeyboardInterrupt:
            code = FAILED
        except BrokenPipeError:
            sys.stderr.close()  # the reader of our output has left: nothing to say, nobody to hear it
            code = FAILED
        raise SystemExit(code)

    return run

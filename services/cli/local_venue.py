"""What `mm venue` does: starts a local venue, lists its accounts, judges its log, asks it for faults."""

import os
import sys
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Column, Table

from common import endpoints, witness, witness_check
from common.errors import ConfigFault, PeerFault
from common.home import Home
from services.cli import exits
from services.cli.venue import VenueReader
from services.cli.venue_faults import FaultLink

URL_DEFAULT: Final = "http://127.0.0.1:3001"
ADDRESS_CHARS: Final = 42
TABLE_CHARS_MIN: Final = 110  # all columns of the accounts; a narrower terminal folds the lines and loses nothing
FINDINGS_SHOWN_MAX: Final = 50
_PROGRAM: Final = (sys.executable, "-m", "services.venue_sim")


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """How the venue shall be; None leaves it to the home's configuration, or to the default."""

    port: int
    home: Path | None = None
    seed: int | None = None
    equity: float | None = None
    scenario: str | None = None
    tape: Path | None = None
    faults: bool = False


def command(wish: Wish) -> list[str]:
    """Return the words that start this venue."""
    options = {
        "home": wish.home,
        "seed": wish.seed,
        "equity": wish.equity,
        "scenario": wish.scenario,
        "tape": wish.tape,
    }
    chosen = [f"--{name}={value}" for name, value in options.items() if value is not None]
    return [*_PROGRAM, "--alone", f"--port={wish.port}", *chosen, *(["--faults"] if wish.faults else [])]


def serve(wish: Wish) -> int:
    """Become the venue: signals and the exit code are its own."""
    return become(command(wish))


def list_scenarios() -> int:
    """Become the process that knows them."""
    return become([*_PROGRAM, "--list-scenarios"])


def become(words: list[str]) -> int:
    """Go on as another program; does not return."""
    sys.stdout.flush()
    os.execv(words[0], words)  # noqa: S606  # our own interpreter and words
    return exits.FAILED


# --- accounts --------------------------------------------------------------------------------------


class Standing(msgspec.Struct, frozen=True):
    """One account of the local venue."""

    address: str
    equity: str
    withdrawable: str
    positions: dict[str, str]
    open_orders: int


def accounts(home: Home | None, url: str | None, *, as_json: bool) -> int:
    """List who trades on a running local venue."""
    try:
        body = VenueReader(_url(home, url), "", {}).get("/accounts")
    except PeerFault as fault:
        raise PeerFault(f"{fault}; start one with `mm venue serve`, or name it with --url or --home") from fault
    try:
        found = msgspec.json.decode(body, type=list[Standing])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PeerFault(f"venue accounts: {error}; is it a local venue?") from error
    if as_json:
        print(body.decode())  # noqa: T201  # a command speaks on stdout
        return exits.OK
    table = Table(Column("address", min_width=ADDRESS_CHARS), "equity USD", "withdrawable", "positions", "open orders")
    for each in found:
        held = ", ".join(f"{size} {coin}" for coin, size in each.positions.items())
        table.add_row(each.address, each.equity, each.withdrawable, held or "-", str(each.open_orders))
    console = Console(highlight=False)
    console.width = max(console.width, TABLE_CHARS_MIN)
    console.print(table)
    return exits.OK


def _url(home: Home | None, url: str | None) -> str:
    if url is not None:
        return url
    if home is None:
        return URL_DEFAULT
    known = endpoints.read(home).get(endpoints.VENUE)
    if known is None:
        raise ConfigFault(f"{home.endpoints}: names no venue; start one with `mm venue serve --home {home.path}`")
    return known


# --- the log ---------------------------------------------------------------------------------------


def verify(log: Path) -> int:
    """Judge a witness log: a file, a directory of them, or a home."""
    report = _judged(log)
    for finding in report.findings[:FINDINGS_SHOWN_MAX]:
        print(finding)  # noqa: T201  # a command speaks on stdout
    hidden = len(report.findings) + report.left_out - FINDINGS_SHOWN_MAX
    if hidden > 0:
        print(f"... and {hidden} more")  # noqa: T201  # same
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(report.kinds.items()))
    print(f"{report.lines} lines ({kinds}): {'the rules hold' if report.ok else 'rules are broken'}")  # noqa: T201  # same
    return exits.OK if report.ok else exits.FAILED


def _judged(log: Path) -> witness_check.Report:
    try:
        if log.is_file():
            with log.open("rb") as file:
                return witness_check.check([witness.decode(line) for line in file if line.endswith(b"\n")])
        directory = log / "witness" if (log / "witness").is_dir() else log
        if not witness.files(directory):
            raise ConfigFault(f"{log}: no witness log; give a home, its witness directory, or one {witness.PATTERN}")
        return witness_check.verify(directory)
    except OSError as error:
        raise ConfigFault(f"{log}: cannot be read: {error.strerror}") from error
    except PeerFault as fault:  # a single file that is no log
        raise ConfigFault(f"{log}: {fault}") from fault


# --- faults ----------------------------------------------------------------------------------------


def fault(link: FaultLink, name: str | None, words: list[str]) -> int:
    """Arm a fault, or have a deed done; without a name list what is armed."""
    if name is None:
        armed = link.armed()
        for each in armed:
            print(f"{each['number']:3}  struck {each['struck']:6}  {_words(each['fault'])}")  # noqa: T201  # a command speaks
        if not armed:
            print("nothing is armed")  # noqa: T201  # same
        return exits.OK
    try:
        number = link.fault(name, **parameters(words))
    except PeerFault as refusal:  # the command line was wrong, not the venue
        raise ConfigFault(str(refusal)) from refusal
    print(f"armed as number {number}" if number else "done")  # noqa: T201  # same
    return exits.OK


def _words(fault: dict[str, object]) -> str:
    """Write a fault as it is asked for, without what it leaves open."""
    chosen = [f"{key}={value}" for key, value in fault.items() if key != "fault" and value not in ("", None)]
    return " ".join([str(fault["fault"]), *chosen])


def clear(link: FaultLink) -> int:
    """Disarm everything."""
    print(f"{link.clear()} cleared")  # noqa: T201  # a command speaks on stdout
    return exits.OK


def link_to(socket: Path | None, home: Home | None, port: int) -> FaultLink:
    """Find the socket for faults: as named, by the home, or by the venue's port."""
    if socket is not None:
        return FaultLink(socket)
    return FaultLink.of_home(home) if home is not None else FaultLink(endpoints.fault_socket(port))


def parameters(words: list[str]) -> dict[str, str]:
    """Read key=value words."""
    wrong = [word for word in words if "=" not in word]
    if wrong:
        raise ConfigFault(f"{wrong[0]!r}: write parameters as key=value")
    return dict(word.split("=", 1) for word in words)

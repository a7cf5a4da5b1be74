"""`mm orders` and `mm fills`: arrays for tools, tables for people."""

import time
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from common.errors import ConfigFault, PeerFault
from common.home import Home
from common.instrument import Instrument
from common.journal import Journal
from common.messages import FillRecord, IntentRecord, Message, TransitionRecord
from services.cli import exits
from services.cli.gather import settings_of
from services.cli.records import FillLine, OrderLine, fill_lines, journal_lines, venue_lines
from services.cli.stopping import reader_of

ORDER_COLUMNS: Final = ("coin", "side", "px", "sz", "oid", "state", "ours", "unproven")
FILL_COLUMNS: Final = ("time_ms", "coin", "side", "px", "sz", "fee", "closed_pnl", "crossed")


def orders(home: Home, *, as_json: bool, everybodys: bool) -> int:
    """List what rests by the venue's word; by the journal's, unproven and with exit code 3, when it gives none."""
    instruments = _instruments(home)
    code = exits.OK
    try:
        reader = reader_of(home)
        found = reader.open_orders()
        lines = venue_lines(found.ours, reader.instruments, ours=True)
        if everybodys:
            lines += venue_lines(found.foreign, reader.instruments, ours=False)
    except (PeerFault, ConfigFault) as fault:
        exits.report(f"{fault}; from the journal, unproven:")
        code = exits.NOT_YET
        lines = journal_lines(_rows(home, (IntentRecord, TransitionRecord, FillRecord)), instruments)
    _show(lines, ORDER_COLUMNS, as_json=as_json)
    return code


def fills(home: Home, *, as_json: bool) -> int:
    _show(fill_lines(_rows(home, (FillRecord,)), _instruments(home)), FILL_COLUMNS, as_json=as_json)
    return exits.OK


def _instruments(home: Home) -> dict[str, Instrument]:
    settings = settings_of(home)
    return settings.instruments() if settings else {}


def _rows(home: Home, kinds: tuple[type[Message], ...]) -> list[Message]:
    path = home.database("order_management")
    if not path.exists():
        return []
    with Journal.read_only(path) as journal:
        return [row for _, row in journal.rows(kinds)]


def _show(lines: list[OrderLine] | list[FillLine], columns: tuple[str, ...], *, as_json: bool) -> None:
    """Everything for tools; for people the columns that fit on a screen."""
    if as_json:
        print(msgspec.json.encode(lines).decode())  # noqa: T201  # a command speaks on stdout
        return
    table = Table(*columns)
    for line in lines:
        table.add_row(*(_cell(column, getattr(line, column)) for column in columns))
    Console(highlight=False).print(table)


def utc(time_ms: int) -> str:
    """Write a time of the venue for people."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time_ms / 1_000))


def _cell(column: str, value: object) -> str:
    if column == "time_ms" and isinstance(value, int):
        return utc(value)
    return "-" if value is None else "yes" if value is True else "" if value is False else str(value)

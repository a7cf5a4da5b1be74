"""`mm fates`: what became of every order that could fill when the last halt began, by risk's journal."""

import msgspec
from rich.console import Console
from rich.table import Column, Table

from common.errors import ConfigFault
from common.home import Home
from common.instrument import Instrument
from common.journal import Journal
from common.messages import Fate, HaltReport, OrderFate
from services.cli import exits
from services.cli.gather import settings_of
from services.cli.listing import utc
from services.cli.status import plain


def fates(home: Home, *, as_json: bool) -> int:
    """Name each order with its fate and its proof; 3 while the report is not complete."""
    path = home.database("risk")
    if not path.exists():
        raise ConfigFault(f"{home.path}: risk has not run here yet; start it with `mm up`")
    with Journal.read_only(path) as journal:
        report = journal.last(HaltReport)
    if report is None:
        raise ConfigFault(f"{home.path}: risk was never halted here")
    if as_json:
        print(msgspec.json.encode(report).decode())  # noqa: T201  # a command speaks on stdout
    else:
        settings = settings_of(home)
        _show(report, settings.instruments() if settings else {})
    return exits.OK if report.complete else exits.NOT_YET


def _show(report: HaltReport, instruments: dict[str, Instrument]) -> None:
    console = Console(highlight=False)
    table = Table("coin", "side", "px", "sz", "at the halt", "fate", "filled", Column("evidence", overflow="fold"))
    for told in report.fates:
        table.add_row(*_row(told, instruments.get(told.order.coin)))
    console.print(table)
    unknown = sum(told.fate is Fate.UNKNOWN for told in report.fates)
    state = "complete" if report.complete else f"not complete: {unknown} unknown, or not contained yet"
    console.print(f"halt of {utc(report.began_ms)}: {len(report.fates)} orders, {state}")


def _row(told: OrderFate, instrument: Instrument | None) -> tuple[str, ...]:
    order = told.order
    px, size, filled = (
        (plain(instrument.price(order.ticks)), plain(instrument.size(order.lots)), plain(instrument.size(told.filled)))
        if instrument
        else ("-", "-", "-")
    )
    seen = "resting" if told.acknowledged else "un-acked"
    return order.coin, order.side.value, px, size, seen, told.fate.value, filled, told.evidence

"""`mm decisions`: what risk signed and refused, by which limits and code; from its journal alone.

Rules
  1. A decision is listed with the hash of the limits that it was judged by, the one that drills and reports are of.
  2. A request of which nothing passed has left no row: it used no nonce and no signature.
  3. The newest are listed; for one order the whole journal is searched.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Column, Table

from common.errors import ConfigFault
from common.home import Home
from common.journal import Journal
from common.limits_hash import limits_hash
from common.messages import DecisionRecord, Message
from services.cli import exits
from services.cli.gather import settings_of
from services.cli.listing import utc

ROWS_MAX: Final = 1_000  # of the journal, without an order's name


class DecisionLine(msgspec.Struct, frozen=True, kw_only=True):
    """One action that risk signed; `vetoes` is what it took out of it, as cloid and code."""

    time_ms: int  # its nonce, which follows venue time
    approval_id: int
    tag: str
    cloids: tuple[str, ...]
    vetoes: dict[str, str]
    limits: str
    build: str


def decisions(home: Home, cloid: str | None, *, as_json: bool) -> int:
    """List the newest decisions, or the ones on one order; 1 when there is none on it."""
    path = home.database("risk")
    if not path.exists():
        raise ConfigFault(f"{home.path}: risk has not decided anything here yet; start it with `mm up`")
    with Journal.read_only(path) as journal:
        if cloid is None:
            lines = decision_lines(journal.newest(ROWS_MAX))
        else:
            rows = (row for _, row in journal.rows((DecisionRecord,)))
            lines = [line for line in decision_lines(rows) if cloid in line.cloids or cloid in line.vetoes]
    if as_json:
        print(msgspec.json.encode(lines).decode())  # noqa: T201  # a command speaks on stdout
    else:
        _show(home, lines)
    if cloid is not None and not lines:
        exits.report(f"risk has no decision on {cloid} in its journal")
        return exits.FAILED
    return exits.OK


def decision_lines(rows: Iterable[Message]) -> list[DecisionLine]:
    """Keep the decisions, oldest first."""
    return [
        DecisionLine(
            time_ms=row.nonce,
            approval_id=row.approval_id,
            tag=row.tag,
            cloids=tuple(order.cloid for order in row.orders),
            vetoes={veto.cloid: veto.code for veto in row.vetoes},
            limits=row.limits,
            build=row.build,
        )
        for row in rows
        if isinstance(row, DecisionRecord)
    ]


def _show(home: Home, lines: list[DecisionLine]) -> None:
    table = Table(Column("time", no_wrap=True), "tag", "orders", "refused", Column("limits", no_wrap=True), "build")
    for line in lines:
        codes = ", ".join(sorted(set(line.vetoes.values())))
        refused = f"{len(line.vetoes)} {codes}" if line.vetoes else ""
        table.add_row(utc(line.time_ms), line.tag, str(len(line.cloids)), refused, line.limits, line.build)
    console = Console(highlight=False)
    console.print(table)
    settings = settings_of(home)
    if settings is not None:
        console.print(f"the limits of this home are {limits_hash(settings)}")

"""Reads a log from its first line to its last.

Rules
  1. Numbers grow by one, time and blocks never go back, every line is one.
  2. What comes before the first opening is only counted; a log without one is judged by nothing, so it fails.
"""

from collections.abc import Iterable
from decimal import localcontext
from pathlib import Path
from typing import Final

from common import witness
from common.errors import PeerFault
from common.witness_check.actions import Actions
from common.witness_check.report import Report
from common.witness_check.world import World

DIGITS: Final = 60  # no sum or product of a log needs rounding


class Checker:
    """Feed it line by line; `end` closes the report."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._last: witness.AnyLine | None = None
        self._world: World | None = None
        self._next: World | None = None  # while an opening is read
        self._lines_left = 0  # of that opening
        self._restarted = False  # since the last opening
        self._may_lack = False  # blocks at the end of the run before
        self._actions = Actions(report)

    def take(self, line: witness.AnyLine) -> None:
        report = self._report
        report.seq = line.seq
        report.lines += 1
        kind = type(line).__name__.lower()
        report.kinds[kind] = report.kinds.get(kind, 0) + 1
        self._check_head(line)
        self._last = line
        if self._next is not None:
            self._open(self._next, line)
            return
        match line:
            case witness.Start():
                self._actions.start()
                self._restarted = True
            case witness.Opening():
                self._next, self._lines_left = World(report, line), line.lines
                self._close_opening(self._next)
            case witness.Action():
                self._actions.action(line)
            case witness.Verdict():
                self._actions.verdict(line)
            case _ if self._world is not None:
                _tell(self._world, line)
            case _:
                pass  # rule 2

    def _check_head(self, line: witness.AnyLine) -> None:
        last = self._last
        if last is None:
            return
        if line.seq != last.seq + 1:
            self._report.found("sequence", f"line {line.seq} follows {last.seq}")
        if line.t < last.t:
            self._report.found("sequence", f"time went back by {last.t - line.t} ms")
        if line.block < last.block:
            self._report.found("sequence", f"block {line.block} follows {last.block}")
        if line.block > last.block:
            self._end_block()
            self._may_lack = line.block > last.block + 1

    def _end_block(self) -> None:
        if self._world is not None and self._next is None:
            self._world.end_block(self._actions.placed, self._actions.cancelled)
        self._actions.end_block()

    # --- openings ---

    def _open(self, world: World, line: witness.AnyLine) -> None:
        world.state(line)
        self._lines_left -= 1
        self._close_opening(world)

    def _close_opening(self, world: World) -> None:
        if self._lines_left:
            return
        before = self._world
        if before is not None:
            world.orders.ended |= before.orders.ended
            if not (self._restarted and self._may_lack):
                world.compare(before, restarted=self._restarted)
        self._world, self._next, self._restarted = world, None, False

    def end(self) -> None:
        if self._next is not None:
            self._report.found("opening", f"{self._lines_left} lines are missing")
        elif self._world is None:
            self._report.found("opening", "there is none, so nothing could be judged")
        self._end_block()
        self._actions.end(0 if self._last is None else self._last.t)


def _tell(world: World, line: witness.AnyLine) -> None:
    match line:
        case witness.Order():
            world.trades.changed_order(line)
            world.orders.order(line)
        case witness.Fill():
            world.orders.fill(line)
            world.trades.fill(line)
            world.accounts.fill(line)
        case witness.Trade():
            world.trades.trade(line)
            world.accounts.trade(line)
        case witness.Quotes():
            world.trades.quotes(line)
        case witness.Price():
            world.price(line)
        case witness.Fees():
            world.fees(line)
        case witness.Account():
            world.accounts.account(line)
        case witness.Bbo():
            world.bbo(line)
        case witness.Book():
            world.book(line)
        case _:
            _tell_money(world, line)


def _tell_money(world: World, line: witness.AnyLine) -> None:
    match line:
        case witness.Rate():
            world.accounts.rate(line)
        case witness.Funding():
            world.accounts.funding(line)
        case witness.Transfer():
            world.accounts.transfer(line)
        case witness.Liquidation():
            world.accounts.liquidation(line)
        case _:
            pass  # connections concern no rule


def check(lines: Iterable[witness.AnyLine]) -> Report:
    """Judge lines that are in the order of the log."""
    report = Report()
    checker = Checker(report)
    with localcontext(prec=DIGITS):
        for line in lines:
            checker.take(line)
        checker.end()
    return report


def verify(directory: Path) -> Report:
    """Judge the log of a directory; findings name file and line."""
    report = Report()
    checker = Checker(report)
    with localcontext(prec=DIGITS):
        for path in witness.files(directory):
            with path.open("rb") as file:
                for number, raw in enumerate(file, start=1):
                    report.place = f"{path.name}:{number}"
                    if not raw.endswith(b"\n"):
                        continue  # a crash cut it short
                    try:
                        line = witness.decode(raw)
                    except PeerFault as fault:
                        report.found("line", str(fault))
                        continue
                    checker.take(line)
        checker.end()
    return report

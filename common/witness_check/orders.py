"""The life of every client's order, from its first line to its end.

Rules
  1. A life: refused; or open with what fills left of it, until it is filled or cancelled; a trigger order waits first,
     is triggered by the mark, and then lives like another. Nothing happens after the end.
  2. What identifies an order never changes. Its size shrinks by its fills, and where it is reduce-only by the position.
  3. Price: five significant figures, whole USD always, six decimals less those of the size. Size: whole lots.
  4. At least 10 USD, unless it closes exactly the position, or is reduce-only and larger than that.
  5. The price is within the band around mark.
  6. A reduce-only order never makes a position larger, never turns it round, and rests on its closing side with no
     more than the position.
  7. A post-only order never takes. An immediate one never rests. A fill is never worse than the limit.
  8. At most 5,000 open orders an account.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from common import witness
from common.witness_check.accounts import TRANSFERS, Accounts
from common.witness_check.books import Book, Rest
from common.witness_check.report import Report

MINIMUM: Final = Decimal(10)
FIGURES_MAX: Final = 5
DECIMALS_MAX: Final = 6
OPEN_MAX: Final = 5_000
IMMEDIATE: Final = frozenset({"Ioc", "FrontendMarket", "LiquidationMarket"})
WAITING: Final = "waiting"
CANCELS: Final = frozenset(
    {
        *("canceled", "marginCanceled", "selfTradeCanceled", "reduceOnlyCanceled", "siblingFilledCanceled"),
        *("liquidatedCanceled", "scheduledCancel", "delistedCanceled", "openInterestCapCanceled"),
    }
)


@dataclass(eq=False, slots=True)
class Known:
    """An order that has not ended."""

    first: witness.Order
    px: Decimal
    sz: Decimal
    status: str  # waiting, triggered or open

    @property
    def identity(self) -> tuple[object, ...]:
        first = self.first
        return (first.user, first.coin, first.cloid, first.side, first.orig_sz, first.tif, first.reduce_only)


class Orders:
    def __init__(self, report: Report, opening: witness.Opening, accounts: Accounts, books: dict[str, Book]) -> None:
        self._report = report
        self._coins = {coin.name: coin for coin in opening.coins}
        self._band = 100 - opening.price_band_percent
        self._accounts = accounts
        self._books = books
        self.live: dict[int, Known] = {}
        self.ended: set[int] = set()
        self._open: dict[str, int] = {}  # number of live orders by user
        self._early: dict[int, list[witness.Fill]] = {}  # fills of orders that have no line yet
        self._reducers: set[tuple[str, str]] = set()  # whose reduce-only orders this block may have unfitted

    # --- an order's line ---

    def order(self, line: witness.Order) -> None:
        known = self.live.get(line.oid)
        if known is None:
            self._begin(line)
            return
        if identity(line) != known.identity:
            self._report.found("life", f"order {line.oid} is not what it was: {line}")
        if known.status == "triggered":
            known.px = Decimal(line.px)
        elif Decimal(line.px) != known.px:
            self._report.found("life", f"price of order {line.oid} is {line.px}, was {known.px}")
        self._size(line, known)
        self._go_on(line, known)

    def restate(self, line: witness.Order) -> None:
        """Take up an order from an opening."""
        known = Known(line, Decimal(line.px), Decimal(line.sz), "open")
        self._add(line.oid, known)
        if line.status == WAITING:
            known.status = WAITING
        else:
            self._rest(line.oid, known)

    def _begin(self, line: witness.Order) -> None:
        if line.oid in self.ended:
            self._report.found("life", f"order {line.oid} has {line.status} after its end")
        fills = self._early.pop(line.oid, [])
        if line.status.lower().endswith("rejected"):
            if fills:
                self._report.found("life", f"order {line.oid} was filled and refused")
            self.ended.add(line.oid)
            return
        known = Known(line, Decimal(line.px), Decimal(line.orig_sz), "new")
        self._add(line.oid, known)
        self._check_new(line, fills)
        for fill in fills:
            self._check_fill(fill, known)
            known.sz -= Decimal(fill.sz)
        self._size(line, known)
        self._go_on(line, known)

    def _add(self, oid: int, known: Known) -> None:
        user = known.first.user
        self.live[oid] = known
        self._open[user] = self._open.get(user, 0) + 1
        if self._open[user] > OPEN_MAX:
            self._report.found("cap", f"{user} has {self._open[user]} open orders")

    def _size(self, line: witness.Order, known: Known) -> None:
        """Compare what remains (rule 2); a position's tp/sl has no size until it fires."""
        said = Decimal(line.sz)
        if line.is_position_tpsl and known.status == "triggered":
            known.sz = said
        if said > known.sz or (said < known.sz and not line.reduce_only):
            self._report.found("life", f"size of order {line.oid} is {said}, must be {known.sz}")
        known.sz = said

    def _go_on(self, line: witness.Order, known: Known) -> None:
        """Move on to the status of the line (rule 1)."""
        before, status, oid = known.status, line.status, line.oid
        if status == "open" and before in ("new", "triggered", "open"):
            if line.trigger_px is not None and before == "new":
                known.status = WAITING
            else:
                known.status = "open"
                self._rest(oid, known)
        elif status == "triggered" and before == WAITING:
            known.status = status
            self._check_trigger(line)
        elif (
            (status == "filled" and before != WAITING)
            or (status in CANCELS and before not in ("new", "triggered"))
            or (status.lower().endswith("rejected") and before == "triggered")
        ):
            self._end(oid, known)
        else:
            self._report.found("life", f"order {oid} went from {before} to {status}")
            self._end(oid, known)

    def _rest(self, oid: int, known: Known) -> None:
        first, book = known.first, self._books[known.first.coin]
        rest = book.rests.get(oid)
        if rest is not None:
            rest.sz = known.sz
            return
        if first.tif in IMMEDIATE:
            self._report.found("life", f"order {oid} is {first.tif} and rests")
        book.add(Rest(oid, first.side, known.px, known.sz, is_quote=False))
        if first.reduce_only:
            self._reducers.add((first.user, first.coin))

    def _end(self, oid: int, known: Known) -> None:
        del self.live[oid]
        self.ended.add(oid)
        self._open[known.first.user] -= 1
        self._books[known.first.coin].remove(oid)

    # --- a new order (rules 3 to 5) ---

    def _check_new(self, line: witness.Order, fills: list[witness.Fill]) -> None:
        if line.tif == "LiquidationMarket":
            return
        decimals = self._coins[line.coin].size_decimals
        for text in (line.px, line.trigger_px):
            if text is not None and not is_price(Decimal(text), DECIMALS_MAX - decimals):
                self._report.found("grid", f"order {line.oid}: {text} is no price of {line.coin}")
        if not is_multiple(Decimal(line.orig_sz), decimals):
            self._report.found("grid", f"order {line.oid}: {line.orig_sz} is no size of {line.coin}")
        if line.trigger_px is None:
            self._check_value(line, fills)

    def _check_value(self, line: witness.Order, fills: list[witness.Fill]) -> None:
        px, sz, mark = Decimal(line.px), Decimal(line.orig_sz), self._accounts.marks[line.coin]
        if px * 100 <= self._band * mark or px * self._band >= 100 * mark:
            self._report.found("band", f"order {line.oid}: {px} is too far from mark {mark}")
        szi = Decimal(fills[0].start_position) if fills else self._accounts.szi(line.user, line.coin)
        against = szi < 0 if line.side == "B" else szi > 0
        closes = against and (sz == abs(szi) or (line.reduce_only and sz > abs(szi)))
        if px * sz < MINIMUM and not closes:
            self._report.found("minimum", f"order {line.oid} is worth {px * sz} USD")

    def _check_trigger(self, line: witness.Order) -> None:
        mark, at = self._accounts.marks[line.coin], Decimal(line.trigger_px or 0)
        falling = (line.tpsl == "sl") == (line.side == "A")
        if not (mark <= at if falling else mark >= at):
            self._report.found("trigger", f"order {line.oid} fired at mark {mark}, not at {at}")

    # --- a fill ---

    def fill(self, line: witness.Fill) -> None:
        known = self.live.get(line.oid)
        self._reducers.add((line.user, line.coin))
        if line.oid in self.ended:
            self._report.found("life", f"order {line.oid} was filled after its end")
        elif known is None:
            self._early.setdefault(line.oid, []).append(line)
        elif known.status == WAITING:
            self._report.found("life", f"order {line.oid} was filled before it was triggered")
        else:
            self._check_fill(line, known)
            if known.status == "triggered" and not Decimal(known.first.orig_sz):
                return  # its size is the position's, its next line tells what is left
            known.sz -= Decimal(line.sz)
            if known.sz < 0:
                self._report.found("fill", f"order {line.oid} was filled beyond its size")

    def _check_fill(self, fill: witness.Fill, known: Known) -> None:
        first, px = known.first, Decimal(fill.px)
        if (fill.user, fill.coin, fill.side) != (first.user, first.coin, first.side):
            self._report.found("fill", f"a fill of order {fill.oid} is not of its account, coin or side")
        # A fired market order's limit is not what its first line said; the line that ends it comes later.
        worse = px > known.px if first.side == "B" else px < known.px
        if worse and first.trigger_px is None and first.tif != "LiquidationMarket":
            self._report.found("fill", f"order {fill.oid} was filled at {px}, beyond its limit {known.px}")
        if fill.crossed and first.tif == "Alo":
            self._report.found("post-only", f"order {fill.oid} is Alo and took")
        if first.reduce_only:
            start, sz = Decimal(fill.start_position), Decimal(fill.sz)
            closing = start > 0 if fill.side == "A" else start < 0
            if not closing or sz > abs(start):
                self._report.found("reduce-only", f"order {fill.oid} made {start} larger or turned it round")

    def end_block(self) -> None:
        """Check that what rests fits the positions (rule 6), and that fills have their orders."""
        for user, coin in sorted(self._reducers):
            szi = self._accounts.szi(user, coin)
            side = "A" if szi > 0 else "B"
            exits = [
                known
                for oid, known in self.live.items()
                if known.first.user == user and known.first.reduce_only and oid in self._books[coin].rests
            ]
            if sum(known.sz for known in exits) > abs(szi) or any(known.first.side != side for known in exits):
                self._report.found("reduce-only", f"resting exits of {user} do not fit {szi} {coin}")
        self._reducers.clear()
        for oid, fills in self._early.items():
            if not fills[0].dir.startswith(TRANSFERS):
                self._report.found("fill", f"order {oid} was filled and never told")
        self._early.clear()


def identity(line: witness.Order) -> tuple[object, ...]:
    return (line.user, line.coin, line.cloid, line.side, line.orig_sz, line.tif, line.reduce_only)


def is_multiple(value: Decimal, decimals: int) -> bool:
    scaled = value.scaleb(decimals)
    return scaled == scaled.to_integral_value()


def is_price(px: Decimal, decimals: int) -> bool:
    if px <= 0 or not is_multiple(px, decimals):
        return False
    digits = px.normalize().as_tuple().digits
    return px == px.to_integral_value() or len(digits) <= FIGURES_MAX

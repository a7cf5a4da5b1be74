"""Trades against the book that they were made from, and against the fills of both parties.

Rules
  1. The maker is first in the best queue of its side, the price is the maker's, and no more is traded than it has.
  2. Nobody trades with himself.
  3. Each client's half of a trade is one fill: same number, coin, price and size, own side, taker where it crossed.
  4. After a trade the maker has what was left, or has ended.
"""

from decimal import Decimal

from common import witness
from common.witness_check.accounts import TRANSFERS
from common.witness_check.books import Book, Rest
from common.witness_check.report import Report


class Trades:
    def __init__(self, report: Report, opening: witness.Opening, books: dict[str, Book]) -> None:
        self._report = report
        self._internal = frozenset(opening.internal)
        self._rebuilt = {coin.name for coin in opening.coins if opening.quotes and not coin.recorded}
        self._books = books
        self._fills: list[witness.Fill] = []  # not yet part of a trade
        self._left: dict[int, Decimal] = {}  # what must be left of makers, by oid

    def fill(self, line: witness.Fill) -> None:
        if not line.dir.startswith(TRANSFERS):
            self._fills.append(line)

    def trade(self, line: witness.Trade) -> None:
        if line.maker_oid and line.buyer == line.seller:
            self._report.found("self-trade", f"trade {line.tid} is of {line.buyer} with itself")
        self._check_fills(line)
        if line.coin in self._rebuilt:
            self._check_maker(line)

    def _check_fills(self, line: witness.Trade) -> None:
        """Rule 3."""
        wanted = {
            (user, side, line.px, line.sz, line.coin, line.tid, oid, side == line.side)
            for user, side in ((line.buyer, "B"), (line.seller, "A"))
            for oid in (line.taker_oid if side == line.side else line.maker_oid,)
            if user not in self._internal
        }
        told = {
            (fill.user, fill.side, fill.px, fill.sz, fill.coin, fill.tid, fill.oid, fill.crossed)
            for fill in self._fills
        }
        if wanted != told:
            self._report.found("fill", f"trade {line.tid} has fills {sorted(told)}, must have {sorted(wanted)}")
        self._fills.clear()

    def _check_maker(self, line: witness.Trade) -> None:
        """Rule 1."""
        maker, px, sz = self._books[line.coin].next_to_trade(line.side), Decimal(line.px), Decimal(line.sz)
        if maker is None or maker.oid != line.maker_oid:
            first = "nobody" if maker is None else f"order {maker.oid}"
            self._report.found("priority", f"trade {line.tid} is with order {line.maker_oid}, but {first} was first")
            return
        self._report.expect("priority", f"price of trade {line.tid}", px, maker.px)
        if sz > maker.sz:
            self._report.found("trade", f"trade {line.tid} takes {sz} of the {maker.sz} of order {maker.oid}")
        self._left[maker.oid] = maker.sz - sz

    def quotes(self, line: witness.Quotes) -> None:
        """Change the part of the market's own participants."""
        book = self._books[line.coin]
        for oid, side, px, sz in line.orders:
            rest, left = book.rests.get(oid), Decimal(sz)
            if rest is None:
                if left:
                    book.add(Rest(oid, side, Decimal(px), left, is_quote=True))
                continue
            if not rest.is_quote or (rest.side, rest.px) != (side, Decimal(px)):
                self._report.found("life", f"quote {oid} is not what it was")
            self.changed(oid, left)
            if left > rest.sz:
                self._report.found("life", f"quote {oid} grew from {rest.sz} to {left}")
            rest.sz = left
            if not left:
                book.remove(oid)

    def changed_order(self, line: witness.Order) -> None:
        self.changed(line.oid, Decimal(line.sz))

    def changed(self, oid: int, left: Decimal) -> None:
        """Compare what a maker's first line after its trade says (rule 4)."""
        wanted = self._left.pop(oid, None)
        if wanted is not None and left != wanted:
            self._report.found("trade", f"order {oid} has {left} left, must have {wanted}")

    def end_block(self) -> None:
        for fill in self._fills:
            self._report.found("fill", f"a fill of order {fill.oid} belongs to no trade")
        for oid in self._left:
            self._report.found("trade", f"order {oid} traded and did not change")
        self._fills.clear()
        self._left.clear()
        for coin in sorted(self._rebuilt):
            if self._books[coin].is_crossed:
                self._report.found("crossed", f"the book of {coin} is crossed")

"""The state that a log has told so far, and its comparison with the next opening.

Rules
  1. An opening in the middle of a run must state exactly what was told until then.
  2. At a restart the market's own participants are gone and flat; clients keep everything, and orders at one price
     stand in the order of their numbers. Where the log may lack the last blocks nothing is compared.
"""

from decimal import Decimal
from typing import Final

from common import witness
from common.witness_check.accounts import Accounts, stated
from common.witness_check.books import Book, Rest
from common.witness_check.orders import WAITING, Orders
from common.witness_check.report import Report
from common.witness_check.trades import Trades

RULE: Final = "opening"


class World:
    def __init__(self, report: Report, opening: witness.Opening) -> None:
        self._report = report
        self.opening = opening
        self.books = {coin.name: Book() for coin in opening.coins}
        self.accounts = Accounts(report, opening)
        self.orders = Orders(report, opening, self.accounts, self.books)
        self.trades = Trades(report, opening, self.books)

    # --- an opening's lines ---

    def state(self, line: witness.AnyLine) -> None:
        """Take up one line of the opening."""
        match line:
            case witness.Price():
                self.price(line)
            case witness.Fees():
                self.fees(line)
            case witness.Account():
                rates = self.accounts.purse(line.user).rates
                self.accounts.purses[line.user] = stated(line)
                self.accounts.purses[line.user].rates = rates
                self.accounts.check_equity(line)
            case witness.Order():
                self.orders.restate(line)
            case witness.Quotes():
                for oid, side, px, sz in line.orders:
                    self.books[line.coin].add(Rest(oid, side, Decimal(px), Decimal(sz), is_quote=True))
            case _:
                self._report.found(RULE, f"line {line.seq} is no state")

    def compare(self, before: "World", *, restarted: bool) -> None:
        """Check the state just taken up against what was told before."""
        internal = self.accounts.internal if restarted else frozenset()
        users = sorted({*self.accounts.purses, *before.accounts.purses} - internal)
        for user in users:
            ours, said = before.accounts.purse(user), self.accounts.purse(user)
            self._report.expect(RULE, f"cash of {user}", said.cash, ours.cash)
            self._report.expect(RULE, f"positions of {user}", said.open(), ours.open())
            self._report.expect(RULE, f"fee rates of {user}", said.rates, ours.rates)
        self._report.expect(RULE, "set of open orders", _live(self), _live(before))
        for coin in self.opening.coins:
            if before.opening.quotes and not coin.recorded and not restarted:
                said_book, our_book = self.books[coin.name].queued(), before.books[coin.name].queued()
                self._report.expect(RULE, f"book of {coin.name}", said_book, our_book)

    # --- what is no money, order or trade ---

    def price(self, line: witness.Price) -> None:
        self.accounts.marks[line.coin] = Decimal(line.mark_px)

    def fees(self, line: witness.Fees) -> None:
        self.accounts.purse(line.user).rates = (Decimal(line.maker), Decimal(line.taker))

    def bbo(self, line: witness.Bbo) -> None:
        if not self._is_rebuilt(line.coin):
            return
        for side, px, sz in (("B", line.bid_px, line.bid_sz), ("A", line.ask_px, line.ask_sz)):
            best = self.books[line.coin].halves[side].levels(1)
            said = [] if px is None or sz is None else [(Decimal(px), Decimal(sz))]
            self._report.expect("book", f"best {side} of {line.coin}", said, [level[:2] for level in best])

    def book(self, line: witness.Book) -> None:
        if not self._is_rebuilt(line.coin):
            return
        for side, levels in (("B", line.bids), ("A", line.asks)):
            said = [(Decimal(px), Decimal(sz), count) for px, sz, count in levels]
            ours = self.books[line.coin].halves[side].levels(max(len(said), 1))
            self._report.expect("book", f"side {side} of {line.coin}", said, ours)

    def _is_rebuilt(self, coin: str) -> bool:
        return self.opening.quotes and not next(each for each in self.opening.coins if each.name == coin).recorded

    def end_block(self, placed: set[int], cancelled: set[int]) -> None:
        self.orders.end_block()
        self.trades.end_block()
        self.accounts.end_block()
        orders = self.orders
        for oid in sorted(placed - orders.ended - orders.live.keys()):
            self._report.found("verdict", f"order {oid} was answered and never told")
        for oid in sorted(cancelled - orders.ended):
            self._report.found("verdict", f"order {oid} was answered as cancelled and lives")


def _live(world: World) -> dict[int, tuple[object, ...]]:
    return {
        oid: (*known.identity, known.px, known.sz, known.status == WAITING)
        for oid, known in sorted(world.orders.live.items())
    }

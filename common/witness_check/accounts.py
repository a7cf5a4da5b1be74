"""Money and positions, rebuilt from fills, funding and transfers, and compared with what is said.

Rules
  1. A fill changes the position by its size and the cash by its signed cost; start, direction and closed profit of a
     fill follow from the position before it.
  2. Its fee is the notional times the account's rate, cut to the micro-USD towards zero, and a builder's of 0.1 % at
     most; it goes to the fee account. What the liquidator takes over or closes, at a delisting too, costs none.
  3. Equity is cash and positions at mark.
  4. Funding is paid by every position of the coin: what is received is cut down to the micro-USD, and the funding
     account pays it.
  5. A transfer takes from one account what it gives to the other: requests are bought from the fee account, and what
     is withdrawn goes to the bridge's.
"""

from dataclasses import dataclass, field
from decimal import ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Final

from common import witness
from common.witness_check.report import Report

MICRO: Final = Decimal("0.000001")
ENTRY_PLACES: Final = Decimal("1e-8")
TIER_0: Final = (Decimal("0.00015"), Decimal("0.00045"))
BUILDER_MAX: Final = Decimal("0.001")
RATE_MAX: Final = Decimal("0.04")  # of funding, an hour
ZERO: Final = Decimal(0)
BETWEEN_ACCOUNTS: Final = frozenset({"internalTransfer", "subAccountTransfer"})
TRANSFERS: Final = ("Liquidated ", "Settlement", "Auto-Deleveraging")  # so begins `dir` against the liquidator


@dataclass(slots=True)
class Position:
    szi: Decimal = ZERO
    cost: Decimal = ZERO


@dataclass
class Purse:
    cash: Decimal = ZERO  # raw USD of the account and of its isolated positions together
    positions: dict[str, Position] = field(default_factory=dict)
    rates: tuple[Decimal, Decimal] = TIER_0

    def position(self, coin: str) -> Position:
        return self.positions.setdefault(coin, Position())

    def open(self) -> dict[str, tuple[Decimal, Decimal]]:
        """Return size and cost of what is not flat."""
        return {coin: (held.szi, held.cost) for coin, held in self.positions.items() if held.szi}

    def trade(self, coin: str, change: Decimal, px: Decimal) -> Decimal:
        """Apply one; return the profit of what it closed."""
        held = self.position(coin)
        start, self.cash = held.szi, self.cash - change * px
        closed = min(abs(start), abs(change)) if start * change < 0 else ZERO
        removed = (held.cost * closed / abs(start)).quantize(MICRO, ROUND_HALF_EVEN) if closed else ZERO
        opened = abs(change) - closed
        held.szi += change
        held.cost += opened.copy_sign(change) * px - removed
        return closed * px * (1 if start > 0 else -1) - removed


class Accounts:
    def __init__(self, report: Report, opening: witness.Opening) -> None:
        self._report = report
        self._opening = opening
        self.internal = frozenset(opening.internal)
        self.purses: dict[str, Purse] = {}
        self.marks: dict[str, Decimal] = {}
        self._due: dict[tuple[str, str], Decimal] = {}  # funding that clients must be told of in this block
        self._funded: dict[str, Decimal] = {}  # of this block
        self._sent = ZERO  # transfers of this block

    def purse(self, user: str) -> Purse:
        return self.purses.setdefault(user, Purse())

    def szi(self, user: str, coin: str) -> Decimal:
        return self.purse(user).position(coin).szi

    # --- what happens ---

    def fill(self, line: witness.Fill) -> None:
        report, purse = self._report, self.purse(line.user)
        px, sz = Decimal(line.px), Decimal(line.sz)
        change = sz if line.side == "B" else -sz
        start = purse.position(line.coin).szi
        report.expect("position", f"start position of a fill of {line.user}", Decimal(line.start_position), start)
        is_transfer = line.dir.startswith(TRANSFERS)
        if not is_transfer:
            report.expect("position", f"dir of a fill of {line.user}", line.dir, direction(start, change))
        profit = purse.trade(line.coin, change, px)
        report.expect("position", f"closed profit of a fill of {line.user}", Decimal(line.closed_pnl), profit)
        rate = ZERO if is_transfer else purse.rates[line.crossed]
        builder = Decimal(line.builder_fee)
        if not ZERO <= builder <= px * sz * BUILDER_MAX:
            report.found("fee", f"builder's fee of {builder} for {px * sz} USD of {line.user}")
        fee = (px * sz * rate).quantize(MICRO, ROUND_DOWN) + builder
        report.expect("fee", f"fee of {sz} {line.coin} at {px} of {line.user}", Decimal(line.fee), fee)
        purse.cash -= Decimal(line.fee)
        self.purse(self._opening.fee_account).cash += Decimal(line.fee)
        if is_transfer:
            self.purse(self._opening.liquidator).trade(line.coin, -change, px)

    def trade(self, line: witness.Trade) -> None:
        """Apply what the market's own participants had of a trade; clients have fills, strangers have no account."""
        if not line.maker_oid:
            return
        for user, sign in ((line.buyer, 1), (line.seller, -1)):
            if user in self.internal:
                self.purse(user).trade(line.coin, sign * Decimal(line.sz), Decimal(line.px))

    def rate(self, line: witness.Rate) -> None:
        """Rule 4."""
        rate, pot = Decimal(line.rate), self.purse(self._opening.funding_account)
        if abs(rate) > RATE_MAX:
            self._report.found("funding", f"rate {line.rate} of {line.coin} is above {RATE_MAX}")
        for user, purse in tuple(self.purses.items()):
            szi = purse.position(line.coin).szi
            if not szi:
                continue
            usd = (-szi * Decimal(line.oracle_px) * rate).quantize(MICRO, ROUND_FLOOR)
            pot.cash -= usd
            purse.cash += usd
            if user not in self.internal:
                self._due[user, line.coin] = usd

    def funding(self, line: witness.Funding) -> None:
        what = f"funding of {line.coin} for {line.user}"
        self._report.expect("funding", what, Decimal(line.usd), self._due.pop((line.user, line.coin), ZERO))
        self._report.expect("funding", f"{what}: size", Decimal(line.szi), self.szi(line.user, line.coin))
        self._funded[line.user] = self._funded.get(line.user, ZERO) + Decimal(line.usd)

    def transfer(self, line: witness.Transfer) -> None:
        usd = Decimal(line.usd)
        self.purse(line.user).cash += usd
        if line.what in BETWEEN_ACCOUNTS:
            self._sent += usd
        elif line.what == "reserveRequestWeight":
            self.purse(self._opening.fee_account).cash -= usd
        elif line.what == "withdraw":
            self.purse(self._opening.bridge_account).cash -= usd

    def liquidation(self, line: witness.Liquidation) -> None:
        if line.liquidator:
            self.purse(line.user).cash -= Decimal(line.cash)
            self.purse(line.liquidator).cash += Decimal(line.cash)
        elif Decimal(line.cash):
            self._report.found("money", f"{line.cash} USD of {line.user} went to nobody")

    # --- what the log says of the state ---

    def account(self, line: witness.Account) -> None:
        report, purse = self._report, self.purse(line.user)
        said = stated(line)
        report.expect("position", f"positions of {line.user}", said.open(), purse.open())
        report.expect("money", f"cash of {line.user}", said.cash, purse.cash)
        for each in line.positions:
            entry = (Decimal(each.cost_usd) / Decimal(each.szi)).quantize(ENTRY_PLACES, ROUND_HALF_EVEN)
            report.expect("position", f"entry price of {each.coin} of {line.user}", Decimal(each.entry_px), entry)
        if line.user not in self.internal:
            report.expect(
                "funding", f"funding of {line.user}", Decimal(line.funding), self._funded.get(line.user, ZERO)
            )
        self.check_equity(line)
        # What was said goes on: one fault is one finding.
        purse.cash, purse.positions = said.cash, said.positions

    def check_equity(self, line: witness.Account) -> None:
        """Rule 3."""
        purse = self.purse(line.user)
        equity = purse.cash + sum(held.szi * self.marks[coin] for coin, held in purse.positions.items() if held.szi)
        self._report.expect("equity", f"equity of {line.user}", Decimal(line.equity), equity)

    def end_block(self) -> None:
        for (user, coin), usd in self._due.items():
            self._report.found("funding", f"{user} was not told of {usd} USD for {coin}")
        if self._sent:
            self._report.found("money", f"transfers between accounts made {self._sent} USD")
        self._due.clear()
        self._funded.clear()
        self._sent = ZERO


def stated(line: witness.Account) -> Purse:
    """Return what the log says that an account has."""
    isolated = sum((Decimal(each.isolated_usd) for each in line.positions if each.isolated_usd is not None), ZERO)
    positions = {each.coin: Position(Decimal(each.szi), Decimal(each.cost_usd)) for each in line.positions}
    return Purse(Decimal(line.cash) + isolated, positions)


def direction(start: Decimal, change: Decimal) -> str:
    if start * change >= 0:
        return "Open Long" if change > 0 else "Open Short"
    if abs(change) <= abs(start):
        return "Close Long" if start > 0 else "Close Short"
    return "Long > Short" if start > 0 else "Short > Long"

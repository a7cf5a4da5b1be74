"""Equity changes by what we earn, by fees, funding and transfers, and by nothing else.

Rules
  1. Two account states of the venue are compared to a micro-USD, both of a moment when our positions were the venue's.
     The older one is replaced by a newer every minute, once the identity held between them; a checkpoint keeps it, so
     that what happened while nobody ran is explained too.
  2. Both sides are taken without the mark price, which moves equity and unrealised P&L alike: the venue's cash against
     realised P&L less fees plus funding less the cost of what is held (common/ledger.py, rule 5).
  3. What does not fit makes us read fills, funding and transfers, at once and then every 30 s; a difference that lasts
     for `reconcile_breach_ms` is a finding. Nothing is corrected.
  4. A fill or payment from before the older state, and an adopted position, begin anew: that state knew them already.
"""

from decimal import Decimal
from typing import Final

from common.actor import Effect
from common.ledger import ZERO
from common.messages import LedgerCheck, VenueAccount, VenueTransfers
from common.messages.orders import ComparedState
from common.messages.venue import FundingQuery, Transfer, TransfersQuery
from common.units import MILLISECOND, SECOND, Millis, Nanos
from services.order_management.desk import Desk

TOLERANCE: Final = Decimal("0.000001")  # the venue states money in micro-USD
PLACES: Final = 9  # of what is shown: an average price may never end
WINDOW_MS: Final = 60_000
READ_AGAIN: Final = Nanos(30 * SECOND)  # all three together weigh 60 and more of the 500 a minute that are ours


class LedgerIdentity:
    """Told of every account state; `statement` is what to publish of the last one."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._recent: set[Transfer] = set()  # later than the older state
        self._transferred = ZERO  # until the older state
        self._differs_since: Nanos | None = None
        self._read_at: Nanos | None = None
        self._reported = False
        self.statement: LedgerCheck | None = None

    def on_account(self, account: VenueAccount, now: Nanos, *, agrees: bool) -> list[Effect]:
        """Compare; `agrees` says that all positions were ours at the time of this state."""
        cash, ledger = account.raw_usd, self._desk.ledger
        if cash is None or not agrees:
            return []
        here = ComparedState(venue_ms=account.venue_ms, cash=cash, earned=ledger.earned_at(account.venue_ms))
        begin = self._desk.explained()
        if begin is None:
            self._replace(here)
            begin = here
        if here.venue_ms < begin.venue_ms:
            return []
        moved = sum((one.usd for one in self._recent if one.venue_ms <= here.venue_ms), ZERO)
        residual = (here.cash - begin.cash) - (here.earned - begin.earned) - moved
        self.statement = self._state(account, cash, residual, begin.venue_ms, self._transferred + moved)
        if abs(residual) > TOLERANCE:
            return self._on_difference(residual, begin, here, moved, now)
        self._differs_since, self._reported = None, False
        if here.venue_ms - begin.venue_ms >= WINDOW_MS:
            self._replace(here)
        return []

    def on_transfers(self, answer: VenueTransfers) -> list[Effect]:
        """Remember what moved; the next account state is judged by it."""
        if self._desk.compared is not None:
            self._recent |= {one for one in answer.transfers if one.venue_ms > self._desk.compared.venue_ms}
        return []

    # --- parts ---------------------------------------------------------------------------------------

    def _replace(self, here: ComparedState) -> None:
        past = {one for one in self._recent if one.venue_ms <= here.venue_ms}
        self._transferred += sum((one.usd for one in past), ZERO)
        self._recent -= past
        self._desk.compared, self._desk.ledger.booked_from = here, None

    def _on_difference(
        self, residual: Decimal, begin: ComparedState, here: ComparedState, moved: Decimal, now: Nanos
    ) -> list[Effect]:
        """Rule 3."""
        if self._differs_since is None:
            self._differs_since, self._read_at = now, None
        if self._read_at is None or now >= self._read_at + READ_AGAIN:
            self._read_at = now
            self._desk.want_fills(now)
            self._desk.queries.want("fundings", FundingQuery(begin.venue_ms), now)
            self._desk.queries.want("transfers", TransfersQuery(self._desk.account, begin.venue_ms), now)
        breach = self._desk.settings.risk.reconcile_breach_ms * MILLISECOND
        if self._reported or now < self._differs_since + breach:
            return []
        self._reported = True
        told = (
            f"from {begin.venue_ms} to {here.venue_ms} the venue's cash changed by {_usd(here.cash - begin.cash)}, "
            f"our books by {_usd(here.earned - begin.earned)}, transfers {_usd(moved)}: {_usd(residual)} unexplained"
        )
        return self._desk.finding("ledger identity", "", told)

    def _state(
        self, account: VenueAccount, cash: Decimal, residual: Decimal, since_ms: Millis, transfers: Decimal
    ) -> LedgerCheck:
        books = self._desk.ledger.coins.values()
        return LedgerCheck(
            equity=account.equity,
            realized_pnl=sum((coin.realized_pnl for coin in books), ZERO),
            unrealized_pnl=account.equity - cash - sum((coin.cost() for coin in books), ZERO),
            fees=sum((coin.fees for coin in books), ZERO),
            funding=sum((coin.funding for coin in books), ZERO),
            transfers=transfers,
            residual=round(residual, PLACES),
            since_ms=since_ms,
            as_of_ms=account.venue_ms,
        )


def _usd(amount: Decimal) -> str:
    return f"{round(amount, PLACES).normalize():f}"

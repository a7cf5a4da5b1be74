"""P&L recomputed from our own fills, against the venue's account and order_management's word.

Rules
  1. Earned is what fills brought in (sold less bought, at their prices) less fees, plus funding and transfers. The mark
     price moves equity and the value of what is held alike, so it is left out: earned is compared with equity less the
     value of all positions, and with order_management's realised P&L less fees plus funding less the cost of what it
     says we hold.
  2. The first account state opens these books. Nothing from before counts, and no later state replaces it: a small
     difference that is never explained stays one.
  3. A difference makes us read fills, funding and transfers, at once and then every 30 s. One that lasts for
     `reconcile_breach_ms` is a finding and pulls quotes until it is explained, or until a person arms after a halt.
  4. The venue states each amount to a micro-USD: that much may be missing for every amount booked, and for each state.
  5. order_management's books are older than ours: a distance to ours that holds for 2 s is where its comparison
     begins, anew with each of its epochs.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from common.instrument import Instrument
from common.ledger import FILL_KEYS_MAX, FUNDING_KEYS_MAX, FillKey, FundingKey, SeenKeys, fill_key
from common.messages import Fill, Position, PostureLevel, VenueAccount
from common.messages.venue import FundingPayment, Transfer
from common.units import SECOND, Lots, Millis, Nanos
from services.risk.controls import Control
from services.risk.exposure_ledger import Finding
from services.risk.posture import Cause

MICRO: Final = Decimal("0.000001")
PLACES: Final = 6  # of what is shown
SETTLED: Final = Nanos(2 * SECOND)  # a fill reaches two processes within this
READ_AGAIN: Final = Nanos(30 * SECOND)  # the three questions weigh 65 together
AMOUNTS_MAX: Final = 20_000  # between two account states; a lost one would be a difference, which pulls quotes
VENUE: Final = "P&L difference"
STATED: Final = "stated P&L difference"
ZERO: Final = Decimal(0)


@dataclass(slots=True)
class Difference:
    """Two numbers that should be equal, and since when they are not."""

    since: Nanos | None = None
    told: str = ""
    reported: bool = False

    def see(self, told: str, now: Nanos) -> None:
        """Take what differs now, "" when nothing does."""
        if not told:
            self.since, self.reported = None, False
        elif self.since is None:
            self.since = now
        self.told = told

    def lasts(self, now: Nanos, span: Nanos) -> bool:
        return self.since is not None and now - self.since >= span


@dataclass(slots=True, kw_only=True)
class _Stated:
    """How far order_management's books of one coin are from ours (rule 5)."""

    apart: Decimal
    since: Nanos
    settled: bool = False
    difference: Difference = field(default_factory=Difference)


class Earnings:
    """Hears every fill, payment and transfer of the account; each counts once."""

    def __init__(self, instruments: Mapping[str, Instrument], breach: Nanos) -> None:
        self._instruments = instruments
        self._breach = breach
        self._fills: SeenKeys[FillKey] = SeenKeys(FILL_KEYS_MAX)
        self._payments: SeenKeys[FundingKey] = SeenKeys(FUNDING_KEYS_MAX)  # transfers too, under their kind and amount
        # later than the last account state; coin "" is a transfer
        self._later: deque[tuple[Millis, str, Decimal]] = deque(maxlen=AMOUNTS_MAX)
        self._booked: dict[str, Decimal] = {}
        self._count = 0
        self._opened: tuple[Millis, Decimal] | None = None
        self._last: tuple[Millis, Decimal] | None = None
        self._venue = Difference()
        self._stated: dict[str, _Stated] = {}
        self._read_at: Nanos | None = None
        self.agreed_ms: Millis | None = None  # all that the venue moved until then is known

    # --- hearing -----------------------------------------------------------------------------------

    def on_fill(self, fill: Fill) -> None:
        instrument = self._instruments.get(fill.coin)
        if instrument is not None and self._fills.add(fill_key(fill)):
            size = instrument.size(Lots(-fill.side.sign * fill.lots))
            self._take(fill.venue_ms, fill.coin, size * instrument.price(fill.ticks) - fill.fee)

    def on_fundings(self, payments: Iterable[FundingPayment], now: Nanos) -> None:
        for payment in payments:
            if self._payments.add((payment.venue_ms, payment.coin)):
                self._take(payment.venue_ms, payment.coin, payment.usd)
        self._judge(now)

    def on_transfers(self, transfers: Iterable[Transfer], now: Nanos) -> None:
        for transfer in transfers:
            if self._payments.add((transfer.venue_ms, f"{transfer.kind} {transfer.usd}")):
                self._take(transfer.venue_ms, "", transfer.usd)
        self._judge(now)

    def on_account(self, account: VenueAccount, now: Nanos, *, agrees: bool) -> None:
        """Take a state; `agrees` says that both witnesses of every position did."""
        cash = account.raw_usd
        if cash is None or not agrees or (self._last is not None and account.venue_ms <= self._last[0]):
            return
        self._last = (account.venue_ms, cash)
        if self._opened is None:
            self._opened = self._last
        waiting = tuple(self._later)
        self._later.clear()
        for amount in waiting:
            self._take(*amount)
        self._judge(now)

    def on_stated(self, position: Position, held: Lots, now: Nanos) -> None:
        """Compare what order_management says last of a coin (rule 5); `held` is what both our witnesses say."""
        coin, ours = position.coin, self.earned(position.coin)
        cost = self._instruments[coin].size(position.lots) * (position.entry or ZERO)
        theirs = position.realized_pnl - position.fees + position.funding - cost
        seen = self._stated.get(coin)
        if seen is None:
            if position.proven and position.lots == held and self._opened is not None:
                self._stated[coin] = _Stated(apart=theirs - ours, since=now)
            return
        if abs(theirs - ours - seen.apart) <= MICRO:
            seen.difference.see("", now)
            seen.settled |= now - seen.since >= SETTLED
            return
        told = f"order_management states {_usd(theirs - seen.apart)}, own fills and funding make {_usd(ours)}"
        seen.difference.see(told, now)
        if not seen.settled and seen.difference.lasts(now, SETTLED):
            del self._stated[coin]

    def forget_stated(self) -> None:
        """order_management is silent, or has not recovered: what it says next is where its comparison begins."""
        self._stated.clear()

    def rebase(self) -> None:
        """A person has looked at a difference: the next account state opens the books anew."""
        self._opened = self.agreed_ms = None
        self._booked, self._count = {}, 0
        self._venue = Difference()
        self._stated.clear()

    # --- saying ------------------------------------------------------------------------------------

    def earned(self, coin: str) -> Decimal:
        """Return what a coin earned since these books were opened, as far as fills and payments are known."""
        return self._booked.get(coin, ZERO) + sum((usd for _, name, usd in self._later if name == coin), ZERO)

    def wants_read(self, now: Nanos) -> bool:
        """Say whether to read fills, funding and transfers now, and note it (rule 3)."""
        differs = self._venue.since is not None or any(
            one.settled and one.difference.lasts(now, SETTLED) for one in self._stated.values()
        )
        if not differs:
            self._read_at = None
            return False
        if self._read_at is not None and now - self._read_at < READ_AGAIN:
            return False
        self._read_at = now
        return True

    @property
    def differs(self) -> bool:
        """Say whether a difference is open, lasting or not."""
        return self._venue.since is not None or any(one.difference.since is not None for one in self._stated.values())

    def settles_at(self, now: Nanos) -> Nanos | None:
        """Say when a distance will have held for long enough."""
        ends = [Nanos(one.since + SETTLED) for one in self._stated.values() if not one.settled]
        return min((end for end in ends if end > now), default=None)

    def findings(self, now: Nanos) -> list[Finding]:
        """Return each lasting difference once."""
        found = []
        for kind, coin, difference in self._lasting(now):
            if not difference.reported:
                difference.reported = True
                found.append(Finding(kind=kind, coin=coin, evidence=difference.told))
        return found

    def causes(self, now: Nanos) -> list[Cause]:
        return [
            Cause(PostureLevel.PULL_QUOTES, kind, coin, control=Control.RECONCILIATION)
            for kind, coin, _ in self._lasting(now)
        ]

    # --- parts -------------------------------------------------------------------------------------

    def _take(self, venue_ms: Millis, coin: str, usd: Decimal) -> None:
        """Book what the last account state holds; keep the rest for the next one."""
        if self._last is None or self._opened is None or venue_ms > self._last[0]:
            self._later.append((venue_ms, coin, usd))
        elif venue_ms > self._opened[0]:
            self._booked[coin] = self._booked.get(coin, ZERO) + usd
            self._count += 1

    def _judge(self, now: Nanos) -> None:
        """Compare with the last account state (rules 1 and 4)."""
        if self._opened is None or self._last is None:
            return
        earned = sum(self._booked.values(), ZERO)
        moved = self._last[1] - self._opened[1]
        differs = abs(moved - earned) > MICRO * (2 + self._count)
        told = (
            f"from {self._opened[0]} to {self._last[0]} own fills, funding and transfers make {_usd(earned)}, "
            f"the venue's account {_usd(moved)}: {_usd(moved - earned)} unexplained"
        )
        self._venue.see(told if differs else "", now)
        if not differs:
            self.agreed_ms = self._last[0]

    def _lasting(self, now: Nanos) -> list[tuple[str, str, Difference]]:
        every = [(VENUE, "", self._venue)]
        every += [(STATED, coin, one.difference) for coin, one in sorted(self._stated.items()) if one.settled]
        return [one for one in every if one[2].lasts(now, self._breach)]


def _usd(amount: Decimal) -> str:
    return f"{round(amount, PLACES).normalize():f} USD"

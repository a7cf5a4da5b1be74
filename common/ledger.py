"""What we hold and what it earned: a venue snapshot plus every fill after it, each counted once.

Rules
  1. A fill counts once, by (venue_ms, coin, tid), in whatever order and however often it is delivered.
  2. Position = lots adopted at `anchor_ms` plus the fills later than that: the venue answers after a whole block,
     so a fill at or before the anchor is already inside the adopted lots, and only its money is new.
  3. Nothing is counted of a coin whose books are not open, or that happened before they were opened.
  4. Fills of one millisecond are taken in the order in which their start positions chain, never by tid.
  5. What a coin has earned is realised P&L less fees plus funding less the cost of what is held: it changes by exactly
     the cash that fills and payments move, so it can be compared with the venue's at any moment of the last minutes.
  6. Realised P&L is against the average entry price, gross of fees; fees are as charged (a rebate is negative);
     funding received is positive. Money is Decimal, exact up to the division in the average entry.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Generic, TypeVar

from common.instrument import Instrument
from common.messages import Fill, LedgerRecord
from common.messages.venue import FundingPayment
from common.units import Lots, Millis

FILL_KEYS_MAX: Final = 12_000  # the venue serves its 10,000 newest fills at most, so no older one comes back
FUNDING_KEYS_MAX: Final = 5_000  # hourly payments of all coins: more than the venue's longest answer
RECENT_MS: Final = 300_000  # how far back `position_at` can look
RECENT_MAX: Final = 10_000  # trades in that time; a burst beyond it only makes one comparison wait

ZERO: Final = Decimal(0)
FillKey = tuple[Millis, str, int]
FundingKey = tuple[Millis, str]
K = TypeVar("K", FillKey, FundingKey)


class SeenKeys(Generic[K]):
    """Remembers the newest keys, so that each counts once."""

    def __init__(self, keys_max: int, keys: Iterable[K] = ()) -> None:
        self._max = keys_max
        self._keys: OrderedDict[K, None] = OrderedDict.fromkeys(keys)

    def __contains__(self, key: K) -> bool:
        return key in self._keys

    def add(self, key: K) -> bool:
        """Remember `key` and return whether it is new."""
        if key in self._keys:
            return False
        self._keys[key] = None
        if len(self._keys) > self._max:
            self._keys.popitem(last=False)
        return True

    def keys(self) -> tuple[K, ...]:
        return tuple(self._keys)


@dataclass(slots=True, kw_only=True)
class CoinLedger:
    """One coin's books."""

    instrument: Instrument
    opened_ms: Millis
    anchor_ms: Millis
    lots: Lots = Lots(0)
    entry: Decimal | None = None
    realized_pnl: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    fills: int = 0
    recent: deque[tuple[Millis, int, Decimal]] = field(default_factory=deque)  # (venue_ms, signed lots, price)
    flows: deque[tuple[Millis, Decimal]] = field(default_factory=deque)  # (venue_ms, cash received), of as long

    def apply(self, fill: Fill) -> None:
        """Book a fill that was not booked before."""
        self.fills += 1
        self.fees += fill.fee
        if fill.venue_ms <= self.anchor_ms:
            self.realized_pnl += fill.closed_pnl  # our average entry of then is gone; the venue's word is not
            return
        signed, price = fill.side.sign * fill.lots, self.instrument.price(fill.ticks)
        self._trade(signed, price)
        self.recent.append((fill.venue_ms, signed, price))
        self._flow(fill.venue_ms, -self.instrument.size(Lots(signed)) * price - fill.fee)
        while len(self.recent) > RECENT_MAX or self.recent[0][0] < fill.venue_ms - RECENT_MS:
            self.recent.popleft()

    def fund(self, payment: FundingPayment) -> None:
        """Book a payment that was not booked before."""
        self.funding += payment.usd
        self._flow(payment.venue_ms, payment.usd)

    def position_at(self, venue_ms: Millis) -> Lots:
        """Return what we held at a moment of the last minutes, as far as fills are known."""
        return Lots(self.lots - sum(signed for at, signed, _ in self.recent if at > venue_ms))

    def cost(self) -> Decimal:
        """Return what the position cost, negative when short."""
        return self.instrument.size(self.lots) * (self.entry or ZERO)

    def earned_at(self, venue_ms: Millis) -> Decimal:
        """Rule 5, at a moment of the last minutes."""
        later = sum((usd for at, usd in self.flows if at > venue_ms), ZERO)
        return self.realized_pnl - self.fees + self.funding - self.cost() - later

    def adopt(self, lots: Lots, entry: Decimal | None, venue_ms: Millis) -> None:
        """Take the venue's word of `venue_ms` for the position, plus the fills after it; what was earned stays."""
        earned = self.realized_pnl
        self.lots, self.entry, self.anchor_ms = lots, entry if lots else None, venue_ms
        self.recent = deque(trade for trade in self.recent if trade[0] > venue_ms)
        for _, signed, price in self.recent:
            self._trade(signed, price)
        self.realized_pnl = earned

    def record(self, reason: str) -> LedgerRecord:
        return LedgerRecord(
            coin=self.instrument.coin,
            lots=self.lots,
            entry=self.entry,
            realized_pnl=self.realized_pnl,
            fees=self.fees,
            funding=self.funding,
            fills=self.fills,
            opened_ms=self.opened_ms,
            anchor_ms=self.anchor_ms,
            reason=reason,
        )

    def _flow(self, venue_ms: Millis, usd: Decimal) -> None:
        self.flows.append((venue_ms, usd))
        while len(self.flows) > RECENT_MAX or self.flows[0][0] < venue_ms - RECENT_MS:
            self.flows.popleft()

    def _trade(self, signed: int, price: Decimal) -> None:
        held = self.lots
        self.lots = Lots(held + signed)
        if held == 0 or (held > 0) == (signed > 0):
            cost = (self.entry or ZERO) * abs(held) + price * abs(signed)
            self.entry = cost / abs(self.lots)
            return
        closed = self.instrument.size(min(abs(held), abs(signed)))
        direction = 1 if held > 0 else -1
        self.realized_pnl += (price - (self.entry or price)) * closed * direction
        if abs(signed) > abs(held):
            self.entry = price
        elif self.lots == 0:
            self.entry = None


class Ledger:
    """The books of all configured coins; a coin's books are opened by the venue's first word on it."""

    def __init__(self, instruments: dict[str, Instrument]) -> None:
        self._instruments = instruments
        self._fills: SeenKeys[FillKey] = SeenKeys(FILL_KEYS_MAX)
        self._fundings: SeenKeys[FundingKey] = SeenKeys(FUNDING_KEYS_MAX)
        self.coins: dict[str, CoinLedger] = {}
        self.booked_from: Millis | None = None  # earliest moment that was booked since somebody last cleared this

    def open(self, coin: str, lots: Lots, entry: Decimal | None, venue_ms: Millis) -> CoinLedger:
        """Open the books of a configured coin with what the venue says we hold at `venue_ms`."""
        books = CoinLedger(instrument=self._instruments[coin], opened_ms=venue_ms, anchor_ms=venue_ms)
        books.adopt(lots, entry, venue_ms)
        self.coins[coin] = books
        return books

    def restore(self, row: LedgerRecord) -> None:
        """Continue from a row; a coin that is no longer configured is left out."""
        if row.coin not in self._instruments:
            return
        self.coins[row.coin] = CoinLedger(
            instrument=self._instruments[row.coin],
            opened_ms=row.opened_ms,
            anchor_ms=row.anchor_ms,
            lots=row.lots,
            entry=row.entry,
            realized_pnl=row.realized_pnl,
            fees=row.fees,
            funding=row.funding,
            fills=row.fills,
        )

    def remember(self, fill_keys: Iterable[FillKey], funding_keys: Iterable[FundingKey]) -> None:
        """Take over the keys of a checkpoint: these are counted already."""
        self._fills = SeenKeys(FILL_KEYS_MAX, fill_keys)
        self._fundings = SeenKeys(FUNDING_KEYS_MAX, funding_keys)

    def count(self, fill: Fill) -> bool:
        """Book a fill once; False when it is known, before the books, or of a coin without books."""
        books = self.coins.get(fill.coin)
        if books is None or fill.venue_ms <= books.opened_ms or not self._fills.add(fill_key(fill)):
            return False
        books.apply(fill)
        self._booked(fill.venue_ms)
        return True

    def fund(self, payment: FundingPayment) -> bool:
        """Book a funding payment once; False as for fills."""
        books = self.coins.get(payment.coin)
        if books is None or payment.venue_ms <= books.opened_ms:
            return False
        if not self._fundings.add((payment.venue_ms, payment.coin)):
            return False
        books.fund(payment)
        self._booked(payment.venue_ms)
        return True

    def adopt(self, coin: str, lots: Lots, entry: Decimal | None, venue_ms: Millis) -> None:
        """Take the venue's word over ours: what was earned before it can be compared no more."""
        self.coins[coin].adopt(lots, entry, venue_ms)
        self._booked(Millis(0))

    def earned_at(self, venue_ms: Millis) -> Decimal:
        """Return what all coins earned by then."""
        return sum((books.earned_at(venue_ms) for books in self.coins.values()), ZERO)

    def lots(self, coin: str) -> Lots:
        """Return the signed position; 0 while the coin's books are not open."""
        books = self.coins.get(coin)
        return books.lots if books else Lots(0)

    def _booked(self, venue_ms: Millis) -> None:
        self.booked_from = venue_ms if self.booked_from is None else min(self.booked_from, venue_ms)

    def keys(self) -> tuple[tuple[FillKey, ...], tuple[FundingKey, ...]]:
        return self._fills.keys(), self._fundings.keys()


def fill_key(fill: Fill) -> FillKey:
    """Return what makes a fill unique (venue rule: tid is a hash of both oids, shared by both sides)."""
    return (fill.venue_ms, fill.coin, fill.tid)


def chained(fills: Iterable[Fill]) -> list[Fill]:
    """Order by venue time, and within one millisecond of a coin by the chain of start positions."""
    groups: dict[tuple[Millis, str], list[Fill]] = {}
    for fill in sorted(fills, key=lambda one: (one.venue_ms, one.coin, one.tid)):
        groups.setdefault((fill.venue_ms, fill.coin), []).append(fill)
    return [fill for group in groups.values() for fill in _chain(group)]


def _chain(group: list[Fill]) -> list[Fill]:
    """Begin where no other fill ends, then follow; what does not chain keeps its place by tid."""
    rest = list(group)
    ends = [_end(fill) for fill in rest]
    here = next((fill.start_position for fill in rest if fill.start_position not in ends), rest[0].start_position)
    ordered = []
    while rest:
        chosen = next((fill for fill in rest if fill.start_position == here), rest[0])
        rest.remove(chosen)
        ordered.append(chosen)
        here = _end(chosen)
    return ordered


def _end(fill: Fill) -> Lots:
    return Lots(fill.start_position + fill.side.sign * fill.lots)

"""Our books against the venue's account: opening, comparing, adopting, and what is published of them.

Rules
  1. A coin's books open with the venue's first word on its position; what we then hold already is a finding.
  2. The venue's position at its time t is compared with ours at t, never with ours of now.
  3. A difference makes us read fills at once, then every 10 s; one that lasts for `reconcile_breach_ms` is a finding,
     and the position is not proven until both agree again. Nothing is corrected while we run.
  4. Only at start, and only when two account reads with a read of fills between them say the same, is the venue's
     position adopted over ours, with a finding.
  5. An account without equity and positions is not an answer about ours: wrong address, or not funded. The venue is
     asked what the address is, and nothing is quoted until an answer has one of both.
"""

from typing import Final

from common.actor import Effect, Record
from common.messages import FundingRecord, PendingExposure, Position, VenueAccount, VenueUserRole
from common.messages.venue import AccountQuery, FundingPayment, UserRoleQuery, VenuePosition
from common.units import MILLISECOND, SECOND, Lots, Millis, Nanos
from services.order_management.desk import Desk

ACCOUNT_EVERY: Final = Nanos(5 * SECOND)  # weight 2: 24 of the 500 a minute that are ours
ACCOUNT_AGAIN: Final = Nanos(2 * SECOND)  # while something differs
FILLS_AGAIN: Final = Nanos(10 * SECOND)  # while it goes on to differ: weight 20


class Books:
    """Wraps the ledger with what the venue says of it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._coins = tuple(desk.settings.coins)
        self._differs: dict[str, Nanos] = {}  # coin -> since when
        self._reported: dict[str, str] = {}  # coin -> the difference that lasted
        self._agreed_ms: dict[str, Millis] = {}
        self._drift: dict[str, Lots] = {}
        self._unbelieved = False
        self.stranger = ""  # what the address is, where its account cannot be ours

    # --- the venue's word ------------------------------------------------------------------------------

    def on_account(self, message: VenueAccount, now: Nanos) -> tuple[bool, list[Effect]]:
        """Compare all coins; return whether all agree, and what to write down."""
        if message.equity == 0 and not message.positions:
            if self._unbelieved:
                return False, []
            self._unbelieved = True
            self._desk.queries.want("role", UserRoleQuery(), now)
            return False, self._desk.finding("account without equity", "", "no positions either")
        self._unbelieved, self.stranger = False, ""
        stated = {position.coin: position for position in message.positions}
        effects = []
        for coin in self._coins:
            effects += self._compare(coin, stated.get(coin), message.venue_ms, now)
        return not self._differs, effects

    def on_role(self, message: VenueUserRole) -> list[Effect]:
        """Rule 5: say what the address is instead, in words that a person can act on."""
        account = self._desk.account
        match message.role:
            case "agent":
                told = f"{account} is an agent of {message.master}: that address belongs into venue.account"
            case "missing":
                told = f"the venue does not know {account}: fund it, or correct venue.account"
            case role:
                told = f"{account} is a {role} without equity" + (f", of {message.master}" if message.master else "")
        self.stranger = told
        return self._desk.finding("account without equity", "", told)

    def adopt(self, message: VenueAccount) -> list[Effect]:
        """Rule 4: take the venue's word where it differs."""
        effects: list[Effect] = []
        stated = {position.coin: position for position in message.positions}
        for coin in [coin for coin in self._coins if coin in self._differs]:
            position, books = stated.get(coin), self._desk.ledger.coins[coin]
            lots, entry = (position.lots, position.entry) if position else (Lots(0), None)
            told = f"ours {books.position_at(message.venue_ms)}, venue {lots} at {message.venue_ms}"
            self._desk.ledger.adopt(coin, lots, entry, message.venue_ms)
            self._drift[coin] = Lots(0)
            effects += self._desk.finding("position adopted", coin, told)
            effects.append(Record(books.record(f"adopted: {told}")))
            self._desk.store.changed[coin] = None
            self._agree(coin, message.venue_ms)
        return effects

    def on_fundings(self, payments: tuple[FundingPayment, ...]) -> list[Effect]:
        """Count funding once by (time, coin)."""
        effects: list[Effect] = []
        for payment in payments:
            if self._desk.ledger.fund(payment):
                row = FundingRecord(coin=payment.coin, usd=payment.usd, venue_ms=payment.venue_ms)
                effects.append(Record(row))
                self._desk.store.changed[payment.coin] = None
        return effects

    def want_account(self, at: Nanos) -> None:
        self._desk.queries.want("account", AccountQuery(), at)

    @property
    def opened(self) -> bool:
        return all(coin in self._desk.ledger.coins for coin in self._coins)

    # --- what stands ---------------------------------------------------------------------------------

    def unproven(self, coin: str) -> str:
        """Return why the position of a coin is not proven; "" when it is."""
        if self._unbelieved:
            return "the venue's account answer cannot be ours"
        if coin in self._reported:
            return self._reported[coin]
        if any(order.fills_missing for order in self._desk.store.of_coin(coin)):
            return "fills missing"
        return "" if coin in self._desk.ledger.coins else "books not open"

    def position(self, coin: str, *, proven: bool) -> Position | None:
        books = self._desk.ledger.coins.get(coin)
        if books is None:
            return None
        return Position(
            coin=coin,
            lots=books.lots,
            entry=books.entry,
            realized_pnl=books.realized_pnl,
            fees=books.fees,
            funding=books.funding,
            fills=books.fills,
            as_of_ms=self._agreed_ms.get(coin, books.anchor_ms),
            proven=proven and not self.unproven(coin),
            drift=self._drift.get(coin, Lots(0)),
        )

    def exposure(self, coin: str) -> PendingExposure:
        store = self._desk.store
        bid, ask = store.pending_exposure(coin)
        shortest, longest = store.worst_case_positions(self._desk.ledger.lots(coin), coin)
        bid_notional, ask_notional = store.resting_notional(coin)
        return PendingExposure(
            coin=coin,
            pending_bid=bid,
            pending_ask=ask,
            net_pending_change=store.net_pending_change(coin),
            worst_case_max_position=longest,
            worst_case_min_position=shortest,
            resting_bid_notional=bid_notional,
            resting_ask_notional=ask_notional,
            foreign_orders=store.foreign_count(coin),
        )

    # --- parts -----------------------------------------------------------------------------------------

    def _compare(self, coin: str, stated: VenuePosition | None, venue_ms: Millis, now: Nanos) -> list[Effect]:
        theirs = stated.lots if stated else Lots(0)
        books = self._desk.ledger.coins.get(coin)
        if books is None:
            return self._open(coin, stated, venue_ms)
        ours = books.position_at(venue_ms)
        if (drift := Lots(ours - theirs)) != self._drift.get(coin, 0):
            self._drift[coin] = drift
            self._desk.store.changed[coin] = None
        if not drift:
            self._agree(coin, venue_ms)
            return []
        self._desk.want_fills(Nanos(now + FILLS_AGAIN) if coin in self._differs else now)
        since = self._differs.setdefault(coin, now)
        if now - since < self._desk.settings.risk.reconcile_breach_ms * MILLISECOND or coin in self._reported:
            return []
        told = f"position: ours {ours}, venue {theirs} at {venue_ms}"
        self._reported[coin] = told
        self._desk.store.changed[coin] = None
        return self._desk.finding("position differs", coin, told)

    def _open(self, coin: str, stated: VenuePosition | None, venue_ms: Millis) -> list[Effect]:
        lots, entry = (stated.lots, stated.entry) if stated else (Lots(0), None)
        books = self._desk.ledger.open(coin, lots, entry, venue_ms)
        self._desk.store.changed[coin] = None
        self._agree(coin, venue_ms)
        told = self._desk.finding("position adopted", coin, f"venue {lots} at {venue_ms}, no books") if lots else []
        return [*told, Record(books.record("opened"))]

    def _agree(self, coin: str, venue_ms: Millis) -> None:
        self._agreed_ms[coin] = venue_ms
        self._differs.pop(coin, None)
        if self._reported.pop(coin, None) is not None:
            self._desk.store.changed[coin] = None

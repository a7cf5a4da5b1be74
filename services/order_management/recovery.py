"""Start, crash and reconnect: what must be read from the venue before anything is quoted.

Rules
  1. Start: the user stream is up and the venue's universe is ours; nothing sent by an earlier process can arrive any
     more (its last expiry plus margin, by venue time; without a journal order_expiry plus margin from the start);
     everything of ours is cancelled; two lists, 1 s apart, show none of ours and no order is unsettled.
  2. Reconnect: the list is read, and every order is shown by it or settled by its own status.
  3. Both: then fills are read, then the account; done when all positions are equal. A stream that drops meanwhile
     begins this again.
  4. A start that finds another position twice, with a read of fills between, adopts the venue's (books.py).
  5. An answer to a question that was asked before its phase began counts for nothing in it.
  6. A stream that is silent though its socket lives (user_stream.py) counts as down, and its socket is dropped.
"""

from enum import StrEnum
from typing import Final

from common.actor import Effect, Exit, Reconnect
from common.instrument import Instrument
from common.messages import OrderState, VenueAccount, VenueMeta, VenueOpenOrders
from common.messages.venue import MetaQuery
from common.units import MILLISECOND, SECOND, Lots, Nanos
from services.order_management.books import Books
from services.order_management.cancelling import Cancelling
from services.order_management.desk import Desk

READ_GAP: Final = Nanos(1 * SECOND)  # between two reads that must agree
QUICK_READS_MAX: Final = 10  # then slower: each round costs up to 42 of the 500 weight a minute that are ours
SLOW_GAP: Final = Nanos(5 * SECOND)
EMPTY_READS: Final = 2


class Phase(StrEnum):
    STREAM = "waiting for the user stream"
    QUIET = "waiting until nothing sent earlier can arrive"
    ORDERS = "proving open orders"
    BOOKS = "proving positions"
    DONE = "reconciled"


class EmptyProof:
    """Two lists in a row, far enough apart, without an order of ours."""

    def __init__(self) -> None:
        self._empty = 0
        self._at = Nanos(0)

    def on_list(self, *, empty: bool, asked_at: Nanos) -> bool:
        """Take one list; return whether emptiness is proven."""
        if not empty:
            self._empty = 0
        elif self._empty == 0 or asked_at >= self._at + READ_GAP:
            self._empty += 1
            self._at = asked_at
        return self._empty >= EMPTY_READS


class Recovery:
    """Which phase we are in, and what it still needs."""

    def __init__(self, desk: Desk, books: Books, cancelling: Cancelling, *, any_rows: bool, started_at: Nanos) -> None:
        self._desk = desk
        self._books = books
        self._cancelling = cancelling
        self._any_rows = any_rows
        self._started_at = started_at
        self.phase = Phase.STREAM
        self.first = True  # until a start is through once
        self._universe = False
        self._since = started_at  # when this phase began
        self._up_at = started_at
        self._proof = EmptyProof()
        self._reads = 0
        self._fills_at: Nanos | None = None
        self._disagreed: tuple[Nanos, dict[str, Lots]] | None = None

    @property
    def done(self) -> bool:
        return self.phase is Phase.DONE

    @property
    def detail(self) -> str:
        if self.phase is Phase.ORDERS:
            return f"{self.phase.value}: {len(self._desk.store.open)} unsettled"
        if self.phase is Phase.QUIET and not self._universe:
            return "waiting for the venue's universe"
        if self.phase is Phase.QUIET and not self._books.opened:
            return self._books.stranger or "waiting for an account that can be ours"
        return "" if self.done else self.phase.value

    # --- the stream ----------------------------------------------------------------------------------

    def on_stream_up(self, now: Nanos) -> None:
        self._desk.user_stream.up(now)
        self._up_at = now
        self._reads = 0
        self._disagreed = None
        self._proof = EmptyProof()
        if self.first and not self._universe:
            self._desk.queries.want("meta", MetaQuery(), now)
        self._books.want_account(now)
        self._enter(Phase.QUIET if self.first else Phase.ORDERS, now)

    def on_stream_down(self, now: Nanos) -> None:
        self._desk.user_stream.down()
        self._enter(Phase.STREAM, now)

    def on_meta(self, message: VenueMeta) -> list[Effect]:
        """Rule 1: what we would trade must be what the venue calls by these names."""
        listed = {instrument.coin: instrument for instrument in message.universe}
        for coin, ours in self._desk.settings.instruments().items():
            if (wrong := _difference(ours, listed.get(coin))) != "":
                return [Exit(78, f"coins.{coin}: {wrong}; correct the configuration")]
        self._universe = True
        return []

    # --- what the clock and the answers bring ---------------------------------------------------------

    def advance(self, now: Nanos) -> list[Effect]:
        if what := self._desk.user_stream.silent(now):
            self.on_stream_down(now)
            why = f"user stream silent: it did not tell of {what}"
            return [Reconnect(why), *self._desk.finding("silent user stream", "", why)]
        if self.phase is not Phase.QUIET or not self._universe or not self._books.opened or not self._quiet(now):
            return []
        self._enter(Phase.ORDERS, now)
        return self._cancelling.everything("start", now)

    def on_list(self, message: VenueOpenOrders, now: Nanos) -> None:
        """Take a list that is merged into the orders already: what it shows of ours is being cancelled by name."""
        if self.phase is not Phase.ORDERS:
            return
        listed = any(self._desk.ours(order.cloid) for order in message.orders)
        if message.asked_at < self._since:
            settled = False
        elif self.first:
            settled = self._proof.on_list(empty=not listed and not self._desk.store.open, asked_at=message.asked_at)
        else:
            settled = all(
                order.gone_at is not None or (order.heard_at >= self._up_at and order.state is not OrderState.UNKNOWN)
                for order in self._desk.store.open.values()
            )
        if settled:
            self._enter(Phase.BOOKS, now)
        else:
            self._desk.want_list(self._next_read(now))

    def on_fills(self, asked_at: Nanos, now: Nanos) -> None:
        if self.phase is Phase.BOOKS and asked_at >= self._since:
            self._fills_at = asked_at
            self._books.want_account(now)

    def on_account(self, message: VenueAccount, now: Nanos, *, agrees: bool) -> list[Effect]:
        """Rule 3, and rule 4 where they do not agree."""
        if self.phase is not Phase.BOOKS or self._fills_at is None or message.asked_at < self._fills_at:
            return []
        if agrees:
            self._enter(Phase.DONE, now)
            return []
        stated = {position.coin: position.lots for position in message.positions}
        believable = bool(message.positions) or message.equity != 0
        if self.first and believable and self._disagreed is not None:
            at, before = self._disagreed
            if stated == before and message.asked_at >= at + READ_GAP:
                self._enter(Phase.DONE, now)
                return self._books.adopt(message)
        if self._disagreed is None or self._disagreed[1] != stated:
            self._disagreed = (message.asked_at, stated)
        self._fills_at = None
        self._desk.want_fills(self._next_read(now))
        return []

    # --- parts ---------------------------------------------------------------------------------------

    def _enter(self, phase: Phase, now: Nanos) -> None:
        self.phase, self._since = phase, now
        if phase is Phase.ORDERS:
            self._desk.want_list(now)
        elif phase is Phase.BOOKS:
            self._fills_at = None
            self._desk.want_fills(now)
        elif phase is Phase.DONE:
            self.first = False

    def _quiet(self, now: Nanos) -> bool:
        if self._any_rows:
            return all(self._desk.past_arrival(order, now, now) for order in self._desk.store.unacknowledged())
        orders = self._desk.settings.orders
        return now >= self._started_at + (orders.order_expiry_ms + orders.margin_ms) * MILLISECOND

    def _next_read(self, now: Nanos) -> Nanos:
        self._reads += 1
        return Nanos(now + (READ_GAP if self._reads <= QUICK_READS_MAX else SLOW_GAP))


def _difference(ours: Instrument, listed: Instrument | None) -> str:
    if listed is None:
        return "the venue lists no such coin"
    if listed.asset != ours.asset:
        return f"asset {ours.asset}, the venue says {listed.asset}"
    if listed.size_decimals != ours.size_decimals:
        return f"size_decimals {ours.size_decimals}, the venue says {listed.size_decimals}"
    return ""

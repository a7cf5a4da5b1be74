"""Risk's own ledger: everything of ours that may still fill, at its worst, and what we hold.

Rules
  1. An order counts at its full size from the moment of the decision to sign it, before any signature exists.
  2. It counts less only by its own fills (which then are in the position) and by the venue's word.
  3. "Gone" ends the counting of what was cancelled; what filled before keeps counting until its fills were heard,
     or an account state later than the venue's word is known, which then holds them.
  4. Never shown by the venue: gone when its expiry plus margin passed by venue time and the venue said unknownOid
     twice after that. Shown once and missing now: asked for, never guessed.
  5. A modify is two orders: the old one until it is proven gone, and the new one in full.
  6. A fill counts once, by (time, coin, tid), in any order, at any time.
  7. Orders of ours that this key never approved, and orders of strangers on our account, count like the rest;
     the first are fatal.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from common.cloid import is_ours
from common.hyperliquid.statuses import UNKNOWN_OID, StatusMeaning, meaning
from common.messages import Fill, OrderIntent, VenueAccount, VenueOpenOrders, VenueOrderStatus
from common.messages.venue import OrderUpdate, VenueOrder
from common.units import Lots, Micros, Millis, Nanos, Side, Ticks
from services.risk.activity import Activity
from services.risk.decisions import Decisions
from services.risk.ledger_entry import Entry
from services.risk.own_position import OwnPosition

FILL_KEYS_MAX: Final = 50_000  # fills are re-read at most a few minutes back
CLOSED_MAX: Final = 20_000  # orders that are gone, in case the venue contradicts itself later
LATELY_MS: Final = 10_000  # an older fill was read up on: it says nothing of what happens now
UNKNOWN_MIN: Final = 2  # answers "unknownOid" that prove absence: info servers may lag behind each other
GONE: Final = frozenset({StatusMeaning.FILLED, StatusMeaning.CANCELLED, StatusMeaning.REJECTED})
OPEN: Final = frozenset({StatusMeaning.OPEN, StatusMeaning.TRIGGERED})


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something at the venue that does not fit what we know; a fatal one kills."""

    kind: str
    coin: str
    evidence: str
    fatal: bool = False


class Pending(msgspec.Struct):
    """Sums of one coin, kept up to date with every change."""

    bid: int = 0
    ask: int = 0

    def add(self, side: Side, lots: int) -> None:
        if side is Side.BUY:
            self.bid += lots
        else:
            self.ask += lots


class ExposureLedger:
    """Orders and positions of the configured coins."""

    def __init__(self, activity: Mapping[str, Activity], tag: str, decisions: Decisions, margin_ms: int) -> None:
        self._activity = activity  # what counts here is told to it
        self._tag = tag
        self._decisions = decisions
        self._margin_ms = margin_ms
        self._entries: dict[str, dict[str, Entry]] = {coin: {} for coin in sorted(activity)}
        self._pending: dict[str, Pending] = {coin: Pending() for coin in self._entries}
        self._foreign: dict[int, VenueOrder] = {}
        self._foreign_pending: dict[str, Pending] = {coin: Pending() for coin in self._entries}
        self._positions: dict[str, OwnPosition] = {coin: OwnPosition() for coin in self._entries}
        self._by_oid: OrderedDict[int, str] = OrderedDict()
        self._closed: OrderedDict[str, tuple[Millis, Nanos]] = OrderedDict()  # the venue's time of the end, and ours
        self._fill_keys: OrderedDict[tuple[Millis, str, int], None] = OrderedDict()
        self._venue_ms = Millis(1 << 62)  # no fill is a late one before venue time is known
        self._live = 0

    # --- what we do ------------------------------------------------------------------------------

    def reserve(self, order: OrderIntent, expires_after: Millis, now: Nanos) -> None:
        """Count an order in full (rule 1)."""
        self._activity[order.coin].on_placed(now)
        self._add(Entry(order=order, expires_after=expires_after, noticed_at=now, signed_at=now))

    def resume(self, order: OrderIntent, now: Nanos, *, shown: bool) -> Entry:
        """Count again what an earlier life could not prove; the venue is asked for it by cloid."""
        entry = self._find(order.cloid)
        if entry is None:
            entry = Entry(order=order, expires_after=Millis(0), noticed_at=now, shown=shown, missing=True)
            entry.expired_at = now
            self._add(entry)
        return entry

    def retract(self, orders: Iterable[OrderIntent], now: Nanos, proof: str) -> None:
        """These can never arrive: no signature was made, or their nonce was burnt."""
        for order in orders:
            entry = self._entries[order.coin].get(order.cloid)
            if entry is not None and not entry.shown:
                entry.word = proof
                self._change(entry, now, cap=0)

    # --- what the venue says -----------------------------------------------------------------------

    def on_update(self, update: OrderUpdate, now: Nanos) -> list[Finding]:
        """Take one element of orderUpdates."""
        return self._on_order(update.order, update.status, update.status_ms, now)

    def on_status(self, answer: VenueOrderStatus, now: Nanos) -> list[Finding]:
        """Take the answer to a query by cloid."""
        if answer.order is not None:
            return self._on_order(answer.order, answer.status, answer.status_ms, now)
        entry = self._find(answer.cloid)
        if entry is not None and answer.status == UNKNOWN_OID:
            return self._on_unknown(entry, answer.asked_at, now)
        return []

    def on_open_orders(self, answer: VenueOpenOrders, now: Nanos) -> list[Finding]:
        """Take the venue's whole list: what is missing in it is asked for, or forgotten when it is a stranger's."""
        findings: list[Finding] = []
        listed = {order.cloid for order in answer.orders if order.cloid is not None}
        oids = {order.oid for order in answer.orders}
        for order in answer.orders:
            if order.coin not in self._entries:
                continue
            closed = self._closed.get(order.cloid or "")
            if closed is not None and answer.asked_at <= closed[1]:
                continue  # a list older than the order's end proves nothing against it
            if closed is not None:
                del self._closed[order.cloid or ""]
            findings += self._on_order(order, "open", order.placed_ms, now)
            if (entry := self._find(order.cloid)) is not None:
                entry.listed, entry.listed_at = order.lots, now
        for entry in self.entries():
            if entry.shown and entry.noticed_at < answer.asked_at and entry.order.cloid not in listed:
                entry.missing = True
        for oid in [oid for oid in self._foreign if oid not in oids]:
            self._forget_foreign(oid)
        return findings

    def on_fill(self, fill: Fill, now: Nanos) -> list[Finding]:
        """Take a fill from any source."""
        key = (fill.venue_ms, fill.coin, fill.tid)
        if fill.coin not in self._entries or key in self._fill_keys:
            return []
        self._fill_keys[key] = None
        if len(self._fill_keys) > FILL_KEYS_MAX:
            self._fill_keys.popitem(last=False)
        self._positions[fill.coin].on_fill(Lots(fill.side.sign * fill.lots), fill.venue_ms, now)
        if fill.venue_ms >= self._venue_ms - LATELY_MS:
            self._activity[fill.coin].on_fill(fill, now)
        cloid = fill.cloid or self._by_oid.get(fill.oid)
        entry = self._find(cloid)
        if entry is not None:
            if entry.filled + fill.lots > entry.order.lots:
                evidence = f"{cloid} asked for {entry.order.lots} lots and filled {entry.filled + fill.lots}"
                self._activity[fill.coin].on_overfill(evidence)
            self._change(entry, now, filled=entry.filled + fill.lots)
        if cloid is not None and is_ours(cloid, self._tag):
            self._decisions.arrived(cloid)
            evidence = f"fill {fill.tid} of {cloid}: {fill.side.value} {fill.lots} lots at {fill.ticks}"
            if entry is None and self._decisions.unapproved(cloid, fill.venue_ms):  # a known order was judged before
                return [Finding(kind="unapproved fill", coin=fill.coin, evidence=evidence, fatal=True)]
            return []
        if fill.oid in self._foreign:
            self._on_foreign_fill(fill)
        kind = "liquidation" if fill.liquidation else "foreign fill"
        evidence = f"fill {fill.tid} of oid {fill.oid}: {fill.side.value} {fill.lots} lots at {fill.ticks}"
        return [Finding(kind=kind, coin=fill.coin, evidence=evidence)]

    def on_account(self, account: VenueAccount, now: Nanos) -> None:
        """Take the account state: it holds every fill up to its time (rule 3)."""
        held = {position.coin: position.lots for position in account.positions}
        for coin, position in self._positions.items():
            position.on_snapshot(held.get(coin, Lots(0)), account.venue_ms, now)
        for entry in self.entries():
            if entry.gone_ms is not None and entry.gone_ms < account.venue_ms:
                self._change(entry, now, cap=0)
            elif entry.listed_at is not None and entry.listed_at <= account.asked_at:
                self._change(entry, now, cap=min(entry.cap, entry.listed))

    def doubt(self, orders: Iterable[OrderIntent]) -> None:
        """Their nonce was used up at the venue: ask for each of them."""
        for order in orders:
            entry = self._entries[order.coin].get(order.cloid)
            if entry is not None:
                entry.missing = True

    def on_venue_time(self, venue_now: Millis, now: Nanos) -> None:
        """Notice whose expiry and margin have passed."""
        self._venue_ms = venue_now
        for entry in self.entries():
            if entry.expired_at is None and entry.expires_after + self._margin_ms < venue_now:
                entry.expired_at = now
                if not entry.shown:
                    self._activity[entry.order.coin].on_trouble(now)

    def next_expiry_ms(self) -> Millis | None:
        """Return the venue's time at which `on_venue_time` will notice something next."""
        due = [entry.expires_after for entry in self.entries() if entry.expired_at is None]
        return Millis(min(due) + self._margin_ms + 1) if due else None

    # --- reading -----------------------------------------------------------------------------------

    @property
    def live_count(self) -> int:
        """Orders of ours that may still fill."""
        return self._live

    def entries(self, coin: str | None = None) -> list[Entry]:
        """Orders of ours that count, of one coin or of all."""
        coins = self._entries if coin is None else (coin,)
        return [entry for name in coins for entry in self._entries[name].values()]

    def entry(self, coin: str, cloid: str) -> Entry | None:
        return self._entries[coin].get(cloid)

    def position(self, coin: str) -> OwnPosition:
        return self._positions[coin]

    def resting(self, coin: str, side: Side, without: str | None) -> Micros:
        """Return what the orders of ours on one side are worth at their own prices, one order left out."""
        entries = self._entries[coin].values()
        return Micros(sum(e.order.ticks * e.leaves for e in entries if _counts(e, side, without)))

    def pending(self, coin: str) -> tuple[Lots, Lots]:
        """Return what may still buy and sell, strangers' orders included."""
        own, foreign = self._pending[coin], self._foreign_pending[coin]
        return Lots(own.bid + foreign.bid), Lots(own.ask + foreign.ask)

    def worst(self, coin: str) -> tuple[Lots, Lots]:
        """Return the highest and the lowest position that fills alone can lead to."""
        bid, ask = self.pending(coin)
        position = self._positions[coin]
        return Lots(position.highest + bid), Lots(position.lowest - ask)

    def best(self, coin: str, without: str | None) -> tuple[Ticks | None, Ticks | None]:
        """Return the highest bid and the lowest ask of ours that may still fill, one order left out."""
        bids = [e.order.ticks for e in self._entries[coin].values() if _counts(e, Side.BUY, without)]
        asks = [e.order.ticks for e in self._entries[coin].values() if _counts(e, Side.SELL, without)]
        return max(bids, default=None), min(asks, default=None)

    def reducing(self, coin: str, side: Side, without: str | None) -> Lots:
        """Return the leaves of reduce-only orders of ours on one side, one order left out."""
        entries = self._entries[coin].values()
        return Lots(sum(e.leaves for e in entries if e.order.reduce_only and _counts(e, side, without)))

    def unproven(self) -> list[Entry]:
        """Orders whose fate only a query can settle."""
        return [
            entry
            for entry in self.entries()
            if entry.gone_ms is None and (entry.missing or (entry.expired_at is not None and not entry.shown))
        ]

    # --- orders --------------------------------------------------------------------------------------

    def _on_order(self, order: VenueOrder, status: str, status_ms: Millis, now: Nanos) -> list[Finding]:
        if order.coin not in self._entries:
            return []
        if order.cloid is None or not is_ours(order.cloid, self._tag):
            return self._on_foreign(order, status)
        self._decisions.arrived(order.cloid)
        self._by_oid[order.oid] = order.cloid
        if len(self._by_oid) > CLOSED_MAX:
            self._by_oid.popitem(last=False)
        findings: list[Finding] = []
        entry = self._entries[order.coin].get(order.cloid)
        if entry is None:
            if meaning(status) in GONE or (order.cloid in self._closed and status_ms <= self._closed[order.cloid][0]):
                return self._judge(order, status)
            entry = self._adopt(order, now)
            findings = self._judge(order, status)
        entry.shown, entry.noticed_at = True, now
        entry.missing = meaning(status) not in OPEN
        entry.oid, entry.word = order.oid, status
        if meaning(status) in GONE:
            if entry.gone_ms is None:
                self._activity[order.coin].on_end(order, status, age=Nanos(now - entry.signed_at), now=now)
            entry.gone_ms, entry.ended = status_ms, max(0, order.original_lots - order.lots)
            self._change(entry, now, total=entry.ended)
        return findings

    def _judge(self, order: VenueOrder, status: str) -> list[Finding]:
        assert order.cloid is not None
        if not self._decisions.unapproved(order.cloid, order.placed_ms):
            return []
        evidence = f"{status} {order.cloid}: {order.side.value} {order.original_lots} lots at {order.ticks}"
        return [Finding(kind="unapproved order", coin=order.coin, evidence=evidence, fatal=True)]

    def _adopt(self, order: VenueOrder, now: Nanos) -> Entry:
        """Count an order that the venue shows and this process has not signed, or believed gone."""
        assert order.cloid is not None
        self._closed.pop(order.cloid, None)
        intent = OrderIntent(
            cloid=order.cloid,
            coin=order.coin,
            side=order.side,
            ticks=order.ticks,
            lots=order.original_lots,
            reduce_only=order.reduce_only,
        )
        entry = Entry(order=intent, expires_after=Millis(0), noticed_at=now)
        self._add(entry)
        return entry

    def _on_unknown(self, entry: Entry, asked_at: Nanos, now: Nanos) -> list[Finding]:
        """Rule 4."""
        if entry.expired_at is None or asked_at < entry.expired_at:
            return []
        entry.unknown += 1
        if entry.unknown < UNKNOWN_MIN:
            return []
        entry.word = "unknownOid twice after its expiry"
        if entry.shown:  # it was there: what it filled meanwhile is in the next account state
            entry.gone_ms = self._positions[entry.order.coin].snapshot_ms
            return []
        self._change(entry, now, cap=0)
        evidence = f"{entry.order.cloid}: {entry.word}"
        return [Finding(kind="order never arrived", coin=entry.order.coin, evidence=evidence)]

    def _add(self, entry: Entry) -> None:
        order = entry.order
        assert order.cloid not in self._entries[order.coin], f"{order.cloid} counted twice"
        self._entries[order.coin][order.cloid] = entry
        self._pending[order.coin].add(order.side, entry.leaves)
        self._live += 1

    def _change(
        self, entry: Entry, now: Nanos, *, filled: int | None = None, total: int | None = None, cap: int | None = None
    ) -> None:
        """Change what an order counts, with the sums; forget it when nothing of it can fill any more."""
        before = entry.leaves
        entry.filled = entry.filled if filled is None else filled
        entry.total = entry.total if total is None else total
        entry.cap = entry.cap if cap is None else cap
        order = entry.order
        self._pending[order.coin].add(order.side, entry.leaves - before)
        if entry.leaves == 0:
            del self._entries[order.coin][order.cloid]
            self._live -= 1
            self._closed[order.cloid] = (entry.gone_ms or Millis(0), now)
            if len(self._closed) > CLOSED_MAX:
                self._closed.popitem(last=False)

    def _find(self, cloid: str | None) -> Entry | None:
        if cloid is None:
            return None
        return next((coin[cloid] for coin in self._entries.values() if cloid in coin), None)

    # --- strangers -------------------------------------------------------------------------------------

    def _on_foreign(self, order: VenueOrder, status: str) -> list[Finding]:
        new = order.oid not in self._foreign
        self._forget_foreign(order.oid)
        if meaning(status) in GONE:
            return []
        self._foreign[order.oid] = order
        self._foreign_pending[order.coin].add(order.side, order.lots)
        evidence = f"oid {order.oid}: {order.side.value} {order.lots} lots at {order.ticks}"
        return [Finding(kind="foreign order", coin=order.coin, evidence=evidence)] if new else []

    def _on_foreign_fill(self, fill: Fill) -> None:
        order = self._foreign[fill.oid]
        self._forget_foreign(fill.oid)
        left = order.lots - fill.lots
        if left > 0:
            self._foreign[fill.oid] = msgspec.structs.replace(order, lots=Lots(left))
            self._foreign_pending[order.coin].add(order.side, left)

    def _forget_foreign(self, oid: int) -> None:
        order = self._foreign.pop(oid, None)
        if order is not None:
            self._foreign_pending[order.coin].add(order.side, -order.lots)


def _counts(entry: Entry, side: Side, without: str | None) -> bool:
    return entry.order.side is side and entry.order.cloid != without

"""What became of every order that could still fill when a halt began.

Rules
  1. The names are written down in the very turn that the halt begins, behind its cancels: no restart forgets one.
  2. A fate is proven by the venue's word on the order's end, by own fills of its whole size, by its burnt nonce, or by
     "unknownOid" twice after its expiry. What is not proven is unknown, and is asked for by cloid.
  3. The report is complete when the halt is contained and no fate can become known any more. It is written down with
     every proof, and `WAIT` after containment with what is unknown so far.
  4. An order of ours that shows up during the halt is added. What this process sells in a halt is no part of it.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from common.actor import Effect, Record
from common.hyperliquid.statuses import StatusMeaning, meaning
from common.messages import Fate, HaltReport, Message, OrderFate
from common.units import SECOND, Lots, Millis, Nanos
from services.risk.facts import Facts
from services.risk.ledger_entry import Entry

WAIT: Final = Nanos(10 * SECOND)  # the venue is asked for an order's end each second


@dataclass(slots=True)
class _Halt:
    """One halt and its orders, by cloid; where an earlier life has proven a fate, it stands."""

    began_at: Nanos
    began_ms: Millis
    acknowledged: dict[str, bool] = field(default_factory=dict)  # the venue had shown it when it was added
    entries: dict[str, Entry] = field(default_factory=dict)
    proven: dict[str, OrderFate] = field(default_factory=dict)
    contained_at: Nanos | None = None
    written: tuple[object, ...] = ()  # what the last row was written for

    def fates(self) -> tuple[OrderFate, ...]:
        found = {cloid: fate_of(entry, acknowledged=self.acknowledged[cloid]) for cloid, entry in self.entries.items()}
        return tuple((self.proven | found).values())

    def open(self) -> bool:
        """Say whether a fate may still become known."""
        return any(entry.leaves > 0 and entry.ended is None for entry in self.entries.values())


class Fates:
    """Follows the orders of a halt; `summary` is one line for people."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._before: HaltReport | None = None  # of an earlier life
        self._halt: _Halt | None = None
        self.summary = ""

    def restore(self, row: Message) -> None:
        """Take one row of an earlier life, oldest first."""
        if isinstance(row, HaltReport):
            self._before = row

    def due(self, now: Nanos, *, coins: tuple[str, ...], halts: tuple[str, ...], contained: bool) -> list[Effect]:
        """Follow the orders of the coins that are halted by these files; return what is to be written down."""
        if not coins:
            self._halt, self._before, self.summary = None, None, ""
            return []
        if self._halt is None:
            self._halt = self._begun(set(halts), now)
        halt = self._halt
        self._add(halt, coins)
        halt.contained_at = (halt.contained_at or now) if contained else None
        complete = contained and not halt.open()
        waited = halt.contained_at is not None and now - halt.contained_at >= WAIT
        fates = halt.fates()
        unknown = sum(told.fate is Fate.UNKNOWN for told in fates)
        news = (halts, len(fates), unknown, complete, waited or complete)
        if news == halt.written:
            return []
        halt.written = news
        report = HaltReport(began_ms=halt.began_ms, halts=halts, complete=complete, fates=fates)
        self.summary = summary(report)
        return [Record(report)]

    def deadline(self, now: Nanos) -> Nanos | None:
        at = None if self._halt is None or self._halt.contained_at is None else Nanos(self._halt.contained_at + WAIT)
        return at if at is not None and at > now else None

    # --- parts -------------------------------------------------------------------------------------

    def _begun(self, halts: set[str], now: Nanos) -> _Halt:
        """Begin, or go on where an earlier life stopped: its unknown orders are asked for again."""
        before = self._before
        if before is None or not halts & set(before.halts):
            return _Halt(began_at=now, began_ms=self._facts.clock.venue_now(now) or Millis(0))
        halt = _Halt(began_at=now, began_ms=before.began_ms)
        for told in before.fates:
            cloid = told.order.cloid
            if told.fate is not Fate.UNKNOWN or told.order.coin not in self._facts.limits:
                halt.proven[cloid] = told
                continue
            halt.acknowledged[cloid] = told.acknowledged
            halt.entries[cloid] = self._facts.ledger.resume(told.order, now, shown=told.acknowledged)
        return halt

    def _add(self, halt: _Halt, coins: tuple[str, ...]) -> None:
        """Rules 1 and 4."""
        for coin in coins:
            for entry in self._facts.ledger.entries(coin):
                cloid = entry.order.cloid
                if entry.signed_at > halt.began_at or halt.entries.get(cloid) is entry:
                    continue
                if entry.shown or cloid not in halt.proven:
                    halt.proven.pop(cloid, None)
                    halt.entries[cloid] = entry
                    halt.acknowledged.setdefault(cloid, entry.shown)


def fate_of(entry: Entry, *, acknowledged: bool) -> OrderFate:
    """Say what is proven of an order (rule 2)."""
    fate, filled, evidence = _proof(entry)
    return OrderFate(order=entry.order, acknowledged=acknowledged, fate=fate, filled=filled, evidence=evidence)


def _proof(entry: Entry) -> tuple[Fate, Lots, str]:
    size, heard = entry.order.lots, Lots(entry.filled)
    if entry.ended is not None:
        evidence = f"{entry.word} at {entry.gone_ms}"
        if entry.ended >= size:
            return Fate.FILLED, size, evidence
        if entry.ended > 0:
            return Fate.PARTLY_FILLED, Lots(entry.ended), evidence
        refused = meaning(entry.word) is StatusMeaning.REJECTED
        return Fate.NEVER_ACCEPTED if refused else Fate.CANCELLED, Lots(0), evidence
    if heard >= size:
        return Fate.FILLED, size, f"own fills of {heard} lots"
    if entry.leaves == 0 and not entry.shown:
        return Fate.NEVER_ACCEPTED, heard, entry.word
    return Fate.UNKNOWN, heard, entry.word or "the venue never named it"


def summary(report: HaltReport) -> str:
    """Count the fates in one line."""
    counts = Counter(told.fate for told in report.fates)
    parts = ", ".join(f"{counts[fate]} {fate.value}" for fate in Fate if counts[fate])
    return f"{len(report.fates)} orders: {parts}" if parts else "no order could fill"

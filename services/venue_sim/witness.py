"""Writes the venue's own log (lines: common/witness.py). The scribe is pure, the files are a shell.

Rules
  1. Same inputs, same bytes: lines take time and numbers from the exchange alone.
  2. One block is one write: a crash loses whole blocks at the end, nothing in between.
  3. A full file is closed and the next one begun; only FILES_MAX files are kept.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Protocol, assert_never

from common import witness
from common.errors import PeerFault
from common.instrument import Instrument
from common.units import Millis
from services.venue_sim import api, views
from services.venue_sim.numbers import decimal, price, size, usd
from services.venue_sim.payloads import BOOK_LEVELS_MAX, SIDES

FILE_BYTES_MAX: Final = 64 * 1024 * 1024  # opens quickly in any tool
FILES_MAX: Final = 32  # 2 GiB, about four days of two coins
BOOK_INTERVAL_MS: Final = 1_000
_TAIL_BYTES: Final = 256 * 1024  # longer than any line


class Sights(Protocol):
    """What the scribe looks at after a block."""

    def top(self, coin: str) -> views.TopOfBook: ...

    def book(self, coin: str, depth: int) -> views.BookView: ...

    def account(self, user: str) -> views.AccountView: ...


class Scribe:
    """Turns what happens into lines and holds them until the block is written."""

    def __init__(self, instruments: dict[str, Instrument], internal: frozenset[str], last_sequence: int = 0) -> None:
        self._instruments = instruments
        self._internal = internal
        self._sequence = last_sequence
        self._lines: list[bytes] = []
        self._book_ms: dict[str, int] = {}  # when the coin's whole book was last written
        self.block = 0  # that the next lines belong to

    def take(self) -> bytes:
        """Return all lines since the last call."""
        lines, self._lines = self._lines, []
        return b"".join(lines)

    def _head(self, now: int) -> dict[str, int]:
        self._sequence += 1
        return {"seq": self._sequence, "t": now, "block": self.block}

    def _write(self, line: witness.AnyLine) -> None:
        self._lines.append(witness.encode(line))

    # --- what the shell tells ---

    def start(self, now: Millis, *, seed: int, block_ms: int, network: str, restored: bool) -> None:
        self._write(
            witness.Start(
                **self._head(now),
                seed=seed,
                block_ms=block_ms,
                network=network,
                coins=tuple(self._instruments),
                restored=restored,
            )
        )

    def action(self, now: Millis, request: api.ActionRequest, *, user: str, via: str, action: dict[str, Any]) -> None:
        self._write(
            witness.Action(
                **self._head(now),
                id=request.request_id,
                signer=request.signer,
                user=user,
                nonce=request.nonce,
                expires_after=request.expires_after,
                vault=request.vault,
                via=via,
                action=action,
            )
        )

    def verdict(self, now: Millis, request_id: int, error: str, statuses: Iterable[Any]) -> None:
        self._write(witness.Verdict(**self._head(now), id=request_id, error=error, statuses=tuple(statuses)))

    def connection(self, now: Millis, number: int, event: str, detail: str) -> None:
        self._write(witness.Connection(**self._head(now), number=number, event=event, detail=detail))

    # --- what a block did ---

    def events(self, block: api.Block, sights: Sights) -> None:
        """Write the events of a block, then the accounts and books that it changed."""
        moved: dict[str, int] = {}  # account -> funding in this block
        changed: list[api.BookChange] = []
        for event in block.events:
            match event:
                case api.OrderEvent():
                    self._order(event)
                case api.FillEvent():
                    self._fill(event)
                    moved.setdefault(event.user, 0)
                case api.TradeEvent():
                    self._trade(event)
                case api.FundingEvent():
                    moved[event.user] = moved.get(event.user, 0) + event.micros
                case api.LedgerEvent():
                    moved.setdefault(event.user, 0)
                case api.BookChange():
                    changed.append(event)
                case api.LiquidationEvent():
                    moved.setdefault(event.user, 0)
                case _:
                    assert_never(event)
        for user, funding in moved.items():
            if user not in self._internal:
                self._account(sights.account(user), funding)
        for change in changed:
            if change.bbo_changed:
                self._bbo(sights.top(change.coin))
            self._book(change.coin, block.time_ms, sights)

    def _order(self, event: api.OrderEvent) -> None:
        order = event.order
        if order.user in self._internal:
            return
        instrument = self._instruments[order.coin]
        self._write(
            witness.Order(
                **self._head(event.time_ms),
                user=order.user,
                coin=order.coin,
                oid=order.oid,
                cloid=order.cloid,
                side=SIDES[order.side],
                px=price(instrument, order.ticks),
                sz=size(instrument, order.lots),
                orig_sz=size(instrument, order.original_lots),
                status=event.status,
                tif=None if order.tif is None else str(order.tif),
                reduce_only=order.reduce_only,
                placed_ms=order.placed_ms,
            )
        )

    def _fill(self, event: api.FillEvent) -> None:
        if event.user in self._internal:
            return
        instrument = self._instruments[event.coin]
        self._write(
            witness.Fill(
                **self._head(event.time_ms),
                user=event.user,
                coin=event.coin,
                oid=event.oid,
                cloid=event.cloid,
                side=SIDES[event.side],
                px=price(instrument, event.ticks),
                sz=size(instrument, event.lots),
                start_position=size(instrument, event.start_position),
                dir=event.direction,
                closed_pnl=usd(event.closed_pnl),
                fee=usd(event.fee),
                crossed=event.crossed,
                tid=event.tid,
                liquidation=event.liquidation is not None,
            )
        )

    def _trade(self, event: api.TradeEvent) -> None:
        instrument = self._instruments[event.coin]
        self._write(
            witness.Trade(
                **self._head(event.time_ms),
                coin=event.coin,
                side=SIDES[event.side],
                px=price(instrument, event.ticks),
                sz=size(instrument, event.lots),
                tid=event.tid,
                buyer=event.buyer,
                seller=event.seller,
            )
        )

    def _account(self, view: views.AccountView, funding: int) -> None:
        positions = tuple(
            witness.Position(each.coin, size(self._instruments[each.coin], each.lots), decimal(each.entry_price))
            for each in view.positions
        )
        self._write(
            witness.Account(
                **self._head(view.time_ms),
                user=view.user,
                equity=usd(view.total.account_value),
                withdrawable=usd(view.withdrawable),
                funding=usd(funding),
                positions=positions,
            )
        )

    def _bbo(self, top: views.TopOfBook) -> None:
        instrument = self._instruments[top.coin]
        (bid_px, bid_sz), (ask_px, ask_sz) = (
            (None, None) if best is None else (price(instrument, best.ticks), size(instrument, best.lots))
            for best in (top.bid, top.ask)
        )
        head = self._head(top.time_ms)
        self._write(witness.Bbo(**head, coin=top.coin, bid_px=bid_px, bid_sz=bid_sz, ask_px=ask_px, ask_sz=ask_sz))

    def _book(self, coin: str, now: Millis, sights: Sights) -> None:
        if now - self._book_ms.get(coin, -BOOK_INTERVAL_MS) < BOOK_INTERVAL_MS:
            return
        self._book_ms[coin] = now
        view, instrument = sights.book(coin, BOOK_LEVELS_MAX), self._instruments[coin]
        bids, asks = (
            tuple((price(instrument, item.ticks), size(instrument, item.lots), item.orders) for item in side)
            for side in (view.bids, view.asks)
        )
        self._write(witness.Book(**self._head(now), coin=coin, bids=bids, asks=asks))


class LogFiles:
    """The files of one directory, appended to and rotated (rules 2 and 3)."""

    def __init__(
        self, directory: Path, *, fsync: bool = False, bytes_max: int = FILE_BYTES_MAX, files_max: int = FILES_MAX
    ) -> None:
        self._directory = directory
        self._fsync = fsync
        self._bytes_max = bytes_max
        self._files_max = files_max
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        existing = witness.files(directory)
        self.last_sequence = _last_sequence(existing)
        self._number = int(existing[-1].stem.partition("-")[2]) if existing else 0
        self._file = self._next()

    def append(self, lines: bytes) -> None:
        """Write one block's lines; OSError when the disk does not take them."""
        if not lines:
            return
        if os.fstat(self._file).st_size > self._bytes_max:
            os.close(self._file)
            self._file = self._next()
        rest = memoryview(lines)
        while rest:
            rest = rest[os.write(self._file, rest) :]
        if self._fsync:
            os.fsync(self._file)

    def close(self) -> None:
        os.fsync(self._file)
        os.close(self._file)

    def _next(self) -> int:
        self._number += 1
        for old in witness.files(self._directory)[: 1 - self._files_max]:
            old.unlink()
        path = self._directory / f"witness-{self._number:06d}.jsonl"
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def _last_sequence(existing: list[Path]) -> int:
    for path in reversed(existing):
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            for raw in reversed(file.read().splitlines(keepends=True)):
                if not raw.endswith(b"\n"):
                    continue
                try:
                    return witness.decode(raw).seq
                except PeerFault:
                    break  # the first piece of the tail: no whole line is left
    return 0

"""Writes the lines of the venue's own log (common/witness.py); its files are in log_files.py. Pure.

Rules
  1. Same inputs, same bytes: lines take time and numbers from the exchange alone.
  2. Changes of the market's own orders are gathered, a line for each coin, until something else happens to the coin.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from msgspec import structs, to_builtins

from common import witness
from common.instrument import Instrument
from common.units import Millis, Side
from services.venue_sim import api, notes, views
from services.venue_sim.info import Info
from services.venue_sim.numbers import decimal, price, size, usd
from services.venue_sim.payloads import BOOK_LEVELS_MAX, SIDES
from services.venue_sim.rules import (
    BRIDGE_ACCOUNT,
    FEE_ACCOUNT,
    FUNDING_ACCOUNT,
    LIQUIDATOR,
    SERVICE_ACCOUNTS,
    ExchangeConfig,
)
from services.venue_sim.stories import coin_of, moves
from services.venue_sim.truth import Truth

BOOK_INTERVAL_MS: Final = 1_000
QUOTES_MAX: Final = 500  # a line; some 20 KB
_PPM: Final = Decimal(1_000_000)


class Scribe:
    """Turns what happens into lines and holds them until the block is written."""

    def __init__(self, config: ExchangeConfig, last_sequence: int = 0) -> None:
        self._config = config
        self._instruments: dict[str, Instrument] = {rules.instrument.coin: rules.instrument for rules in config.coins}
        self._internal = frozenset((*SERVICE_ACCOUNTS, *config.internal))
        self._sequence = last_sequence
        self._lines: list[bytes] = []
        self._quotes: dict[str, list[tuple[int, str, str, str]]] = {}  # by coin, not yet written
        self._book_ms: dict[str, int] = {}  # when the coin's whole book was last written
        self.block = 0  # that the next lines belong to

    def take(self) -> bytes:
        """Return all lines since the last call."""
        lines, self._lines = self._lines, []
        return b"".join(lines)

    def _head(self, now: int) -> dict[str, Any]:
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

    # --- the whole state ---

    def opening(self, info: Info) -> None:
        """Write all that a judge needs to begin here; the last block is over, the next has no lines yet."""
        config, first, now = self._config, len(self._lines), info.time_ms
        coins = tuple(
            witness.Coin(
                rules.instrument.coin,
                rules.instrument.size_decimals,
                rules.external,
                tuple((usd(tier.above), tier.leverage_max) for tier in rules.margin_tiers),
            )
            for rules in config.coins
        )
        line = witness.Opening(
            **self._head(now),
            coins=coins,
            quotes=config.quotes_noted,
            internal=tuple(sorted(self._internal)),
            fee_account=FEE_ACCOUNT,
            funding_account=FUNDING_ACCOUNT,
            liquidator=LIQUIDATOR,
            bridge_account=BRIDGE_ACCOUNT,
            price_band_percent=config.price_band_percent,
        )
        self._lines.append(b"")  # until the number of its lines is known
        for coin in self._instruments:
            self._price(now, notes.PriceNote(coin=coin, mark_ticks=info.mark(coin), oracle_ticks=info.oracle(coin)))
        for user in info.users():
            self._account(info.account(user), 0)
            if user not in self._internal:
                rates = info.fee_rates(user)
                self._fees(now, notes.FeesNote(user=user, maker_ppm=rates.maker_ppm, taker_ppm=rates.taker_ppm))
        self._orders_as_they_trade(now, info)
        self._lines[first] = witness.encode(structs.replace(line, lines=len(self._lines) - first - 1))

    def _orders_as_they_trade(self, now: Millis, info: Info) -> None:
        for rules in self._config.coins:
            coin = rules.instrument.coin
            for view in info.resting(coin):
                if view.user not in self._internal:
                    self._flush(now, coin)
                    self._order(now, view, "open")
                elif self._config.quotes_noted and not rules.external:
                    self._quote(now, coin, (view.oid, view.side, view.ticks, view.lots))
            self._flush(now, coin)
        for user in info.users():
            for view in info.open_orders(user):
                if user not in self._internal and not info.is_resting(user, view.oid):
                    self._order(now, view, "waiting")

    # --- what a block did ---

    def events(self, block: api.Block, info: Info) -> None:
        """Write the story of a block, then the accounts and books that it changed."""
        moved: dict[str, int] = {}  # account -> funding in this block
        changed: list[api.BookChange] = []
        for event in block.story:
            match event:
                case notes.QuoteNote(coin=coin):
                    self._quote(block.time_ms, coin, (event.oid, event.side, event.ticks, event.lots))
                    continue
                case api.BookChange():
                    changed.append(event)
                    continue
                case _:
                    pass  # below
            self._flush(block.time_ms, coin_of(event))
            self._event(block.time_ms, event)
            for user, funding in moves(event):
                moved[user] = moved.get(user, 0) + funding
        for coin in tuple(self._quotes):
            self._flush(block.time_ms, coin)
        for user, funding in moved.items():
            self._account(info.account(user), funding)
        for change in changed:
            if change.bbo_changed:
                self._bbo(info.top(change.coin))
            self._book(change.coin, block.time_ms, info)

    def _event(self, now: Millis, event: api.Event | notes.Note) -> None:
        match event:
            case api.OrderEvent():
                self._order(event.time_ms, event.order, event.status)
            case api.FillEvent():
                self._fill(event)
            case api.TradeEvent():
                self._trade(event)
            case notes.PriceNote():
                self._price(now, event)
            case notes.FeesNote():
                self._fees(now, event)
            case notes.TransferNote():
                self._transferred(now, event)
            case _:
                self._money(now, event)

    def _money(self, now: Millis, event: api.Event | notes.Note) -> None:
        match event:
            case notes.RateNote(coin=coin):
                oracle = price(self._instruments[coin], event.oracle_ticks)
                self._write(witness.Rate(**self._head(now), coin=coin, rate=decimal(event.rate), oracle_px=oracle))
            case api.FundingEvent(user=user, coin=coin):
                szi = size(self._instruments[coin], event.lots)
                self._write(witness.Funding(**self._head(now), user=user, coin=coin, szi=szi, usd=usd(event.micros)))
            case api.LedgerEvent(user=user):
                self._write(
                    witness.Transfer(
                        **self._head(now),
                        user=user,
                        what=event.kind,
                        usd=usd(event.micros),
                        destination=event.destination,
                    )
                )
            case api.LiquidationEvent(user=user):
                self._write(
                    witness.Liquidation(
                        **self._head(now),
                        user=user,
                        liquidator=event.liquidator,
                        notional=usd(event.notional),
                        equity=usd(event.account_value),
                        cash=usd(event.cash),
                    )
                )
            case _:
                pass  # about orders and books

    def _quote(self, now: Millis, coin: str, order: tuple[int, Side, int, int]) -> None:
        """Gather one (rule 2)."""
        oid, side, ticks, lots = order
        instrument, waiting = self._instruments[coin], self._quotes.setdefault(coin, [])
        waiting.append((oid, SIDES[side], price(instrument, ticks), size(instrument, lots)))
        if len(waiting) >= QUOTES_MAX:
            self._flush(now, coin)

    def _flush(self, now: Millis, coin: str) -> None:
        waiting = self._quotes.pop(coin, None)
        if waiting:
            self._write(witness.Quotes(**self._head(now), coin=coin, orders=tuple(waiting)))

    def _price(self, now: Millis, note: notes.PriceNote) -> None:
        instrument = self._instruments[note.coin]
        mark, oracle = price(instrument, note.mark_ticks), price(instrument, note.oracle_ticks)
        self._write(witness.Price(**self._head(now), coin=note.coin, mark_px=mark, oracle_px=oracle))

    def _fees(self, now: Millis, note: notes.FeesNote) -> None:
        maker, taker = (decimal(ppm / _PPM) for ppm in (note.maker_ppm, note.taker_ppm))
        self._write(witness.Fees(**self._head(now), user=note.user, maker=maker, taker=taker))

    def truth(self, truth: Truth, now: Millis) -> None:
        """Write what nobody but a judge may read."""
        fair = float(self._instruments[truth.coin].price(round(truth.fair_ticks)))
        self._write(witness.Truth(**self._head(now), coin=truth.coin, fair_px=fair, facts=to_builtins(truth)))

    def _order(self, now: Millis, order: api.OrderView, status: str) -> None:
        instrument, trigger = self._instruments[order.coin], order.trigger
        self._write(
            witness.Order(
                **self._head(now),
                user=order.user,
                coin=order.coin,
                oid=order.oid,
                cloid=order.cloid,
                side=SIDES[order.side],
                px=price(instrument, order.ticks),
                sz=size(instrument, order.lots),
                orig_sz=size(instrument, order.original_lots),
                status=status,
                tif=None if order.tif is None else str(order.tif),
                reduce_only=order.reduce_only,
                placed_ms=order.placed_ms,
                trigger_px=None if trigger is None else price(instrument, trigger.ticks),
                tpsl=None if trigger is None else str(trigger.tpsl),
                is_position_tpsl=order.is_position_tpsl,
            )
        )

    def _fill(self, event: api.FillEvent) -> None:
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
                builder_fee=usd(event.builder_fee),
            )
        )

    def _transferred(self, now: Millis, note: notes.TransferNote) -> None:
        instrument = self._instruments[note.coin]
        self._write(
            witness.Fill(
                **self._head(now),
                user=note.user,
                coin=note.coin,
                oid=note.oid,
                cloid=None,
                side=SIDES[note.side],
                px=price(instrument, note.ticks),
                sz=size(instrument, note.lots),
                start_position=size(instrument, note.start_position),
                dir=note.direction,
                closed_pnl=usd(note.closed_pnl),
                fee="0.0",
                crossed=False,
                tid=note.tid,
                liquidation=False,
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
                maker_oid=event.maker_oid,
                taker_oid=event.taker_oid,
            )
        )

    def _account(self, view: views.AccountView, funding: int) -> None:
        positions = tuple(
            witness.Position(
                each.coin,
                size(self._instruments[each.coin], each.lots),
                decimal(each.entry_price),
                None if each.isolated_raw is None else usd(each.isolated_raw),
                usd((each.value if each.lots > 0 else -each.value) - each.unrealized_pnl),
            )
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
                cash=usd(view.cross.raw_usd),
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

    def _book(self, coin: str, now: Millis, info: Info) -> None:
        if now - self._book_ms.get(coin, -BOOK_INTERVAL_MS) < BOOK_INTERVAL_MS:
            return
        self._book_ms[coin] = now
        view, instrument = info.book(coin, BOOK_LEVELS_MAX), self._instruments[coin]
        bids, asks = (
            tuple((price(instrument, item.ticks), size(instrument, item.lots), item.orders) for item in side)
            for side in (view.bids, view.asks)
        )
        self._write(witness.Book(**self._head(now), coin=coin, bids=bids, asks=asks))

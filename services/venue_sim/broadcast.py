"""What each subscription hears, and when: something at once, then news per block or on a clock. Pure.

Rules
  1. bbo: at most once a block, only when it changed. trades: per block with trades, oldest first; the first message
     repeats the latest ones, unmarked.
  2. l2Book, contexts, mids and aggregates are sent on clocks of venue time, unchanged too; one clock for all coins.
  3. orderUpdates, user and userFills are sent in the block in which they happen. userFills, userFundings, ledger
     and historical orders begin with a snapshot that says so; orderUpdates and user begin with nothing.
  4. openOrders and clearinghouseState are whole each time: at once, when they changed, and on a clock.
  5. fastAssetCtxs: everything, then what changed since its clock last struck. notification: liquidations.
"""

from collections.abc import Iterable
from typing import Any, Final, assert_never

import msgspec

from common.units import Millis
from services.venue_sim import account_payloads, api, payloads
from services.venue_sim import subscriptions as subs
from services.venue_sim.account_payloads import SPOT_PAIRS
from services.venue_sim.desk import Desk
from services.venue_sim.fast_contexts import FastContexts, packed
from services.venue_sim.numbers import usd
from services.venue_sim.payloads import Json

FAST_LEVELS_MAX: Final = 5
SNAPSHOT_FILLS_MAX: Final = 500
# Channels of one account that speak of what happened, not on a clock alone.
_FOLLOWING: Final = (
    *(subs.OrderUpdates, subs.UserEvents, subs.UserFills, subs.UserFundings, subs.LedgerUpdates),
    *(subs.HistoricalOrders, subs.Notifications, subs.OpenOrders, subs.ClearinghouseState, subs.AllDexsState),
)


class Cadence(msgspec.Struct, frozen=True, kw_only=True):
    """Periods in ms of venue time."""

    book: int
    mids: int
    fast_book: int = 540
    context: int = 1_000
    candle: int = 500
    state: int = 5_000
    web_data: int = 2_000
    all_dexs: int = 13_600


CADENCES: Final = {"2025": Cadence(book=500, mids=1_000), "2026": Cadence(book=5_000, mids=5_000)}


class News:
    """One block's events, sorted by whom they concern."""

    def __init__(self, block: api.Block) -> None:
        self.now = block.time_ms
        self.tops: set[str] = set()  # coins whose bbo changed; only asked whether it contains one
        self.trades: dict[str, list[api.TradeEvent]] = {}
        self.orders: dict[str, list[api.OrderEvent]] = {}
        self.fills: dict[str, list[api.FillEvent]] = {}
        self.fundings: dict[str, list[api.FundingEvent]] = {}
        self.ledger: dict[str, list[api.LedgerEvent]] = {}
        self.liquidations: dict[str, list[api.LiquidationEvent]] = {}
        for event in block.events:
            self._sort(event)

    def _sort(self, event: api.Event) -> None:
        match event:
            case api.BookChange(coin=coin, bbo_changed=True):
                self.tops.add(coin)
            case api.BookChange():
                pass
            case api.TradeEvent():
                self.trades.setdefault(event.coin, []).append(event)
            case api.OrderEvent():
                self.orders.setdefault(event.order.user, []).append(event)
            case api.FillEvent():
                self.fills.setdefault(event.user, []).append(event)
            case api.FundingEvent():
                self.fundings.setdefault(event.user, []).append(event)
            case api.LedgerEvent():
                self.ledger.setdefault(event.user, []).append(event)
            case api.LiquidationEvent():
                self.liquidations.setdefault(event.user, []).append(event)
            case _:
                assert_never(event)

    def moved(self, user: str) -> bool:
        """Say whether money or position of an account changed."""
        return user in self.fills or user in self.fundings or user in self.ledger or user in self.liquidations


class Broadcast:
    """Makes the messages; who hears them is the caller's matter (streams.py)."""

    def __init__(self, desk: Desk, cadence: Cadence) -> None:
        self._desk = desk
        self._cadence = cadence
        self._fast = FastContexts()
        self._last_ms = 0

    # --- the first message ---

    def first(self, subscription: subs.Subscription, now: Millis) -> list[Json]:
        """Return what a new subscriber hears at once, after the acknowledgement."""
        match subscription:
            case subs.Trades(coin=coin):
                trades = self._desk.trades(coin)
                return [_message("trades", trades)] if trades else []
            case subs.UserFills(user=user, aggregate_by_time=aggregate):
                fills = self._desk.fills(user, SNAPSHOT_FILLS_MAX)
                chosen = payloads.aggregated(fills) if aggregate else fills
                return [_snapshot("userFills", user, "fills", chosen)]
            case subs.UserFundings(user=user):
                return [_snapshot("userFundings", user, "fundings", self._fundings(self._desk.fundings(user)))]
            case subs.LedgerUpdates(user=user):
                updates = [payloads.ledger_delta(event) for event in self._desk.ledger(user)]
                return [_snapshot(subscription.name, user, "nonFundingLedgerUpdates", updates)]
            case subs.HistoricalOrders(user=user):
                return [_snapshot(subscription.name, user, "orderHistory", self._desk.order_history(user))]
            case subs.TwapHistory(user=user):
                return [_snapshot(subscription.name, user, "history", [])]
            case subs.TwapSliceFills(user=user):
                return [_snapshot(subscription.name, user, "twapSliceFills", [])]
            case subs.FastAssetCtxs():
                return [_message(subscription.name, packed(self._desk.prices()))]
            case subs.OrderUpdates() | subs.UserEvents() | subs.Notifications():
                return []
            case _:
                return self._whole(subscription, now)

    def _whole(self, subscription: subs.Subscription, now: Millis) -> list[Json]:
        """Return the message of a channel whose every message is the whole state."""
        desk, name = self._desk, subscription.name
        match subscription:
            case subs.AllMids():
                return [_message(name, {"mids": desk.mids()})]
            case subs.L2Book(fast=True):
                return [_message(name, {**self._book(subscription, FAST_LEVELS_MAX), "fast": True})]
            case subs.L2Book():
                return [_message(name, self._book(subscription, payloads.BOOK_LEVELS_MAX))]
            case subs.Bbo(coin=coin):
                return [_message(name, desk.bbo(coin))]
            case subs.Candles(coin=coin, interval=interval):
                candle = desk.candle(coin, interval)
                return [] if candle is None else [_message(name, candle)]
            case subs.ActiveAssetCtx(coin=coin):
                channel = "activeSpotAssetCtx" if coin in SPOT_PAIRS else name
                return [_message(channel, {"coin": coin, "ctx": desk.asset_context(coin)})]
            case subs.ActiveAssetData(user=user, coin=coin):
                return [] if coin in SPOT_PAIRS else [_message(name, desk.active_asset(user, coin))]
            case subs.WebData2(user=user):
                return [_message(name, desk.web_data(user, now))]
            case subs.OpenOrders(user=user):
                return [_message(name, {"dex": "", "user": user, "orders": desk.frontend_orders(user)})]
            case subs.ClearinghouseState(user=user):
                state = desk.clearinghouse(user)
                return [_message(name, {"dex": "", "user": user, "clearinghouseState": state})]
            case subs.AllDexsState(user=user):
                return [_message(name, {"user": user, "clearinghouseStates": [["", desk.clearinghouse(user)]]})]
            case subs.WebData3(user=user):
                states = [{"totalVaultEquity": "0.0", "perpsAtOpenInterestCap": desk.capped(), "leadingVaults": []}]
                return [_message(name, {"userState": desk.user_state(user, now), "perpDexStates": states})]
            case subs.SpotState(user=user):
                return [_message(name, {"user": user, "spotState": desk.spot(user)})]
            case subs.TwapStates(user=user):
                return [_message(name, {"dex": "", "user": user, "states": []})]
            case _:
                return self._contexts(subscription)

    def _contexts(self, subscription: subs.Subscription) -> list[Json]:
        """Return the contexts of all coins in the shape of their channel."""
        desk, name = self._desk, subscription.name
        match subscription:
            case subs.AssetCtxs():
                return [_message(name, {"dex": "", "ctxs": desk.asset_contexts()})]
            case subs.AllDexsAssetCtxs():
                return [_message(name, {"ctxs": [["", desk.asset_contexts()]]})]
            case subs.SpotAssetCtxs():
                return [_message(name, account_payloads.spot_contexts())]
            case _:
                return []

    def _book(self, subscription: subs.L2Book, levels_max: int) -> Json:
        return self._desk.book(subscription.coin, subscription.n_sig_figs, subscription.mantissa, levels_max)

    def _fundings(self, events: Iterable[api.FundingEvent]) -> list[Json]:
        return [payloads.funding(self._desk.instruments[event.coin], event) for event in events]

    # --- what follows ---

    def follow(
        self, block: api.Block, heard: Iterable[subs.Subscription]
    ) -> list[tuple[subs.Subscription, list[Json]]]:
        """Return the messages of one block for every subscription that somebody has."""
        news, before = News(block), self._last_ms
        self._last_ms = block.time_ms
        found = ((each, self._next(each, news, before)) for each in heard)
        return [(each, messages) for each, messages in found if messages]

    def _next(self, subscription: subs.Subscription, news: News, before: int) -> list[Json]:
        match subscription:
            case subs.Bbo(coin=coin):
                return self._whole(subscription, news.now) if coin in news.tops else []
            case subs.Trades(coin=coin):
                trades = [payloads.trade(self._desk.instruments[coin], event) for event in news.trades.get(coin, [])]
                return [_message("trades", trades)] if trades else []
            case subs.FastAssetCtxs(name=name):
                ticked = _ticked(before, news.now, self._cadence.context)
                changed = self._fast.news(self._desk.prices()) if ticked else {}
                return [_message(name, packed(changed))] if changed else []
            case subs.UserChannel(user=user) if isinstance(subscription, _FOLLOWING):
                return self._of_user(subscription, user, news, before)
            case _:
                period = self._period(subscription)
                return self._whole(subscription, news.now) if _ticked(before, news.now, period) else []

    def _period(self, subscription: subs.Subscription) -> int:
        cadence = self._cadence
        match subscription:
            case subs.L2Book(fast=fast):
                return cadence.fast_book if fast else cadence.book
            case subs.AllMids():
                return cadence.mids
            case subs.Candles():
                return cadence.candle
            case subs.WebData2() | subs.WebData3():
                return cadence.web_data
            case subs.AllDexsAssetCtxs():
                return cadence.all_dexs
            case subs.OpenOrders() | subs.ClearinghouseState() | subs.AllDexsState():
                return cadence.state
            case subs.SpotState() | subs.TwapStates():
                return cadence.state
            case _:
                return cadence.context

    def _of_user(self, subscription: subs.Subscription, user: str, news: News, before: int) -> list[Json]:
        match subscription:
            case subs.OrderUpdates():
                updates = [
                    payloads.order_update(self._desk.instruments[event.order.coin], event)
                    for event in news.orders.get(user, [])
                ]
                return [_message("orderUpdates", updates)] if updates else []
            case subs.UserEvents():
                return self._user_events(user, news)
            case subs.UserFills(aggregate_by_time=aggregate):
                fills = self._fills(user, news)
                chosen = payloads.aggregated(fills) if aggregate else fills
                return [_message("userFills", {"user": user, "fills": chosen})] if fills else []
            case subs.UserFundings():
                fundings = self._fundings(news.fundings.get(user, []))
                return [_message("userFundings", {"user": user, "fundings": fundings})] if fundings else []
            case subs.LedgerUpdates(name=name):
                updates = [payloads.ledger_delta(event) for event in news.ledger.get(user, [])]
                return [_message(name, {"user": user, "nonFundingLedgerUpdates": updates})] if updates else []
            case subs.HistoricalOrders(name=name):
                history = [self._historical(event) for event in news.orders.get(user, [])]
                return [_message(name, {"user": user, "orderHistory": history})] if history else []
            case subs.Notifications(name=name):
                return [_message(name, {"notification": _notice(event)}) for event in news.liquidations.get(user, [])]
            case subs.OpenOrders() | subs.ClearinghouseState() | subs.AllDexsState():
                changed = user in news.orders if isinstance(subscription, subs.OpenOrders) else news.moved(user)
                due = changed or _ticked(before, news.now, self._period(subscription))
                return self._whole(subscription, news.now) if due else []
            case _:
                return []

    def _fills(self, user: str, news: News) -> list[Json]:
        return [payloads.fill(self._desk.instruments[event.coin], event) for event in news.fills.get(user, [])]

    def _historical(self, event: api.OrderEvent) -> Json:
        order = payloads.frontend_order(self._desk.instruments[event.order.coin], event.order)
        return {"order": order, "status": event.status, "statusTimestamp": event.time_ms}

    def _user_events(self, user: str, news: News) -> list[Json]:
        """Return the messages of channel `user`: one per kind of news."""
        fills = self._fills(user, news)
        told: list[Any] = [{"fills": fills}] if fills else []
        told += [{"funding": each} for each in self._fundings(news.fundings.get(user, []))]
        told += [{"liquidation": payloads.liquidation(each)} for each in news.liquidations.get(user, [])]
        cancelled = [
            {"coin": event.order.coin, "oid": event.order.oid}
            for event in news.orders.get(user, [])
            if event.non_user_cancel
        ]
        told += [{"nonUserCancel": cancelled}] if cancelled else []
        return [_message("user", each) for each in told]


def _ticked(before: int, now: int, period: int) -> bool:
    """Say whether a clock of `period` ms, counted from the epoch, struck after `before`."""
    return now // period != before // period


def _notice(event: api.LiquidationEvent) -> str:
    return f"Your positions of {usd(event.notional)} USD were liquidated."  # the venue's own text is not known


def _message(channel: str, data: Any) -> Json:
    return {"channel": channel, "data": data}


def _snapshot(channel: str, user: str, key: str, items: list[Json]) -> Json:
    return _message(channel, {"isSnapshot": True, "user": user, key: items})

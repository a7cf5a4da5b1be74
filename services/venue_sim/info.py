"""What may be asked of the exchange between blocks; nothing here changes anything.

Unknown users have zeros and empty lists, never an error. Unknown coins are a KeyError.
"""

from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import islice

from common.instrument import Instrument
from common.units import Lots, Micros, Millis, Side, Ticks
from services.venue_sim import open_interest, texts
from services.venue_sim.account import Account, Holding
from services.venue_sim.api import FillEvent, FundingEvent, LedgerEvent, OrderView, TradeEvent
from services.venue_sim.floor import Coin, Floor
from services.venue_sim.margin import initial
from services.venue_sim.matching import BookSide, Order
from services.venue_sim.rules import CoinRules
from services.venue_sim.sub_accounts import SubAccount
from services.venue_sim.views import (
    AccountView,
    ActiveAsset,
    AgentView,
    AssetContext,
    BookView,
    DailyVolume,
    FeeRates,
    FundingRate,
    Level,
    MarginSummary,
    OrderRecord,
    PositionView,
    RateLimit,
    Role,
    TopOfBook,
)

_PLACES = Decimal("1e-8")


class Info:
    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._nobody = Account("", internal=False, request_buffer=floor.config.request_buffer)

    # --- the venue ---

    @property
    def time_ms(self) -> Millis:
        """Time of the last block."""
        return Millis(self._floor.now_ms)

    @property
    def block(self) -> int:
        return self._floor.block

    @property
    def coins(self) -> tuple[str, ...]:
        """All coins; a coin's place is its asset id."""
        return tuple(self._floor.coins)

    def instrument(self, coin: str) -> Instrument:
        return self._floor.coins[coin].instrument

    def rules(self, coin: str) -> CoinRules:
        return self._floor.coins[coin].rules

    def delisted(self) -> tuple[str, ...]:
        return tuple(name for name, coin in self._floor.coins.items() if coin.is_delisted)

    def total_money(self) -> Micros:
        """Return the sum of all cash, service accounts included: only deposits change it."""
        accounts = self._floor.accounts.values()
        isolated = sum(held.cash for each in accounts for held in each.holdings.values())
        return Micros(sum(each.cash + each.spot for each in accounts) + isolated)

    def users(self) -> tuple[str, ...]:
        """Return all accounts, those of the venue and its market first."""
        return tuple(self._floor.accounts)

    def capped(self) -> tuple[str, ...]:
        """Return the coins at their cap on open interest."""
        maximum = self._floor.config.open_interest_max
        return tuple(name for name, coin in self._floor.coins.items() if open_interest.is_capped(coin, maximum))

    # --- one coin ---

    def book(self, coin: str, depth: int | None = None) -> BookView:
        """Return the best `depth` levels of each side; all of them without it."""
        book = self._floor.coins[coin].book
        return BookView(coin=coin, time_ms=self.time_ms, bids=_levels(book.bids, depth), asks=_levels(book.asks, depth))

    def top(self, coin: str) -> TopOfBook:
        view = self.book(coin, 1)
        bid, ask = (side[0] if side else None for side in (view.bids, view.asks))
        return TopOfBook(coin=coin, time_ms=view.time_ms, bid=bid, ask=ask)

    def resting(self, coin: str) -> Iterator[OrderView]:
        """Return all orders of the book in the order in which they trade, bids first."""
        book = self._floor.coins[coin].book
        return (order.view() for side in (book.bids, book.asks) for queue in side for order in queue.orders.values())

    def is_resting(self, user: str, oid: int) -> bool:
        """Say whether an open order is in a book: others wait for a price or a parent."""
        return self._account(user).orders[oid].is_resting

    def recent_trades(self, coin: str) -> tuple[TradeEvent, ...]:
        """Return the last trades, oldest first."""
        return tuple(self._floor.coins[coin].trades)

    def oracle(self, coin: str) -> Ticks:
        return Ticks(self._floor.coins[coin].pricing.oracle)

    def mark(self, coin: str) -> Ticks:
        return Ticks(self._floor.coins[coin].mark)

    def context(self, coin: str) -> AssetContext:
        found = self._floor.coins[coin]
        pricing = found.pricing
        bid, ask = found.book.bbo()
        impact_bid, impact_ask = pricing.impact(Side.SELL), pricing.impact(Side.BUY)
        previous = pricing.previous_day(self._floor.now_ms)
        return AssetContext(
            coin=coin,
            funding=pricing.hourly_rate(),
            open_interest=Lots(found.open_interest),
            previous_day_ticks=Ticks(previous),
            day_notional=Micros(pricing.day_notional),
            day_lots=Lots(pricing.day_lots),
            premium=pricing.premium(),
            oracle_ticks=Ticks(pricing.oracle),
            mark_ticks=Ticks(pricing.mark),
            mid_half_ticks=None if bid is None or ask is None else bid + ask,
            impact_ticks=None if impact_bid is None or impact_ask is None else (impact_bid, impact_ask),
        )

    def funding_history(self, coin: str) -> Sequence[FundingRate]:
        """Return the hours paid so far, oldest first."""
        return tuple(self._floor.coins[coin].pricing.hours)

    # --- one account's orders and records ---

    def clients(self) -> tuple[str, ...]:
        """Return the accounts of clients, oldest first."""
        return tuple(user for user, account in self._floor.accounts.items() if not account.internal)

    def is_known(self, user: str) -> bool:
        return user in self._floor.accounts

    def _account(self, user: str) -> Account:
        return self._floor.accounts.get(user, self._nobody)

    def lots_left(self, user: str) -> dict[str, int]:
        """Return what is left of each open order that has a cloid."""
        return {order.cloid: order.lots for order in self._account(user).orders.values() if order.cloid is not None}

    def open_orders(self, user: str) -> tuple[OrderView, ...]:
        """Return all open orders, oldest first: resting, armed triggers, and children that wait for a parent."""
        return tuple(order.view() for order in self._account(user).orders.values())

    def order_status(self, user: str, ref: int | str) -> OrderRecord | None:
        """Find an order by oid or cloid among the open and the ~2,000 last finished; None is unknownOid."""
        account = self._account(user)
        oid = account.cloids.get(ref) if isinstance(ref, str) else ref
        if oid is None:
            return None
        order = account.orders.get(oid)
        if order is None:
            return account.finished.get(oid)
        return _open_record(order)

    def historical_orders(self, user: str) -> tuple[OrderRecord, ...]:
        """Return finished orders and open ones, the newest status first."""
        account = self._account(user)
        records = (*map(_open_record, reversed(account.orders.values())), *reversed(account.finished.values()))
        return tuple(sorted(records, key=lambda record: record.status_ms, reverse=True))

    def fills(self, user: str) -> Sequence[FillEvent]:
        """Return the last 10,000 fills, oldest first."""
        return tuple(self._account(user).fills)

    def fundings(self, user: str) -> Sequence[FundingEvent]:
        return tuple(self._account(user).fundings)

    def ledger(self, user: str) -> Sequence[LedgerEvent]:
        return tuple(self._account(user).ledger)

    # --- one account's rights ---

    def rate_limit(self, user: str) -> RateLimit:
        return self._account(user).budget.view()

    def fee_rates(self, user: str) -> FeeRates:
        return self._account(user).rates

    def daily_volumes(self, user: str) -> tuple[DailyVolume, ...]:
        """Return the days on which anybody traded, today last."""
        mine = {each.day: each for each in self._account(user).volumes.days}
        return tuple(
            DailyVolume(
                day=each.day,
                taker=Micros(mine[each.day].taker if each.day in mine else 0),
                maker=Micros(mine[each.day].maker if each.day in mine else 0),
                exchange=Micros(each.maker),
            )
            for each in self._floor.volumes.days
        )

    def role(self, user: str) -> Role:
        master = self._floor.agents.master(user, self._floor.now_ms)
        if master is not None:
            return Role(role="agent", master=master)
        owner = self._floor.sub_accounts.master(user)
        if owner is not None:
            return Role(role="subAccount", master=owner)
        return Role(role="user" if self.is_known(user) else "missing")

    def agents(self, user: str) -> tuple[AgentView, ...]:
        """Return the living agents, the unnamed one included, by name."""
        return tuple(self._floor.agents.of(user, self._floor.now_ms))

    def builder_rate(self, user: str, builder: str) -> int:
        """Return what was approved for a builder, in tenths of a basis point."""
        return self._account(user).builders.get(builder, 0)

    def sub_accounts(self, user: str) -> list[tuple[str, SubAccount]]:
        """Return address and name of each, oldest first."""
        return self._floor.sub_accounts.of(user)

    # --- one account's money ---

    def spot(self, user: str) -> Micros:
        return Micros(self._account(user).spot)

    def position(self, user: str, coin: str) -> Lots:
        return Lots(self._account(user).lots(coin))

    def account(self, user: str) -> AccountView:
        account = self._account(user)
        margins = self._floor.margins
        sums = margins.sums(account)
        positions = tuple(self._position(account, coin, held) for coin, held, _ in margins.held(account))
        isolated = tuple(view for view in positions if not view.is_cross)
        cross = MarginSummary(
            account_value=Micros(sums.equity),
            notional=Micros(sums.notional),
            raw_usd=Micros(account.cash),
            margin_used=Micros(sums.initial),
        )
        own_margin = sum(view.margin_used for view in isolated)
        own_raw = sum(view.isolated_raw or 0 for view in isolated)
        total = MarginSummary(
            account_value=Micros(sums.equity + own_margin),
            notional=Micros(sums.notional + sum(view.value for view in isolated)),
            raw_usd=Micros(account.cash + own_raw),
            margin_used=Micros(sums.initial + own_margin),
        )
        return AccountView(
            user=user,
            time_ms=self.time_ms,
            total=total,
            cross=cross,
            cross_maintenance=Micros(sums.maintenance),
            withdrawable=margins.withdrawable(account),
            positions=positions,
        )

    def _position(self, account: Account, coin: str, holding: Holding) -> PositionView:
        market = self._floor.coins[coin]
        margins = self._floor.margins
        leverage = account.leverage(coin, market.instrument.leverage_max)
        value = margins.value(coin, holding.lots)
        profit = value - holding.cost
        at_entry = initial(abs(holding.cost), leverage.value)
        isolated = None if leverage.is_cross else Micros(holding.cash)
        liquidation = margins.liquidation_price(account, coin)
        used = initial(abs(value), leverage.value) if isolated is None else margins.isolated_equity(coin, holding)
        return PositionView(
            coin=coin,
            lots=Lots(holding.lots),
            entry_price=_usd_price(market, Decimal(holding.cost) / holding.lots),
            value=Micros(abs(value)),
            unrealized_pnl=Micros(profit),
            return_on_equity=_rounded(Decimal(profit) / max(1, at_entry)),
            liquidation_price=None if liquidation is None else _usd_price(market, liquidation),
            margin_used=Micros(used),
            leverage=leverage.value,
            is_cross=leverage.is_cross,
            isolated_raw=isolated,
            leverage_max=market.instrument.leverage_max,
            funding_all_time=Micros(holding.funding_all_time),
            funding_since_open=Micros(holding.funding_since_open),
            funding_since_change=Micros(holding.funding_since_change),
        )

    def active_asset(self, user: str, coin: str) -> ActiveAsset:
        """Return what the account could still trade at mark: its free margin, and what closing sets free."""
        account = self._account(user)
        market = self._floor.coins[coin]
        margins = self._floor.margins
        leverage = account.leverage(coin, market.instrument.leverage_max)
        free = max(0, margins.sums(account).equity - margins.required_all(account))
        held = account.lots(coin)
        closing = 2 * initial(abs(held) * market.mark, leverage.value)
        available = (free + (closing if held < 0 else 0), free + (closing if held > 0 else 0))
        return ActiveAsset(
            leverage=leverage,
            mark_ticks=Ticks(market.mark),
            max_lots=(
                _affordable(available[0], leverage.value, market),
                _affordable(available[1], leverage.value, market),
            ),
            available=(Micros(available[0]), Micros(available[1])),
        )


def _open_record(order: Order) -> OrderRecord:
    return OrderRecord(order=order.view(), status=texts.OPEN, status_ms=Millis(order.placed_ms))


def _levels(side: BookSide, depth: int | None) -> tuple[Level, ...]:
    return tuple(Level(Ticks(queue.ticks), Lots(queue.lots), queue.count) for queue in islice(side, depth))


def _affordable(margin: int, leverage: int, coin: Coin) -> Lots:
    return Lots(margin * leverage // coin.mark)


def _usd_price(coin: Coin, ticks: Decimal) -> Decimal:
    return _rounded(ticks.scaleb(-coin.instrument.price_decimals))


def _rounded(number: Decimal) -> Decimal:
    return number.quantize(_PLACES, rounding=ROUND_HALF_EVEN)

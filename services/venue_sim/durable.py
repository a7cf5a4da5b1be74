"""What of the exchange survives its process, and how a new one takes it over. Pure.

Rules
  1. After a kill at any moment the clients' accounts come back as the last block left them: money, positions, open
     orders with their oids, fills, nonces, agents, budgets. Nobody heard of anything later (server.py, rule 2).
     Orders stand at their prices in the order of their oids.
  2. The market's own participants are not kept: they come back flat and place anew around the last oracle price.
  3. Per block only what it changed is written: whole accounts without their records, and new records.
"""

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

import msgspec

from common.units import Micros, Millis, Side
from services.venue_sim import api, other_actions
from services.venue_sim.account import Account, Holding
from services.venue_sim.agents import Approval
from services.venue_sim.core import Exchange
from services.venue_sim.fee_tiers import DayVolume
from services.venue_sim.floor import Floor
from services.venue_sim.matching import Order
from services.venue_sim.notes import FeesNote
from services.venue_sim.rules import DAY_MS
from services.venue_sim.sub_accounts import SubAccount
from services.venue_sim.views import FeeRates, Leverage, OrderRecord


class Prices(msgspec.Struct, frozen=True):
    """Of one coin, in ticks."""

    oracle: int
    mark: int
    last_trade: int | None


class VenueState(msgspec.Struct, frozen=True, kw_only=True):
    block: int
    now_ms: Millis
    last_oid: int
    prices: dict[str, Prices]
    volumes: tuple[DayVolume, ...] = ()  # of everybody together


class AgentsState(msgspec.Struct, frozen=True, kw_only=True):
    approvals: dict[str, Approval]  # by agent
    retired: tuple[str, ...]
    sub_accounts: dict[str, SubAccount] = {}


class OrderState(msgspec.Struct, frozen=True, kw_only=True):
    """An open order; relations are oids."""

    oid: int
    cloid: str | None
    coin: str
    side: Side
    ticks: int
    lots: int
    original_lots: int
    placed_ms: int
    tif: api.Tif
    reduce_only: bool
    trigger: api.Trigger | None
    is_position_tpsl: bool
    is_resting: bool
    builder: other_actions.Builder | None = None
    parent: int | None
    group: tuple[int, ...]


class AccountState(msgspec.Struct, frozen=True, kw_only=True):
    cash: int
    spot: int = 0
    builders: dict[str, int] = {}
    reserved: int = 0
    holdings: dict[str, Holding]
    leverages: dict[str, Leverage]
    used: int
    volume: int
    rates: FeeRates
    volumes: tuple[DayVolume, ...] = ()
    cancel_at: Millis | None  # an armed scheduleCancel
    cancel_day: int
    cancels_today: int
    liquidated_ms: int | None
    orders: tuple[OrderState, ...]  # oldest first


Money: TypeAlias = api.FillEvent | api.FundingEvent | api.LedgerEvent


class Changes(msgspec.Struct, kw_only=True):
    """What one block changed, encoded; keys are addresses."""

    venue: bytes
    agents: bytes | None
    accounts: dict[str, bytes]
    nonces: dict[str, bytes]  # by signer
    records: list[tuple[str, bytes]]  # finished orders
    money: list[tuple[str, bytes]]  # fills, fundings, ledger entries


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was kept; lists are oldest first."""

    venue: bytes
    agents: bytes | None
    accounts: Mapping[str, bytes]
    nonces: Mapping[str, bytes]
    records: Mapping[str, list[bytes]]
    money: Mapping[str, list[bytes]]


_encode: Final = msgspec.msgpack.Encoder().encode
_venues: Final = msgspec.msgpack.Decoder(VenueState)
_agents: Final = msgspec.msgpack.Decoder(AgentsState)
_accounts: Final = msgspec.msgpack.Decoder(AccountState)
_nonces: Final = msgspec.msgpack.Decoder(list[int])
_records: Final = msgspec.msgpack.Decoder(OrderRecord)
_money: Final[msgspec.msgpack.Decoder[Money]] = msgspec.msgpack.Decoder(Money)


# --- out -------------------------------------------------------------------------------------------


def changes(exchange: Exchange, block: api.Block, requests: Iterable[api.ActionRequest]) -> Changes:
    """Return what a block changed; `requests` are the clients' actions in it."""
    floor = exchange.floor
    touched: dict[str, None] = {}
    found = Changes(venue=_encode(_venue_state(floor)), agents=None, accounts={}, nonces={}, records=[], money=[])
    for request in requests:
        found.nonces[request.signer] = _encode(exchange.nonces(request.signer))
        touched[floor.agents.master(request.signer, floor.now_ms) or request.signer] = None
        touched[request.vault or request.signer] = None
        if isinstance(request.action, other_actions.Transfer):  # spot money moves without an event
            touched[request.action.source or request.signer] = None
            touched[request.action.destination or request.signer] = None
        if isinstance(request.action, api.ApproveAgent | other_actions.CreateSubAccount):
            approvals, retired = floor.agents.dump()
            state = AgentsState(approvals=approvals, retired=retired, sub_accounts=floor.sub_accounts.dump())
            found.agents = _encode(state)
            touched.update(dict.fromkeys(state.sub_accounts))
    for event in block.story:
        match event:
            case FeesNote(user=user):
                touched[user] = None
            case api.OrderEvent(order=order):
                touched[order.user] = None
                account = floor.accounts[order.user]
                if order.oid not in account.orders and (record := account.finished.get(order.oid)) is not None:
                    found.records.append((order.user, _encode(record)))
            case api.FillEvent() | api.FundingEvent() | api.LedgerEvent():
                touched[event.user] = None
                found.money.append((event.user, _encode(event)))
            case api.LiquidationEvent(user=user):
                touched[user] = None
            case _:
                pass  # about the market
    for user in touched:
        kept = floor.accounts.get(user)
        if kept is not None and not kept.internal:
            found.accounts[user] = _encode(_account_state(exchange, kept))
    return found


def _venue_state(floor: Floor) -> VenueState:
    prices = {
        name: Prices(coin.pricing.oracle, coin.pricing.mark, coin.pricing.last_trade)
        for name, coin in floor.coins.items()
    }
    return VenueState(
        block=floor.block,
        now_ms=Millis(floor.now_ms),
        last_oid=floor.last_oid,
        prices=prices,
        volumes=tuple(floor.volumes.days),
    )


def _account_state(exchange: Exchange, account: Account) -> AccountState:
    return AccountState(
        cash=account.cash,
        spot=account.spot,
        builders=account.builders,
        reserved=account.budget.reserved,
        holdings=account.holdings,
        leverages=account.leverages,
        used=account.budget.used,
        volume=account.budget.volume,
        rates=account.rates,
        volumes=tuple(account.volumes.days),
        cancel_at=exchange.scheduled_cancel(account.user),
        cancel_day=account.cancel_day,
        cancels_today=account.cancels_today,
        liquidated_ms=account.liquidated_ms,
        orders=tuple(_order_state(order) for order in account.orders.values()),
    )


def _order_state(order: Order) -> OrderState:
    return OrderState(
        oid=order.oid,
        cloid=order.cloid,
        coin=order.coin,
        side=order.side,
        ticks=order.ticks,
        lots=order.lots,
        original_lots=order.original_lots,
        placed_ms=order.placed_ms,
        tif=order.tif,
        reduce_only=order.reduce_only,
        trigger=order.trigger,
        is_position_tpsl=order.is_position_tpsl,
        is_resting=order.is_resting,
        builder=order.builder,
        parent=None if order.parent is None else order.parent.oid,
        group=tuple(each.oid for each in order.group),
    )


# --- in --------------------------------------------------------------------------------------------


def venue_state(saved: Saved) -> VenueState:
    """Return what the market needs to know before the exchange is made."""
    return _venues.decode(saved.venue)


def restore(exchange: Exchange, saved: Saved) -> None:
    """Fill an exchange that has not made a block yet (rule 1)."""
    state, floor = venue_state(saved), exchange.floor
    floor.resume(state.block, state.last_oid, state.now_ms // DAY_MS)
    floor.volumes.days.extend(state.volumes)
    for name, prices in state.prices.items():
        if name in floor.coins:
            pricing = floor.coins[name].pricing
            pricing.oracle, pricing.mark, pricing.last_trade = prices.oracle, prices.mark, prices.last_trade
    if saved.agents is not None:
        agents = _agents.decode(saved.agents)
        floor.agents.restore(agents.approvals, agents.retired)
        floor.sub_accounts.restore(agents.sub_accounts)
    for signer, nonces in saved.nonces.items():
        exchange.restore_nonces(signer, _nonces.decode(nonces))
    orders: list[tuple[Account, OrderState]] = []
    for user, encoded in saved.accounts.items():
        account, account_state = floor.accounts.get(user) or floor.open_account(user), _accounts.decode(encoded)
        _restore_records(account, saved.records.get(user, []), saved.money.get(user, []))
        _restore_account(exchange, account, account_state)
        orders += ((account, order) for order in account_state.orders)
    _restore_orders(floor, orders)


def _restore_records(account: Account, records: list[bytes], money: list[bytes]) -> None:
    for encoded in records:
        record = _records.decode(encoded)
        if record.order.cloid is not None:
            account.cloids[record.order.cloid] = record.order.oid
        account.remember(record)
    for encoded in money:
        event = _money.decode(encoded)
        match event:
            case api.FillEvent():
                account.fills.append(event)
            case api.FundingEvent():
                account.fundings.append(event)
            case api.LedgerEvent():
                account.ledger.append(event)


def _restore_account(exchange: Exchange, account: Account, state: AccountState) -> None:
    floor = exchange.floor
    account.cash, account.spot = state.cash, state.spot
    account.builders = dict(state.builders)
    account.holdings = {coin: held for coin, held in state.holdings.items() if coin in floor.coins}
    account.leverages = dict(state.leverages)
    account.budget.used, account.budget.reserved = state.used, state.reserved
    account.budget.volume = Micros(state.volume)
    account.rates = state.rates
    account.volumes.days.extend(state.volumes)
    account.cancel_day, account.cancels_today = state.cancel_day, state.cancels_today
    account.liquidated_ms = state.liquidated_ms
    if state.cancel_at is not None:
        exchange.restore_scheduled_cancel(account.user, state.cancel_at)
    for coin, held in account.holdings.items():
        floor.coins[coin].open_interest += max(0, held.lots)


def _restore_orders(floor: Floor, states: list[tuple[Account, OrderState]]) -> None:
    """Place all accounts' orders in the order of their numbers, which is their turn at each price."""
    orders = {state.oid: _order(account, state) for account, state in states if state.coin in floor.coins}
    for _, state in sorted(states, key=lambda pair: pair[1].oid):
        order = orders.get(state.oid)
        if order is None:
            continue
        order.group = [orders[oid] for oid in state.group if oid in orders]
        floor.register(order)
        if state.is_resting:
            floor.rest(order)
        elif state.parent is not None and state.parent in orders:
            order.parent = orders[state.parent]
            order.parent.children.append(order)
        else:
            floor.arm(order)


def _order(account: Account, state: OrderState) -> Order:
    return Order(
        oid=state.oid,
        account=account,
        cloid=state.cloid,
        coin=state.coin,
        side=state.side,
        ticks=state.ticks,
        lots=state.lots,
        original_lots=state.original_lots,
        placed_ms=state.placed_ms,
        tif=state.tif,
        reduce_only=state.reduce_only,
        trigger=state.trigger,
        is_position_tpsl=state.is_position_tpsl,
        builder=state.builder,
    )

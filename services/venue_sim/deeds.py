"""What happens once, on request: the owner by hand, the venue by decree, a socket that breaks. Pure.

Rules
  1. What moves orders, positions or money goes through the exchange and happens in the next block.
  2. An owner's action is logged like every other, `via` "owner"; what became of it is in its verdict.
  3. A deed that names no account is for the home's.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

import msgspec

from common.errors import PeerFault
from common.instrument import Instrument
from common.units import MICROS_PER_USD, Micros, Millis
from services.venue_sim import faults, interventions, payloads
from services.venue_sim import subscriptions as subs
from services.venue_sim.agents import ZERO_ADDRESS
from services.venue_sim.core import Exchange
from services.venue_sim.failing_messages import channel_of
from services.venue_sim.numbers import price
from services.venue_sim.streams import Drop, Say
from services.venue_sim.venue import Effect

CHASE_PERCENT: Final = 10  # how far from mark an order at the market may trade
CANCELS_MAX: Final = 200  # of one action


class Sockets(Protocol):
    """Scope of what concerns whole sockets."""

    @property
    def user(self) -> str: ...

    @property
    def connection(self) -> int | None: ...

    @property
    def channel(self) -> str: ...


class Place(Protocol):
    """What deeds need of the venue."""

    @property
    def exchange(self) -> Exchange: ...

    @property
    def connections(self) -> Mapping[int, Iterable[subs.Subscription]]: ...

    def act(self, user: str, action: dict[str, Any], now: Millis) -> None: ...


class Deeds:
    """`owner` is the home's account, empty when there is none."""

    def __init__(self, venue: Place, owner: str) -> None:
        self._venue = venue
        self._owner = owner

    def do(self, deed: faults.Deed, now: Millis) -> list[Effect]:
        """Do it, or prepare it for the next block; PeerFault when it names what is not there."""
        exchange = self._venue.exchange
        match deed:
            case faults.DropSocket():
                return [Drop(each, "fault") for each in in_scope(deed, self._venue.connections)]
            case faults.ReplayFills():
                return self._replay(deed)
            case faults.Maintenance(for_ms=for_ms):
                exchange.upgrade(now + for_ms)
            case faults.ChangeTick(coin=coin, multiple=multiple):
                exchange.intervene(interventions.ChangeTick(self._instrument(coin).coin, multiple))
            case faults.Delist(coin=coin):
                exchange.intervene(interventions.Delist(self._instrument(coin).coin))
            case faults.PayFunding(coin=coin, rate=rate):
                exchange.intervene(interventions.PayFunding(self._instrument(coin).coin, rate))
            case faults.Transfer(usd=usd):
                exchange.intervene(interventions.MoveMoney(self._user(deed.user), Micros(int(usd * MICROS_PER_USD))))
            case faults.ExhaustBudget(left=left):
                exchange.intervene(interventions.LimitBudget(self._user(deed.user), left))
            case faults.RevokeAgent():
                self._revoke(deed, now)
            case faults.ManualTrade():
                self._venue.act(self._user(deed.user), self._market_order(deed), now)
            case faults.ManualCancel():
                self._cancel_all(self._user(deed.user), now)
            case faults.ClockSkew():
                pass  # of the whole venue's time: faulty_venue.py
        return []

    def _user(self, named: str) -> str:
        user = named or self._owner
        if not user:
            raise PeerFault("user: is needed, because this venue has no account of a home; give user=0x...")
        return user

    def _instrument(self, coin: str) -> Instrument:
        info = self._venue.exchange.info
        if coin not in info.coins:
            raise PeerFault(f"coin {coin!r} is not listed; there are {', '.join(info.coins)}")
        return info.instrument(coin)

    # --- the owner, by hand ---

    def _revoke(self, deed: faults.RevokeAgent, now: Millis) -> None:
        user = self._user(deed.user)
        names = [agent.name for agent in self._venue.exchange.info.agents(user)]
        if deed.name not in names:
            raise PeerFault(f"agent {deed.name!r} is not approved; there are {', '.join(names) or 'none'}")
        action = {
            "type": "approveAgent",
            "signatureChainId": "0x66eee",
            "hyperliquidChain": "Testnet",
            "agentAddress": ZERO_ADDRESS,
            "agentName": deed.name,
            "nonce": now,
        }
        self._venue.act(user, action, now)

    def _market_order(self, deed: faults.ManualTrade) -> dict[str, Any]:
        instrument = self._instrument(deed.coin)
        buys, mark = deed.side == "buy", self._venue.exchange.info.mark(deed.coin)
        try:
            instrument.lots(deed.size)
        except ValueError as error:
            raise PeerFault(f"size {deed.size!r}: {error}") from error
        if buys:
            ticks = instrument.legal_floor(mark * (100 + CHASE_PERCENT) / 100)
        else:
            ticks = instrument.legal_ceil(mark * (100 - CHASE_PERCENT) / 100)
        order = {"a": instrument.asset, "b": buys, "p": price(instrument, ticks), "s": deed.size, "r": False}
        return {"type": "order", "orders": [{**order, "t": {"limit": {"tif": "Ioc"}}}], "grouping": "na"}

    def _cancel_all(self, user: str, now: Millis) -> None:
        info = self._venue.exchange.info
        cancels = [{"a": info.instrument(each.coin).asset, "o": each.oid} for each in info.open_orders(user)]
        for start in range(0, len(cancels), CANCELS_MAX):
            self._venue.act(user, {"type": "cancel", "cancels": cancels[start : start + CANCELS_MAX]}, now)

    # --- messages that were there before ---

    def _replay(self, deed: faults.ReplayFills) -> list[Effect]:
        user, info = self._user(deed.user), self._venue.exchange.info
        told = [payloads.fill(info.instrument(each.coin), each) for each in info.fills(user)[-deed.fills :]]
        if not told:
            raise PeerFault(f"{user} has no fills to replay")
        messages = {
            subs.UserFills: {"channel": "userFills", "data": {"user": user, "fills": told}},
            subs.UserEvents: {"channel": "user", "data": {"fills": told}},
        }
        return [
            Say(connection, msgspec.json.encode(messages[type(each)]))
            for connection, subscriptions in self._venue.connections.items()
            for each in subscriptions
            if type(each) in messages and each.account == user
        ]


def in_scope(scope: Sockets, connections: Mapping[int, Iterable[subs.Subscription]]) -> list[int]:
    """Return the open sockets that a scope names; all for an empty one."""
    return [
        connection
        for connection, subscriptions in connections.items()
        if scope.connection in (None, connection)
        and (not scope.user or any(each.account == scope.user for each in subscriptions))
        and (not scope.channel or any(channel_of(each) == scope.channel for each in subscriptions))
    ]

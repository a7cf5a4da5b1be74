"""Traders with borrowed money: ordinary accounts, which the venue liquidates like any other.

Rules
  1. They have no keys, nobody signs for them, and no privileges: fees, margin, limits and liquidation apply to them.
  2. Each waits, brings money until it has its capital, goes in by parts at the market, stays, and goes out likewise.
  3. At most one action of each a block: its nonce is the block's time.
"""

from collections.abc import Iterator
from enum import Enum, auto
from math import exp, log
from random import Random
from typing import Final

import msgspec

from common.instrument import NOTIONAL_MIN, Instrument
from common.units import MICROS_PER_USD, Lots, Micros, Side
from services.venue_sim.api import Action, Deposit, OrderSpec, PlaceOrders, Tif, UpdateLeverage
from services.venue_sim.core import Exchange
from services.venue_sim.liquidation import MARKET
from services.venue_sim.scenarios import Conduct

TRADERS: Final = 8  # of each coin
CAPITAL_USD: Final = 1_500.0  # median; with leverage 20 a position of a few innermost slots of the book
CAPITAL_SPREAD: Final = 0.4  # sd of the logarithm
USED: Final = 0.9  # of the capital as initial margin: fees and slippage need the rest
WAIT_S: Final = 60.0  # mean
STAY_S: Final = 120.0  # mean
PART_S: Final = 1.0  # mean time between the parts of one entry or exit
PART_USD: Final = 20_000.0
REACH_BPS: Final = 25.0  # how far from the mid a part may trade


def address(serial: int, number: int) -> str:
    """Return the account of a trader; nobody has keys to it."""
    return f"0x1e{serial:018x}{number:020x}"


def is_trader(user: str) -> bool:
    """Say whether an account is one of these traders'."""
    return user.startswith("0x1e" + "0" * 14)


class Stage(Enum):
    WAITING = auto()
    ENTERING = auto()
    STAYING = auto()
    LEAVING = auto()


class Trader(msgspec.Struct, kw_only=True):
    user: str
    stage: Stage = Stage.WAITING
    left_s: float  # of waiting, staying, or before the next part
    goal: int = 0  # signed lots
    held: int = 0  # after the last block that was looked at
    seen_block: int = 0


class Crowd:
    """All leveraged traders of one coin."""

    def __init__(self, instrument: Instrument, serial: int, chance: Random) -> None:
        self._instrument = instrument
        self._chance = chance
        self.traders = [
            Trader(user=address(serial, number), left_s=chance.expovariate(1 / WAIT_S)) for number in range(TRADERS)
        ]

    def begin(self, exchange: Exchange) -> None:
        """Take up the positions that an earlier process left."""
        for trader in self.traders:
            trader.held = exchange.info.position(trader.user, self._instrument.coin)
            trader.seen_block = exchange.info.block
            if trader.held:
                trader.stage = Stage.STAYING

    def liquidated_usd(self, exchange: Exchange) -> list[float]:
        """Return the liquidations through the book since the last call: USD bought, negative when sold."""
        found = []
        for trader in self.traders:
            held = exchange.info.position(trader.user, self._instrument.coin)
            if held != trader.held:
                usd = self._liquidated_usd(exchange, trader)
                if usd:
                    found.append(usd)
                trader.held = held
        return found

    def _liquidated_usd(self, exchange: Exchange, trader: Trader) -> float:
        total = 0
        for fill in reversed(exchange.info.fills(trader.user)):
            if fill.block <= trader.seen_block:
                break
            if fill.liquidation is not None and fill.liquidation.method == MARKET:
                total += fill.side.sign * fill.ticks * fill.lots
        trader.seen_block = exchange.info.block
        return total / MICROS_PER_USD

    def step(self, exchange: Exchange, dt_s: float, mid: float, conduct: Conduct) -> Iterator[tuple[str, Action]]:
        """Give who does what in the next block; call it after `liquidated_usd`."""
        for trader in self.traders:
            action = self._act(exchange, trader, dt_s, mid, conduct)
            if action is not None:
                yield trader.user, action

    def _act(self, exchange: Exchange, trader: Trader, dt_s: float, mid: float, conduct: Conduct) -> Action | None:
        match trader.stage:
            case Stage.WAITING:
                trader.left_s -= dt_s * conduct.crowd_pace
                return self._decide(exchange, trader, mid, conduct) if trader.left_s <= 0 else None
            case Stage.ENTERING:
                return self._part(trader, trader.goal - trader.held, dt_s, mid, conduct)
            case Stage.STAYING:
                if trader.held == 0:
                    self._wait(trader)
                elif conduct.crowd_leaves:
                    trader.left_s -= dt_s
                    if trader.left_s <= 0:
                        trader.stage = Stage.LEAVING
                return None
            case Stage.LEAVING:
                return self._part(trader, -trader.held, dt_s, mid, conduct)

    def _wait(self, trader: Trader) -> None:
        trader.stage, trader.left_s = Stage.WAITING, self._chance.expovariate(1 / WAIT_S)

    def _decide(self, exchange: Exchange, trader: Trader, mid: float, conduct: Conduct) -> Action:
        """Choose size, side and leverage (rule 2)."""
        chance, instrument = self._chance, self._instrument
        capital = exp(chance.gauss(log(CAPITAL_USD), CAPITAL_SPREAD)) * conduct.crowd
        missing = Micros(int(capital * MICROS_PER_USD) - exchange.info.account(trader.user).total.account_value)
        if missing > 0:
            exchange.feed(Deposit(trader.user, missing))
        leverage = max(1, round(instrument.leverage_max * chance.uniform(*conduct.crowd_leverage)))
        side = Side.BUY if chance.random() < conduct.crowd_longs else Side.SELL
        trader.goal = side.sign * int(USED * capital * leverage * MICROS_PER_USD / mid)
        trader.stage, trader.left_s = Stage.ENTERING, 0.0
        return UpdateLeverage(coin=instrument.coin, is_cross=True, leverage=leverage)

    def _part(self, trader: Trader, wanted: int, dt_s: float, mid: float, conduct: Conduct) -> Action | None:
        """Trade a part of what is wanted; nothing is left to do when that is no order's worth."""
        entering = trader.stage is Stage.ENTERING
        if abs(wanted) * mid < NOTIONAL_MIN * 2 and (entering or not wanted):
            self._wait(trader)
            if entering:
                trader.stage, trader.left_s = Stage.STAYING, self._chance.expovariate(1 / STAY_S)
            return None
        trader.left_s -= dt_s
        if trader.left_s > 0:
            return None
        trader.left_s = self._chance.expovariate(1 / PART_S)
        side = Side.BUY if wanted > 0 else Side.SELL
        reach = mid * (1 + side.sign * REACH_BPS * conduct.width / 10_000)
        order = OrderSpec(
            coin=self._instrument.coin,
            side=side,
            ticks=self._instrument.legal_outward(side, reach),
            lots=Lots(min(abs(wanted), int(PART_USD * conduct.crowd * MICROS_PER_USD / mid))),
            tif=Tif.IOC,
            reduce_only=not entering,
        )
        return PlaceOrders((order,))

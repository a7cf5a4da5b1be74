"""A synthetic market for the local venue: true prices, makers and takers, all from one seed.

Rules
  1. Everything reaches the exchange as typed actions, in the block that follows; users' orders trade with them like
     with anyone. Makers, noise, informed and momentum are the exchange's own accounts, leveraged traders are not.
  2. Liquidations move the world: the makers step back from them, for a while, and the true price follows in part.
     That is how one liquidation leads to the next.
  3. What is true (truth.py) is known and exported, so that estimates made from the public data can be judged.
"""

from collections import deque
from collections.abc import Iterator
from math import exp
from random import Random
from typing import Final

from common.instrument import Instrument
from common.units import MICROS_PER_USD, Lots, Side, Ticks
from services.venue_sim.api import (
    Action,
    ActionRequest,
    OracleUpdate,
    OrderSpec,
    PlaceOrders,
    Tif,
    TradingHalt,
)
from services.venue_sim.core import Exchange
from services.venue_sim.latent_price import BPS, JUMPS_PER_S, LatentPrice, average_variance_per_s
from services.venue_sim.leveraged import Crowd
from services.venue_sim.market_makers import MarketMakers
from services.venue_sim.momentum import Momentum
from services.venue_sim.order_flow import (
    BRANCHING,
    DECAY_PER_S,
    DEPTH_BPS_MEAN,
    INFORMED_SHARE,
    TOUCH_SHARE,
    OrderFlow,
    Taker,
)
from services.venue_sim.scenarios import ORDINARY, ORDINARY_MARKET, Conduct, Scenario
from services.venue_sim.truth import EVENTS_MAX, Cascades, Truth

# Examples of other people's clients rest bids at about 1,000 USD in ETH: it must trade well above, below 5,000.
START_USD: Final = {"BTC": 113_000, "ETH": 4_300, "SOL": 200}
OTHER_START_USD: Final = 50
ORACLE_INTERVAL_MS: Final = 3_000  # the venue's validators publish about every 3 s
STEP_MS_MAX: Final = 1_000  # a pause of the process is no time in which the market moved
REQUEST_ID: Final = -1  # of all our actions: nobody waits for the answers

STRAIN_BPS_PER_MUSD: Final = 80.0  # how far makers step back from a liquidated million USD
STRAIN_S: Final = 20.0  # how long they do
FOLLOW_BPS_PER_MUSD: Final = 40.0  # how far the true price follows it
FOLLOW_S: Final = 120.0  # how long until it has come back
TRUTH_INTERVAL_MS: Final = 10_000  # of exports without news

ADDRESSES: Final = "0x" + "5e" * 19  # and one more byte; nobody has keys to these
NOISE: Final = ADDRESSES + "01"
INFORMED: Final = ADDRESSES + "02"
MOMENTUM: Final = ADDRESSES + "03"
MAKERS_FIRST: Final = 0x10


class CoinMarket:
    """One coin: its true price, its makers, its takers."""

    def __init__(self, instrument: Instrument, serial: int, trade_rate: float, chance: Random) -> None:
        start = start_ticks(instrument)
        self.instrument = instrument
        self.maker = f"{ADDRESSES}{MAKERS_FIRST + serial:02x}"
        self.price = LatentPrice(start, chance)
        self.makers = MarketMakers(instrument, serial, start, chance)
        self.flow = OrderFlow(chance, trade_rate)
        self.momentum = Momentum(chance)
        self.crowd = Crowd(instrument, serial, chance)
        self.cascades = Cascades()
        self._strain_bps = 0.0  # of the makers' quotes against the true price
        self._followed_bps = 0.0  # of the true price itself, still to be taken back
        self._jumps_ms: deque[int] = deque(maxlen=EVENTS_MAX)

    def begin(self, exchange: Exchange) -> None:
        """Take up the market where the venue stands: a restored one has a history."""
        self.price.ticks = self.makers.reference = float(exchange.info.oracle(self.instrument.coin))
        self.crowd.begin(exchange)

    def step(self, exchange: Exchange, now_ms: int, dt_s: float, conduct: Conduct) -> Iterator[tuple[str, Action]]:
        """Give who does what in the next block."""
        self._move(exchange, now_ms, dt_s, conduct)
        if conduct.halted:
            return
        quoted = self.price.ticks * exp(self._strain_bps * BPS)
        for action in self.makers.step(quoted, dt_s, exchange.info.lots_left(self.maker), conduct):
            yield self.maker, action
        top = exchange.info.top(self.instrument.coin)
        bid, ask = (None if best is None else best.ticks for best in (top.bid, top.ask))
        mid = self.makers.reference if bid is None or ask is None else (bid + ask) / 2
        for user, taker in self._takers(mid, dt_s, conduct):
            order = self._order(taker, mid, bid, ask)
            if order is not None:
                yield user, PlaceOrders((order,))
        yield from self.crowd.step(exchange, dt_s, mid, conduct)

    def _move(self, exchange: Exchange, now_ms: int, dt_s: float, conduct: Conduct) -> None:
        """Let the true price live, and let liquidations move the world (rule 2)."""
        self._strain_bps *= exp(-dt_s / STRAIN_S)
        before_bps = self._followed_bps
        self._followed_bps *= exp(-dt_s / FOLLOW_S)
        for usd in self.crowd.liquidated_usd(exchange):
            self.cascades.add(usd, now_ms)
            self._strain_bps += STRAIN_BPS_PER_MUSD * usd / 1e6
            self._followed_bps += FOLLOW_BPS_PER_MUSD * usd / 1e6
        self.price.shift(self._followed_bps - before_bps)
        self.price.shift(-conduct.stress_per_s * dt_s / (2 * self.instrument.leverage_max) / BPS)
        if self.price.step(dt_s, conduct):
            self._jumps_ms.append(now_ms)

    def _takers(self, mid: float, dt_s: float, conduct: Conduct) -> Iterator[tuple[str, Taker]]:
        for taker in self.flow.arrivals(dt_s, conduct):
            yield (INFORMED if taker.side is None else NOISE), taker
        runner = self.momentum.step(mid, dt_s)
        if runner is not None:
            yield MOMENTUM, runner

    def _order(self, taker: Taker, mid: float, bid: int | None, ask: int | None) -> OrderSpec | None:
        """Return an immediate order: the informed up to the true price, the noise to its depth, the touch at least.

        None where nobody stands on the other side.
        """
        side, reach = taker.side, mid
        if side is None:
            side, reach = Side.BUY if self.price.ticks > mid else Side.SELL, self.price.ticks
        else:
            reach = mid * (1 + side.sign * taker.depth_bps / 10_000)
        touch = ask if side is Side.BUY else bid
        if touch is None:
            return None
        legal = self.instrument.legal_outward(side, reach)
        limit = max(legal, touch) if side is Side.BUY else min(legal, touch)
        lots = max(1, int(taker.usd * MICROS_PER_USD / limit))
        if taker.depth_bps:
            lots += self.makers.depth(side, limit)  # enough to get there
        return OrderSpec(coin=self.instrument.coin, side=side, ticks=Ticks(limit), lots=Lots(lots), tif=Tif.IOC)

    def truth(self, phase: str = "", conduct: Conduct = ORDINARY) -> Truth:
        deep = self.flow.average_rate_per_s(conduct) * (1 - INFORMED_SHARE) * (1 - TOUCH_SHARE)
        return Truth(
            coin=self.instrument.coin,
            phase=phase,
            fair_ticks=self.price.ticks,
            regime=self.price.regime.name,
            sigma_per_sqrt_s=self.price.sigma_per_sqrt_s(conduct),
            sigma_total_per_sqrt_s=average_variance_per_s(conduct) ** 0.5,
            variance=self.price.variance,
            jumps_per_s=JUMPS_PER_S * conduct.jumps,
            arrival_base_per_s=self.flow.base_rate_per_s(conduct),
            arrival_rate_per_s=self.flow.average_rate_per_s(conduct),
            branching=BRANCHING,
            decay_per_s=DECAY_PER_S,
            depth_a_per_s=deep / 2,
            depth_k_per_bps=1 / DEPTH_BPS_MEAN,
            informed_share=INFORMED_SHARE,
            jumps_ms=tuple(self._jumps_ms),
            cascades_ms=tuple(self.cascades.began_ms),
            liquidated_usd=self.cascades.usd,
        )


class SyntheticMarket:
    """All coins. `chance` is the only source of randomness: equal seeds and times give equal actions."""

    def __init__(
        self,
        instruments: tuple[Instrument, ...],
        *,
        trade_rate: float,
        chance: Random,
        scenario: Scenario = ORDINARY_MARKET,
    ) -> None:
        self._coins = {
            instrument.coin: CoinMarket(instrument, serial, trade_rate, Random(chance.getrandbits(64)))
            for serial, instrument in enumerate(instruments)
        }
        self._scenario = scenario
        self._phase = scenario.phase(0.0)
        self._elapsed_s = 0.0
        self._now_ms: int | None = None
        self._oracle_at_ms = 0
        self._told: dict[str, tuple[tuple[object, ...], int]] = {}  # by coin: the last news exported, and when

    @property
    def internal(self) -> tuple[str, ...]:
        """Return the addresses that the exchange must know as its market's own (ExchangeConfig.internal)."""
        return (*(coin.maker for coin in self._coins.values()), NOISE, INFORMED, MOMENTUM)

    def step(self, exchange: Exchange, now_ms: int) -> None:
        """Queue what the market does in the block of this venue time; call it right before `exchange.step`."""
        if self._now_ms is None:
            for coin in self._coins.values():
                coin.begin(exchange)
        dt_s = 0.0 if self._now_ms is None else min(STEP_MS_MAX, max(0, now_ms - self._now_ms)) / 1_000
        self._now_ms = now_ms
        self._elapsed_s += dt_s
        self._turn(exchange)
        for coin in self._coins.values():
            for signer, action in coin.step(exchange, now_ms, dt_s, self._phase.conduct):
                exchange.submit(ActionRequest(request_id=REQUEST_ID, signer=signer, action=action, nonce=now_ms))
        if now_ms >= self._oracle_at_ms:
            self._oracle_at_ms = now_ms + ORACLE_INTERVAL_MS
            for name, coin in self._coins.items():
                exchange.feed(OracleUpdate(coin=name, ticks=Ticks(round(coin.price.ticks))))

    def take_leads(self) -> dict[str, float]:
        return {name: coin.price.ticks for name, coin in self._coins.items()}

    def _turn(self, exchange: Exchange) -> None:
        """Go on in the script."""
        before, self._phase = self._phase, self._scenario.phase(self._elapsed_s)
        if before.conduct.halted != self._phase.conduct.halted:
            for name in self._coins:
                exchange.feed(TradingHalt(coin=name, halted=self._phase.conduct.halted))

    def truths(self, now_ms: int) -> list[Truth]:
        """Return what is true of each coin where it is news: at the latest every TRUTH_INTERVAL_MS."""
        found = []
        for name, coin in self._coins.items():
            news = (self._phase.name, coin.price.regime.name, coin.price.jumps, len(coin.cascades.began_ms))
            told, told_ms = self._told.get(name, ((), 0))
            if news != told or now_ms - told_ms >= TRUTH_INTERVAL_MS:
                self._told[name] = (news, now_ms)
                found.append(self.truth(name))
        return found

    def truth(self, coin: str) -> Truth:
        return self._coins[coin].truth(self._phase.name, self._phase.conduct)


def start_ticks(instrument: Instrument) -> Ticks:
    """Return where a coin's price begins; also its first oracle price (CoinRules.oracle_ticks)."""
    return instrument.ticks(str(START_USD.get(instrument.coin, OTHER_START_USD)))

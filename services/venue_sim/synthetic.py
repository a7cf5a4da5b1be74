"""A synthetic market for the local venue: true prices, makers and takers, all from one seed.

Everything reaches the exchange as typed actions of its internal accounts, in the block that follows; users' orders
trade with them like with anyone. What is true (volatility, arrival rates, share of informed takers) is known and
exported, so that estimates made from the public data can be judged.
"""

from random import Random
from typing import Final

import msgspec

from common.instrument import Instrument
from common.units import MICROS_PER_USD, Lots, Side, Ticks
from services.venue_sim.api import Action, ActionRequest, OracleUpdate, OrderSpec, PlaceOrders, Tif
from services.venue_sim.core import Exchange
from services.venue_sim.latent_price import JUMPS_PER_S, LatentPrice, average_variance_per_s
from services.venue_sim.market_makers import MarketMakers
from services.venue_sim.order_flow import BRANCHING, DECAY_PER_S, DEPTH_BPS_MEAN, INFORMED_SHARE, OrderFlow, Taker

# Examples of other people's clients rest bids at about 1,000 USD in ETH: it must trade well above, below 5,000.
START_USD: Final = {"BTC": 113_000, "ETH": 4_300, "SOL": 200}
OTHER_START_USD: Final = 50
ORACLE_INTERVAL_MS: Final = 3_000  # the venue's validators publish about every 3 s
STEP_MS_MAX: Final = 1_000  # a pause of the process is no time in which the market moved
REQUEST_ID: Final = -1  # of all our actions: nobody waits for the answers

ADDRESSES: Final = "0x" + "5e" * 19  # and one more byte; nobody has keys to these
NOISE: Final = ADDRESSES + "01"
INFORMED: Final = ADDRESSES + "02"
MAKERS_FIRST: Final = 0x10


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """What is true of one coin now; nothing here is published at the venue."""

    coin: str
    fair_ticks: float
    regime: str
    sigma_per_sqrt_s: float  # of this regime, jumps apart
    sigma_total_per_sqrt_s: float  # long-run, all regimes and jumps
    jumps_per_s: float
    arrival_rate_per_s: float  # long-run, of market orders, both sides
    branching: float
    decay_per_s: float
    depth_bps_mean: float  # of market orders that go deeper than the touch
    informed_share: float


class CoinMarket:
    """One coin: its true price, its makers, its takers."""

    def __init__(self, instrument: Instrument, serial: int, trade_rate: float, chance: Random) -> None:
        start = start_ticks(instrument)
        self.instrument = instrument
        self.maker = f"{ADDRESSES}{MAKERS_FIRST + serial:02x}"
        self.price = LatentPrice(start, chance)
        self.makers = MarketMakers(instrument, serial, start, chance)
        self.flow = OrderFlow(chance, trade_rate)

    def begin(self, ticks: Ticks) -> None:
        """Take up the market where the venue's oracle stands: a restored venue has a history."""
        self.price.ticks = self.makers.reference = float(ticks)

    def step(self, exchange: Exchange, dt_s: float) -> list[tuple[str, Action]]:
        """Return who does what in the next block."""
        self.price.step(dt_s)
        resting = {order.cloid: order.lots for order in exchange.info.open_orders(self.maker) if order.cloid}
        orders = self.makers.step(self.price.ticks, dt_s, resting)
        actions: list[tuple[str, Action]] = [
            (self.maker, action) for action in (orders.places, orders.modifies) if action is not None
        ]
        top = exchange.info.top(self.instrument.coin)
        if top.bid is not None and top.ask is not None:
            for taker in self.flow.arrivals(dt_s):
                user = INFORMED if taker.side is None else NOISE
                actions.append((user, PlaceOrders((self._order(taker, top.bid.ticks, top.ask.ticks),))))
        return actions

    def _order(self, taker: Taker, bid: int, ask: int) -> OrderSpec:
        """Return an immediate order: the informed up to the true price, the noise to its depth, the touch at least."""
        mid = (bid + ask) / 2
        side, reach = taker.side, mid
        if side is None:
            side, reach = Side.BUY if self.price.ticks > mid else Side.SELL, self.price.ticks
        else:
            reach = mid * (1 + side.sign * taker.depth_bps / 10_000)
        legal = self.instrument.legal_floor(reach) if side is Side.BUY else self.instrument.legal_ceil(reach)
        limit = max(legal, ask) if side is Side.BUY else min(legal, bid)
        lots = max(1, int(taker.usd * MICROS_PER_USD / limit))
        if taker.depth_bps:
            lots += self.makers.depth(side, limit)  # enough to get there
        return OrderSpec(coin=self.instrument.coin, side=side, ticks=Ticks(limit), lots=Lots(lots), tif=Tif.IOC)

    def truth(self) -> Truth:
        return Truth(
            coin=self.instrument.coin,
            fair_ticks=self.price.ticks,
            regime=self.price.regime.name,
            sigma_per_sqrt_s=self.price.sigma_per_sqrt_s,
            sigma_total_per_sqrt_s=average_variance_per_s() ** 0.5,
            jumps_per_s=JUMPS_PER_S,
            arrival_rate_per_s=self.flow.average_rate_per_s,
            branching=BRANCHING,
            decay_per_s=DECAY_PER_S,
            depth_bps_mean=DEPTH_BPS_MEAN,
            informed_share=INFORMED_SHARE,
        )


class SyntheticMarket:
    """All coins. `chance` is the only source of randomness: equal seeds and times give equal actions."""

    def __init__(self, instruments: tuple[Instrument, ...], *, trade_rate: float, chance: Random) -> None:
        self._coins = {
            instrument.coin: CoinMarket(instrument, serial, trade_rate, Random(chance.getrandbits(64)))
            for serial, instrument in enumerate(instruments)
        }
        self._now_ms: int | None = None
        self._oracle_at_ms = 0

    @property
    def internal(self) -> tuple[str, ...]:
        """Return the addresses that the exchange must know as its market's own (ExchangeConfig.internal)."""
        return (*(coin.maker for coin in self._coins.values()), NOISE, INFORMED)

    def step(self, exchange: Exchange, now_ms: int) -> None:
        """Queue what the market does in the block of this venue time; call it right before `exchange.step`."""
        if self._now_ms is None:
            for name, coin in self._coins.items():
                coin.begin(exchange.info.oracle(name))
        dt_s = 0.0 if self._now_ms is None else min(STEP_MS_MAX, max(0, now_ms - self._now_ms)) / 1_000
        self._now_ms = now_ms
        for coin in self._coins.values():
            for signer, action in coin.step(exchange, dt_s):
                exchange.submit(ActionRequest(request_id=REQUEST_ID, signer=signer, action=action))
        if now_ms >= self._oracle_at_ms:
            self._oracle_at_ms = now_ms + ORACLE_INTERVAL_MS
            for name, coin in self._coins.items():
                exchange.feed(OracleUpdate(coin=name, ticks=Ticks(round(coin.price.ticks))))

    def truth(self, coin: str) -> Truth:
        return self._coins[coin].truth()


def start_ticks(instrument: Instrument) -> Ticks:
    """Return where a coin's price begins; also its first oracle price (CoinRules.oracle_ticks)."""
    return instrument.ticks(str(START_USD.get(instrument.coin, OTHER_START_USD)))

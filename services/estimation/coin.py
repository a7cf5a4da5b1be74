"""Every estimator of one coin: who is fed with what, in which order.

Rules
  1. Estimators of the market live on venue time, which each touch moves on; a print ahead of the touch waits for it.
  2. What a move is compared with is what was believed before it: guards and depths see a touch before volatility does.
  3. A feed that is not fresh breaks every chain: nothing is compared across it, and stamps may go back after it.
"""

from typing import Final, Protocol

import msgspec

from common.config import Settings
from common.instrument import Instrument, notional
from common.messages import AssetContext, Book, Fill, LeaderTop, LiveOrders, Missed, Position, TopOfBook, Trade, topic
from common.price_units import depth_bps
from common.touch import Touch
from common.units import MILLISECOND, Nanos, Side
from services.estimation.arrivals import Arrivals
from services.estimation.attribution import ProfitAndLoss
from services.estimation.cascade import LEVELS_MIN, CascadeDetector
from services.estimation.fair_price import fair_ticks
from services.estimation.flow import OrderFlow, TradeFlow
from services.estimation.leader import LeaderFollower
from services.estimation.market_orders import MarketOrder, MarketOrders
from services.estimation.markouts import Markouts
from services.estimation.momentum import MomentumGuard
from services.estimation.refit import Refit
from services.estimation.stochastic_volatility import StochasticVolatility
from services.estimation.volatility import GRID_S, Volatilities, Volatility
from services.estimation.vpin import Vpin

WATCH_STEP_S: Final = 0.25  # touches come every few ms, and a spread that flickers between two is no matter
TRADE_TOPIC: Final = topic(Trade)
FILL_TOPIC: Final = topic(Fill)


class Refusing(Protocol):
    """An estimator: counts what it could not use."""

    refused: int


class View(msgspec.Struct, frozen=True, kw_only=True):
    """The market as it was last seen, and what is made of it."""

    touch: Touch
    mid: float  # ticks
    fair: float
    at: Nanos  # reception, never ahead of now
    sigma: Volatilities
    floor: float  # of sigma: half a legal price step per grid step


class CoinEstimators:
    """Takes facts; what is believed is read off its parts."""

    def __init__(self, instrument: Instrument, settings: Settings) -> None:
        chosen = settings.estimation
        self.instrument = instrument
        self._tilt = chosen.microprice_tilt
        self.volatility = Volatility(
            half_life_s=chosen.half_life_s,
            fast_half_life_s=chosen.fast_half_life_s,
            slow_half_life_s=chosen.slow_half_life_s,
            prior=chosen.sigma_prior_per_sqrt_s,
            warm_up_ms=chosen.warm_up_ms,
        )
        self.stochastic = StochasticVolatility(
            window_s=chosen.variance_window_s, half_life_s=chosen.variance_half_life_s
        )
        self.market_orders = MarketOrders()
        self.arrivals = {
            taker: Arrivals(
                from_bps=chosen.arrival_from_bps,
                to_bps=chosen.arrival_to_bps,
                half_life_s=chosen.arrival_half_life_s,
                k_prior_per_bps=chosen.arrival_k_prior_per_bps,
                a_prior_per_s=chosen.arrival_a_prior_per_s,
            )
            for taker in Side
        }
        self.order_flow = OrderFlow()
        self.trade_flow = TradeFlow()
        self.vpin = Vpin(bucket_usd=chosen.vpin_bucket_usd)
        self.guard = MomentumGuard(threshold=chosen.momentum_threshold)
        self.cascade = CascadeDetector(pull_at=chosen.cascade_pull_severity, usd_per_tick=float(instrument.price(1)))
        self.refit = Refit(self.cascade)
        self.markouts = Markouts(half_life_s=chosen.markout_half_life_s)
        self.profit_and_loss = ProfitAndLoss()
        self.leader = follower(settings, instrument.coin)
        self._unwatched_s = 0.0  # by the arrivals
        self.view: View | None = None
        self.funding_per_hour: float | None = None
        self.late = 0  # touches
        self.trades = 0
        self.bursts = 0  # of the cascade detector's input
        self.missed = 0  # trades
        self.missed_fills = 0

    @property
    def refused(self) -> int:
        """Return how often an estimator was given what it could not use."""
        parts: list[Refusing] = [
            *(self.volatility, self.stochastic, self.market_orders, self.order_flow, self.trade_flow),
            *(self.vpin, self.guard, self.cascade, self.markouts, self.profit_and_loss),
        ]
        parts += self.arrivals.values()  # the leader's count is its own: it is not our feed
        return sum(part.refused for part in parts)

    # --- the market --------------------------------------------------------------------------------

    def on_touch(self, message: Book | TopOfBook, now: Nanos) -> View | None:
        """Learn from one view of the market; None when it is late or no market."""
        touch = Touch.of(message)
        last = self.view
        if last is not None and touch.is_older_than(last.touch):
            self.late += 1
            return None
        fair, mid = fair_ticks(touch, self._tilt), touch.mid_ticks
        if fair is None or mid is None or touch.bid is None or touch.ask is None:
            return None
        half_spread = (touch.ask[0] - touch.bid[0]) / 2
        for order in self.market_orders.see(touch.venue_ms, mid):
            self._on_market_order(order)
        if last is not None:
            self._watch((touch.venue_ms - last.touch.venue_ms) / 1_000, depth_bps(mid + half_spread, mid))
            self.guard.add(mid, max(last.floor, last.sigma.total), touch.venue_ms)
            self.cascade.price(mid, last.sigma.slow, touch.venue_ms / 1_000)
        self.order_flow.add(touch)
        sample = self.volatility.add(fair, touch.venue_ms)
        if sample is not None:
            self.stochastic.add(*sample)
        self.markouts.on_mid(mid, touch.venue_ms)
        self.profit_and_loss.on_mid(touch.bid[0] + touch.ask[0], touch.venue_ms)
        self.view = View(
            touch=touch,
            mid=mid,
            fair=fair,
            at=min(touch.received_at, now),
            sigma=self.volatility.volatilities(),
            floor=self.instrument.step(int(mid)) / 2 / mid / GRID_S**0.5,
        )
        if self.leader is not None:
            self.leader.on_own(fair, self.view.at)
        return self.view

    def on_leader(self, top: LeaderTop, now: Nanos) -> None:
        if self.leader is not None:
            self.leader.on_leader(top.bid, top.ask, min(top.received_at, now))

    def on_trade(self, trade: Trade) -> None:
        self.trades += 1
        for order in self.market_orders.add(trade):
            self._on_market_order(order)

    def on_context(self, context: AssetContext) -> None:
        self.funding_per_hour = context.funding
        if self.view is not None:
            self.cascade.context(context, self.view.touch.venue_ms / 1_000)

    def restart(self) -> None:
        """Rule 3."""
        self.view = None
        self.volatility.restart()
        self.stochastic.restart()
        self.market_orders.restart()
        self.order_flow.restart()
        self.trade_flow.restart()
        self.vpin.restart()
        self.guard.restart()
        self.cascade.restart()
        self.markouts.restart()
        self.profit_and_loss.restart()
        if self.leader is not None:
            self.leader.restart()

    def _watch(self, dt_s: float, half_spread_bps: float) -> None:
        self._unwatched_s += dt_s
        if self._unwatched_s < WATCH_STEP_S:
            return
        for arrivals in self.arrivals.values():
            arrivals.watch(self._unwatched_s, half_spread_bps)
        self._unwatched_s = 0.0

    def _on_market_order(self, order: MarketOrder) -> None:
        """Feed one whole market order to all who count them."""
        at_s = order.venue_ms / 1_000
        self.trade_flow.add(order.side, order.notional, at_s)
        self.vpin.add(order.side, order.notional, at_s)
        if order.depth_bps is not None:
            self.arrivals[order.side].add(max(0.0, order.depth_bps))
        if order.levels >= LEVELS_MIN:
            self.cascade.burst(order.side, order.notional, at_s)
            self.bursts += 1

    # --- ourselves ---------------------------------------------------------------------------------

    def on_fill(self, fill: Fill) -> None:
        if self.view is None:
            return  # a fill that nobody can value
        self.markouts.on_fill(fill, self.view.sigma.regime)
        self.profit_and_loss.on_fill(fill)
        if fill.liquidation:
            self.cascade.liquidation(fill.side, notional(fill.ticks, fill.lots), self.view.touch.venue_ms / 1_000)
            self.bursts += 1

    def on_orders(self, orders: LiveOrders) -> None:
        self.markouts.on_orders(orders, None if self.view is None else self.view.mid)

    def on_position(self, position: Position) -> None:
        self.profit_and_loss.on_position(position)

    def on_missed(self, missed: Missed) -> None:
        self.missed += missed.count if missed.topic == TRADE_TOPIC else 0
        self.missed_fills += missed.count if missed.topic == FILL_TOPIC else 0


def follower(settings: Settings, coin: str) -> LeaderFollower | None:
    """Return the estimator of a coin that has a leader."""
    chosen = settings.leader
    if chosen is None or coin not in chosen.symbols:
        return None
    return LeaderFollower(
        max_tilt_bps=chosen.max_tilt_bps,
        weight=chosen.weight,
        stale=Nanos(chosen.stale_ms * MILLISECOND),
        half_life_s=chosen.half_life_s,
    )

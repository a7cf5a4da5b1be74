"""Estimation: fair price and volatility of each coin, with unit, time, sample count and confidence.

Rules
  1. Every book or top of book that is not older than the last gives an Estimate; a late one is counted and ignored.
  2. A market that is one-sided, crossed or empty gives none, and changes nothing.
  3. Volatility is never below half a legal price step per grid step: a price that has not moved is not certain.
  4. A feed that is not fresh breaks the chain: no return joins the prices before and after.
  5. Warm is earned live, by `estimation.warm_up_ms` of samples since the start; it is never restored.
  6. Trades that never arrived are counted and said.
"""

from typing import Final, TypeAlias, assert_never

from common.actor import Boot, Effect, Exit, Send
from common.config import Settings
from common.instrument import Instrument
from common.messages import (
    Book,
    Estimate,
    FeedHealth,
    Missed,
    ServiceState,
    Stopping,
    TopOfBook,
    Trade,
    Wake,
    topic,
)
from common.touch import Touch
from common.units import Nanos
from services.estimation.fair_price import fair_ticks
from services.estimation.volatility import GRID_S, Volatility

Inbox: TypeAlias = Wake | Stopping | Missed | Book | TopOfBook | Trade | FeedHealth

TRADE_TOPIC: Final = topic(Trade)


class CoinEstimation:
    """One coin's estimators."""

    def __init__(self, instrument: Instrument, settings: Settings) -> None:
        estimation = settings.estimation
        self._instrument = instrument
        self._tilt = estimation.microprice_tilt
        self._volatility = Volatility(
            half_life_s=estimation.half_life_s,
            fast_half_life_s=estimation.fast_half_life_s,
            prior=estimation.sigma_prior_per_sqrt_s,
            warm_up_ms=estimation.warm_up_ms,
        )
        self._touch: Touch | None = None
        self.feed_reason = "no word of the feed yet"
        self.estimated = False
        self.late = 0
        self.trades = 0
        self.missed = 0

    def take(self, message: Book | TopOfBook, now: Nanos) -> Estimate | None:
        """Learn from one view of the market; None when it is late or no market."""
        touch = Touch.of(message)
        if touch.is_older_than(self._touch):
            self.late += 1
            return None
        fair = fair_ticks(touch, self._tilt)
        mid = touch.mid_ticks
        if fair is None or mid is None:
            return None
        self._touch = touch
        self._volatility.add(fair, touch.venue_ms)
        self.estimated = True
        return self._estimate(touch, mid, fair, now)

    def on_health(self, health: FeedHealth) -> None:
        self.feed_reason = health.reason
        if not health.fresh:
            self._touch = None
            self._volatility.restart()

    def _estimate(self, touch: Touch, mid: float, fair: float, now: Nanos) -> Estimate:
        beliefs = self._volatility.volatilities()
        floor = self._instrument.step(int(mid)) / 2 / mid / GRID_S**0.5
        return Estimate(
            coin=self._instrument.coin,
            as_of=min(touch.received_at, now),
            book_venue_ms=touch.venue_ms,
            mid_ticks=mid,
            fair_ticks=fair,
            sigma_per_sqrt_s=max(floor, beliefs.clean),
            sigma_total_per_sqrt_s=max(floor, beliefs.total),
            jump_ratio=beliefs.jump_ratio,
            effective_samples=beliefs.effective_samples,
            confidence=beliefs.confidence,
            warm=beliefs.warm,
            missed=self.missed,
        )


class Estimation:
    """All configured coins."""

    def __init__(self, settings: Settings, _boot: Boot) -> None:
        self._coins = {
            coin: CoinEstimation(instrument, settings) for coin, instrument in settings.instruments().items()
        }

    def handle(self, message: Inbox, now: Nanos) -> list[Effect]:
        match message:
            case Stopping():
                return [Exit(0, "stopped as asked")]
            case Wake():
                return []
            case Book() | TopOfBook() | Trade() | Missed() | FeedHealth():
                coin = self._coins.get(message.coin)
                return [] if coin is None else _heard(coin, message, now)
            case _:
                assert_never(message)

    def deadline(self) -> Nanos | None:
        return None

    @property
    def state(self) -> ServiceState:
        if not all(coin.estimated for coin in self._coins.values()):
            return ServiceState.STARTING
        return ServiceState.DEGRADED if self._reasons() else ServiceState.READY

    @property
    def detail(self) -> str:
        said = self._reasons()
        for name, coin in self._coins.items():
            if coin.missed:
                said.append(f"{name}: {coin.missed} of {coin.missed + coin.trades} trades never arrived")
            if coin.late:
                said.append(f"{name}: {coin.late} late")
        return "; ".join(said)

    def _reasons(self) -> list[str]:
        return [f"{name}: {coin.feed_reason}" for name, coin in self._coins.items() if coin.feed_reason]


def _heard(coin: CoinEstimation, message: Book | TopOfBook | Trade | Missed | FeedHealth, now: Nanos) -> list[Effect]:
    match message:
        case Book() | TopOfBook():
            estimate = coin.take(message, now)
            return [] if estimate is None else [Send(estimate)]
        case Trade():
            coin.trades += 1
        case Missed():
            coin.missed += message.count if message.topic == TRADE_TOPIC else 0
        case FeedHealth():
            coin.on_health(message)
        case _:
            assert_never(message)
    return []

"""Strategy: the ladder that should rest, and one reason for each side where none should.

Rules
  1. Every unit each coin's target is sent anew, also when unchanged, valid for `liveness.valid_until` units; between
     two of these only when a level or a reason changed. Once a second follow the time shares of quotes and reasons.
  2. Stale, missing or contradictory input is an empty target with its reason, never an old one repeated.
  3. Risk's posture and exposure count for `liveness.posture_unheard` units after they were heard. Halted and
     PullQuotes are empty targets; Widen adds its premium; ReduceOnly quotes the reducing side alone, capped at the
     position. A coin's own side (coin_strategy.py) has the rest.
"""

from typing import TypeAlias

from common.actor import Boot, Effect, Exit, Send
from common.config import Settings
from common.messages import (
    Posture,
    PostureLevel,
    ServiceState,
    Stopping,
    Wake,
)
from common.units import Nanos
from services.strategy import models
from services.strategy.coin_strategy import CoinStrategy, Fact
from services.strategy.reasons import Reason

Inbox: TypeAlias = Wake | Stopping | Posture | Fact


class Strategy:
    """All configured coins under one posture."""

    def __init__(self, settings: Settings, boot: Boot) -> None:
        model = models.load(settings.strategy.model)
        self._coins = {
            coin: CoinStrategy(instrument, settings, model, boot) for coin, instrument in settings.instruments().items()
        }
        self._posture_age_max = settings.liveness.units(settings.liveness.posture_unheard)
        self._posture: Posture | None = None
        self._posture_at = boot.started_at
        self._stopping = False

    def handle(self, message: Inbox, now: Nanos) -> list[Effect]:
        match message:
            case Stopping():
                self._stopping = True
                return [*self._targets(tuple(self._coins), now), Exit(0, "stopped as asked")]
            case Posture():
                repeated = message == self._posture and now - self._posture_at < self._posture_age_max
                self._posture, self._posture_at = message, now
                return [] if repeated else self._targets(tuple(self._coins), now)
            case Wake():
                return self._targets(tuple(name for name, coin in self._coins.items() if now >= coin.repeat_at), now)
            case _:
                coin = self._coins.get(message.coin)
                if coin is None:
                    return []
                return self._targets((message.coin,), now) if coin.take(message, now) else []

    def deadline(self) -> Nanos:
        return min(coin.repeat_at for coin in self._coins.values())

    @property
    def state(self) -> ServiceState:
        if not all(coin.was_complete for coin in self._coins.values()):
            return ServiceState.STARTING
        lacking = any(coin.lacks for coin in self._coins.values())
        return ServiceState.DEGRADED if lacking else ServiceState.READY

    @property
    def detail(self) -> str:
        return "; ".join(f"{name}: {coin.lacks.value}" for name, coin in self._coins.items() if coin.lacks)

    def _targets(self, coins: tuple[str, ...], now: Nanos) -> list[Effect]:
        said = (self._coins[coin].say(self._level(coin), self._forbidden(coin, now), now) for coin in coins)
        return [Send(message) for messages in said for message in messages]

    def _level(self, coin: str) -> PostureLevel:
        if self._posture is None:
            return PostureLevel.PULL_QUOTES
        return max(self._posture.level, self._posture.coins.get(coin, PostureLevel.NORMAL))

    def _forbidden(self, coin: str, now: Nanos) -> Reason | None:
        """Return why nothing may be quoted at all (rule 3)."""
        if self._stopping:
            return Reason.STOPPING
        if self._posture is None:
            return Reason.NO_POSTURE
        if now - self._posture_at >= self._posture_age_max:
            return Reason.POSTURE_UNHEARD
        match self._level(coin):
            case PostureLevel.HALTED:
                return Reason.HALTED
            case PostureLevel.PULL_QUOTES:
                return Reason.PULL_QUOTES
            case _:
                return None

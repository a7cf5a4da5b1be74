"""Estimation: what each coin is worth, how it moves, who trades it, and what our fills cost.

Rules
  1. Every book or top of book that is not older than the last gives an Estimate; a late one is counted and ignored.
  2. A market that is one-sided, crossed or empty gives none, and changes nothing.
  3. Volatility is never below half a legal price step per grid step: a price that has not moved is not certain.
  4. A feed that is not fresh breaks the chain: no return joins the prices before and after.
  5. Warm is earned live, by `estimation.warm_up_ms` of samples since the start; it is never restored.
  6. Trades and fills that never arrived are counted and said.
  7. Slower estimates follow an Estimate once a second; that of cascades also after every burst.
  8. Fits run in slices of their own, on deadlines, never while a message waits.
"""

from typing import Final, TypeAlias, assert_never

from common.actor import Boot, Effect, Exit, Send
from common.config import Settings
from common.instrument import Instrument
from common.messages import (
    AssetContext,
    Book,
    FeedHealth,
    Fill,
    LiveOrders,
    Missed,
    Position,
    ServiceState,
    Stopping,
    TopOfBook,
    Trade,
    Wake,
)
from common.units import SECOND, Nanos
from services.estimation.coin import CoinEstimators
from services.estimation.statements import cascade, estimate, every_second

Fact: TypeAlias = Missed | Book | TopOfBook | Trade | FeedHealth | AssetContext | Fill | LiveOrders | Position
Inbox: TypeAlias = Wake | Stopping | Fact

SAY_EVERY: Final = Nanos(1 * SECOND)


class CoinEstimation:
    """One coin: hears its facts, says what follows."""

    def __init__(self, instrument: Instrument, settings: Settings) -> None:
        self.estimators = CoinEstimators(instrument, settings)
        self._say_at = Nanos(0)
        self._bursts = 0  # that were said
        self.feed_reason = "no word of the feed yet"
        self.estimated = False

    def hear(self, message: Fact, now: Nanos) -> list[Effect]:
        said: list[Effect] = []
        match message:
            case Book() | TopOfBook():
                said = self._on_touch(message, now)
            case Trade():
                self.estimators.on_trade(message)
            case FeedHealth():
                self.feed_reason = message.reason
                if not message.fresh:
                    self.estimators.restart()
            case AssetContext():
                self.estimators.on_context(message)
            case Fill():
                self.estimators.on_fill(message)
            case LiveOrders():
                self.estimators.on_orders(message)
            case Position():
                self.estimators.on_position(message)
            case Missed():
                self.estimators.on_missed(message)
            case _:
                assert_never(message)
        return said + self._on_bursts()

    def _on_touch(self, message: Book | TopOfBook, now: Nanos) -> list[Effect]:
        view = self.estimators.on_touch(message, now)
        if view is None:
            return []
        self.estimated = True
        said: list[Effect] = [Send(estimate(self.estimators, view))]
        if now >= self._say_at:
            self._say_at = Nanos(now + SAY_EVERY)
            said += [Send(slow) for slow in every_second(self.estimators, view)]
            self.estimators.refit.begin(now)
        return said

    def _on_bursts(self) -> list[Effect]:
        view = self.estimators.view
        if self.estimators.bursts == self._bursts or view is None:
            return []
        self._bursts = self.estimators.bursts
        return [Send(cascade(self.estimators, view))]

    @property
    def troubles(self) -> list[str]:
        """What a person should know of my input, beside the feed's health."""
        known = self.estimators
        lost = (("trades", known.missed, known.trades), ("fills", known.missed_fills, known.markouts.fills))
        said = [f"{missed} of {missed + came} {what} never arrived" for what, missed, came in lost if missed]
        said += [f"{known.late} late"] if known.late else []
        return said + ([f"{known.refused} unusable"] if known.refused else [])


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
                for coin in self._coins.values():
                    coin.estimators.refit.work(now)
                return []
            case _:
                known = self._coins.get(message.coin)
                return [] if known is None else known.hear(message, now)

    def deadline(self) -> Nanos | None:
        dues = (coin.estimators.refit.due for coin in self._coins.values())
        return min((due for due in dues if due is not None), default=None)

    @property
    def state(self) -> ServiceState:
        if not all(coin.estimated for coin in self._coins.values()):
            return ServiceState.STARTING
        return ServiceState.DEGRADED if self._reasons() else ServiceState.READY

    @property
    def detail(self) -> str:
        troubles = [f"{name}: {trouble}" for name, coin in self._coins.items() for trouble in coin.troubles]
        return "; ".join(self._reasons() + troubles)

    def _reasons(self) -> list[str]:
        return [f"{name}: {coin.feed_reason}" for name, coin in self._coins.items() if coin.feed_reason]

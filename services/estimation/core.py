"""Estimation: what each coin is worth, how it moves, who trades it, and what our fills cost.

Rules
  1. Every book or top of book that is not older than the last gives an Estimate; a late one is counted and ignored.
  2. A market that is one-sided, crossed or empty gives none, and changes nothing.
  3. Volatility is never below half a legal price step per grid step: a price that has not moved is not certain.
  4. A feed that is not fresh breaks the chain: no return joins the prices before and after.
  5. Warm is earned live, by `estimation.warm_up_ms` of samples since the start; it is never restored.
  6. Trades and fills that never arrived are counted and said.
  7. Slower estimates follow an Estimate once a second; that of cascades also after every burst and context.
  8. Fits run in slices of their own, on deadlines, never while a message waits.
  9. The leader's tilt is part of an Estimate, so that nobody sees it beside a price that has followed already. It is
     said anew when it has changed by TILT_STEP_BPS, before it gets too old to count, and at once when it is over.
"""

from typing import Final, TypeAlias, assert_never

from common.actor import Boot, Effect, Exit, Send
from common.config import Settings
from common.instrument import Instrument
from common.messages import (
    AssetContext,
    Book,
    Estimate,
    FeedHealth,
    Fill,
    LeaderTop,
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
from services.estimation.coin import CoinEstimators, View
from services.estimation.statements import cascade, estimate, every_second, leader

Fact: TypeAlias = (
    Missed | Book | TopOfBook | Trade | LeaderTop | FeedHealth | AssetContext | Fill | LiveOrders | Position
)
Inbox: TypeAlias = Wake | Stopping | Fact

SAY_EVERY: Final = Nanos(1 * SECOND)
TILT_STEP_BPS: Final = 0.05  # finer than any price grid that is worth an answer


class CoinEstimation:
    """One coin: hears its facts, says what follows."""

    def __init__(self, instrument: Instrument, settings: Settings) -> None:
        self.estimators = CoinEstimators(instrument, settings)
        self._say_at = Nanos(0)
        self._bursts = 0  # that were said
        self._said: Estimate | None = None  # the last; its tilt is to be taken back in time
        self.feed_reason = "no word of the feed yet"
        self.estimated = False

    def hear(self, message: Fact, now: Nanos) -> list[Effect]:
        said: list[Effect] = []
        match message:
            case Book() | TopOfBook():
                said = self._on_touch(message, now)
            case Trade():
                self.estimators.on_trade(message)
            case LeaderTop():
                self.estimators.on_leader(message, now)
                return self.on_lead(now)
            case FeedHealth():
                self.feed_reason = message.reason
                if not message.fresh:
                    self.estimators.restart()
                    self._said = None
            case AssetContext():
                self.estimators.on_context(message)
                said = self._cascade()
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
        said = self._say(view, now)
        if now >= self._say_at:
            self._say_at = Nanos(now + SAY_EVERY)
            said += [Send(slow) for slow in every_second(self.estimators, view)]
            said += self._leader(now)
            self.estimators.refit.begin(now)
        return said

    def _say(self, view: View, now: Nanos) -> list[Effect]:
        follower = self.estimators.leader
        self._said = estimate(self.estimators, view, None if follower is None else follower.belief(now))
        return [Send(self._said)]

    def _leader(self, now: Nanos) -> list[Effect]:
        follower = self.estimators.leader
        coin = self.estimators.instrument.coin
        return [] if follower is None else [Send(leader(coin, follower, follower.belief(now), now))]

    def on_lead(self, now: Nanos) -> list[Effect]:
        """Apply rule 9 where no touch did."""
        follower, view, said = self.estimators.leader, self.estimators.view, self._said
        if follower is None or view is None or said is None:
            return []
        tilt_bps = follower.belief(now).tilt_bps
        if tilt_bps == 0:
            return [*self._say(view, now), *self._leader(now)] if said.leader_tilt_bps else []
        aged = follower.leader_at is not None and 2 * (follower.leader_at - said.leader_at) >= follower.stale
        moved = abs(tilt_bps - said.leader_tilt_bps) >= TILT_STEP_BPS
        return self._say(view, now) if moved or aged else []

    @property
    def lead_ends_at(self) -> Nanos | None:
        """Return when a tilt that was said is over if the leader stays silent."""
        follower, said = self.estimators.leader, self._said
        return follower.stale_at if follower is not None and said is not None and said.leader_tilt_bps else None

    def _on_bursts(self) -> list[Effect]:
        if self.estimators.bursts == self._bursts or self.estimators.view is None:
            return []
        self._bursts = self.estimators.bursts
        return self._cascade()

    def _cascade(self) -> list[Effect]:
        view = self.estimators.view
        return [] if view is None else [Send(cascade(self.estimators, view))]

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
                return [effect for coin in self._coins.values() for effect in coin.on_lead(now)]
            case _:
                known = self._coins.get(message.coin)
                return [] if known is None else known.hear(message, now)

    def deadline(self) -> Nanos | None:
        dues = (due for coin in self._coins.values() for due in (coin.estimators.refit.due, coin.lead_ends_at))
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

"""Who must be alive and agree before an order is approved, and who has been away for too long.

Rules
  1. strategy, order_management, canceller and market_data are the roster; each must be heard within its limit.
  2. A coin is quoted only while strategy's target for it is heard and has not lapsed.
  3. order_management must have reconciled the very epoch that it asks with.
  4. The canceller's last good read of the venue must be recent, and it must not be firing; each further firing
     holds quotes back for twice as long, from 5 s up to a minute, until it has been quiet for 10 minutes.
  5. Whoever reports a build other than ours does not trade with us.
  6. A member that is absent for the recovery time is a kill, unless it said that it was stopping. Time in which this
     process itself stood still proves nobody's absence: the recovery time starts anew after it.
"""

from typing import Final

from common.config import Settings
from common.messages import CancellerStatus, Heartbeat, PostureLevel, QuoteTarget, Reconciled
from common.units import MILLISECOND, SECOND, Nanos
from services.risk.controls import Control
from services.risk.posture import HOLD_OFF, Cause

ROSTER: Final = ("canceller", "market_data", "order_management", "strategy")
FIRING_HOLD_MAX: Final = Nanos(60 * SECOND)
FIRING_MEMORY: Final = Nanos(600 * SECOND)


class Roster:
    """What was heard of each member, and when."""

    def __init__(self, settings: Settings, started_at: Nanos, build: str) -> None:
        liveness = settings.liveness
        self._coins = tuple(sorted(settings.coins))
        self._build = build
        self._started_at = started_at
        self._limits = {
            "canceller": liveness.units(liveness.canceller_unheard),
            "market_data": liveness.units(liveness.book_feed),
            "order_management": liveness.units(liveness.risk_silence),
            "strategy": liveness.units(liveness.valid_until),
        }
        # the canceller reads the venue at its own pace; what must not be older than the limit is the answer due then
        self._read_limit = Nanos(
            settings.canceller.account_read_ms * MILLISECOND + liveness.units(liveness.canceller_unheard)
        )
        self._target_limit = liveness.units(liveness.valid_until)
        self._recovery = liveness.units(liveness.recovery)
        self._resumed_at = started_at  # when this process last came back from standing still
        self._heard: dict[str, Nanos] = {}
        self._beats: dict[str, Heartbeat] = {}
        self._targets: dict[str, tuple[QuoteTarget, Nanos]] = {}
        self._reconciled: Reconciled | None = None
        self._canceller: CancellerStatus | None = None
        self._firing = ""
        self._fired_at: Nanos | None = None
        self._firing_hold = HOLD_OFF
        self.asker_epoch = 0  # the highest epoch of order_management ever heard
        self.revision = 0  # changes with what is said here, time apart

    # --- hearing -----------------------------------------------------------------------------------

    def on_heartbeat(self, beat: Heartbeat, now: Nanos) -> None:
        last, name = self._beats.get(beat.service), beat.service
        told = last is None or (last.epoch, last.build, last.stopping) != (beat.epoch, beat.build, beat.stopping)
        if told or (name in self._limits and self.silent(name, now)):
            self.revision += 1
        self._heard[name] = now
        self._beats[name] = beat
        if name == "order_management":
            self.on_epoch(beat.epoch)

    def on_target(self, target: QuoteTarget, now: Nanos) -> None:
        lapsed = self._lapsed(target.coin, now)
        self._targets[target.coin] = (target, now)
        self.revision += lapsed != self._lapsed(target.coin, now)

    def on_reconciled(self, fact: Reconciled) -> None:
        self.on_epoch(fact.epoch)
        if fact.epoch == self.asker_epoch:
            self.revision += fact != self._reconciled
            self._reconciled = fact

    def on_epoch(self, epoch: int) -> None:
        """An epoch of order_management was seen; older ones are refused for ever."""
        if epoch > self.asker_epoch:
            self.asker_epoch = epoch
            self.revision += 1

    def on_canceller(self, status: CancellerStatus, now: Nanos) -> None:
        blind, firing = self._blind(now), self._firing
        self._canceller = status
        if status.firing and not self._firing:
            again = self._fired_at is not None and now - self._fired_at < FIRING_MEMORY
            self._firing_hold = Nanos(min(2 * self._firing_hold, FIRING_HOLD_MAX)) if again else HOLD_OFF
            self._fired_at = now
        self._firing = status.firing
        self.revision += (blind, firing) != (self._blind(now), self._firing)

    def on_own_pause(self, now: Nanos) -> None:
        self._resumed_at = now
        self.revision += 1

    # --- judging -------------------------------------------------------------------------------------

    def reconciled(self, epoch: int) -> bool:
        """Rule 3."""
        fact = self._reconciled
        return fact is not None and fact.done and fact.epoch == epoch == self.asker_epoch

    def causes(self, now: Nanos) -> list[Cause]:
        """Say what keeps the mesh, or one coin, from quoting."""
        pull = PostureLevel.PULL_QUOTES
        causes = [Cause(pull, f"{name} silent", control=Control.DEAD_MAN) for name in ROSTER if self.silent(name, now)]
        causes += [
            Cause(pull, f"{name} runs another build", control=Control.SOFTWARE_VERSION)
            for name, beat in sorted(self._beats.items())
            if beat.build and self._build and beat.build != self._build
        ]
        if not self.reconciled(self.asker_epoch):
            causes.append(Cause(pull, "order_management not reconciled", hold=Nanos(0), control=Control.RECONCILIATION))
        if self._blind(now):
            causes.append(Cause(pull, "canceller without a good read of the venue", control=Control.DEAD_MAN))
        if self._firing:
            causes.append(Cause(pull, "canceller firing", hold=self._firing_hold, control=Control.DEAD_MAN))
        lapsed = [coin for coin in self._coins if self._lapsed(coin, now)]
        stale = Control.DATA_STALENESS
        return causes + [Cause(pull, "strategy's target lapsed", coin, control=stale) for coin in lapsed]

    def silent(self, name: str, now: Nanos) -> bool:
        return now - self._heard.get(name, self._started_at) >= self._limits[name]

    def helpless(self, now: Nanos) -> bool:
        """Say whether one of those who cancel before risk does is silent."""
        return self.silent("order_management", now) or self.silent("canceller", now)

    def lost(self, now: Nanos) -> str:
        """Name a member that has been away for the recovery time without having said so; "" when there is none."""
        for name in ROSTER:
            beat = self._beats.get(name)
            announced = beat is not None and beat.stopping
            since = max(self._heard.get(name, self._started_at), self._resumed_at)
            if not announced and now - since >= self._recovery:
                return name
        return ""

    def changes_at(self, now: Nanos) -> Nanos | None:
        """Say when more silence changes what is said here."""
        ends = [self._heard.get(name, self._started_at) + self._limits[name] for name in ROSTER]
        ends += [max(self._heard.get(name, self._started_at), self._resumed_at) + self._recovery for name in ROSTER]
        if self._canceller and self._canceller.venue_read_at is not None:
            ends.append(self._canceller.venue_read_at + self._read_limit + 1)
        for target, heard_at in self._targets.values():
            ends.append(min(target.valid_until, heard_at + self._target_limit))
        return min((Nanos(end) for end in ends if end > now), default=None)

    def _blind(self, now: Nanos) -> bool:
        """Say whether the canceller lacks a good read of the venue."""
        read_at = self._canceller.venue_read_at if self._canceller else None
        return read_at is None or now - read_at > self._read_limit

    def _lapsed(self, coin: str, now: Nanos) -> bool:
        target, heard_at = self._targets.get(coin, (None, self._started_at))
        return target is None or target.valid_until <= now or now - heard_at >= self._target_limit

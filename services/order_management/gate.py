"""May anything of a coin rest or be sent? Closed unless every witness says so, lately.

Rules (the first that applies is the reason)
  1. Stopping, or a halt file (of this coin, or of all): nothing.
  2. User stream down, recovery not finished, or the coin's position not proven: nothing.
  3. Risk silent for `order_management_silence` units, or its posture unheard for `posture_unheard`: nothing.
  4. Posture PullQuotes or stricter, of the mesh or the coin: nothing. Under ReduceOnly only reduce-only levels.
  5. The coin's feed not fresh, or not heard of for `valid_until` units: nothing.
  6. No target, or a lapsed one: nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from common.config import Liveness
from common.messages import FeedHealth, HaltDirectory, Heartbeat, Posture, PostureLevel, QuoteTarget
from common.messages.market import QuoteLevel
from common.units import Nanos, Side


@dataclass(slots=True)
class QuoteGate:
    """Keeps what each witness said last, and when."""

    liveness: Liveness
    coins: tuple[str, ...]
    stopping: bool = False
    halted: bool = False
    halted_coins: tuple[str, ...] = ()
    unready: str = "starting"  # why recovery is not finished; "" when it is
    unproven: dict[str, str] = field(default_factory=dict)  # coin -> why
    _risk_at: Nanos | None = None
    _posture: Posture | None = None
    _posture_at: Nanos = Nanos(0)
    _feeds: dict[str, tuple[FeedHealth, Nanos]] = field(default_factory=dict)
    _targets: dict[str, QuoteTarget] = field(default_factory=dict)
    _levels: dict[tuple[str, Side], tuple[QuoteLevel, ...]] = field(default_factory=dict)  # innermost first

    # --- hearing -----------------------------------------------------------------------------------

    def hear(self, message: HaltDirectory | Heartbeat | Posture | FeedHealth | QuoteTarget, now: Nanos) -> None:
        match message:
            case HaltDirectory():
                self.halted, self.halted_coins = message.halted, message.coins
            case Heartbeat():
                if message.service == "risk":
                    self._risk_at = now
            case Posture():
                self._posture, self._posture_at = message, now
            case FeedHealth():
                if message.coin in self.coins:
                    self._feeds[message.coin] = (message, now)
            case QuoteTarget():
                if message.coin in self.coins:
                    self._targets[message.coin] = message
                    self._levels[message.coin, Side.BUY] = tuple(sorted(message.bids, key=lambda bid: -bid.ticks))
                    self._levels[message.coin, Side.SELL] = tuple(sorted(message.asks, key=lambda ask: ask.ticks))

    # --- asking ------------------------------------------------------------------------------------

    def account_reason(self, now: Nanos) -> str:
        """Return why nothing of ours may rest in any coin; "" when some may."""
        if self.stopping:
            return "stopping"
        if self.halted:
            return "halted"
        if self.unready:
            return self.unready
        if self.risk_silent(now):
            return "risk is silent"
        if self._posture is None or now >= self._posture_at + self._limit(self.liveness.posture_unheard):
            return "posture unheard"
        return ""

    def reason(self, coin: str, now: Nanos) -> str:
        """Return why nothing of this coin may rest; "" when its target may."""
        why = self.account_reason(now) or self.unproven.get(coin, "")
        if why or coin in self.halted_coins:
            return why or "halted"
        if self._level(coin) >= PostureLevel.PULL_QUOTES:
            return f"posture {self._level(coin).name}"
        heard = self._feeds.get(coin)
        if heard is None or now >= heard[1] + self._limit(self.liveness.valid_until):
            return "feed unheard"
        if not heard[0].fresh:
            return f"feed: {heard[0].reason}"
        target = self._targets.get(coin)
        if target is None or now >= target.valid_until:
            return "target lapsed"
        return ""

    def risk_silent(self, now: Nanos) -> bool:
        return self._risk_at is None or now >= self._risk_at + self._limit(self.liveness.order_management_silence)

    def target(self, coin: str) -> QuoteTarget:
        """Return the target of a coin whose reason is ""."""
        return self._targets[coin]

    def levels(self, coin: str, side: Side) -> tuple[QuoteLevel, ...]:
        """Return what may rest on one side, innermost first."""
        levels = self._levels[coin, side]
        if self._level(coin) >= PostureLevel.REDUCE_ONLY:
            return tuple(level for level in levels if level.reduce_only)
        return levels

    def deadline(self, now: Nanos) -> Nanos | None:
        """Return when a silence or a lapse may close a coin that is open at `now`."""
        later = [at for at in self._lapses() if at > now]
        return Nanos(min(later)) if later else None

    # --- parts -------------------------------------------------------------------------------------

    def _lapses(self) -> Iterable[int]:
        if self._risk_at is not None:
            yield self._risk_at + self._limit(self.liveness.order_management_silence)
        if self._posture is not None:
            yield self._posture_at + self._limit(self.liveness.posture_unheard)
        for _, at in self._feeds.values():
            yield at + self._limit(self.liveness.valid_until)
        for target in self._targets.values():
            yield target.valid_until

    def _level(self, coin: str) -> PostureLevel:
        if self._posture is None:
            return PostureLevel.PULL_QUOTES
        return max(self._posture.level, self._posture.coins.get(coin, PostureLevel.NORMAL))

    def _limit(self, units: int) -> Nanos:
        return self.liveness.units(units)

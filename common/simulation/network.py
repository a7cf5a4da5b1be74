"""A network that misbehaves on purpose: delay, loss, repetition, partitions, all drawn from one seed."""

import random
from dataclasses import dataclass, field

from common.units import MILLISECOND, Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """How bad it is; the default is a quiet local socket."""

    delay_min: Nanos = Nanos(MILLISECOND // 10)
    delay_max: Nanos = Nanos(MILLISECOND)
    loss: float = 0.0  # share of facts; requests fail instead, as they do on a real ROUTER
    repeat: float = 0.0


@dataclass(slots=True)
class Network:
    """Decides when, how often and whether a message arrives. Links keep their order, as ZeroMQ's do."""

    chance: random.Random
    weather: Weather = field(default_factory=Weather)
    cut: set[tuple[str, str]] = field(default_factory=set)  # (from, to) pairs that hear nothing
    _free_at: dict[tuple[str, str], Nanos] = field(default_factory=dict)

    def arrivals(self, sender: str, receiver: str, now: Nanos, *, may_lose: bool) -> tuple[Nanos, ...]:
        """Return the times at which this message arrives: none when it is lost, two when it is repeated."""
        if (sender, receiver) in self.cut:
            return ()
        if may_lose and self.chance.random() < self.weather.loss:
            return ()
        delay = self.chance.randint(self.weather.delay_min, self.weather.delay_max)
        at = Nanos(max(now + delay, self._free_at.get((sender, receiver), Nanos(0))))
        self._free_at[(sender, receiver)] = at
        if may_lose and self.chance.random() < self.weather.repeat:
            return at, Nanos(at + delay)
        return (at,)

"""When and why sides were not quoted during a replay, and under which posture.

Rules
  1. A side's time is split among its reason codes and "quoted"; the shares of a side sum to 1.
  2. Before the strategy's first word on a coin nothing counts.
"""

from typing import Final

import msgspec

from common.messages import Message, Posture, QuoteTarget
from common.units import MILLISECOND, SECOND, Nanos

QUOTED: Final = "quoted"
ABSENCES_MAX: Final = 500  # listed; later ones are only counted in the shares
ABSENCE_MIN: Final = Nanos(500 * MILLISECOND)  # shorter ones are requotes and roundings of time


class Absence(msgspec.Struct, frozen=True, kw_only=True):
    """One side of one coin was not wanted for a while."""

    coin: str
    side: str
    reason: str
    from_s: float
    until_s: float


class Spans:
    """Time by what was the case; each `say` ends the span before it."""

    def __init__(self) -> None:
        self.word = ""
        self.since = Nanos(0)
        self._times: dict[str, int] = {}

    def say(self, word: str, now: Nanos) -> tuple[str, Nanos] | None:
        """Return what ended and when it had begun; None when nothing changed."""
        if self.word == word:
            return None
        ended = (self.word, self.since)
        if self.word:
            self._times[self.word] = self._times.get(self.word, 0) + now - self.since
        self.word, self.since = word, now
        return ended

    def shares(self, now: Nanos) -> dict[str, float]:
        times = dict(self._times)
        if self.word:
            times[self.word] = times.get(self.word, 0) + now - self.since
        whole = sum(times.values())
        return {word: time / whole for word, time in sorted(times.items())} if whole else {}


class Absences:
    """What the strategy and risk said in a replay."""

    def __init__(self, coins: tuple[str, ...]) -> None:
        self._sides = {(coin, side): Spans() for coin in coins for side in ("bid", "ask")}
        self._posture = Spans()
        self.listed: list[Absence] = []

    def see(self, message: Message, now: Nanos) -> None:
        match message:
            case QuoteTarget():
                self._on_side(message.coin, "bid", message.reason_bid or QUOTED, now)
                self._on_side(message.coin, "ask", message.reason_ask or QUOTED, now)
            case Posture():
                self._posture.say(message.level.name, now)
            case _:
                pass

    def close(self, now: Nanos) -> None:
        """List what is still going on."""
        for (coin, side), spans in self._sides.items():
            self._list(coin, side, (spans.word, spans.since), now)

    def reasons(self, now: Nanos) -> dict[str, dict[str, float]]:
        """Return shares of time by "COIN side"."""
        return {f"{coin} {side}": spans.shares(now) for (coin, side), spans in self._sides.items()}

    def postures(self, now: Nanos) -> dict[str, float]:
        return self._posture.shares(now)

    def _on_side(self, coin: str, side: str, word: str, now: Nanos) -> None:
        ended = self._sides[coin, side].say(word, now)
        if ended is not None:
            self._list(coin, side, ended, now)

    def _list(self, coin: str, side: str, span: tuple[str, Nanos], now: Nanos) -> None:
        word, since = span
        if word in ("", QUOTED) or now - since < ABSENCE_MIN or len(self.listed) >= ABSENCES_MAX:
            return
        self.listed.append(Absence(coin=coin, side=side, reason=word, from_s=since / SECOND, until_s=now / SECOND))

"""From causes to one posture: the strictest wins, and going back takes time.

Rules
  1. A cause acts at once, for the whole mesh or for one coin.
  2. A cause that has gone acts on for the hold-off, counted from the last moment it was there, so that quotes do
     not flap. The causes of a start and a halt are not held: they end by proof, not by luck.
  3. What was wrong from the first moment on is not held when it first clears: nothing has flapped yet.
  4. A coin's posture is never milder than the whole's.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

import msgspec

from common.messages import PostureLevel
from common.units import SECOND, Nanos
from services.risk.controls import Control

HOLD_OFF: Final = Nanos(5 * SECOND)


class Cause(msgspec.Struct, frozen=True):
    """Why the posture is at least `level`; an empty coin means all. Texts of one name are one cause.

    A cause of level NORMAL restrains nothing and is only shown.
    """

    level: PostureLevel
    text: str
    coin: str = ""
    hold: Nanos = HOLD_OFF
    name: str = ""
    control: str = Control.KILL.value

    @property
    def key(self) -> tuple[str, str]:
        return self.coin, self.name or self.text


class PostureBoard:
    """Remembers causes until they may be forgotten."""

    def __init__(self) -> None:
        self._acting: dict[tuple[str, str], tuple[Cause, Nanos]] = {}
        self._initial: frozenset[tuple[str, str]] | None = None
        self.trips: Counter[str] = Counter()  # times that a cause began to restrain, by control

    def update(self, causes: Iterable[Cause], now: Nanos) -> None:
        """Take the causes that are there now."""
        present = {cause.key: cause for cause in causes}
        if self._initial is None:
            self._initial = frozenset(present)
        gone = [name for name in self._acting if name not in present and self._ended(name, now)]
        for name in gone:
            del self._acting[name]
        self._initial &= frozenset(present)
        for name, cause in present.items():
            if name not in self._acting and cause.level > PostureLevel.NORMAL:
                self.trips[cause.control] += 1
            self._acting[name] = (cause, now)

    def level(self, coin: str = "") -> PostureLevel:
        """Return the posture of a coin, or of the whole mesh."""
        acting = (cause.level for cause, _ in self._acting.values() if cause.coin in {"", coin})
        return max(acting, default=PostureLevel.NORMAL)

    def control(self, coin: str) -> str:
        """Return the control behind the strictest cause of a coin."""
        acting = [cause for cause, _ in self._acting.values() if cause.coin in {"", coin}]
        return max(acting, key=lambda cause: cause.level).control if acting else Control.KILL.value

    def texts(self) -> tuple[str, ...]:
        """Return every acting cause, strictest first."""
        order = sorted(self._acting.values(), key=lambda item: (-item[0].level, item[0].coin, item[0].text))
        return tuple(f"{cause.coin}: {cause.text}" if cause.coin else cause.text for cause, _ in order)

    def deadline(self, now: Nanos) -> Nanos | None:
        """Say when the next held cause may be forgotten."""
        ends = [Nanos(seen + cause.hold) for cause, seen in self._acting.values() if seen < now]
        return min((end for end in ends if end > now), default=None)

    def _ended(self, name: tuple[str, str], now: Nanos) -> bool:
        cause, seen = self._acting[name]
        return (self._initial is not None and name in self._initial) or now - seen >= cause.hold

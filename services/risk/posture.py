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
    """Remembers causes until they may be forgotten; `revision` changes when what it says does."""

    def __init__(self) -> None:
        self._acting: dict[tuple[str, str], Cause] = {}
        self._ends: dict[tuple[str, str], Nanos] = {}  # of those that have gone: then they are forgotten
        self._initial: frozenset[tuple[str, str]] | None = None
        self._looked_at = Nanos(0)
        self._levels: dict[str, PostureLevel] = {}  # asked for since the last change
        self.revision = 0
        self.trips: Counter[str] = Counter()  # times that a cause began to restrain, by control

    def update(self, causes: Iterable[Cause], now: Nanos) -> None:
        """Take the causes that are there now."""
        present = {cause.key: cause for cause in causes}
        if self._initial is None:
            self._initial = frozenset(present)
        for name, cause in self._acting.items():
            if name not in present and name not in self._ends:
                self._ends[name] = now if name in self._initial else Nanos(self._looked_at + cause.hold)
        self._initial &= frozenset(present)
        for name, cause in present.items():
            if name not in self._acting and cause.level > PostureLevel.NORMAL:
                self.trips[cause.control] += 1
            self._ends.pop(name, None)
            if cause != self._acting.get(name):
                self._acting[name] = cause
                self._changed()
        self.hold(now)

    def hold(self, now: Nanos) -> None:
        """Time has passed, and the causes are those of the last look."""
        self._looked_at = now
        for name in [name for name, end in self._ends.items() if end <= now] if self._ends else ():
            del self._acting[name], self._ends[name]
            self._changed()

    def level(self, coin: str = "") -> PostureLevel:
        """Return the posture of a coin, or of the whole mesh."""
        if coin not in self._levels:
            acting = (cause.level for cause in self._acting.values() if cause.coin in {"", coin})
            self._levels[coin] = max(acting, default=PostureLevel.NORMAL)
        return self._levels[coin]

    def control(self, coin: str) -> str:
        """Return the control behind the strictest cause of a coin."""
        acting = [cause for cause in self._acting.values() if cause.coin in {"", coin}]
        return max(acting, key=lambda cause: cause.level).control if acting else Control.KILL.value

    def texts(self) -> tuple[str, ...]:
        """Return every acting cause, strictest first."""
        order = sorted(self._acting.values(), key=lambda cause: (-cause.level, cause.coin, cause.text))
        return tuple(f"{cause.coin}: {cause.text}" if cause.coin else cause.text for cause in order)

    def deadline(self, now: Nanos) -> Nanos | None:
        """Say when the next held cause may be forgotten."""
        return min((end for end in self._ends.values() if end > now), default=None) if self._ends else None

    def _changed(self) -> None:
        self.revision += 1
        self._levels.clear()

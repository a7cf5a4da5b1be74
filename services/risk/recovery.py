"""Start, reconnect and arming are one path: what must be read before anything is approved.

Rules
  1. Only answers to questions asked after this began count.
  2. The universe is checked once, at the start: assets and sizes of the configuration must be the venue's.
"""

from common.config import Settings
from common.messages import VenueMeta
from common.units import Nanos
from services.risk.audit import Audit, Kind


class Recovery:
    """What is still to be read."""

    def __init__(self) -> None:
        self._missing: set[Kind] = {Kind.META, Kind.ACCOUNT, Kind.ORDERS, Kind.FILLS}
        self._began_at: Nanos | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """Name what has not been read; everything while this has not begun."""
        return tuple(sorted(self._missing))

    def begin(self, audit: Audit, now: Nanos) -> None:
        """Read everything (again); the universe only when it is not known yet."""
        self._missing |= {Kind.ACCOUNT, Kind.ORDERS, Kind.FILLS}
        self._began_at = now
        for kind in sorted(self._missing):
            audit.want(kind, now)

    def on_answer(self, kind: Kind, asked_at: Nanos) -> None:
        if self._began_at is not None and asked_at >= self._began_at:
            self._missing.discard(kind)


def universe_fault(settings: Settings, meta: VenueMeta) -> str:
    """Return what the configuration says otherwise than the venue; "" when nothing."""
    universe = {instrument.coin: instrument for instrument in meta.universe}
    for coin, limits in sorted(settings.coins.items()):
        found = universe.get(coin)
        if found is None:
            return f"coins.{coin}: the venue has no such coin"
        if (found.asset, found.size_decimals) != (limits.asset, limits.size_decimals):
            return (
                f"coins.{coin}: asset {limits.asset} with {limits.size_decimals} size decimals; "
                f"the venue says {found.asset} and {found.size_decimals}"
            )
        if limits.leverage > found.leverage_max:
            return f"coins.{coin}.leverage: {limits.leverage}; the venue allows {found.leverage_max}"
    return ""

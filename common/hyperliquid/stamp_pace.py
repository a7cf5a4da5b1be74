"""Which stamps of the venue's time are worth a message: one a second of each source.

A clock that is right to a millisecond drifts less than that in a second, and a busy stream brings twenty stamps in it.
"""

from typing import Final

from common.units import SECOND, Nanos

STAMP_EVERY: Final = Nanos(SECOND)
SOURCES_MAX: Final = 100  # channels of the stream, and HTTP; names come from a closed list


class StampPace:
    """One link's."""

    def __init__(self) -> None:
        self._passed_at: dict[str, Nanos] = {}

    def passes(self, source: str, now: Nanos) -> bool:
        """Say whether a stamp of this source is due, and take it so."""
        last = self._passed_at.get(source)
        if last is not None and now - last < STAMP_EVERY:
            return False
        assert last is not None or len(self._passed_at) < SOURCES_MAX, "sources of venue time have no end"
        self._passed_at[source] = now
        return True

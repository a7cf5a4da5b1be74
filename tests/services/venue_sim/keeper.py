"""A door whose blocks are written to a file, and that can be killed."""

from pathlib import Path
from typing import Any, Final

from services.venue_sim import durable
from services.venue_sim.core import Exchange
from services.venue_sim.state_file import StateFile
from tests.services.venue_sim.door import ALICE, BOB, Door
from tests.services.venue_sim.stage import config

USERS: Final = (ALICE, BOB)


class Keeper:
    """A door whose blocks are written to a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = StateFile(path)
        self.door = Door()
        self.keep()

    def keep(self) -> "Keeper":
        assert self.door.made is not None
        self.file.save(self.door.made.changes)
        return self

    def block(self, after_ms: int = 70) -> "Keeper":
        self.door.block(after_ms)
        return self.keep()

    def do(self, key: Any, action: dict[str, Any], **fields: Any) -> Any:
        answer = self.door.do(key, action, **fields)
        self.keep()
        return answer

    def meet(self) -> "Keeper":
        self.door.meet(*USERS)
        return self.keep()

    def killed(self) -> Door:
        """Return a new venue on the same file, one block later."""
        self.file.close()
        saved = StateFile(self.path).load()
        assert saved is not None
        now = max(int(self.door.now), int(durable.venue_state(saved).now_ms)) + 1_000
        exchange = Exchange(config(), now)
        durable.restore(exchange, saved)
        return Door(exchange=exchange, now=now)

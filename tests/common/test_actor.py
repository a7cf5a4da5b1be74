"""A recorded day lives again through the same object that lived it."""

import msgspec

from common.actor import Actor, Boot, Effect, Record, Send, replay
from common.messages import BootRecord, ServiceState, StreamDown, Wake
from common.units import Nanos

Inbox = StreamDown | Wake


class Counting:
    """The smallest actor: records how often its stream went down."""

    def __init__(self) -> None:
        self.downs = 0

    def handle(self, message: Inbox, now: Nanos) -> list[Effect]:
        if isinstance(message, Wake):
            return [Record(BootRecord(epoch=now))]
        self.downs += 1
        return [Send(message), Record(BootRecord(epoch=self.downs))]

    def deadline(self) -> Nanos | None:
        return None

    @property
    def state(self) -> ServiceState:
        return ServiceState.READY

    @property
    def detail(self) -> str:
        return ""


def test_replay_gives_the_same_effects() -> None:
    """Equal tapes give equal effects, message by message, at the recorded times."""
    down = StreamDown(connection=1, reason="gone")
    tape: list[tuple[Nanos, Inbox]] = [(Nanos(1), down), (Nanos(7), Wake()), (Nanos(9), down)]
    actors: tuple[Actor[Inbox], Actor[Inbox]] = (Counting(), Counting())
    first, second = (list(replay(actor, tape)) for actor in actors)
    assert first == second
    assert first == [
        [Send(down), Record(BootRecord(epoch=1))],
        [Record(BootRecord(epoch=7))],
        [Send(down), Record(BootRecord(epoch=2))],
    ]
    assert msgspec.msgpack.encode(first) == msgspec.msgpack.encode(second)


def test_boot_grows() -> None:
    """What a process knows of itself is a value like any other."""
    assert Boot(epoch=1, started_at=Nanos(2)) == Boot(epoch=1, started_at=Nanos(2))

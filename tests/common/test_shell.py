"""The shell performs effects in order, answers first, wakes at deadlines, and beats."""

import asyncio
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import structlog

from common.actor import Actor, Boot, Effect, Exit, Latch, Post, Record, Send, Sign
from common.errors import Unrecoverable
from common.halt import HaltDir
from common.journal import Journal
from common.mesh import Listener
from common.messages import (
    BootRecord,
    HaltDirectory,
    Heartbeat,
    Message,
    Posted,
    SendFailed,
    ServiceState,
    Signed,
    SignFailed,
    Stopping,
    Wake,
)
from common.messages.orders import CancelRequest
from common.messages.venue import Noop
from common.shell import Link, Parts, Shell
from common.tape import TapeWriter, read
from common.units import SECOND, Nanos
from tests.wires import wirings

Inbox = Wake | Stopping | HaltDirectory | Signed | SignFailed | SendFailed | Posted
WAIT_S = 10.0


class Told(Actor[Message]):
    """Does what the test's function says, and remembers what it heard."""

    def __init__(self, act: Callable[[Message], list[Effect]], due: Nanos | None = None) -> None:
        self.heard: list[Message] = []
        self._act = act
        self._due = due

    def handle(self, message: Message, now: Nanos) -> list[Effect]:  # noqa: ARG002  # the signature of an actor
        self.heard.append(message)
        if isinstance(message, Wake):
            self._due = None
        return self._act(message)

    def deadline(self) -> Nanos | None:
        return self._due

    @property
    def state(self) -> ServiceState:
        return ServiceState.READY

    @property
    def detail(self) -> str:
        return ""


class Refusing:
    """A signer that signs nothing, to show that a failed Sign comes back."""

    def sign(self, effect: Sign) -> Signed | SignFailed:
        return SignFailed(sign_id=effect.sign_id, nonce=effect.nonce, reason="no")


class Answering(Link):
    """A venue that answers within the call, as a closed socket does."""

    def __init__(self, deliver: Callable[[Message], None]) -> None:
        self._deliver = deliver

    def start(self) -> None:
        """Nothing to connect."""

    def post(self, effect: Post) -> None:
        self._deliver(Posted(post_id=effect.post_id))

    async def close(self) -> None:
        """Nothing to close."""


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bl") as path:
        (Path(path) / "halt").mkdir()
        yield Path(path)


def shell(
    home: Path,
    actor: Told,
    *,
    journal: Journal | None = None,
    tape: TapeWriter | None = None,
    outlives_disk: bool = False,
) -> Shell:
    return Shell(
        service="order_management",
        inbox=Inbox,
        parts=Parts(actor=actor, signer=Refusing(), link=Answering, outlives_disk=outlives_disk),
        boot=Boot(epoch=3, started_at=Nanos(0), build="b", pid=1),
        wiring=wirings(home)["order_management"],
        unit=Nanos(SECOND // 20),
        halt=HaltDir(home / "halt"),
        journal=journal,
        tape=tape,
        log=structlog.get_logger(),
    )


def live(make: Callable[[], Shell]) -> int:
    """Run a shell to its end on a loop of its own."""

    async def run() -> int:
        return await asyncio.wait_for(make().run(), WAIT_S)

    return asyncio.run(run())


def test_what_the_shell_answers_comes_first_and_in_order(home: Path) -> None:
    """A failed Sign is a veto that the actor hears before anything else; a failed Send does not stop the list."""

    def act(message: Message) -> list[Effect]:
        if isinstance(message, Wake):
            lost = CancelRequest(request_id=9, sender="x", epoch=1, deadline=Nanos(0), reason="")
            return [Send(lost, "canceller"), Sign(1, Noop(), 5), Post(2, b"", Nanos(0))]
        return [Exit(0, "seen")] if isinstance(message, Posted) else []

    actor = Told(act, due=Nanos(0))
    assert live(lambda: shell(home, actor)) == 0
    kinds = [type(message) for message in actor.heard]
    assert kinds == [HaltDirectory, Wake, SendFailed, SignFailed, Posted]


def test_a_latch_is_durable_before_the_next_effect_and_comes_back(home: Path) -> None:
    """Whoever asks for a halt sees it in the directory before it does anything else."""

    def act(message: Message) -> list[Effect]:
        if isinstance(message, HaltDirectory):
            return [Exit(78, "halted")] if message.halted else [Latch("test", "evidence")]
        return []

    actor = Told(act)
    assert live(lambda: shell(home, actor)) == 78
    assert [file.cause for file in HaltDir(home / "halt").read().files] == ["test"]


def test_a_file_of_anyone_halts(home: Path) -> None:
    """Any process may add a file; all see it at their next heartbeat without being told."""

    def act(message: Message) -> list[Effect]:
        if isinstance(message, HaltDirectory):
            if message.halted:
                return [Exit(0, message.files[0].cause)]
            HaltDir(home / "halt").add("operator", "", "cli")
        return []

    assert live(lambda: shell(home, Told(act))) == 0


def test_records_are_written_and_a_failed_one_ends_the_process(home: Path) -> None:
    """Rule 2 of effects: nothing that follows a lost record may happen."""
    journal = Journal(home / "data.sqlite")
    actor = Told(
        lambda message: [Record(BootRecord(epoch=1)), Exit(0, "")] if isinstance(message, HaltDirectory) else []
    )
    live(lambda: shell(home, actor, journal=journal))
    assert [row for _, row in journal.rows()] == [BootRecord(epoch=1)]
    with closing(sqlite3.connect(home / "data.sqlite")) as saboteur:
        saboteur.execute("DROP TABLE records")
    with pytest.raises(Unrecoverable):
        live(lambda: shell(home, Told(lambda _: [Record(BootRecord(epoch=2))]), journal=journal))
    journal.close()


def test_who_cancels_outlives_the_disk(home: Path) -> None:
    """Rule 4: the list goes on after a lost record and a lost latch, and the actor is halted for good."""
    journal = Journal(home / "data.sqlite")
    with closing(sqlite3.connect(home / "data.sqlite")) as saboteur:
        saboteur.execute("DROP TABLE records")

    def act(message: Message) -> list[Effect]:
        match message:
            case HaltDirectory(readable=True):
                (home / "halt").rmdir()  # as a disk that takes no file
                return [Record(BootRecord(epoch=1)), Latch("test"), Post(1, b"", Nanos(0))]
            case Posted(post_id=1):
                (home / "halt").mkdir()
                return [Record(BootRecord(epoch=2)), Post(2, b"", Nanos(0))]
            case Posted():
                return [Exit(0, "cancelled all the same")]
            case _:
                return []

    actor = Told(act)
    assert live(lambda: shell(home, actor, journal=journal, outlives_disk=True)) == 0
    assert [message.readable for message in actor.heard if isinstance(message, HaltDirectory)] == [True, False, False]
    journal.close()


def test_a_disk_lost_to_one_halts_the_others(home: Path) -> None:
    """Rule 4: where only its own journal is broken, the halt is for everybody."""
    journal = Journal(home / "data.sqlite")
    with closing(sqlite3.connect(home / "data.sqlite")) as saboteur:
        saboteur.execute("DROP TABLE records")
    actor = Told(
        lambda message: [Record(BootRecord(epoch=1)), Exit(0, "")] if isinstance(message, HaltDirectory) else []
    )
    live(lambda: shell(home, actor, journal=journal, outlives_disk=True))
    assert [file.cause for file in HaltDir(home / "halt").read().files] == ["disk lost"]
    journal.close()


def test_a_bug_in_the_core_ends_the_shell(home: Path) -> None:
    """A core is never used again after it raised, also when it raised in a timer."""

    def act(message: Message) -> list[Effect]:
        assert not isinstance(message, Wake), "broken invariant"
        return []

    with pytest.raises(AssertionError, match="broken invariant"):
        live(lambda: shell(home, Told(act, due=Nanos(0))))


def test_the_tape_holds_what_was_received(home: Path) -> None:
    """A tape of a live run replays the same messages in the same order."""
    actor = Told(lambda message: [Exit(0, "")] if isinstance(message, Wake) else [], due=Nanos(0))
    live(lambda: shell(home, actor, tape=TapeWriter(home / "x.tape")))
    assert [message for _, message in read(home / "x.tape")] == actor.heard


def test_stopping_is_told_and_announced(home: Path) -> None:
    """Peers must know an ordered stop from a death."""

    async def story() -> tuple[int, list[Message]]:
        heard: list[Message] = []
        actor = Told(lambda message: [Exit(0, "asked")] if isinstance(message, Stopping) else [])
        living = shell(home, actor)
        listener = Listener(wirings(home)["cli"], {"order_management": ("Heartbeat",)})

        async def watch() -> None:
            while not any(isinstance(beat, Heartbeat) and beat.stopping for beat in heard):
                got = await asyncio.to_thread(listener.receive, 0.2)
                if got:
                    heard.append(got[1])
                    living.stop(WAIT_S)

        code, _ = await asyncio.wait_for(asyncio.gather(living.run(), watch()), WAIT_S)
        listener.close()
        return code, heard

    code, heard = asyncio.run(story())
    assert code == 0
    assert any(isinstance(beat, Heartbeat) and beat.stopping for beat in heard)

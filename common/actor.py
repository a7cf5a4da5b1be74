"""What an actor is, and everything it can ask its shell to do.

An actor is a pure state machine. It opens no socket, reads no clock, draws no random number and writes
no log: whatever it wants done, it returns, as a list of effects. The mesh, the replay, the simulation and
the tests drive the same object in the same way, so what is tested is what runs.

Rules for every shell
  1. Effects are performed strictly in list order.
  2. A Record is durable, as journal.sync says, before the next effect. A failed Record drops the rest of
     the list, writes a halt file and exits 78: the canceller cancels when it falls silent, and the canceller
     alone outlives its disk (common/shell.py).
  3. A failed Sign is a veto (`SignFailed`). A failed Send or Post is ordinary: the rest of the list goes
     on, and the actor gets `SendFailed` or `PostFailed` as its next message.
  4. Answers that a shell makes itself (Signed, SignFailed, SendFailed, ...) are the actor's next messages,
     in order, before anything from outside.
"""

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeAlias, TypeVar

import msgspec

from common.messages.base import Message, ServiceState
from common.messages.venue import Action, Query
from common.units import Millis, Nanos

Inbox_contra = TypeVar("Inbox_contra", bound=Message, contravariant=True)
T = TypeVar("T", bound=Message)


class Record(msgspec.Struct, frozen=True, tag=True):
    """Write this row to my journal."""

    row: Message


class Send(msgspec.Struct, frozen=True, tag=True):
    """Publish a fact (`to` empty), or hand a request or an answer to one service by name."""

    message: Message
    to: str = ""


class Sign(msgspec.Struct, frozen=True, tag=True):
    """Make the venue request for this action with my key; `Signed` or `SignFailed` comes back."""

    sign_id: int
    action: Action
    nonce: int
    expires_after: Millis | None = None


class Post(msgspec.Struct, frozen=True, tag=True):
    """Send signed bytes to the venue; `Posted` or `PostFailed` comes back. Not sent after `deadline`."""

    post_id: int
    body: bytes
    deadline: Nanos


class Ask(msgspec.Struct, frozen=True, tag=True):
    """Query the venue; the query's answer or `QueryFailed` comes back."""

    query_id: int
    query: Query


class Reconnect(msgspec.Struct, frozen=True, tag=True):
    """Drop my venue socket and subscribe anew: a stream is stale though the socket lives."""

    reason: str


class Latch(msgspec.Struct, frozen=True, tag=True):
    """Add a file to the halt directory, durable before the next effect; `HaltDirectory` comes back."""

    cause: str
    evidence: str = ""


class Unlatch(msgspec.Struct, frozen=True, tag=True):
    """Remove these files of the halt directory (risk alone); `HaltDirectory` comes back."""

    names: tuple[str, ...]


class Exit(msgspec.Struct, frozen=True, tag=True):
    """End this process: 0 stopped as asked, 78 halted by design."""

    code: int
    reason: str


Effect: TypeAlias = Record | Send | Sign | Post | Ask | Reconnect | Latch | Unlatch | Exit


class Actor(Protocol[Inbox_contra]):
    """One verb and two questions; all are cheap and none blocks."""

    def handle(self, message: Inbox_contra, now: Nanos) -> list[Effect]:
        """Take one message and return what to do: a list, so that no driver can forget to run it."""

    def deadline(self) -> Nanos | None:
        """Say when to send `Wake` if nothing arrives before. Asked again after each message."""

    @property
    def state(self) -> ServiceState:
        """What heartbeats say of me."""

    @property
    def detail(self) -> str:
        """One line for a person: what I wait for, or why I am degraded."""


def replay(actor: Actor[T], tape: Iterable[tuple[Nanos, T]]) -> Iterator[list[Effect]]:
    """Live a recorded day again; equal tapes give equal effects, byte for byte."""
    return (actor.handle(message, now) for now, message in tape)


class Boot(msgspec.Struct, frozen=True, kw_only=True):
    """What a process knows of itself when it starts."""

    epoch: int  # max(last known + 1, Unix seconds at start), so it also grows when the home is lost
    started_at: Nanos
    build: str = ""  # hash of code, schema and configuration
    pid: int = 0

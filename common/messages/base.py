"""What every service hears, and the messages that only a driver makes."""

from enum import StrEnum

import msgspec

from common.units import Millis, Nanos


class Message(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """Base of all messages; never sent itself."""


class ServiceState(StrEnum):
    """READY depends on a service's own reconciliation with venue and disk, never on a peer's READY."""

    STARTING = "STARTING"
    RECONCILING = "RECONCILING"
    READY = "READY"
    DEGRADED = "DEGRADED"
    HALTED = "HALTED"


# --- every service ---------------------------------------------------------------------------


class Heartbeat(Message, frozen=True, kw_only=True):
    """I am alive, in this state; `sequences` lets a peer notice that it missed my last message of a topic."""

    service: str
    epoch: int
    state: ServiceState
    stopping: bool = False  # announced stop: peers do not count what follows as a firing
    loop_lag_us: int = 0
    build: str = ""  # hash of code, schema and configuration; peers with another one do not trade together
    pid: int = 0
    uptime_ms: int = 0
    detail: str = ""  # one line for a person
    sequences: dict[str, int] = {}  # "Topic/coin" -> last sequence, full-state topics only


# --- made by the driver, written to the tape, never sent ---------------------------------------


class Wake(Message, frozen=True):
    """Your deadline passed."""


class Stopping(Message, frozen=True):
    """A person or the supervisor asked this process to stop: close the gate, cancel, then ask for `Exit`."""


class Missed(Message, frozen=True, kw_only=True):
    """`count` messages of `sender` on this topic never arrived."""

    sender: str
    topic: str
    coin: str
    count: int


class SendFailed(Message, frozen=True, kw_only=True):
    """A request or answer could not be handed to its peer."""

    to: str
    kind: str
    request_id: int
    reason: str


class HaltFile(msgspec.Struct, frozen=True, kw_only=True):
    """One cause in the halt directory."""

    name: str
    cause: str
    evidence: str = ""
    by: str = ""
    at_ms: Millis = Millis(0)  # venue or wall time, for people
    everything: bool = False  # orders of others on the account are to be cancelled too
    coin: str = ""  # only this one is halted; empty means all


class HaltDirectory(Message, frozen=True, kw_only=True):
    """What HOME/halt holds now: at start, at every heartbeat and after each `Latch`. Unreadable is halted."""

    files: tuple[HaltFile, ...] = ()
    readable: bool = True

    @property
    def halted(self) -> bool:
        """Say whether all trading is halted."""
        return any(not file.coin for file in self.files) or not self.readable

    @property
    def coins(self) -> tuple[str, ...]:
        """Return the coins that are halted, each alone."""
        return tuple(sorted({file.coin for file in self.files if file.coin}))


# --- control requests --------------------------------------------------------------------------


class SnapshotRequest(Message, frozen=True, kw_only=True):
    """Send me your full-state topics. Answered by the mesh itself, without the core."""

    request_id: int


class Snapshot(Message, frozen=True, kw_only=True):
    """My last message of every full-state topic and my last heartbeat, each with its envelope, encoded."""

    request_id: int
    frames: tuple[tuple[bytes, bytes], ...]  # (envelope, body) as published


class HaltNotice(Message, frozen=True, kw_only=True):
    """I added a file to the halt directory: look now, do not wait for the next heartbeat."""

    request_id: int
    by: str


class ArmRequest(Message, frozen=True, kw_only=True):
    """A person clears the halt: `command` is the operator's signed JSON (common/keys.py)."""

    request_id: int
    command: bytes
    signature: bytes


class ArmAnswer(Message, frozen=True, kw_only=True):
    """I removed these causes, or refused."""

    request_id: int
    ok: bool
    reason: str
    cleared: tuple[HaltFile, ...] = ()


class Ack(Message, frozen=True, kw_only=True):
    """I took your notice."""

    request_id: int


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """Envelope of every frame; belongs to the mesh, not to the message."""

    sender: str
    epoch: int
    sequence: int
    sent_at: Nanos
    key: str  # coin, or "" where the topic has none

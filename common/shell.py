"""Drives one actor in a real process: performs its effects, wakes it, beats its heart.

Rules: those of common/actor.py for effects, and
  1. One message at a time; what the shell itself answers (Signed, SendFailed, ...) comes before anything from outside.
  2. The halt directory is read at every heartbeat; a change is delivered as `HaltDirectory`.
  3. Heartbeats come from the loop that does the work, so a wedged actor falls silent.
  4. A service that `outlives_disk` goes on when its disk takes nothing more: it halts what it can, hears of a halt
     directory that cannot be read for as long as it lives, and writes no more. Who cancels must not need a disk.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from time import monotonic_ns
from typing import Any, Final, Protocol, assert_never, get_args

import msgspec

from common.actor import Actor, Ask, Boot, Effect, Exit, Latch, Post, Reconnect, Record, Send, Sign, Unlatch
from common.errors import Unrecoverable
from common.halt import HaltDir
from common.journal import Journal
from common.mesh import Mesh
from common.messages import (
    HaltDirectory,
    HaltNotice,
    Heartbeat,
    Message,
    Signed,
    SignFailed,
    Stopping,
    Wake,
)
from common.tape import TapeWriter
from common.units import MICROSECOND, MILLISECOND, SECOND, Nanos
from common.wiring import Wiring

PENDING_MAX: Final = 100_000  # messages of one turn of the loop; more means that the actor feeds itself
TIMER_MIN: Final = Nanos(MILLISECOND // 2)  # a deadline in the past is served at once, but the loop gets a turn


class Link(Protocol):
    """The venue, as an actor's effects need it (hyperliquid/client.py)."""

    def start(self) -> None: ...
    def post(self, effect: Post) -> None: ...
    def ask(self, effect: Ask) -> None: ...
    def reconnect(self, reason: str) -> None: ...
    async def close(self) -> None: ...


class Signer(Protocol):
    """The only code that touches a private key."""

    def sign(self, effect: Sign) -> Signed | SignFailed: ...


class Parts(msgspec.Struct, kw_only=True):
    """What one service is made of; `link` builds the venue link around the function that takes its messages."""

    actor: Actor[Any]  # each service has an Inbox of its own; the mesh delivers just that
    link: Callable[[Callable[[Message], None]], Link] | None = None
    signer: Signer | None = None
    started: Callable[[], None] | None = None  # the service's own shell, once the loop runs
    outlives_disk: bool = False  # rule 4


class Shell:
    """One actor on the running loop, until `run` returns its exit code."""

    def __init__(
        self,
        *,
        service: str,
        inbox: object,
        parts: Parts,
        boot: Boot,
        wiring: Wiring,
        unit: Nanos,
        halt: HaltDir,
        journal: Journal | None,
        tape: TapeWriter | None,
        log: Any,  # structlog's bound loggers have no useful type
    ) -> None:
        self._service = service
        self._hears = frozenset(kind.__name__ for kind in get_args(inbox))
        self._parts = parts
        self._boot = boot
        self._unit = unit
        self._halt = halt
        self._journal = journal
        self._tape = tape
        self._log = log
        self._mesh = Mesh(wiring=wiring, service=service, epoch=boot.epoch, inbox=inbox, deliver=self.deliver)
        self._link = parts.link(self.deliver) if parts.link else None
        self._inner: deque[Message] = deque()
        self._outer: deque[Message] = deque()
        self._busy = False
        self._stopping = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at: Nanos | None = None
        self._beat_due = Nanos(0)
        self._halted: HaltDirectory | None = None
        self._disk_lost = False
        self._end: asyncio.Future[int] | None = None

    async def run(self) -> int:
        """Serve until the actor exits or a bug ends it; the bug is raised."""
        self._end = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().set_exception_handler(self._on_bug)
        self._mesh.start()
        try:
            if self._parts.started:
                self._parts.started()
            self._look_at_halt()
            if self._link:
                self._link.start()
            self._beat_due = Nanos(monotonic_ns())
            self._beat()
            self._rearm()
            return await self._end
        finally:
            if self._link:
                await self._link.close()
            self._mesh.close()
            if self._tape:
                self._tape.close()

    def stop(self, seconds_max: float) -> None:
        """Tell the actor to stop; after `seconds_max` the process ends anyway."""
        if self._stopping:
            return
        self._stopping = True
        asyncio.get_running_loop().call_later(seconds_max, self._finish, 0, "stopped without the actor's word")
        self.deliver(Stopping())
        self._publish_heartbeat(0)

    def tell_halt(self) -> None:
        """Last words of a dying process: the others look into the halt directory now."""
        for peer in ("risk", "order_management", "canceller"):
            if peer != self._service:
                self._mesh.send(HaltNotice(request_id=monotonic_ns(), by=self._service), peer)

    # --- messages in -------------------------------------------------------------------------------

    def deliver(self, message: Message) -> None:
        """Give the actor one message and do what it asks, with everything that follows from it."""
        if type(message).__name__ not in self._hears:
            return
        self._outer.append(message)
        if self._busy:
            return
        self._busy = True
        for _ in range(PENDING_MAX):
            if self._inner:
                self._handle(self._inner.popleft())
            elif self._outer:
                self._handle(self._outer.popleft())
            else:
                break
        else:
            raise AssertionError(f"{self._service} feeds itself: {PENDING_MAX} messages in one turn")
        self._busy = False
        self._rearm()

    def _handle(self, message: Message) -> None:
        now = Nanos(monotonic_ns())
        if self._tape:
            self._tape.write(now, message)
        for effect in self._parts.actor.handle(message, now):
            self._perform(effect)
        if isinstance(message, HaltNotice):
            self._look_at_halt()

    # --- effects out -------------------------------------------------------------------------------

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Record():
                self._record(effect)
            case Send(to=""):
                self._mesh.publish(effect.message)
            case Send():
                failed = self._mesh.send(effect.message, effect.to)
                if failed:
                    self._answer(failed)
            case Sign():
                assert self._parts.signer, f"{self._service} has no key"
                self._answer(self._parts.signer.sign(effect))
            case Post() | Ask() | Reconnect():
                self._venue(effect)
            case Latch() | Unlatch():
                self._latch(effect)
            case Exit():
                self._finish(effect.code, effect.reason)
            case _:
                assert_never(effect)

    def _record(self, effect: Record) -> None:
        assert self._journal, f"{self._service} has no journal"
        if self._disk_lost:
            return  # what was refused once is not tried again: an fsync that then succeeds proves nothing
        try:
            self._journal.append(effect.row, Nanos(monotonic_ns()))
        except Unrecoverable as fault:
            self._lose_disk(fault)

    def _lose_disk(self, fault: Unrecoverable) -> None:
        """Rule 4; for every other service the end."""
        if not self._parts.outlives_disk:
            raise fault
        self._disk_lost = True
        self._log.error("disk lost", fault=str(fault))
        with contextlib.suppress(Unrecoverable):  # the same disk, most likely
            self._halt.add("disk lost", str(fault), self._service)
            self.tell_halt()
        self._look_at_halt()

    def _answer(self, message: Message) -> None:
        if type(message).__name__ in self._hears:
            self._inner.append(message)

    def _venue(self, effect: Post | Ask | Reconnect) -> None:
        assert self._link, f"{self._service} has no venue link"
        match effect:
            case Post():
                self._link.post(effect)
            case Ask():
                self._link.ask(effect)
            case Reconnect():
                self._log.warning("reconnecting", reason=effect.reason)
                self._link.reconnect(effect.reason)

    def _latch(self, effect: Latch | Unlatch) -> None:
        if isinstance(effect, Latch):
            self._log.error("halt", cause=effect.cause, evidence=effect.evidence)
            try:
                self._halt.add(effect.cause, effect.evidence, self._service)
            except Unrecoverable as fault:
                self._lose_disk(fault)
            self.tell_halt()
        else:
            self._halt.remove(effect.names)
            self._log.warning("halt files removed", names=effect.names)
        self._halted = self._read_halt()
        self._answer(self._halted)

    def _read_halt(self) -> HaltDirectory:
        found = self._halt.read()
        return msgspec.structs.replace(found, readable=False) if self._disk_lost else found

    def _finish(self, code: int, reason: str) -> None:
        if self._end and not self._end.done():
            self._log.info("ending", code=code, reason=reason)
            self._end.set_result(code)

    def _on_bug(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A core is never used again after it raised."""
        error = context.get("exception") or RuntimeError(str(context.get("message")))
        self._busy = True
        if self._end and not self._end.done():
            self._end.set_exception(error)

    # --- time --------------------------------------------------------------------------------------

    def _rearm(self) -> None:
        due = self._parts.actor.deadline()
        if due == self._timer_at and self._timer is not None:
            return
        if self._timer:
            self._timer.cancel()
        self._timer, self._timer_at = None, due
        if due is not None:
            wait = max(TIMER_MIN, due - monotonic_ns())
            self._timer = asyncio.get_running_loop().call_later(wait / SECOND, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        due = self._parts.actor.deadline()
        if due is not None and due <= monotonic_ns():
            self.deliver(Wake())
        self._rearm()

    def _beat(self) -> None:
        now = Nanos(monotonic_ns())
        lag = max(0, now - self._beat_due)
        self._publish_heartbeat(lag // MICROSECOND)
        self._mesh.beat(now)
        self._look_at_halt()
        self._beat_due = Nanos(max(self._beat_due + self._unit, now))
        asyncio.get_running_loop().call_later((self._beat_due - now) / SECOND, self._beat)

    def _publish_heartbeat(self, lag_us: int) -> None:
        self._mesh.publish(
            Heartbeat(
                service=self._service,
                epoch=self._boot.epoch,
                state=self._parts.actor.state,
                stopping=self._stopping,
                loop_lag_us=lag_us,
                build=self._boot.build,
                pid=self._boot.pid,
                uptime_ms=(monotonic_ns() - self._boot.started_at) // MILLISECOND,
                detail=self._parts.actor.detail,
                sequences=self._mesh.sequences(),
            )
        )

    def _look_at_halt(self) -> None:
        directory = self._read_halt()
        if directory != self._halted:
            self._halted = directory
            self.deliver(directory)

"""Where alerts go: JSON lines in a file, and whoever is configured to be told (shell).

Rules
  1. Every quarter second what is new is written, then handed to each receiver by tasks of its own: a slow one delays
     its alerts, never metrics and never another receiver.
  2. Each minute the path sends a heartbeat of its own. Only one that got through to every receiver renews
     `mm_alert_path_age_seconds`.
  3. What does not arrive is counted and not sent twice. The first time that it happens to a receiver is an alert of its
     own, in the file and to the others; the next one follows after something has arrived there again.
  4. What a receiver cannot take in time stays in the file.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from common.units import MILLISECOND, SECOND, Nanos
from services.metrics.alerts import Alert, Severity
from services.metrics.core import MetricsCore
from services.metrics.receivers import Receiver

TICK_S: Final = 0.25
BEAT: Final = Nanos(60 * SECOND)
WAITING_MAX: Final = 100  # that wait for one receiver
HEARTBEAT: Final = "heartbeat"
NOT_TOLD: Final = "alert not told"
FILE: Final = "file"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """An alert as it leaves this process."""

    at_ms: int
    name: str
    severity: Severity
    subject: str
    text: str
    count: int


class AlertSink:
    """Takes alerts out of the core on the running loop."""

    def __init__(
        self, core: MetricsCore, path: Path, receivers: Sequence[Receiver], clock: Callable[[], Nanos]
    ) -> None:
        self._core = core
        self._path = path
        self._receivers = {receiver.name: receiver for receiver in receivers}
        self._clock = clock
        self._beat_at = clock()
        self._waiting: dict[str, asyncio.Queue[Line]] = {name: asyncio.Queue(WAITING_MAX) for name in self._receivers}
        self._unbeaten: set[str] = set()  # whom the last heartbeat has not reached yet
        self._broken: set[str] = set()  # whose failure was told
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        for receiver in self._receivers.values():
            self._tasks += [loop.create_task(self._serve(receiver)) for _ in range(receiver.workers)]
        self._tick()

    def _tick(self) -> None:
        now = self._clock()
        alerts = self._core.take_alerts(now)
        if now >= self._beat_at:
            self._beat_at = Nanos(now + BEAT)
            self._unbeaten = {FILE, *self._receivers}
            alerts.append(Alert(name=HEARTBEAT, severity=Severity.MEDIUM, subject="", text="the alert path works"))
        for alert in alerts:
            self._send(alert)
        asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def _send(self, alert: Alert, failed: str = "") -> None:
        """Write an alert, then hand it to every receiver but the one that failed."""
        line = Line(at_ms=time.time_ns() // MILLISECOND, **msgspec.structs.asdict(alert))
        if failed != FILE:
            self._settle(line, FILE, self._write(line))
        for name, waiting in self._waiting.items():
            if name == failed:
                continue
            try:
                waiting.put_nowait(line)
            except asyncio.QueueFull:
                self._settle(line, name, f"{WAITING_MAX} alerts wait already")

    def _write(self, line: Line) -> str:
        try:
            with self._path.open("ab") as out:
                out.write(msgspec.json.encode(line) + b"\n")
        except OSError as error:
            return str(error.strerror)
        return ""

    async def _serve(self, receiver: Receiver) -> None:
        while True:
            line = await self._waiting[receiver.name].get()
            self._settle(line, receiver.name, await receiver.tell(msgspec.json.encode(line)))

    def _settle(self, line: Line, name: str, fault: str) -> None:
        """Rules 2 and 3."""
        if not fault:
            self._broken.discard(name)
            if line.name == HEARTBEAT:
                self._unbeaten.discard(name)
                if not self._unbeaten:
                    self._core.on_alert_path(self._clock(), ok=True)
            return
        self._core.on_alert_path(self._clock(), ok=False)
        if name not in self._broken:
            self._broken.add(name)
            text = f"{line.name} {line.subject}".strip() + f": {fault}"
            self._send(Alert(name=NOT_TOLD, severity=Severity.HIGH, subject=name, text=text), failed=name)

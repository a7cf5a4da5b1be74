"""Where alerts go: JSON lines in a file, and a webhook of this machine if one is configured (shell).

Rules
  1. Every quarter second what is new is written, then posted in the same order, by one task: a slow receiver delays
     alerts, never metrics.
  2. Each minute the path sends a heartbeat of its own. Only one that got all the way through renews
     `mm_alert_path_age_seconds`; a failure is counted and the alert is not sent twice.
  3. What the receiver cannot take in time stays in the file.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx
import msgspec

from common.units import MILLISECOND, SECOND, Nanos
from services.metrics.alerts import Alert, Severity
from services.metrics.core import MetricsCore

TICK_S: Final = 0.25
BEAT: Final = Nanos(60 * SECOND)
POST_S_MAX: Final = 2.0  # with the tick within the 5 s that an alert may take
POSTS_MAX: Final = 100  # that wait for the receiver
HEARTBEAT: Final = "heartbeat"


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

    def __init__(self, core: MetricsCore, path: Path, webhook: str, clock: Callable[[], Nanos]) -> None:
        self._core = core
        self._path = path
        self._webhook = webhook
        self._clock = clock
        self._beat_at = clock()
        self._posts: asyncio.Queue[Line] = asyncio.Queue(POSTS_MAX)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._webhook:
            self._task = asyncio.get_running_loop().create_task(self._post_all())
        self._tick()

    def _tick(self) -> None:
        now = self._clock()
        alerts = self._core.take_alerts(now)
        if now >= self._beat_at:
            self._beat_at = Nanos(now + BEAT)
            alerts.append(Alert(name=HEARTBEAT, severity=Severity.MEDIUM, subject="", text="the alert path works"))
        for alert in alerts:
            self._send(alert)
        asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def _send(self, alert: Alert) -> None:
        line = Line(at_ms=time.time_ns() // MILLISECOND, **msgspec.structs.asdict(alert))
        try:
            with self._path.open("ab") as out:
                out.write(msgspec.json.encode(line) + b"\n")
            if self._webhook:
                self._posts.put_nowait(line)
        except (OSError, asyncio.QueueFull):
            self._tell(line, good=False)
        else:
            if not self._webhook:
                self._tell(line, good=True)

    def _tell(self, line: Line, *, good: bool) -> None:
        """Rule 2."""
        if not good or line.name == HEARTBEAT:
            self._core.on_alert_path(self._clock(), ok=good)

    async def _post_all(self) -> None:
        async with httpx.AsyncClient(timeout=POST_S_MAX, trust_env=False) as client:
            while True:
                line = await self._posts.get()
                try:
                    answer = await client.post(self._webhook, content=msgspec.json.encode(line))
                    good = answer.is_success
                except httpx.HTTPError:
                    good = False
                self._tell(line, good=good)

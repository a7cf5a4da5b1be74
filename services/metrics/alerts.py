"""What a person must hear of at once, from what the mesh says anyway. Pure.

Rules
  1. An alert is a change: a new halt file, a posture that became stricter, a finding that was counted, a canceller that
     fires, a service that fell silent, what became of the orders of a contained halt. What merely lasts is not said
     again.
  2. Repetitions of one alert (same name and subject) within `repeat` are merged: counted, and told with the next one.
  3. What restrained quoting before it was ever normal is a start, and no alert. A restarted counter raises none.
  4. Subjects past the limit push out the oldest: an alert too many is better than memory without end.
"""

from collections import OrderedDict
from enum import StrEnum
from typing import Final

import msgspec

from common.messages import CancellerStatus, Halt, Heartbeat, Message, Posture, PostureLevel, RiskCounts
from common.units import SECOND, Nanos

SUBJECTS_MAX: Final = 1_000  # services, coins, kinds of findings and the halt files of a long day
WAITING_MAX: Final = 1_000  # alerts that the sink has not taken yet
TEXT_MAX: Final = 500


class Severity(StrEnum):
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One line for a person or for a pager; `count` has the repetitions that were merged into it."""

    name: str
    severity: Severity
    subject: str
    text: str
    count: int = 1


class _Told(msgspec.Struct):
    at: Nanos
    merged: int = 0


class Alerts:
    """Hears everything that metrics hears; the sink takes what is new."""

    def __init__(self, *, repeat: Nanos = Nanos(300 * SECOND), silence: Nanos = Nanos(10 * SECOND)) -> None:
        self._repeat = repeat
        self._silence = silence
        self._told: OrderedDict[tuple[str, str], _Told] = OrderedDict()
        self._waiting: list[Alert] = []
        self._levels: dict[str, PostureLevel] = {}  # by coin, "" for all; from the first normal one on
        self._causes: frozenset[str] = frozenset()
        self._fates = ""
        self._findings: dict[str, int] | None = None
        self._firing = False
        self._heard: dict[str, Nanos] = {}
        self._stopping: set[str] = set()

    def hear(self, message: Message, now: Nanos) -> None:
        match message:
            case Heartbeat():
                self._heard[message.service] = now
                (self._stopping.add if message.stopping else self._stopping.discard)(message.service)
            case Halt():
                self._on_halt(message, now)
            case Posture():
                self._on_level("", message.level, message.causes, now)
                for coin, level in message.coins.items():
                    if level > message.level:
                        self._on_level(coin, level, message.causes, now)
                    elif level is PostureLevel.NORMAL:
                        self._levels[coin] = level
            case RiskCounts():
                self._on_findings(message.findings, now)
            case CancellerStatus():
                if message.firing and not self._firing:
                    self._raise("canceller fires", Severity.HIGH, "", message.firing, now)
                self._firing = bool(message.firing)
            case _:
                pass

    def take(self, now: Nanos) -> list[Alert]:
        """Return what is to be told now."""
        for service, at in list(self._heard.items()):
            if now - at >= self._silence:
                del self._heard[service]
                if service not in self._stopping:
                    self._raise("silent", Severity.HIGH, service, f"{service} is not heard any more", now)
        taken, self._waiting = self._waiting, []
        return taken

    def _on_halt(self, halt: Halt, now: Nanos) -> None:
        names = frozenset(file.name for file in halt.causes)
        for file in halt.causes:
            if file.name not in self._causes:
                what = f"{file.coin} halted" if file.coin else "halted"
                text = f"{what} by {file.by or 'unknown'}: {file.cause}; {file.evidence}"
                self._raise("halt", Severity.CRITICAL, file.name, text, now)
        self._causes = names
        fates = halt.fates if halt.contained else ""
        if fates and fates != self._fates:
            self._raise("fates", Severity.HIGH, fates, f"the halt is contained; {fates}, see `mm fates`", now)
        self._fates = fates

    def _on_level(self, coin: str, level: PostureLevel, causes: tuple[str, ...], now: Nanos) -> None:
        before = self._levels.get(coin)
        if before is None and level > PostureLevel.NORMAL:
            return  # rule 3
        self._levels[coin] = level
        if before is not None and level > before:
            severity = Severity.HIGH if level >= PostureLevel.PULL_QUOTES else Severity.MEDIUM
            self._raise("posture", severity, f"{coin} {level.name}".strip(), "; ".join(causes), now)

    def _on_findings(self, findings: dict[str, int], now: Nanos) -> None:
        before, self._findings = self._findings, dict(findings)
        for kind, count in findings.items():
            if before is not None and count > before.get(kind, 0):
                self._raise("finding", Severity.MEDIUM, kind, f"{kind}: {count} since risk started", now)

    def _raise(self, name: str, severity: Severity, subject: str, text: str, now: Nanos) -> None:
        told = self._told.get((name, subject))
        if told is not None and now - told.at < self._repeat:
            told.merged += 1
            return
        count = 1 + (told.merged if told else 0)
        self._told[name, subject] = _Told(at=now)
        self._told.move_to_end((name, subject))
        while len(self._told) > SUBJECTS_MAX:
            self._told.popitem(last=False)
        if len(self._waiting) < WAITING_MAX:
            alert = Alert(name=name, severity=severity, subject=subject, text=text[:TEXT_MAX], count=count)
            self._waiting.append(alert)

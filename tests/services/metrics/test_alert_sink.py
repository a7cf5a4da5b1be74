"""The way out: lines in a file, receivers that are told besides, and what is known of failures."""

import asyncio
import json
import random
import selectors
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from common.config import Liveness
from common.messages import Heartbeat, Message, PostureLevel, ServiceState
from common.units import SECOND, Nanos
from services.metrics.alert_sink import BEAT, HEARTBEAT, NOT_TOLD, WAITING_MAX, AlertSink
from services.metrics.alerts import Alerts, Severity
from services.metrics.core import MetricsCore
from services.metrics.receivers import COMMANDS_MAX, Receiver
from tests.services.metrics.test_alerts import canceller, counts, halt, posture

ALERT_S_MAX = 5.0
FAILURES = "mm_alert_failures_total"
AGE = "mm_alert_path_age_seconds"


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop that never waits: its clock jumps to whatever is due next."""

    def __init__(self) -> None:
        self.at = 0.0
        loop = self

        class Jump(selectors.SelectSelector):
            def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
                loop.at += timeout or 0.0
                return super().select(0)

        super().__init__(Jump())

    def time(self) -> float:
        return self.at

    def now(self) -> Nanos:
        return Nanos(round(self.at * SECOND))


class Listener:
    """A receiver that takes its time, and may refuse."""

    def __init__(self, loop: VirtualLoop, name: str = "listener", *, slow_s: float = 0.0, workers: int = 1) -> None:
        self.name = name
        self.workers = workers
        self.slow_s = slow_s
        self.fault = ""
        self.at_once = 0
        self.told: list[tuple[float, dict[str, Any]]] = []  # JSON
        self._loop = loop
        self._busy = 0

    async def tell(self, line: bytes) -> str:
        self._busy += 1
        self.at_once = max(self.at_once, self._busy)
        await asyncio.sleep(self.slow_s)
        self._busy -= 1
        self.told.append((self._loop.time(), json.loads(line)))
        return self.fault

    def names(self) -> list[str]:
        return [line["name"] for _, line in self.told]


def lines(path: Path) -> list[dict[str, Any]]:  # JSON
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def play(
    path: Path,
    make: Callable[[VirtualLoop], Sequence[Receiver]] = lambda _: (),
    *,
    trips: Sequence[tuple[float, Message]] = (),
    seconds: float = 1.0,
) -> MetricsCore:
    """Tell a core what happens at which second, with a sink at work, for so long."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        liveness = Liveness()
        alerts = Alerts(repeat=Nanos(SECOND), silence=liveness.units(liveness.canceller_silence))
        core = MetricsCore({}, alerts)

        async def story() -> None:
            AlertSink(core, path, make(loop), loop.now).start()
            for at, message in trips:
                await asyncio.sleep(max(0.0, at - loop.time()))
                core.handle(message, loop.now())  # type: ignore[arg-type]  # each of them is in its Inbox
            await asyncio.sleep(max(0.0, seconds - loop.time()))

        runner.run(story())
    return core


HALTED: Sequence[tuple[float, Message]] = ((0.0, halt("a")),)


def test_an_event_is_one_line_and_the_path_beats(tmp_path: Path) -> None:
    """Rules 1 and 2: without any receiver the file is the whole path."""
    path = tmp_path / "alerts.jsonl"
    core = play(path, trips=HALTED, seconds=BEAT / SECOND + 1)
    first, second, third = lines(path)
    assert (second["name"], second["severity"], second["text"]) == ("halt", "critical", "halted by risk: loss; 9 USD")
    assert first["name"] == third["name"] == HEARTBEAT
    assert core.gauges["mm_alerts_total"] == {("critical",): 1.0}
    assert BEAT <= core.seen_at[AGE][()] < BEAT + SECOND


def test_a_receiver_gets_the_same(tmp_path: Path) -> None:
    """Rules 1 and 2: in the same order, and the heartbeat counts once everybody has it."""
    path, told = tmp_path / "alerts.jsonl", list[Listener]()

    def make(loop: VirtualLoop) -> Sequence[Receiver]:
        told.extend([Listener(loop, "quick"), Listener(loop, "slow", slow_s=2.0)])
        return told

    core = play(path, make, trips=HALTED, seconds=3.9)
    assert [line for _, line in told[0].told] == lines(path)
    assert told[1].names() == [HEARTBEAT]
    assert core.seen_at[AGE][()] == 2 * SECOND
    assert FAILURES not in core.gauges


def test_a_failure_is_told_once_until_it_works_again(tmp_path: Path) -> None:
    """Rule 3: in the file and to the others, never to who failed; each is counted; the path's age says nothing good."""
    path, told = tmp_path / "alerts.jsonl", list[Listener]()

    def make(loop: VirtualLoop) -> Sequence[Receiver]:
        told.extend([Listener(loop, "good"), Listener(loop, "bad")])
        told[1].fault = "answered 500"
        loop.call_later(20, setattr, told[1], "fault", "")
        loop.call_later(40, setattr, told[1], "fault", "is gone")
        return told

    trips = [(float(at), halt(*map(str, range(at + 1)))) for at in (1, 10, 30, 50)]
    core = play(path, make, trips=trips, seconds=55)
    failures = [line for line in lines(path) if line["name"] == NOT_TOLD]
    assert [(line["subject"], line["severity"]) for line in failures] == [("bad", Severity.HIGH)] * 2
    assert "answered 500" in failures[0]["text"]
    assert "halt" in failures[1]["text"]
    assert told[0].names().count(NOT_TOLD) == 2
    assert NOT_TOLD not in told[1].names()
    assert core.gauges[FAILURES] == {(): float(len([at for at, _ in told[1].told if not 20 <= at < 40]))}
    assert AGE not in core.seen_at


def test_a_dead_end_kills_nobody(tmp_path: Path) -> None:
    """Rules 3 and 4: a file that cannot be written is told to the receiver, which goes on; so is a full queue."""
    told: list[Listener] = []

    def make(loop: VirtualLoop) -> Sequence[Receiver]:
        told.append(Listener(loop))
        return told

    core = play(tmp_path / "absent" / "alerts.jsonl", make, trips=HALTED)
    assert sorted(told[0].names()) == sorted([HEARTBEAT, NOT_TOLD, "halt"])
    assert core.gauges[FAILURES] == {(): 2.0}
    told.clear()
    many = halt(*map(str, range(WAITING_MAX + 1)))
    core = play(tmp_path / "alerts.jsonl", make, trips=[(1.0, many)], seconds=2.0)
    assert len(lines(tmp_path / "alerts.jsonl")) == WAITING_MAX + 3
    assert core.gauges[FAILURES] == {(): 1.0}
    assert len(told[0].told) == WAITING_MAX + 1


def test_no_more_than_its_workers_at_once(tmp_path: Path) -> None:
    """Rule 1: a flood runs so many at a time."""
    told: list[Listener] = []

    def make(loop: VirtualLoop) -> Sequence[Receiver]:
        told.append(Listener(loop, slow_s=1.0, workers=COMMANDS_MAX))
        return told

    play(tmp_path / "alerts.jsonl", make, trips=[(1.0, halt(*map(str, range(20))))], seconds=10)
    assert told[0].at_once == COMMANDS_MAX
    assert len(told[0].told) == 21


# --- a thousand trips --------------------------------------------------------------------------------------

TRIPS = 1_000
UNIT_S = 0.25


def trips(chance: random.Random) -> tuple[list[tuple[float, Message]], list[tuple[float, str, str]]]:
    """Draw what happens; returns what metrics hears, and for each trip its time, its alert's name and severity."""
    heard: list[tuple[float, Message]] = [(0.0, counts()), (0.0, posture(PostureLevel.NORMAL)), (0.0, canceller(""))]
    events, files, found, at = list[tuple[float, str, str]](), list[str](), dict[str, int](), 1.0
    for number in range(TRIPS):
        at += chance.uniform(1.0, 4.0)
        says = at + chance.uniform(0, UNIT_S)  # whoever says it repeats it every unit
        match chance.choice(["halt", "posture", "finding", "canceller fires", "silent"]):
            case "halt":
                files = [*files[-3:], f"file {number}"]
                after: list[Message] = [halt(*files)]
                kind = ("halt", "critical")
            case "posture":
                level = chance.choice([PostureLevel.WIDEN, PostureLevel.PULL_QUOTES])
                after = [posture(level), posture(PostureLevel.NORMAL)]
                kind = ("posture", "medium" if level is PostureLevel.WIDEN else "high")
            case "finding":
                name = f"kind {chance.randint(0, 30)}"
                found = {**found, name: found.get(name, 0) + 1}
                after = [counts(**found)]
                kind = ("finding", "medium")
            case "canceller fires":
                after = [canceller("silent: risk"), canceller("")]
                kind = ("canceller fires", "high")
            case _:
                beat = Heartbeat(service=f"service {number % 7}", epoch=1, state=ServiceState.READY)
                heard.append((at, beat))  # its last: it dies right after
                after = []
                kind = ("silent", "high")
        events.append((at, *kind))
        for step, message in enumerate(after):
            heard += [(says + 3 * UNIT_S * step, message), (says + 3 * UNIT_S * step + UNIT_S, message)]
    return sorted(heard, key=lambda one: one[0]), events


@pytest.mark.parametrize("seed", range(3))
def test_a_thousand_random_trips_are_told_in_time(seed: int, tmp_path: Path) -> None:
    """C23: each is told exactly once, with its severity, within five seconds, by a receiver that takes up to two."""
    chance, told = random.Random(seed), list[Listener]()

    def make(loop: VirtualLoop) -> Sequence[Receiver]:
        told.append(Listener(loop, slow_s=2.0, workers=COMMANDS_MAX))
        return told

    heard, events = trips(chance)
    core = play(tmp_path / "alerts.jsonl", make, trips=heard, seconds=heard[-1][0] + 2 * ALERT_S_MAX)
    assert len(events) == TRIPS
    waits: list[float] = []
    for name in sorted({name for _, name, _ in events}):
        alerts = [(at, line["severity"]) for at, line in told[0].told if line["name"] == name]
        happened = [(at, severity) for at, kind, severity in events if kind == name]
        assert [severity for _, severity in alerts] == [severity for _, severity in happened]
        waits += [said - at for (said, _), (at, _) in zip(alerts, happened, strict=True)]
    assert len(waits) == TRIPS
    assert 0 < min(waits) <= max(waits) <= ALERT_S_MAX
    beats = [at for at, line in told[0].told if line["name"] == HEARTBEAT]
    assert all(later - first < BEAT / SECOND + 1 for first, later in pairwise(beats))
    assert FAILURES not in core.gauges

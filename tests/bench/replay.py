"""What `mm replay` does in a second: recorded events, where its time goes, and its memory."""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from time import perf_counter, process_time
from typing import Any, Final

from common.messages import Message
from common.simulation.driver import Simulation
from common.simulation.network import Network
from common.units import MILLISECOND, SECOND, Nanos
from services.replay.run import Span, replay
from services.replay.seating import ORDER, seats
from services.replay.venue_link import ACCOUNT, AGENTS, OPERATOR, LocalVenue, recorded
from services.venue_sim.recordings import Recording
from tests.bench.cores import Spent, timed
from tests.bench.report import Table
from tests.common.simulation.whole_mesh import SETTINGS
from tests.data import data_path

SEED: Final = 1
RECORDED_S: Final = 120.0
TARGET_PER_S: Final = 50_000
SET_A: Final = data_path("A_hl_book_trades_20250904")
OURS: Final = Path(__file__).parents[1] / "tapes" / "synthetic.tape"  # where set A is not at hand


@dataclass(frozen=True, slots=True)
class Run:
    """One replay in a process of its own."""

    events: int
    real_s: float
    cpu_s: float
    peak_mb: float
    actions: int


def measure() -> Iterator[Table]:
    """Replay once for the rate, in a fresh process, and once with a clock around each part."""
    tape = SET_A if SET_A.exists() else OURS
    with get_context("spawn").Pool(1) as pool:
        run = pool.apply(played, (tape,))
    yield Table(
        title=f"mm replay, {tape.name}, first {RECORDED_S:.0f} s, two coins",
        columns=("figure", "value"),
        rows=(
            ("events", f"{run.events:,}"),
            ("events per second", f"{run.events / run.real_s:,.0f}"),
            ("events per CPU second", f"{run.events / run.cpu_s:,.0f}"),
            ("recorded seconds per second", f"{RECORDED_S / run.real_s:,.1f}"),
            ("signed actions of ours", f"{run.actions:,}"),
            ("peak memory, MB", f"{run.peak_mb:,.0f}"),
        ),
        notes=(
            "an event is one line of the recording: a book of 20 levels, a new best price, or a trade",
            f"the target is {TARGET_PER_S:,} a second, which one interpreter that runs all cores does not reach",
            "one thread; everything is in it: six cores, the venue, signatures, JSON, the measures of the report",
        ),
    )
    yield shares(tape, run.events)


def played(tape: Path) -> Run:
    length = Span(events=events(tape), seconds=RECORDED_S)
    began, worked = perf_counter(), process_time()
    report = replay(SETTINGS, tape, seed=SEED, length=length, progress=lambda _: None, say=lambda _: None)
    real_s, cpu_s = perf_counter() - began, process_time() - worked
    return Run(report.events, real_s, cpu_s, getrusage(RUSAGE_SELF).ru_maxrss / 1_024, report.actions)


def events(tape: Path) -> int:
    """Count what the recording holds in that time; trades before its first book are replays of the past."""
    recording = Recording(tape, SETTINGS.instruments().values(), lambda _: None)
    first_ms = min(book.at_ms for book in recording.first_books().values())
    count = 0
    for event in recording.events():
        if event.at_ms > first_ms + RECORDED_S * 1_000:
            break
        count += event.at_ms >= first_ms
    return count


@dataclass(slots=True)
class TimedVenue:
    """The venue's steps, in which nearly all of its work is done, with a clock around them."""

    venue: LocalVenue
    spent_s: float = field(default=0.0)

    def __getattr__(self, name: str) -> Any:  # whatever the venue has
        return getattr(self.venue, name)

    def step(self, now: Nanos) -> Iterable[tuple[Nanos, str, Message]]:
        began = perf_counter()
        arrivals = self.venue.step(now)
        self.spent_s += perf_counter() - began
        return arrivals


def shares(tape: Path, count: int) -> Table:
    """Measure a clock around each part; `count` events are recorded in that time."""
    venue = TimedVenue(recorded(SETTINGS, random.Random(f"{SEED}/venue"), tape, lambda _: None))
    simulation = Simulation(
        seats=seats(SETTINGS, ACCOUNT, OPERATOR, AGENTS),
        venue=venue,
        network=Network(random.Random(f"{SEED}/network")),
        unit=SETTINGS.liveness.units(1),
        block=Nanos(SETTINGS.venue_sim.block_ms * MILLISECOND),
    )
    spent: dict[str, Spent] = {name: defaultdict(list) for name in ORDER}
    for name in ORDER:
        seat = simulation.seats[name]
        seat.build = timed(seat.build, spent[name])
        simulation.start(name)
    began = perf_counter()
    simulation.run(Nanos(int(RECORDED_S * SECOND)))
    real_s = perf_counter() - began
    parts = {name: sum(map(sum, kinds.values())) / 1e9 for name, kinds in spent.items()}
    parts["venue"] = venue.spent_s
    parts["driver, network, copies"] = real_s - sum(parts.values())
    handled = {name: sum(map(len, kinds.values())) for name, kinds in spent.items()}
    return Table(
        title="Where the time of a replay goes",
        columns=("part", "share, %", "messages", "us each"),
        rows=[
            (
                name,
                f"{100 * part_s / real_s:.0f}",
                f"{handled[name]:,}" if name in handled else "",
                f"{1e6 * part_s / handled[name]:,.0f}" if name in handled else "",
            )
            for name, part_s in sorted(parts.items(), key=lambda part: -part[1])
        ],
        notes=(f"{sum(handled.values()) / count:.1f} messages between cores for each recorded event",),
    )

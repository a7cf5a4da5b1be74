"""What the pure cores cost: one `handle` by message type, and all together in the simulation."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter, perf_counter_ns, process_time
from typing import Any, Final

from common.actor import Actor, Boot, Effect
from common.messages import Message, ServiceState
from common.units import Nanos
from services.replay.seating import ORDER
from tests.bench.report import Table, percentile
from tests.common.simulation.whole_mesh import WholeMesh

SEED: Final = 1
WARM_UP_S: Final = 30.0  # virtual: READY and quoting
VIRTUAL_S: Final = 180.0
SHOWN_MIN: Final = 10  # a type that came less often has no percentiles worth a line

Spent = dict[str, list[int]]  # message type -> ns of each handle
Build = Callable[[Boot, list[Message]], Actor[Any]]  # each service has an Inbox of its own


@dataclass(slots=True)
class TimedActor:
    """An actor whose every `handle` is timed; what it says is untouched."""

    actor: Actor[Any]  # same
    spent: Spent

    def handle(self, message: Message, now: Nanos) -> list[Effect]:
        began = perf_counter_ns()
        effects = self.actor.handle(message, now)
        self.spent[type(message).__name__].append(perf_counter_ns() - began)
        return effects

    def deadline(self) -> Nanos | None:
        return self.actor.deadline()

    @property
    def state(self) -> ServiceState:
        return self.actor.state

    @property
    def detail(self) -> str:
        return self.actor.detail


def timed(build: Build, spent: Spent) -> Build:
    return lambda boot, rows: TimedActor(build(boot, rows), spent)


def measure() -> Iterator[Table]:
    """Run the same seed twice: with a clock around each handle, then without for the rate of the whole."""
    spent = handle_times()
    yield Table(
        title=f"One handle, cores in simulation ({VIRTUAL_S:.0f} virtual s, seed {SEED})",
        columns=("core", "message", "count", "p50 us", "p99 us", "max us", "sum ms"),
        words=2,
        rows=[row(core, kind, times) for core in ORDER for kind, times in by_cost(spent[core])],
        notes=(
            "two coins, default ladder; no decoding, encoding, journal or socket; the clock itself adds about 0.1 us",
            f"types that came less than {SHOWN_MIN} times are left out",
        ),
    )
    yield simulation_table(spent)


def handle_times() -> dict[str, Spent]:
    mesh, spent = timed_mesh()
    mesh.run_for(WARM_UP_S)
    for times in spent.values():
        times.clear()
    mesh.run_for(VIRTUAL_S)
    return spent


def timed_mesh() -> tuple[WholeMesh, dict[str, Spent]]:
    """Return a mesh whose actors are timed, and where their times appear."""
    mesh = WholeMesh(SEED, start=False)
    spent: dict[str, Spent] = {name: defaultdict(list) for name in ORDER}
    for name in ORDER:
        seat = mesh.simulation.seats[name]
        seat.build = timed(seat.build, spent[name])
        mesh.simulation.start(name)
    return mesh, spent


def by_cost(spent: Spent) -> list[tuple[str, list[int]]]:
    shown = [(kind, times) for kind, times in spent.items() if len(times) >= SHOWN_MIN]
    return sorted(shown, key=lambda each: -sum(each[1]))


def row(core: str, kind: str, times: list[int]) -> tuple[str, ...]:
    cuts = (f"{percentile(times, share) / 1_000:,.1f}" for share in (0.5, 0.99, 1))
    return (core, kind, f"{len(times):,}", *cuts, f"{sum(times) / 1e6:,.1f}")


def simulation_table(spent: dict[str, Spent]) -> Table:
    """Count what the timed run handled: equal seeds handle equal messages."""
    mesh = WholeMesh(SEED).run_for(WARM_UP_S)
    began, worked = perf_counter(), process_time()
    mesh.run_for(VIRTUAL_S)
    real_s, cpu_s = perf_counter() - began, process_time() - worked
    every = [ns for kinds in spent.values() for times in kinds.values() for ns in times]
    core_s = sum(every) / 1e9
    rows = (
        ("virtual seconds per real second", f"{VIRTUAL_S / real_s:,.1f}"),
        ("messages handled per real second", f"{len(every) / real_s:,.0f}"),
        ("messages handled per CPU second", f"{len(every) / cpu_s:,.0f}"),
        ("messages handled per second inside handle", f"{len(every) / core_s:,.0f}"),
        ("share of the real time inside handle, %", f"{100 * core_s / real_s:.0f}"),
    )
    return Table(
        title=f"All six cores in one simulation ({len(every):,} messages in {real_s:.1f} s)",
        columns=("figure", "value"),
        rows=rows,
        notes=(
            "one thread; the rest is the local venue, its JSON, the signatures and the copies of a process boundary",
        ),
    )

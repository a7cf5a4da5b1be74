"""How long a kill takes in real processes: a live mesh, halted, contained, armed, again and again.

All times are the wall clock of one machine: the moment before the halt file is made, what risk says as this process
hears it, its journal, and the venue's log, whose lines carry the time of their block in whole ms.
"""

import contextlib
import io
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Final

from common import witness
from common.halt import HaltDir
from common.mesh import Listener
from common.messages import Halt
from common.units import MILLISECOND
from common.wiring import CLI, wiring
from services.cli.clearing import arm
from services.cli.halting import tell
from tests.bench.report import Table, spread
from tests.mesh.live import Document, LiveMesh, live_mesh

KILLS: Final = 10  # what the weight of questions that a minute allows makes about two minutes
SHARES: Final = (0.5, 0.99)
STAGES: Final = ("LATCHED", "last signature", "last order accepted", "venue empty", "CONTAINED")
TRIGGERS: Final = ("mm halt", "a halt file that nobody was told of")
TRADE_RATE: Final = 5.0
CONTAINED_S_MAX: Final = 90.0
PACE_S: Final = 15.0  # from kill to kill at least: proof, arming and a new start cost about 150 of the weight a minute
QUOTING_S_MAX: Final = 60.0
QUOTED_S: Final = 2.0  # quotes of that long before each kill: requotes are under way
# risk's proofs and starts ask the venue for lists, which are dear; its share is as large as the sum allows
CHANGES: Final[Document] = {
    "liveness": {"unit_ms": 250},
    "venue_sim": {"trade_rate": TRADE_RATE},
    "budget": {"order_management": 350, "risk": 650, "canceller": 150, "reserve": 50},
}


def stages(
    began_ms: float, latched_ms: float, contained_ms: float, signed_ms: Sequence[float], orders: Sequence[witness.Order]
) -> dict[str, float]:
    """Return ms from the trigger to each stage; one that nothing happened in takes none."""
    later = [order for order in orders if began_ms <= order.t <= contained_ms]
    ends = (
        latched_ms,
        max((at for at in signed_ms if began_ms <= at <= contained_ms), default=began_ms),
        max((order.t for order in later if order.status == "open"), default=began_ms),
        max((order.t for order in later), default=began_ms),
        contained_ms,
    )
    return {stage: end - began_ms for stage, end in zip(STAGES, ends, strict=True)}


class LiveKills:
    """One mesh that is killed again and again."""

    def __init__(self, mesh: LiveMesh) -> None:
        self._mesh = mesh
        self._next_at = 0.0
        self._risk = Listener(wiring(mesh.home, CLI), {"risk": (Halt.__name__,)})

    def close(self) -> None:
        self._risk.close()

    def kill(self, trigger: str) -> dict[str, float]:
        """Kill when the mesh has quoted for a while, see it contained, and arm."""
        mesh = self._mesh
        mesh.wait_quoting(QUOTING_S_MAX)
        time.sleep(max(QUOTED_S, self._next_at - time.monotonic()))
        self._next_at = time.monotonic() + PACE_S
        while self._risk.receive(0.0) is not None:
            pass  # what risk said before
        mark, began_ms = mesh.judge.refresh().seq, _wall_ms()
        HaltDir(mesh.home.halt).add("operator", "bench", "mm")
        telling = threading.Thread(target=tell, args=(mesh.home,))  # it waits for answers, and risk speaks meanwhile
        if trigger == TRIGGERS[0]:
            telling.start()
        latched_ms, contained_ms = self._hear()
        if telling.ident is not None:
            telling.join()
        orders = mesh.judge.refresh().orders(after=mark)
        with contextlib.redirect_stdout(io.StringIO()):
            arm(mesh.home, "bench", lambda: "")
        return stages(began_ms, latched_ms, contained_ms, self._signed_ms(), orders)

    def _hear(self) -> tuple[float, float]:
        """Return when risk first said that it is latched, and contained."""
        latched_ms: float | None = None
        until = time.monotonic() + CONTAINED_S_MAX
        while time.monotonic() < until:
            heard = self._risk.receive(0.1)
            if heard is None or not isinstance(heard[1], Halt) or not heard[1].latched:
                continue
            latched_ms = latched_ms or _wall_ms()
            if heard[1].contained:
                return latched_ms, _wall_ms()
        raise AssertionError(f"not contained within {CONTAINED_S_MAX:g} s\n{self._mesh.report()}")

    def _signed_ms(self) -> list[float]:
        """Return when the last decisions to sign were written down, which is just before each signature."""
        path = self._mesh.home.database("risk").absolute().as_uri()
        with contextlib.closing(sqlite3.connect(f"{path}?mode=ro", uri=True)) as db:
            query = "SELECT wall_ms FROM records WHERE kind = 'DecisionRecord' ORDER BY seq DESC LIMIT 50"
            return [float(at) for (at,) in db.execute(query)]


def measure(kills: int = KILLS) -> Iterator[Table]:
    with live_mesh(CHANGES) as mesh:
        mesh.wait_ready()
        mesh.wait_quoting(QUOTING_S_MAX)
        mesh.canary.stall_s = 0.0
        killer = LiveKills(mesh)
        began, lines = time.monotonic(), len(mesh.judge.refresh().lines)
        try:
            found = [killer.kill(TRIGGERS[number % len(TRIGGERS)]) for number in range(kills)]
        finally:
            killer.close()
        seconds = time.monotonic() - began
        moves = sum(isinstance(line, witness.Bbo) for line in mesh.judge.refresh().lines[lines:]) / seconds
        stall_ms = 1_000 * mesh.canary.stall_s
    yield table(found, moves_per_s=moves, seconds=seconds, stall_ms=stall_ms)


def table(found: Sequence[dict[str, float]], *, moves_per_s: float, seconds: float, stall_ms: float) -> Table:
    rows = [(f"trigger -> {stage}", *spread([kill[stage] for kill in found], SHARES)) for stage in STAGES]
    notes = (
        f"triggers in turn: {' and '.join(TRIGGERS)}; targets: last signature 50 ms, venue empty 1 s",
        f"a trigger is the moment before the halt file is made; {seconds / max(1, len(found)):.0f} s from kill to kill",
        f"the synthetic market at {TRADE_RATE:g} times its rate: {moves_per_s:.0f} changes of a best price a second",
        "a stage in which nothing happened after the trigger counts as 0; the venue's times are those of its blocks",
        f"largest stall of an idle thread on this machine meanwhile: {stall_ms:.0f} ms",
    )
    columns = ("ms", "kills", "p50", "p99", "max")
    return Table(title="A kill in real processes, live mesh", columns=columns, rows=rows, notes=notes)


def _wall_ms() -> float:
    return time.time_ns() / MILLISECOND

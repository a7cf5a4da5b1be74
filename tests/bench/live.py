"""The real mesh on live values: reaction times by the venue's log, memory of each process."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from common import witness
from tests.bench.reaction import REACTION_MS_MAX, Event, moves, reactions
from tests.bench.report import Table, spread
from tests.mesh.judge import Judge
from tests.mesh.live import Document, LiveMesh, live_mesh

WATCH_S: Final = 75.0
SHARES: Final = (0.5, 0.9, 0.99)
PRICE_TOLERANCE: Final = 0.05  # a quarter of the default
CHANGES: Final[Document] = {"liveness": {"unit_ms": 250}, "orders": {"price_tolerance": PRICE_TOLERANCE}}

DEFINITION: Final = (
    "from: venue time of the event's block, which is before the venue computes, stores and sends it",
    "to: arrival of the action at the venue, not its execution in a later block; both are whole ms, so +-1 ms",
    "move: best price or size changed, in a block that changed no order of ours in that coin",
    f"an action answers the latest event of a coin it names; only the first one does, within {REACTION_MS_MAX:,} ms",
    "moves that led to no requote are not in the figures; an action that time or inventory caused is: see the tail",
    "a move that is overtaken before our action leaves the action to the later move, which flatters slow reactions",
)


def measure() -> Iterator[Table]:
    with live_mesh(CHANGES) as mesh:
        mesh.wait_ready()
        mesh.wait_quoting()
        since = mesh.judge.refresh().seq
        mesh.canary.stall_s = 0.0
        time.sleep(WATCH_S)
        stall_s = mesh.canary.stall_s
        memory = resident(mesh)
        signers = tuple(mesh.public["agents"].values())
        yield reaction_table(mesh.judge.refresh(), since, signers, stall_ms=stall_s * 1_000)
    yield memory


def reaction_table(judge: Judge, since: int, signers: tuple[str, ...], *, stall_ms: float) -> Table:
    start = next(line for line in judge.lines if isinstance(line, witness.Start))
    lines = [line for line in judge.lines if line.seq > since]
    found = reactions(lines, user=judge.user, signers=signers, coins=start.coins)
    to_moves = [each for each in found if each.event is Event.MOVE]
    to_cancels = [each for each in found if each.event is Event.OWN_CANCEL and each.placing]
    placing = sum(each.placing for each in to_moves)
    coins = sorted({order.coin for order in judge.orders()})
    moved = moves(lines, coins)
    seconds = (lines[-1].t - lines[0].t) / 1_000
    rows = (
        ("move -> first action", *spread([each.ms for each in to_moves], SHARES)),
        ("own cancel confirmed -> new order, approved by risk", *spread([each.ms for each in to_cancels], SHARES)),
    )
    return Table(
        title=f"Reaction at the venue, live mesh: {moved:,} moves of {', '.join(coins)} in {seconds:.0f} s",
        columns=("reaction, ms", "count", "p50", "p90", "p99", "max"),
        rows=rows,
        notes=(
            *DEFINITION,
            f"of the first actions {len(to_moves) - placing} are cancels, which ask nobody, {placing} ask risk",
            f"blocks are {start.block_ms} ms apart; a reaction beyond that may be a lower bound",
            f"orders.price_tolerance is {PRICE_TOLERANCE}: more moves lead to a requote, by the same path",
            f"largest stall of an idle thread on this machine meanwhile: {stall_ms:.0f} ms",
        ),
    )


def resident(mesh: LiveMesh) -> Table:
    """Read the resident memory of each process of a mesh."""
    sizes = {name_of(pid): resident_mib(pid) for pid in mesh.processes()}
    rows = [(name, f"{size:.1f}") for name, size in sorted(sizes.items())]
    return Table(
        title="Resident memory, live mesh after the watch",
        columns=("process", "MiB"),
        rows=[*rows, ("sum", f"{sum(sizes.values()):.1f}")],
        notes=("VmRSS: pages of shared libraries count in each process, so the sum is above what the mesh takes",),
    )


def name_of(pid: int) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    return next((word for word in words if word.startswith("services.")), "supervisord").removeprefix("services.")


def resident_mib(pid: int) -> float:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(status["VmRSS"].split()[0]) / 1_024

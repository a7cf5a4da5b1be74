"""`python -m tests.bench [PART ...]`: measure everything, or these parts, and print the figures."""

import argparse
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Final

from tests.bench import (
    approval,
    cores,
    estimators,
    exchange_core,
    hops,
    kill,
    live,
    live_kill,
    orders,
    replay,
    signature,
    venue_wire,
)
from tests.bench.report import Table, machine

RUN_S_MAX: Final = 270.0  # a part that would not end by then is left out, unless it was asked for by name


@dataclass(frozen=True, slots=True)
class Part:
    measure: Callable[[], Iterable[Table]]
    usual_s: float  # on two cores


PARTS: Final = {
    "live": Part(live.measure, 110),
    "approval": Part(approval.measure, 50),
    "live_kill": Part(live_kill.measure, 150),
    "kill": Part(kill.measure, 200),
    "signature": Part(signature.measure, 3),
    "cores": Part(cores.measure, 25),
    "orders": Part(orders.measure, 30),
    "estimators": Part(estimators.measure, 45),
    "replay": Part(replay.measure, 30),
    "venue": Part(lambda: chain(exchange_core.measure(), venue_wire.measure()), 130),
    "hops": Part(hops.measure, 65),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all when none is named")
    parser.add_argument(
        "--kills", type=int, default=live_kill.KILLS, help="of the live mesh; each takes a quarter minute"
    )
    asked = parser.parse_args()
    wanted = asked.parts
    if unknown := sorted({*wanted} - {*PARTS}):
        parser.error(f"unknown part: {', '.join(unknown)}")
    print(machine())
    began = time.monotonic()
    for name in wanted or PARTS:
        spent_s = time.monotonic() - began
        if not wanted and spent_s + PARTS[name].usual_s > RUN_S_MAX:
            print(f"\n{name}: left out, {spent_s:.0f} s are spent; `python -m tests.bench {name}` measures it")
            continue
        tables = live_kill.measure(asked.kills) if name == "live_kill" else PARTS[name].measure()
        for table in tables:
            print(f"\n{table.text()}", flush=True)
    print(f"\n{time.monotonic() - began:.0f} s in all")


if __name__ == "__main__":
    main()

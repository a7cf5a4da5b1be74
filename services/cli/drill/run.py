"""`mm drill`: trip every control on a throwaway mesh, one after the other, and keep what happened.

Two meshes: one with the limits as they are, one where some are tightened so far that a small account can reach them.
Order within a mesh: what only the gate says, then what pulls quotes, then what kills; `mm arm` in between.
"""

import time
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, TypeAlias

import msgspec
from rich.console import Console
from rich.table import Column, Table

from common import config
from common.errors import ConfigFault, HouseError
from common.home import Home
from common.limits_hash import limits_hash
from services.cli import exits
from services.cli.catalogue import BY_NAME, CONTROLS
from services.cli.configuration import Document
from services.cli.drill import gate_trials, mesh_trials, results
from services.cli.drill.results import Drill, Result
from services.cli.drill.stage import Changes, Stage, stage

LOCAL_DEPTH_USD: Final = 75_000.0  # what the thinner side of a large coin's book shows on the local venue

Trial: TypeAlias = Callable[[Stage], str]


class Scene(msgspec.Struct, frozen=True):
    """Trials that share a mesh, by control, in their order; `changes` are made to the limits."""

    trials: dict[str, Trial]
    changes: Callable[[config.Settings], Changes]


AS_CONFIGURED: Final = Scene(
    {
        "C25": mesh_trials.sane_limits,
        "C1": gate_trials.price_collar,
        "C3": gate_trials.order_notional,
        "C13": gate_trials.self_match,
        "C14": gate_trials.allow_list,
        "C15": gate_trials.conformity,
        "C20": gate_trials.authorisation,
        "C9": gate_trials.position,
        "C8": gate_trials.duplicates,
        "C5": gate_trials.message_rate,
        "C16": mesh_trials.stale_data,
        "C24": mesh_trials.drop_copy,
        "C22": mesh_trials.silence,
        "C26": mesh_trials.version,
        "C17": mesh_trials.velocity,
        "C21": mesh_trials.kill_switch,
        "C23": mesh_trials.alert,
        "C7": mesh_trials.repeated_execution,
        "C19": mesh_trials.reconciliation,
        "C12": mesh_trials.loss,
        "C10": gate_trials.open_orders,
        "C18": gate_trials.unknown_orders,
    },
    lambda _: {},
)


def tightened(settings: config.Settings) -> Changes:
    """Return limits that are in reach: each stays far enough away for quotes."""
    largest = max(coin.max_order_usd for coin in settings.coins.values())
    margin = max(coin.max_order_usd / coin.leverage for coin in settings.coins.values())
    risk = settings.risk
    return {
        "risk": {
            "max_margin_share": min(risk.max_margin_share, margin / config.VenueSim().equity_usd),
            "max_depth_share": min(risk.max_depth_share, 0.45 * largest / LOCAL_DEPTH_USD),
        },
        "monitors": {"flickers_max": 1},
        "signer": {"max_deviation_bps": min(60.0, risk.price_band_bps / 3)},
        "kill": {"slippage_bps": min(settings.kill.slippage_bps, 20.0)},
        "venue_sim": {"scenario": "flash-crash"},
    }


TIGHTENED: Final = Scene(
    {
        "C4": gate_trials.quantity,
        "C11": gate_trials.margin,
        "C28": gate_trials.second_limits,
        "C27": mesh_trials.surveillance,
        "C2": mesh_trials.flash,
        "C6": mesh_trials.request_budget,
    },
    tightened,
)
SCENES: Final = (AS_CONFIGURED, TIGHTENED)
UNSETTLED: Final = frozenset({"C18", "C27", "C2", "C6"})  # their causes last, or are there already


def drill(home: Home, path: Path, only: str | None, *, as_json: bool) -> int:
    """Drill the limits of one configuration; the result is kept in this home."""
    settings, wanted = config.load(path), chosen(only)
    began = time.monotonic()
    found = [
        result
        for scene in SCENES
        for result in play(scene, settings, tomllib.loads(path.read_text()), wanted, show=not as_json)
    ]
    done = Drill(
        at_s=time.time_ns() // 1_000_000_000,
        limits_hash=limits_hash(settings),
        seconds=round(time.monotonic() - began, 1),
        results=tuple(sorted(found, key=lambda result: BY_NAME[result.control].number)),
    )
    kept = results.store(home, done)
    if as_json:
        print(msgspec.json.encode(done).decode())  # noqa: T201  # a command speaks on stdout
    else:
        _print(done, kept)
    return exits.OK if done.passed else exits.FAILED


def chosen(only: str | None) -> frozenset[str]:
    """Read --only; ConfigFault names what is no control."""
    if only is None:
        return frozenset(BY_NAME)
    names = frozenset(name.strip().upper() for name in only.split(",") if name.strip())
    if unknown := sorted(names - set(BY_NAME)) or ([] if names else ["nothing"]):
        raise ConfigFault(f"--only: {', '.join(unknown)} is no control; there are C1 to C{len(CONTROLS)}")
    return names


def play(
    scene: Scene, settings: config.Settings, document: Document, wanted: Iterable[str], *, show: bool
) -> list[Result]:
    """Play the wanted trials of one scene; a mesh that does not start fails them all."""
    trials = {name: trial for name, trial in scene.trials.items() if name in frozenset(wanted)}
    found: list[Result] = []
    if not trials:
        return found
    try:
        with stage(document, scene.changes(settings)) as one:
            for name, trial in trials.items():
                found.append(attempt(name, trial, one))
                if show:
                    exits.report(f"{name} {'passed' if found[-1].passed else 'FAILED'}: {found[-1].evidence}")
    except HouseError as fault:
        had = {result.control for result in found}
        found += [Result(control=name, passed=False, evidence=str(fault)) for name in trials if name not in had]
    return found


def attempt(name: str, trial: Trial, one: Stage) -> Result:
    """Provoke one control."""
    began = time.monotonic()
    try:
        if name not in UNSETTLED:
            one.settle()
        evidence, passed = trial(one), True
    except HouseError as fault:
        evidence, passed = str(fault), False
    return Result(control=name, passed=passed, evidence=evidence, seconds=round(time.monotonic() - began, 1))


def _print(done: Drill, kept: Path) -> None:
    table = Table("control", "what for", "", Column("s", justify="right"), "evidence")
    for result in done.results:
        verdict = "passed" if result.passed else "FAILED"
        title = BY_NAME[result.control].title
        table.add_row(result.control, title, verdict, f"{result.seconds:.0f}", result.evidence)
    console = Console(highlight=False)
    console.print(table, markup=False)
    passed = sum(result.passed for result in done.results)
    console.print(
        f"{passed} of {len(done.results)} controls tripped in {done.seconds:.0f} s; limits {done.limits_hash}; {kept}",
        markup=False,
        soft_wrap=True,
    )

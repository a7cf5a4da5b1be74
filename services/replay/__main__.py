"""`mm replay`: plays a recording through all cores and writes report.json and report.html.

Exit codes: 0 the report is written; 1 it is, but the cash identity is broken; 2 command line or configuration.
"""

import argparse
import sys
import time
import tomllib
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from common import config
from common.errors import ConfigFault
from services.cli.configuration import changed, profile_file, toml_text
from services.replay.comparison import compared
from services.replay.page import IDENTITY_USD_MAX, page
from services.replay.run import Report, Span, replay, span
from services.strategy import models

FASTEST: Final = "max"
EX_OK, EX_BROKEN, EX_USAGE = 0, 1, 2


def main(words: list[str]) -> int:
    arguments = _arguments(words)
    out = Console(stderr=True)
    try:
        chosen = [f"strategy.model={arguments.strategy}"] if arguments.strategy else []
        settings = settings_of(arguments.config, arguments.set + chosen)
        models.load(settings.strategy.model)  # a name that is none is said before anything is played
        pace = _pace(arguments.speed)
        other = _other(settings, arguments.against)
        length = span(arguments.tape, settings, skip_s=arguments.skip_s)
        if arguments.seconds is not None:
            length = Span(events=_events(length, arguments.seconds), seconds=min(length.seconds, arguments.seconds))
        play = partial(_run, tape=arguments.tape, seed=arguments.seed, length=length, skip_s=arguments.skip_s)
        report, took_s = play(settings, pace=pace, out=out)
        if other is not None:
            against, _ = play(other, pace=pace, out=out)
            names = (settings.strategy.model, other.strategy.model)
            report = replace(report, comparison=compared(names, (report.coins, against.coins)))
        arguments.out.mkdir(parents=True, exist_ok=True)
    except (ConfigFault, OSError) as fault:
        out.print(f"replay: {fault}", markup=False)
        return EX_USAGE
    (arguments.out / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    (arguments.out / "report.html").write_text(page(report))
    for coin in report.coins:
        print(  # noqa: T201  # a command speaks on stdout
            f"{coin.coin}: net {coin.net_pnl_usd:,.4f} USD = spread {coin.spread_captured_usd:,.4f} + adverse "
            f"{coin.adverse_selection_usd:,.4f} + inventory {coin.inventory_carry_usd:,.4f} + funding "
            f"{coin.funding_usd:,.4f} + fees {coin.fees_usd:,.4f}; {coin.fills} fills, quoted {coin.uptime_both:.1%}"
        )
    if report.comparison is not None:
        print(report.comparison.verdict)  # noqa: T201  # same
    print(f"{length.events / took_s:,.0f} events/s; {arguments.out / 'report.html'}")  # noqa: T201  # same
    return EX_OK if abs(report.identity_error_usd) <= IDENTITY_USD_MAX else EX_BROKEN


def settings_of(path: Path, changes: list[str]) -> config.Settings:
    """Read a configuration and change single keys: "strategy.levels=2". ConfigFault names key or value."""
    document = tomllib.loads(path.read_text())
    for change in changes:
        document = changed(document, change)
    return config.parse(toml_text(document).encode(), str(path))


def _arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="mm replay", description="Play a recording through all cores and report.")
    parser.add_argument("tape", type=Path, help="a recording: a file or a directory")
    parser.add_argument("--config", type=Path, default=profile_file(config.Profile.SIM))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="e.g. strategy.levels=2")
    parser.add_argument("--strategy", metavar="NAME", help="the same as --set strategy.model=NAME")
    parser.add_argument("--against", metavar="NAME", help="a second strategy, on the same recording, to compare with")
    parser.add_argument("--from", type=_seconds, default=0.0, dest="skip_s", metavar="SECONDS", help="leave out these")
    parser.add_argument("--seconds", type=float, help="stop after so much recorded time")
    parser.add_argument("--seed", type=int, default=1, help="of latencies and deliveries")
    parser.add_argument("--speed", default=FASTEST, help="times real time, or max")
    parser.add_argument("--out", type=Path, default=Path("replay"), help="directory of the report")
    return parser.parse_args(words)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds < float("inf"):
        raise ValueError(text)
    return seconds


def _other(settings: config.Settings, model: str | None) -> config.Settings | None:
    """Return the same settings with another strategy; ConfigFault when it is none, or the same."""
    if model is None:
        return None
    if model == settings.strategy.model:
        raise ConfigFault(f"--against {model}: that is the strategy which is played already; choose it with --strategy")
    models.load(model)
    return replace(settings, strategy=replace(settings.strategy, model=model))


def _pace(text: str) -> float | None:
    """Return how many seconds of the recording fit into one; None for as many as possible."""
    if text == FASTEST:
        return None
    try:
        pace = float(text)
    except ValueError:
        pace = 0.0
    if not 0 < pace < float("inf"):
        raise ConfigFault(f"--speed: {text!r} is neither a positive number nor {FASTEST}")
    return pace


def _events(length: Span, seconds: float) -> int:
    return round(length.events * min(1.0, seconds / length.seconds)) if length.seconds else length.events


def _run(
    settings: config.Settings,
    *,
    tape: Path,
    seed: int,
    length: Span,
    skip_s: float,
    pace: float | None,
    out: Console,
) -> tuple[Report, float]:
    began = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeRemainingColumn(), console=out, transient=True) as bar:
        task = bar.add_task(f"{tape.name}: {settings.strategy.model}", total=length.seconds)

        def progress(done_s: float) -> None:
            bar.update(task, completed=done_s)
            if pace is not None:
                time.sleep(max(0.0, began + done_s / pace - time.monotonic()))

        report = replay(
            settings,
            tape,
            seed=seed,
            length=length,
            progress=progress,
            say=lambda text: out.print(text, markup=False),
            skip_s=skip_s,
        )
    return report, time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`mm doctor`: what stands between this machine and a run, each check on its own."""

import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from common import config, keys
from common.config import Profile, Settings
from common.errors import ConfigFault, HouseError, PeerFault
from common.halt import HaltDir
from common.home import SERVICES, Home
from common.instrument import Instrument
from services.cli import exits
from services.cli.configuration import profile_file
from services.cli.gather import is_held
from services.cli.launch import listener
from services.cli.stopping import reader_of
from services.strategy import models
from services.strategy.models import avellaneda_stoikov, glft
from services.strategy.models.interface import Setup

PYTHON_MIN: Final = (3, 11)
DISK_FREE_MIN: Final = 1024**3  # bytes; a busy day of journals, logs and tapes is about a tenth of it
PACKAGES: Final = (
    *("pyzmq", "msgspec", "msgpack", "websockets", "httpx", "eth-account", "coincurve", "pycryptodome", "uvloop"),
    *("prometheus-client", "supervisor", "structlog", "typer", "rich", "h11", "zstandard"),
)


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One finding."""

    name: str
    ok: bool
    text: str


def doctor(home: Home) -> int:
    """Print every check; 1 when one fails."""
    checks = [examined(name, look) for name, look in looks(home)]
    table = Table("check", "", "finding")
    for check in checks:
        mark = Text("ok", style="green") if check.ok else Text("FAILED", style="bold red")
        table.add_row(check.name, mark, Text(check.text))
    Console(highlight=False).print(table)
    return exits.OK if all(check.ok for check in checks) else exits.FAILED


def examined(name: str, look: Callable[[], str]) -> Check:
    """Make a check of a look that returns what is well, or raises what is not."""
    try:
        return Check(name=name, ok=True, text=look())
    except (HouseError, OSError) as fault:
        return Check(name=name, ok=False, text=str(fault))


def looks(home: Home) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "python", python
    yield "packages", packages
    yield "disk", lambda: disk(home)
    if not home.config.exists():
        yield "profiles", profiles
        return
    yield "configuration", lambda: f"profile {_settings(home).profile}, coins {', '.join(_settings(home).coins)}"
    yield "strategy", lambda: strategy(_settings(home))
    yield "ports", lambda: ports(home)
    yield "keys", lambda: private_keys(home)
    yield "run directory", lambda: run_directory(home)
    yield "halt directory", lambda: halt_directory(home)
    yield "processes", lambda: processes(home)
    yield "instruments", lambda: instruments(home)
    yield "foreign orders", lambda: foreign_orders(home)


def python() -> str:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < PYTHON_MIN:
        raise ConfigFault(f"{version}: at least {'.'.join(map(str, PYTHON_MIN))} is needed")
    return version


def packages() -> str:
    missing = []
    for name in PACKAGES:
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        raise ConfigFault(f"missing: {', '.join(missing)}; install the run-time lock file")
    return f"all {len(PACKAGES)} there"


def disk(home: Home) -> str:
    existing = next(parent for parent in (home.path, *home.path.parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < DISK_FREE_MIN:
        raise ConfigFault(f"{free // 1024**2} MiB free at {existing}; a journal that cannot be written halts trading")
    return f"{free / 1024**3:.1f} GiB free"


def profiles() -> str:
    """Before the first run there is nothing of a home to look at, only what it could be started from."""
    names = [config.load(profile_file(profile)).profile.value for profile in Profile]
    return f"{', '.join(names)}; `mm up` makes a home of one of them, and there is more to check then"


def strategy(settings: Settings) -> str:
    """Name the model; of one that solves its risk aversion, what came out for each coin."""
    name = settings.strategy.model
    models.load(name)
    solve = {"glft": glft.gamma_of, "avellaneda_stoikov": avellaneda_stoikov.gamma_of}.get(name)
    if solve is None:
        return name
    solved = (f"{coin} {solve(Setup.of(settings, coin)):.4g}" for coin in settings.coins)
    return f"{name}; risk aversion per bp and order: {', '.join(solved)}"


def ports(home: Home) -> str:
    settings = _settings(home)
    if is_held(home.lock("up")):
        return "in use by this run"
    wanted = {"--metrics-port": settings.metrics.port}
    if settings.profile is Profile.SIM:
        wanted["--venue-port"] = settings.venue_sim.port
    for option, port in wanted.items():
        with listener(port, option):
            pass
    return f"{', '.join(map(str, wanted.values()))} are free"


def private_keys(home: Home) -> str:
    """Look at modes and addresses; nothing is opened."""
    settings = _settings(home)
    public = keys.read_public(home)
    for name in keys.NAMES:
        key = getattr(settings.keys, name)
        address = keys.address_of(keys.keystore_path(home, name, key))
        if address != {**public.agents, "operator": public.operator}[name]:
            raise ConfigFault(f"{name}: keystore of {address} does not match public.json; see `mm keys show`")
        words = keys.passphrase_path(home, name, key)
        if words.exists():
            _require_private(words, 0o600)
        elif name != "operator" and not key.prompted:
            raise ConfigFault(f"{words}: no passphrase of {name}")
    return f"{len(keys.NAMES)} keystores, account {public.account}"


def run_directory(home: Home) -> str:
    run = home.run()
    if run.exists():
        _require_private(run, 0o700)
    return str(run)


def halt_directory(home: Home) -> str:
    found = HaltDir(home.halt).read()
    if not found.readable:
        raise ConfigFault(f"{home.halt} is unreadable, which halts: mend its owner and mode")
    if found.files:
        causes = "; ".join(file.cause for file in found.files)
        raise ConfigFault(f'halted: {causes}; when the cause is gone: mm arm --reason "..." --home {home.path}')
    return "empty"


def processes(home: Home) -> str:
    if not is_held(home.lock("up")):
        orphans = [name for name in SERVICES if is_held(home.lock(name))]
        if orphans:
            raise ConfigFault(f"{', '.join(orphans)} run without supervisord; they end by themselves within seconds")
        return "nothing runs"
    settings = _settings(home)
    wanted = [name for name in SERVICES if name != "venue_sim" or settings.profile is Profile.SIM]
    down = [name for name in wanted if name != "venue_sim" and not is_held(home.lock(name))]
    if down:
        raise ConfigFault(f"down: {', '.join(down)}; see `mm logs {down[0]}`")
    return f"all {len(wanted)} run"


def instruments(home: Home) -> str:
    """Compare the configured grids with the venue's universe."""
    settings = _settings(home)
    if settings.profile is Profile.SIM and not is_held(home.lock("up")):
        return "the local venue does not run"
    wrong = differences(settings.instruments(), reader_of(home).universe())
    if wrong:
        raise ConfigFault("; ".join(wrong))
    return f"{', '.join(settings.coins)} as the venue has them"


def differences(configured: dict[str, Instrument], universe: tuple[Instrument, ...]) -> list[str]:
    """Say where the configuration and the venue disagree."""
    known = {instrument.coin: instrument for instrument in universe}
    wrong = []
    for coin, ours in configured.items():
        theirs = known.get(coin)
        if theirs is None:
            wrong.append(f"coins.{coin}: the venue has no such coin")
            continue
        for field, mine, its in (
            ("asset", ours.asset, theirs.asset),
            ("size_decimals", ours.size_decimals, theirs.size_decimals),
        ):
            if mine != its:
                wrong.append(f"coins.{coin}.{field}: {mine}, the venue says {its}")
        if ours.leverage_max > theirs.leverage_max:
            wrong.append(f"coins.{coin}.leverage: {ours.leverage_max}, the venue allows {theirs.leverage_max}")
    return wrong


def foreign_orders(home: Home) -> str:
    """Orders of the account that are not ours count in every limit, and the venue's dead man's switch cancels them."""
    settings = _settings(home)
    if settings.profile is Profile.SIM and not is_held(home.lock("up")):
        return "the local venue does not run"
    count = len(reader_of(home).open_orders().foreign)
    if count:
        raise PeerFault(f"{count} orders of the account are not ours; use an account that nothing else trades")
    return "none"


def _settings(home: Home) -> Settings:
    return config.load(home.config)


def _require_private(path: Path, mode: int) -> None:
    found = stat.S_IMODE(path.stat().st_mode)
    if found & ~mode:
        raise ConfigFault(f"{path}: mode {found:04o} lets others at it; chmod {mode:o} {path}")

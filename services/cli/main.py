"""The command line `mm`: one function a command, which imports what it needs only when it runs.

Exit codes: 0 done; 1 failed; 2 command line or configuration; 3 not (yet) in the asked state; 4 refused.
"""

import os
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from common.config import Profile
from common.home import Home
from services.cli.exits import OK, ending
from services.cli.venue_app import app as venue_app

app: Final = typer.Typer(
    help="Runs Ballast, a market maker for Hyperliquid perpetuals. `mm up` starts the local venue and quotes on it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
keys_app: Final = typer.Typer(help="Make and show the keys of a home.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")
app.add_typer(venue_app, name="venue")

HomeOption = Annotated[Path, typer.Option("--home", help="Directory of the run.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
HOME: Final = Path("var")
PORT_MAX: Final = 65_535


@app.command()
@ending
def up(
    *,
    detach: Annotated[bool, typer.Option("--detach", help="Return when all services run.")] = False,
    home: HomeOption = HOME,
    profile: Annotated[Profile, typer.Option(help="Which file of deploy/ to run.")] = Profile.SIM,
    config: Annotated[Path | None, typer.Option("--config", help="A configuration file instead of --profile.")] = None,
    asset: Annotated[list[str] | None, typer.Option(help="Quote only these coins of the configuration.")] = None,
    tape: Annotated[Path | None, typer.Option(help="Recorded market for the local venue.")] = None,
    venue_port: Annotated[int | None, typer.Option(min=0, max=PORT_MAX, help="Local venue; 0 is a free one.")] = None,
    metrics_port: Annotated[int | None, typer.Option(min=0, max=PORT_MAX, help="Prometheus; 0 is a free one.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the local venue's market.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0, help="Stop by itself, counted from all running.")] = None,
    log_level: Annotated[str | None, typer.Option(help="DEBUG, INFO, WARNING or ERROR.")] = None,
) -> int:
    """Start the mesh, show it, stop it in order at Ctrl-C."""
    from services.cli.configuration import Overrides  # noqa: PLC0415  # see the module's docstring
    from services.cli.up import Wish  # noqa: PLC0415  # same
    from services.cli.up import up as run  # noqa: PLC0415  # same

    overrides = Overrides(
        assets=tuple(asset or ()),
        tape=tape,
        venue_port=venue_port,
        metrics_port=metrics_port,
        seed=seed,
        log_level=log_level,
    )
    return run(
        Wish(
            home=home,
            profile=profile,
            config=config,
            overrides=overrides,
            detach=detach,
            seconds=seconds,
            ask_passphrase=_typed,
        ),
    )


@app.command()
@ending
def down(*, home: HomeOption = HOME) -> int:
    """Stop the mesh in order."""
    from services.cli.control import down as run  # noqa: PLC0415  # see the module's docstring

    return run(_home(home))


@app.command()
@ending
def status(*, as_json: JsonOption = False, home: HomeOption = HOME) -> int:
    """Say what runs, what rests and what it earned."""
    from services.cli.gather import overview  # noqa: PLC0415  # see the module's docstring
    from services.cli.status import encode  # noqa: PLC0415  # same

    found = overview(_home(home))
    if as_json:
        print(encode(found.status).decode())  # noqa: T201  # a command speaks on stdout
        return OK
    from rich.console import Console  # noqa: PLC0415  # same

    from services.cli.table import screen  # noqa: PLC0415  # same

    Console(highlight=False).print(screen(found.status, found.details))
    return OK


@app.command()
@ending
def restart(service: str, *, home: HomeOption = HOME) -> int:
    """Stop and start one service."""
    from services.cli.control import restart as run  # noqa: PLC0415  # see the module's docstring

    return run(_home(home), service)


@app.command()
@ending
def logs(
    service: Annotated[str | None, typer.Argument(help="All when left out.")] = None,
    *,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what is added.")] = False,
    home: HomeOption = HOME,
) -> int:
    """Show the last lines of the logs."""
    from services.cli.logs import logs as run  # noqa: PLC0415  # see the module's docstring

    return run(_home(home), service, follow=follow)


@app.command()
@ending
def halt(
    *,
    reason: Annotated[str, typer.Option(help="Why, for whoever reads it later.")],
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait for the proof.")] = 15.0,
    everything: Annotated[bool, typer.Option("--everything", help="Cancel the account's other orders too.")] = False,
    coin: Annotated[str, typer.Option(help="Halt this coin alone.")] = "",
    home: HomeOption = HOME,
) -> int:
    """Stop trading now: 0 when nothing of ours can arrive or rest, 3 when that is not proven yet."""
    from services.cli.halting import halt as run  # noqa: PLC0415  # see the module's docstring

    return run(_home(home), reason, timeout, everything=everything, coin=coin)


@app.command()
@ending
def arm(*, reason: Annotated[str, typer.Option(help="Why trading may go on.")], home: HomeOption = HOME) -> int:
    """Clear the halt with the operator's key."""
    from services.cli.clearing import arm as run  # noqa: PLC0415  # see the module's docstring

    return run(_home(home), reason, lambda: _typed("passphrase of the operator key"))


@app.command()
@ending
def orders(
    *,
    as_json: JsonOption = False,
    everybodys: Annotated[bool, typer.Option("--all", help="The account's other orders too.")] = False,
    home: HomeOption = HOME,
) -> int:
    """List our orders at the venue."""
    from services.cli.listing import orders as run  # noqa: PLC0415  # see the module's docstring

    return run(_home(home), as_json=as_json, everybodys=everybodys)


@app.command()
@ending
def fills(*, as_json: JsonOption = False, home: HomeOption = HOME) -> int:
    """List our fills from the journal."""
    from services.cli.listing import fills as run  # noqa: PLC0415  # see the module's docstring

    return run(_home(home), as_json=as_json)


@app.command()
@ending
def decisions(
    cloid: Annotated[str | None, typer.Argument(help="The decisions on this order alone.")] = None,
    *,
    as_json: JsonOption = False,
    home: HomeOption = HOME,
) -> int:
    """List what risk signed and refused, and under which limits."""
    from services.cli.decisions import decisions as run  # noqa: PLC0415  # see the module's docstring

    return run(_home(home), cloid, as_json=as_json)


@app.command()
@ending
def fates(*, as_json: JsonOption = False, home: HomeOption = HOME) -> int:
    """Say what became of every order that could fill when the last halt began."""
    from services.cli.fates import fates as run  # noqa: PLC0415  # see the module's docstring

    return run(_home(home), as_json=as_json)


@app.command()
@ending
def why(
    coin: Annotated[str | None, typer.Argument(help="All when left out.")] = None,
    *,
    as_json: JsonOption = False,
    home: HomeOption = HOME,
) -> int:
    """Explain each quoted price, or why a side is not quoted."""
    from services.cli.why import why as run  # noqa: PLC0415  # see the module's docstring

    return run(_home(home), coin, as_json=as_json)


@app.command()
@ending
def doctor(*, home: HomeOption = HOME) -> int:
    """Check machine, configuration, keys and venue."""
    from services.cli.doctor import doctor as run  # noqa: PLC0415  # see the module's docstring

    return run(_home(home))


@app.command()
@ending
def drill(
    *,
    only: Annotated[str | None, typer.Option(help="Some controls, as in C3,C12.")] = None,
    as_json: JsonOption = False,
    home: HomeOption = HOME,
    profile: Annotated[Profile, typer.Option(help="Whose limits: a file of deploy/.")] = Profile.SIM,
    config: Annotated[Path | None, typer.Option("--config", help="A configuration file instead of --profile.")] = None,
) -> int:
    """Trip every control on a throwaway mesh and keep the results; 0 when all tripped."""
    from services.cli.configuration import profile_file  # noqa: PLC0415  # see the module's docstring
    from services.cli.drill.run import drill as run  # noqa: PLC0415  # same

    return run(_home(home), config or profile_file(profile), only, as_json=as_json)


@app.command()
@ending
def selfassess(
    *,
    out: Annotated[Path | None, typer.Option(help="File of the report; stdout without it.")] = None,
    home: HomeOption = HOME,
    profile: Annotated[Profile, typer.Option(help="Whose limits: a file of deploy/.")] = Profile.SIM,
    config: Annotated[Path | None, typer.Option("--config", help="A configuration file instead of --profile.")] = None,
) -> int:
    """Report each control with its rule, owner, test, metric and last drill."""
    from services.cli.configuration import profile_file  # noqa: PLC0415  # see the module's docstring
    from services.cli.selfassess import selfassess as run  # noqa: PLC0415  # same

    return run(_home(home), config or profile_file(profile), out)


@app.command()
@ending
def record(
    *,
    seconds: Annotated[float, typer.Option(min=0, help="How long.")],
    out: Annotated[Path, typer.Option(help="File of the tape; must not exist.")],
    home: HomeOption = HOME,
) -> int:
    """Record the market facts of a running mesh."""
    from services.cli.recording import record as run  # noqa: PLC0415  # see the module's docstring

    return run(_home(home), seconds, out)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, add_help_option=False)
def replay(words: typer.Context) -> None:
    """Play a recording through all cores and report what came of it; see `mm replay --help`."""
    # one process with all cores is no part of this one, which imports no service
    os.execv(sys.executable, [sys.executable, "-P", "-m", "services.replay", *words.args])  # noqa: S606  # no shell


@keys_app.command("init")
@ending
def keys_init(
    *,
    account: Annotated[str, typer.Option(help="Address that owns the positions.")],
    ask: Annotated[bool, typer.Option("--ask", help="Type the operator's passphrase; it is kept nowhere.")] = False,
    home: HomeOption = HOME,
) -> int:
    """Make the keystores of risk, canceller and operator; existing ones stay."""
    from services.cli.keyring import init  # noqa: PLC0415  # see the module's docstring

    def prompt() -> str:
        return str(typer.prompt("passphrase of the operator key", hide_input=True, confirmation_prompt=True))

    return init(_home(home), account, prompt if ask else None)


@keys_app.command("show")
@ending
def keys_show(*, home: HomeOption = HOME) -> int:
    """Show the addresses of a home, never a key."""
    from services.cli.keyring import show  # noqa: PLC0415  # see the module's docstring

    return show(_home(home))


def main() -> None:
    """Entry point of `mm`."""
    app()


def _typed(text: str) -> str:
    return str(typer.prompt(text, hide_input=True))


def _home(path: Path) -> Home:
    return Home(path.expanduser().resolve())


if __name__ == "__main__":
    main()

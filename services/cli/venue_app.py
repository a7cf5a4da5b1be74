"""`mm venue ...`: a local Hyperliquid for anybody's client; imports happen when a command runs."""

from pathlib import Path
from typing import Annotated, Final

import typer

from common.home import Home
from services.cli.exits import ending

app: Final = typer.Typer(
    help="A local Hyperliquid: serve one for any client, list its accounts, judge its log, ask it for faults.",
    no_args_is_help=True,
)

PORT_DEFAULT: Final = 3001  # what the official client calls local
PORT_MAX: Final = 65_535
HomeOption = Annotated[Path | None, typer.Option("--home", help="Keep accounts and log here; without it, forget.")]
PortOption = Annotated[int, typer.Option("--venue-port", min=0, max=PORT_MAX, help="0 is a free one.")]
SeedOption = Annotated[int | None, typer.Option(help="Of the market.")]
EquityOption = Annotated[float | None, typer.Option(help="USD of an account that is seen for the first time.")]
FaultsOption = Annotated[bool, typer.Option("--faults", help="Let `mm venue fault` break things.")]


@app.command()
@ending
def serve(
    *,
    venue_port: PortOption = PORT_DEFAULT,
    home: HomeOption = None,
    seed: SeedOption = None,
    equity: EquityOption = None,
    scenario: Annotated[str | None, typer.Option(help="A named market; see `mm venue scenario`.")] = None,
    tape: Annotated[Path | None, typer.Option(help="Play this recording instead.")] = None,
    faults: FaultsOption = False,
) -> int:
    """Run a local venue until Ctrl-C."""
    from services.cli.local_venue import Wish  # noqa: PLC0415  # see the module's docstring
    from services.cli.local_venue import serve as run  # noqa: PLC0415  # same

    wish = Wish(port=venue_port, home=home, seed=seed, equity=equity, scenario=scenario, tape=tape, faults=faults)
    return run(wish)


@app.command()
@ending
def scenario(
    name: Annotated[str | None, typer.Argument(help="Lists them all when left out.")] = None,
    *,
    venue_port: PortOption = PORT_DEFAULT,
    home: HomeOption = None,
    seed: SeedOption = None,
    equity: EquityOption = None,
    faults: FaultsOption = False,
) -> int:
    """List the named markets, or serve one."""
    from services.cli.local_venue import Wish, list_scenarios  # noqa: PLC0415  # see the module's docstring
    from services.cli.local_venue import serve as run  # noqa: PLC0415  # same

    if name is None:
        return list_scenarios()
    return run(Wish(port=venue_port, home=home, seed=seed, equity=equity, scenario=name, faults=faults))


@app.command()
@ending
def accounts(
    *,
    home: Annotated[Path | None, typer.Option("--home", help="Ask the venue of this home.")] = None,
    url: Annotated[str | None, typer.Option(help="Ask the venue there; port 3001 when left out.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """List who trades on a running local venue."""
    from services.cli.local_venue import accounts as run  # noqa: PLC0415  # see the module's docstring

    return run(_home(home), url, as_json=as_json)


@app.command()
@ending
def verify(log: Annotated[Path, typer.Argument(help="A witness file, its directory, or a home.")]) -> int:
    """Judge a witness log by the venue's rules: 0 when they hold, 1 with the findings."""
    from services.cli.local_venue import verify as run  # noqa: PLC0415  # see the module's docstring

    return run(log)


@app.command()
@ending
def fault(
    name: Annotated[str | None, typer.Argument(help="Lists what is armed when left out.")] = None,
    parameters: Annotated[list[str] | None, typer.Argument(metavar="KEY=VALUE", help="share=0.05 for_ms=2000")] = None,
    *,
    home: Annotated[Path | None, typer.Option("--home", help="The venue of this home.")] = None,
    venue_port: Annotated[
        int, typer.Option("--venue-port", min=1, max=PORT_MAX, help="The venue there.")
    ] = PORT_DEFAULT,
    socket: Annotated[Path | None, typer.Option(help="The socket that `mm venue serve --faults` named.")] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Disarm everything first.")] = False,
) -> int:
    """Break something on a venue that serves with --faults; a NAME it does not know is answered with all it knows."""
    from services.cli import local_venue  # noqa: PLC0415  # see the module's docstring

    link = local_venue.link_to(socket, _home(home), venue_port)
    if clear:
        local_venue.clear(link)
        if name is None:
            return 0
    return local_venue.fault(link, name, parameters or [])


def _home(path: Path | None) -> Home | None:
    return None if path is None else Home(path.expanduser().resolve())

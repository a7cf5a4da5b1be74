"""`mm why`: each quoted price as fair plus components in bps, or why a side is not quoted.

Rules
  1. What is shown is strategy's own last word: nothing is computed anew but the sum.
  2. For each side: price of the first level = fair x (1 + the sum of its components / 10,000).
  3. The shares of time sum to 1 on each side; "quoted" is one of them.
"""

from collections.abc import Mapping
from time import monotonic_ns
from typing import Final

import msgspec
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from common import endpoints
from common.errors import ConfigFault
from common.home import Home
from common.instrument import Instrument
from common.messages import QuoteShares, QuoteTarget
from common.price_units import depth_bps
from common.units import MILLISECOND, Nanos
from services.cli import exits
from services.cli.gather import answer, settings_of
from services.cli.status import Facts, plain

PRODUCER: Final = "strategy"
PRICE_DECIMALS: Final = 2  # of fair and mid beyond the grid: they lie between its points
SHARE_MIN: Final = 0.0005  # what rounds to 0.0 % is left to --json
SIDES: Final = ("bid", "ask")


class WhyLevel(msgspec.Struct, frozen=True, kw_only=True):
    px: str
    sz: str
    reduce_only: bool
    from_fair_bps: float


class WhySide(msgspec.Struct, frozen=True, kw_only=True):
    """Levels with components, or a reason."""

    levels: tuple[WhyLevel, ...]
    reason: str | None
    components_bps: dict[str, float]  # of the first level
    time_shares: dict[str, float]


class WhyCoin(msgspec.Struct, frozen=True, kw_only=True):
    """Prices are null where strategy has none."""

    coin: str
    fair: str | None
    mid: str | None
    book_venue_ms: int  # the venue's time of the book that the prices were made for
    book_age_ms: float  # since that book came in here
    bid: WhySide
    ask: WhySide


def why(home: Home, coin: str | None, *, as_json: bool) -> int:
    """Ask strategy; 3 where it does not answer or has not quoted yet."""
    settings = settings_of(home)
    if settings is None:
        raise ConfigFault(f"{home.path}: nothing has run here yet; start it with `mm up`")
    if coin is not None and coin not in settings.coins:
        raise ConfigFault(f"{coin} is not configured: there are {', '.join(settings.coins)}")
    said = answer(home, PRODUCER, endpoints.read(home))
    instruments = settings.instruments()
    asked = {name: instruments[name] for name in ((coin,) if coin else instruments)}
    found = explained(asked, said.facts, Nanos(monotonic_ns()))
    if as_json:
        print(msgspec.json.encode(found).decode())  # noqa: T201  # a command speaks on stdout
    else:
        Console(highlight=False).print(Group(*(_screen(one) for one in found)))
    if found:
        return exits.OK
    exits.report(f"strategy is {said.status.state} and has said nothing of a quote yet; see `mm status`")
    return exits.NOT_YET


def explained(instruments: Mapping[str, Instrument], facts: Facts, now: Nanos) -> list[WhyCoin]:
    """Return what strategy said of each coin; coins of which it said nothing are left out."""
    found = []
    for coin, instrument in instruments.items():
        target = facts.get((QuoteTarget.__name__, coin))
        shares = facts.get((QuoteShares.__name__, coin))
        if not isinstance(target, QuoteTarget):
            continue
        spent = (shares.bid, shares.ask) if isinstance(shares, QuoteShares) else ({}, {})
        found.append(
            WhyCoin(
                coin=coin,
                fair=_price(instrument, target.fair_ticks),
                mid=_price(instrument, target.mid_ticks),
                book_venue_ms=target.book_venue_ms,
                book_age_ms=(now - target.book_received_at) / MILLISECOND,
                bid=_side("bid", target, instrument, spent[0]),
                ask=_side("ask", target, instrument, spent[1]),
            )
        )
    return found


def _side(name: str, target: QuoteTarget, instrument: Instrument, spent: dict[str, float]) -> WhySide:
    levels, reason = (target.bids, target.reason_bid) if name == "bid" else (target.asks, target.reason_ask)
    return WhySide(
        levels=tuple(
            WhyLevel(
                px=plain(instrument.price(level.ticks)),
                sz=plain(instrument.size(level.lots)),
                reduce_only=level.reduce_only,
                from_fair_bps=depth_bps(level.ticks, target.fair_ticks) if target.fair_ticks > 0 else 0.0,
            )
            for level in levels
        ),
        reason=reason or None,
        components_bps=_components(name, target) if levels else {},
        time_shares=spent,
    )


def _components(name: str, target: QuoteTarget) -> dict[str, float]:
    """Return what both sides have and what this one has; a model may name a part like a part of both."""
    own: dict[str, float] = {}
    for part, bps in target.components_bps.items():
        side, dot, rest = part.partition(".")
        if not dot or side == name:
            own[rest or part] = own.get(rest or part, 0.0) + bps
    return own


def _price(instrument: Instrument, ticks: float) -> str | None:
    return f"{ticks * float(instrument.price(1)):.{instrument.price_decimals + PRICE_DECIMALS}f}" if ticks > 0 else None


# --- for people ------------------------------------------------------------------------------------


def _screen(found: WhyCoin) -> RenderableType:
    table = Table(
        "",
        *(f"{side}, bps" for side in SIDES),
        title=f"{found.coin}   fair {found.fair or '-'}   mid {found.mid or '-'}   book {found.book_age_ms:.0f} ms old",
        title_justify="left",
    )
    sides = (found.bid, found.ask)
    for part in dict.fromkeys(part for side in sides for part in side.components_bps):
        numbers = [side.components_bps.get(part) for side in sides]
        if any(numbers):
            table.add_row(part, *("" if bps is None else _signed(bps) for bps in numbers))
    if any(side.levels for side in sides):
        sums = [_signed(sum(side.components_bps.values())) if side.levels else "" for side in sides]
        table.add_row(Text("from fair", style="bold"), *sums, end_section=True)
    for number in range(max(1, *(len(side.levels) for side in sides))):
        table.add_row(f"level {number}", *(_level(side, number) for side in sides))
    table.add_section()
    for reason in dict.fromkeys(reason for side in sides for reason in side.time_shares):
        shares = [side.time_shares.get(reason, 0.0) for side in sides]
        if max(shares) >= SHARE_MIN:
            table.add_row(f"time {reason}", *(f"{share:.1%}" for share in shares))
    return table


def _level(side: WhySide, number: int) -> Text:
    if side.reason is not None:
        return Text(f"not quoted: {side.reason}", style="yellow") if number == 0 else Text("")
    if number >= len(side.levels):
        return Text("")
    level = side.levels[number]
    text = f"{level.sz} @ {level.px}  {_signed(level.from_fair_bps)}"
    return Text(f"{text}  reduce-only" if level.reduce_only else text)


def _signed(bps: float) -> str:
    return f"{bps:+.2f}"

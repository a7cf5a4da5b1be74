"""Runs all cores on a recording in one process and measures what came of it.

Equal inputs give equal reports.

Rules
  1. The venue is the local one's core: recorded liquidity, its fill model, real signatures, latency each way.
  2. Nothing is known in advance: the cores hear the recording as they would hear the venue.
"""

import random
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from common import witness
from common.config import Settings
from common.simulation.driver import Simulation
from common.simulation.network import Network
from common.units import MICROS_PER_USD, MILLISECOND, SECOND, Nanos
from services.replay.absences import Absence, Absences
from services.replay.comparison import Comparison
from services.replay.measures import CoinMeasure, CoinReport
from services.replay.seating import ORDER, seats
from services.replay.venue_link import ACCOUNT, AGENTS, EPOCH_MS, OPERATOR, recorded
from services.venue_sim.recordings import Recording

SLICE: Final = Nanos(1 * SECOND)  # between two looks: one point of the curves, and what was published is let go


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """How much a recording holds."""

    events: int
    seconds: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All that a replay says; nothing in it depends on the machine."""

    tape: str
    seed: int
    seconds: float
    events: int  # recorded ones in that time
    coins: tuple[CoinReport, ...]
    net_pnl_usd: Decimal
    identity_error_usd: Decimal
    actions: int  # signed ones that reached the venue, ours
    messages_per_fill: float | None
    posture_shares: dict[str, float]
    reason_shares: dict[str, dict[str, float]]  # "COIN side" -> reason -> share of time
    absences: tuple[Absence, ...]
    halted: tuple[str, ...]  # causes, where the mesh latched
    skipped_s: float = 0.0  # of the recording, before what was played
    comparison: Comparison | None = None  # with a second strategy


def span(path: Path, settings: Settings, *, skip_s: float = 0.0) -> Span:
    """Read a recording once through; ConfigFault when it holds none of the coins."""
    recording = Recording(path, settings.instruments().values(), lambda _: None, skip_s=skip_s)
    first = last = min(book.at_ms for book in recording.first_books().values())  # trades before it were replays
    count = 0
    for event in recording.events():
        last = max(last, event.at_ms)
        count += event.at_ms >= first
    return Span(events=count, seconds=(last - first) / 1_000)


def replay(
    settings: Settings,
    path: Path,
    *,
    seed: int,
    length: Span,
    progress: Callable[[float], None],
    say: Callable[[str], None],
    skip_s: float = 0.0,
) -> Report:
    """Play `length` of the recording from `skip_s` on; `progress` hears the seconds done."""
    venue = recorded(settings, random.Random(f"{seed}/venue"), path, say, skip_s=skip_s)
    simulation = Simulation(
        seats=seats(settings, ACCOUNT, OPERATOR, AGENTS),
        venue=venue,
        network=Network(random.Random(f"{seed}/network")),
        unit=settings.liveness.units(1),
        block=Nanos(settings.venue_sim.block_ms * MILLISECOND),
    )
    for name in ORDER:
        simulation.start(name)
    watch = _Watch(settings)
    account = venue.venue.exchange.info.account
    before = account(ACCOUNT).total.raw_usd
    until = Nanos(int(length.seconds * SECOND))
    while simulation.now < until:
        simulation.run(Nanos(min(until, simulation.now + SLICE)))
        watch.look(venue.lines, simulation)
        venue.lines.clear()
        progress(simulation.now / SECOND)
    funding = dict.fromkeys(settings.coins, Decimal(0))
    for payment in venue.venue.exchange.info.fundings(ACCOUNT):
        funding[payment.coin] += Decimal(payment.micros) / MICROS_PER_USD
    moved = Decimal(account(ACCOUNT).total.raw_usd - before) / MICROS_PER_USD
    report = watch.report(path.name, seed, length, moved=moved, funding=funding, simulation=simulation)
    return msgspec.structs.replace(report, skipped_s=skip_s)


class _Watch:
    """Hands what the venue wrote and what the mesh said to those who measure."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._coins = {coin: CoinMeasure(each, EPOCH_MS) for coin, each in settings.instruments().items()}
        self._absences = Absences(tuple(self._coins))
        self._actions = 0

    def look(self, lines: list[witness.AnyLine], simulation: Simulation) -> None:
        for line in lines:
            if isinstance(line, witness.Action):
                self._actions += line.user == ACCOUNT
            elif not isinstance(line, witness.Order | witness.Fill) or line.user == ACCOUNT:
                coin = self._coins.get(getattr(line, "coin", ""))
                if coin is not None:
                    coin.see(line)
        for at, _, message in simulation.published:
            self._absences.see(message, at)
        simulation.published.clear()
        for measure in self._coins.values():
            measure.sample(EPOCH_MS + simulation.now // MILLISECOND)

    def report(
        self, tape: str, seed: int, length: Span, *, moved: Decimal, funding: dict[str, Decimal], simulation: Simulation
    ) -> Report:
        now = simulation.now
        self._absences.close(now)
        until_ms = EPOCH_MS + now // MILLISECOND
        coins = tuple(measure.report(until_ms, funding[coin]) for coin, measure in self._coins.items())
        explained = sum((measure.cash_usd for measure in self._coins.values()), sum(funding.values(), Decimal(0)))
        fills = sum(coin.fills for coin in coins)
        return Report(
            tape=tape,
            seed=seed,
            seconds=length.seconds,
            events=length.events,
            coins=coins,
            net_pnl_usd=sum((coin.net_pnl_usd for coin in coins), Decimal(0)),
            identity_error_usd=moved - explained,
            actions=self._actions,
            messages_per_fill=self._actions / fills if fills else None,
            posture_shares=self._absences.postures(now),
            reason_shares=self._absences.reasons(now),
            absences=tuple(self._absences.listed),
            halted=tuple(f"{file.cause}: {file.evidence}" for file in simulation.halt),
        )

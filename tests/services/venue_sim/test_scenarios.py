"""Named markets: each shows its effect in what the venue publishes, and is the same each time."""

from functools import cache
from itertools import pairwise
from statistics import mean, median, pstdev

import msgspec
import pytest

from common.errors import ConfigFault
from common.units import Side
from services.venue_sim.api import FillEvent, Refused, TradeEvent
from services.venue_sim.scenarios import NAMES, ORDINARY_MARKET, SCENARIOS, find
from services.venue_sim.views import AssetContext, BookView
from tests.services.venue_sim.test_synthetic import Day


class Second(msgspec.Struct, frozen=True):
    """What everybody sees of BTC at the end of a second, and what happened in it."""

    context: AssetContext
    book: BookView
    trades: tuple[TradeEvent, ...]
    liquidated: tuple[FillEvent, ...]

    @property
    def mid(self) -> float:
        assert self.context.mid_half_ticks is not None
        return self.context.mid_half_ticks / 2

    @property
    def depth_usd(self) -> float:
        return sum(level.lots * level.ticks for side in (self.book.bids, self.book.asks) for level in side) / 1e6

    @property
    def spread_bps(self) -> float:
        return (self.book.asks[0].ticks - self.book.bids[0].ticks) / self.mid * 1e4


@cache
def seen(name: str, seconds: int, seed: int = 1) -> tuple[Second, ...]:
    day, found = Day(seed, scenario=name), []
    for _ in range(seconds):
        blocks = day.run(1.0)
        info = day.exchange.info
        events = [event for block in blocks for event in block.events]
        found.append(
            Second(
                info.context("BTC"),
                info.book("BTC"),
                tuple(e for e in events if isinstance(e, TradeEvent) and e.coin == "BTC"),
                tuple(e for e in events if isinstance(e, FillEvent) and e.liquidation is not None and e.coin == "BTC"),
            )
        )
    return tuple(found)


def moves(seconds: tuple[Second, ...]) -> float:
    """Return the spread of oracle moves over 6 s, in bps: public, and without the book's own noise."""
    oracles = [second.context.oracle_ticks for second in seconds[::6]]
    return pstdev((later / earlier - 1) * 1e4 for earlier, later in pairwise(oracles))


def count(seconds: tuple[Second, ...]) -> int:
    return sum(len(second.trades) for second in seconds)


def test_an_unknown_name_lists_the_names() -> None:
    """One clear error; no name is the ordinary market."""
    with pytest.raises(ConfigFault) as raised:
        find("flash_crash")
    assert str(raised.value) == f"there is no scenario 'flash_crash'; choose one of {', '.join(NAMES)}"
    assert find("") is ORDINARY_MARKET


@pytest.mark.parametrize("name", NAMES)
def test_scripts_go_round(name: str) -> None:
    """Rule 1: every phase has its time, both sides of each border, and the first follows the last."""
    scenario = find(name)
    assert scenario.description
    began = 0.0
    for phase in scenario.phases:
        assert scenario.phase(began) is phase
        if len(scenario.phases) > 1:
            assert scenario.phase(began + phase.seconds - 0.01) is phase
            began += phase.seconds
    if len(scenario.phases) > 1:
        assert scenario.phase(began) is scenario.phases[0]
        assert scenario.seconds == began


@pytest.mark.parametrize("name", NAMES)
def test_what_a_script_does_it_undoes(name: str) -> None:
    """Rule 3: drift and stress of a round add up to nothing, so that a venue can play it for days."""
    phases = [phase for phase in SCENARIOS[name].phases if len(SCENARIOS[name].phases) > 1]
    assert sum(phase.seconds * phase.conduct.drift_bps_per_s for phase in phases) == pytest.approx(0.0, abs=1e-9)
    assert sum(phase.seconds * phase.conduct.stress_per_s for phase in phases) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_equal_seeds_give_equal_blocks(name: str) -> None:
    """Byte for byte."""

    def run(seed: int) -> bytes:
        blocks = Day(seed, scenario=name).run(24)
        return msgspec.msgpack.encode([(block.number, block.events) for block in blocks])

    assert run(1) == run(1) != run(2)


def test_calm_and_volatile() -> None:
    """Oracle moves and trades: calm below the ordinary market, volatile far above it."""
    calm, ordinary, volatile = (seen(name, 90) for name in ("calm", "", "volatile"))
    assert moves(calm) < 0.75 * moves(ordinary) < 0.3 * moves(volatile)
    assert count(calm) < count(ordinary) < count(volatile)


def test_trend() -> None:
    """A third of a bps each second up, with more buyers than sellers."""
    up = seen("trend", 120)
    assert (up[-1].context.oracle_ticks / up[0].context.oracle_ticks - 1) * 1e4 == pytest.approx(40, abs=20)
    bought, sold = (sum(t.side is side for s in up for t in s.trades) for side in Side)
    assert bought > 1.2 * sold


def test_flash_crash() -> None:
    """Three per cent down within 8 s from 30 s on, in a thin book; at 75 s back where it was."""
    story = seen("flash-crash", 78)
    start, low, back = story[29].mid, min(second.mid for second in story[30:45]), story[-1].mid
    assert 0.02 < 1 - low / start < 0.04
    assert back == pytest.approx(start, rel=0.003)
    assert mean(s.depth_usd for s in story[33:42]) < 0.4 * mean(s.depth_usd for s in story[10:29])
    sold, bought = (sum(t.side is side for s in story[30:38] for t in s.trades) for side in (Side.SELL, Side.BUY))
    assert sold > 2 * bought


def test_liquidation_cascade() -> None:
    """Liquidations follow each other, open interest falls, the book runs ahead of the oracle, and the truth knows."""
    day = Day(3, scenario="liquidation-cascade")
    story = seen("liquidation-cascade", 100, 3)
    assert not any(second.liquidated for second in story[:45])
    chain = [number for number, second in enumerate(story) if second.liquidated]
    assert len({fill.user for second in story for fill in second.liquidated}) >= 5
    assert all(later - earlier <= 10 for earlier, later in pairwise(chain))
    before, after = (second.context.open_interest for second in (story[44], story[chain[-1]]))
    assert after < 0.5 * before
    gaps = [(second.mid / second.context.oracle_ticks - 1) * 1e4 for second in story]
    assert min(gaps[45:80]) < -50 < min(gaps[:45])
    marks = [(second.context.mark_ticks / second.context.oracle_ticks - 1) * 1e4 for second in story]
    assert min(marks[45:100]) < -15
    scripted = SCENARIOS["liquidation-cascade"].phases[1]
    fall = scripted.seconds * scripted.conduct.stress_per_s / (2 * 40)  # BTC's maximum leverage
    assert 1 - min(second.mid for second in story) / story[44].mid > 1.3 * fall
    day.run(100)
    truth = day.market.truth("BTC")
    assert len(truth.cascades_ms) == 1
    assert truth.liquidated_usd > 500_000


def test_thin() -> None:
    """A fraction of the depth, several times the spread, and trades still come."""
    thin, ordinary = seen("thin", 60), seen("", 60)
    assert mean(s.depth_usd for s in thin) < 0.15 * mean(s.depth_usd for s in ordinary)
    assert median(s.spread_bps for s in thin) > 3 * median(s.spread_bps for s in ordinary)
    assert count(thin) > 20


def test_halted() -> None:
    """From 30 s to 50 s no order is taken, nothing trades, book and mark stand while the oracle goes on."""
    day, refused = Day(1, scenario="halted"), set()
    story = seen("halted", 60)
    assert count(story[31:50]) == 0 < count(story[51:])
    assert len({s.book.bids for s in story[31:50]}) == len({s.context.mark_ticks for s in story[31:50]}) == 1
    assert len({s.context.oracle_ticks for s in story[31:50]}) > 3
    day.run(1.0)
    for second in range(1, 60):
        day.quote(4.5)
        blocks = day.run(1.0)
        answers = [answer for block in blocks for answer in block.answers if answer.request_id == 1]
        texts = {each.text for answer in answers for each in answer.statuses if isinstance(each, Refused)}
        if texts:
            refused.add(second)
            assert all(text.startswith("Trading is halted.") for text in texts)
    assert set(range(31, 50)) <= refused <= set(range(29, 52))


def test_one_sided() -> None:
    """Nobody asks from 20 s to 40 s, nobody bids from 60 s to 80 s; whoever is left is traded with."""
    story = seen("one-sided", 82)
    without = {side: {n for n, s in enumerate(story) if not getattr(s.book, side)} for side in ("asks", "bids")}
    assert set(range(21, 39)) <= without["asks"] <= set(range(19, 42))
    assert set(range(61, 79)) <= without["bids"] <= set(range(59, 82))
    assert {t.side for s in story[21:39] for t in s.trades} == {Side.SELL}
    assert {t.side for s in story[61:79] for t in s.trades} == {Side.BUY}

"""The leader and the whole mesh: its moves reach the venue before our book's, its faults do no harm."""

from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Final

import msgspec
import pytest

from common import witness
from common.config import Settings
from common.messages import AssetContext, Book, LeaderEstimate, LeaderTop, QuoteTarget, TopOfBook, Trade
from common.sections import Leader
from common.tape import TapeWriter
from common.units import MILLISECOND, Nanos
from services.replay.run import Span, replay
from services.replay.venue_link import EPOCH_MS
from services.venue_sim.synthetic import SyntheticMarket
from services.venue_sim.venue import Venue
from tests.common.simulation.whole_mesh import SETTINGS, WholeMesh

WARM_S: Final = 32  # quotes rest from the sixteenth second on, and half a minute of steps is a belief
UNLED: Final = msgspec.structs.replace(SETTINGS, coins={"BTC": SETTINGS.coins["BTC"]})
LED: Final = msgspec.structs.replace(UNLED, leader=Leader(symbols={"BTC": "btcusdt"}, max_tilt_bps=5.0))
NEWS_BPS: Final = 10.0
MARKETS_OWN: Final = ("momentum", "cascade", "swept")  # reasons not to quote a side that no leader gives


def warm(*, led: bool = True, seed: int = 31) -> WholeMesh:
    return WholeMesh(seed, settings=LED if led else UNLED).run_for(WARM_S)


def targets(mesh: WholeMesh, since: Nanos) -> list[QuoteTarget]:
    return [said for at, _, said in mesh.simulation.published if at > since and isinstance(said, QuoteTarget)]


def tilt(target: QuoteTarget) -> float:
    return target.components_bps.get("leader", 0.0)


def bids(mesh: WholeMesh) -> list[Decimal]:
    return [Decimal(order.px) for order in mesh.judge.resting("BTC").values() if order.side == "B"]


class Rise(msgspec.Struct, frozen=True):
    """When a bid of ours first rested two bps above any before the news, and how far the mid had come by then."""

    after_ms: int
    book_bps: float


@cache
def rise(*, led: bool, seed: int) -> Rise:
    """Have the true price jump, which the leader says at once and the makers follow, and read the venue's log."""
    mesh = warm(led=led, seed=seed)
    venue = mesh.venue.venue
    assert isinstance(venue, Venue)
    market = venue._market
    assert isinstance(market, SyntheticMarket)
    while len(bids(mesh)) < LED.strategy.levels:  # a fill has just taken some
        mesh.run_for(0.5)
    market._coins["BTC"].price.shift(NEWS_BPS)
    news_ms = EPOCH_MS + mesh.simulation.now // MILLISECOND
    highest = max(bids(mesh))
    mesh.run_for(4)
    mids = [
        (line.t, (Decimal(line.bid_px) + Decimal(line.ask_px)) / 2)
        for line in mesh.judge.lines
        if isinstance(line, witness.Bbo) and line.coin == "BTC" and line.bid_px and line.ask_px
    ]
    before = [mid for at, mid in mids if at <= news_ms][-1]
    for order in mesh.judge.orders():
        fresh = order.t > news_ms and order.side == "B" and order.status == "open"
        if fresh and Decimal(order.px) > highest * Decimal("1.0002"):
            mid = [mid for at, mid in mids if at <= order.t][-1]
            return Rise(order.t - news_ms, float(mid / before - 1) * 1e4)
    raise AssertionError("no bid ever rose")


@pytest.mark.truth
@pytest.mark.parametrize("seed", [31, 33])
def test_the_quotes_move_before_the_book(seed: int) -> None:
    """By the venue's log: with the leader a bid of ours follows earlier, when less of the move is in the book."""
    led, unled = rise(led=True, seed=seed), rise(led=False, seed=seed)
    assert led.after_ms < unled.after_ms
    assert led.book_bps < min(unled.book_bps, NEWS_BPS / 2)


@pytest.mark.truth
def test_a_recording_has_its_leader(tmp_path: Path) -> None:
    """What `mm record` keeps of a led mesh is led when replayed; a tape without a leader plays to the same bytes."""
    mesh = warm()
    tapes = {kind: tmp_path / kind / "own.tape" for kind in ("led", "unled")}
    for kind, path in tapes.items():
        path.parent.mkdir()
        writer = TapeWriter(path)
        for at, _, said in mesh.simulation.published:
            if isinstance(said, Book | TopOfBook | Trade | AssetContext) or (
                kind == "led" and isinstance(said, LeaderTop)
            ):
                writer.write(at, said)
        writer.close()
    found = {
        (kind, settings is LED): played(path, settings) for kind, path in tapes.items() for settings in (LED, UNLED)
    }
    assert found["unled", True] == found["unled", False] == found["led", False]
    assert found["led", True] != found["led", False]


def played(path: Path, settings: Settings) -> bytes:
    span = Span(events=0, seconds=WARM_S - 1)
    report = replay(settings, path, seed=1, length=span, progress=lambda _: None, say=lambda _: None)
    return msgspec.json.encode(report)


@pytest.mark.truth
def test_a_leader_that_lies_and_then_stalls() -> None:
    """A lie moves both quotes, bounded, while our book stays; silent, it moves nothing after a second and a half."""
    mesh = warm()
    lied_at = mesh.simulation.now
    mesh.venue.fault("leader_wrong", lied_at, bps=40.0)
    mesh.run_for(0.4)
    moved = [target for target in targets(mesh, lied_at) if tilt(target) > 1]
    assert moved
    assert all(tilt(target) <= 5 and target.bids and target.asks for target in moved)
    stalled_at = mesh.simulation.now
    mesh.venue.fault("leader_stall", stalled_at)
    mesh.run_for(8)
    later = targets(mesh, Nanos(stalled_at + 1_600 * MILLISECOND))
    assert {tilt(target) for target in later} == {0.0}
    assert any(target.bids and target.asks for target in later)
    last = [said for _, _, said in mesh.simulation.published if isinstance(said, LeaderEstimate)][-1]
    assert (last.warm, last.tilt_bps) == (False, 0.0)
    assert last.age_ms is not None
    assert last.age_ms > 6_000


@pytest.mark.truth
def test_nonsense_never_stops_the_quotes() -> None:
    """Every kind of it for ten seconds, prices off by half among them: both sides rest, and everybody is READY."""
    mesh = warm(seed=34)
    for number, name in enumerate(("leader_nonsense", "leader_wrong", "leader_stall")):
        mesh.venue.fault(name, mesh.simulation.now, share=0.5, **({"bps": -5_000.0} if number == 1 else {}))
    began = mesh.simulation.now
    for _ in range(10):
        mesh.run_for(1)
        assert mesh.judge.resting("BTC")
    reasons = {reason for target in targets(mesh, began) for reason in (target.reason_bid, target.reason_ask)}
    assert reasons <= {"", *MARKETS_OWN}
    assert all(abs(tilt(target)) <= 5 for target in targets(mesh, began))
    assert all(state.startswith("READY") for state in mesh.states().values())
    assert mesh.simulation.halt == []

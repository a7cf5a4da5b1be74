"""The leader as a client hears it: true prices before the book has them, and what faults make of them."""

import asyncio
import json
from random import Random
from statistics import fmean
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from common.errors import PeerFault
from common.messages import LeaderTop
from common.units import Millis, Nanos
from services.market_data.leader_wire import LeaderReader
from services.venue_sim import universe
from services.venue_sim.assembly import Plan, assemble
from services.venue_sim.faulty_venue import FaultyVenue
from services.venue_sim.leader import CONNECTIONS_MAX, DISTANCE_BPS, PATH
from services.venue_sim.streams import Drop, Say
from tests.services.venue_sim.live_server import live

TARGET = f"{PATH}?streams=btcusdt@bookTicker/ethusdt@bookTicker"
SYMBOLS = {"BTC": "btcusdt", "ETH": "ethusdt"}
EAR = 7


class Stage:
    """A venue with its synthetic market, and one who listens to the leader."""

    def __init__(self, target: str = TARGET) -> None:
        self.now = Millis(1_790_000_000_000)
        self.venue = assemble(Plan(coins=universe.coins({}), seed=3), self.now, None, last_sequence=0)
        self.door = FaultyVenue(self.venue, Random(1))
        assert self.door.open(EAR, self.now, target) == []
        self._reader = LeaderReader(SYMBOLS)

    def block(self) -> list[bytes]:
        """Make a block; return what the leader said with it."""
        self.now = Millis(self.now + 70)
        effects = self.door.step(self.now).effects
        return [effect.text for effect in effects if isinstance(effect, Say) and effect.connection == EAR]

    def read(self, text: bytes) -> LeaderTop:
        return self._reader.read(text, Nanos(0))

    def mid(self, coin: str) -> float:
        top = self.venue.exchange.info.top(coin)
        assert top.bid is not None
        assert top.ask is not None
        return (top.bid.ticks + top.ask.ticks) / 2 * float(self.instrument(coin).price(1))

    def instrument(self, coin: str) -> Any:
        return next(rules.instrument for rules in universe.coins({}) if rules.instrument.coin == coin)


def test_prices_with_each_block() -> None:
    """One step apart, around the true price, in another currency; both coins that were asked for, no others."""
    stage = Stage()
    for _ in range(3):
        tops = [stage.read(text) for text in stage.block()]
        assert [top.coin for top in tops] == ["BTC", "ETH"]
        for top in tops:
            true = stage.venue._market.take_leads()[top.coin] * float(stage.instrument(top.coin).price(1))
            assert top.bid <= true * (1 + DISTANCE_BPS / 1e4) <= top.ask + 1e-6
            assert top.ask - top.bid == pytest.approx(float(stage.instrument(top.coin).price(1)))


def test_the_wire() -> None:
    """The fields of the real messages, with their types."""
    said = json.loads(Stage().block()[0])
    assert said["stream"] == "btcusdt@bookTicker"
    assert {key: type(value) for key, value in said["data"].items()} == {
        **dict.fromkeys(("e", "s", "b", "B", "a", "A"), str),
        **dict.fromkeys(("u", "T", "E"), int),
    }
    assert (said["data"]["e"], said["data"]["s"]) == ("bookTicker", "BTCUSDT")


def test_it_leads_the_book() -> None:
    """What it says beyond its usual distance is where the book's mid goes within the next second."""
    stage, apart, mids = Stage(), [], []
    for _ in range(1_500):
        top = stage.read(stage.block()[0])
        mids.append(stage.mid("BTC"))
        apart.append(((top.bid + top.ask) / 2 / mids[-1] - 1) * 1e4 - DISTANCE_BPS)
    moves = [(after / before - 1) * 1e4 for before, after in zip(mids, mids[14:], strict=False)]
    centre = fmean(apart)
    pairs = [(each - centre, move) for each, move in zip(apart, moves, strict=False)]
    slope = sum(a * m for a, m in pairs) / sum(a * a for a, _ in pairs)
    assert 0.4 < slope < 1.2


def test_unknown_streams_are_silent() -> None:
    """As there; and so is a client that has gone."""
    assert Stage(f"{PATH}?streams=dogecoin@bookTicker/btcusdt@trade").block() == []
    assert Stage(PATH).block() == []
    stage = Stage()
    stage.door.close(EAR, "gone", stage.now)
    assert stage.block() == []
    assert stage.door.text(EAR, "{}", stage.now) == []


def test_connections_are_limited() -> None:
    """One more than there may be is dropped, and one that closes makes room."""
    stage = Stage()
    for number in range(100, 100 + CONNECTIONS_MAX - 1):
        assert stage.door.open(number, stage.now, TARGET) == []
    assert stage.door.open(1, stage.now, TARGET) == [Drop(1, "too many connections")]
    stage.door.close(100, "gone", stage.now)
    assert stage.door.open(1, stage.now, TARGET) == []


def test_a_stalled_leader() -> None:
    """Nothing of one coin, then nothing at all, then everything again."""
    stage = Stage()
    stage.door.arm("leader_stall", {"coin": "ETH"}, stage.now)
    assert [stage.read(text).coin for text in stage.block()] == ["BTC"]
    stage.door.arm("leader_stall", {"for_ms": 100}, stage.now)
    assert stage.block() == []
    assert [stage.read(text).coin for text in (stage.block(), stage.block())[1]] == ["BTC"]
    stage.door.clear(None, stage.now)
    assert len(stage.block()) == 2


def test_a_leader_that_is_wrong() -> None:
    """By so many bps, as often as it was asked for."""
    stage = Stage()
    right = stage.read(stage.block()[0])
    stage.door.arm("leader_wrong", {"bps": "-100", "count": 1}, stage.now)
    assert stage.read(stage.block()[0]).bid == pytest.approx(right.bid * 0.99, rel=1e-4)
    assert stage.read(stage.block()[0]).bid == pytest.approx(right.bid, rel=1e-4)


def test_nonsense_is_no_price() -> None:
    """Six kinds in turn, none of which our reader takes for a price."""
    stage = Stage()
    stage.door.arm("leader_nonsense", {"coin": "BTC"}, stage.now)
    said = [stage.block()[0] for _ in range(6)]
    assert len(set(said)) == 6
    assert max(map(len, said)) > 4_096  # beyond what a client reads at all
    for text in said:
        if len(text) <= 4_096:
            with pytest.raises(PeerFault):
                stage.read(text)


def test_on_a_socket() -> None:
    """Beside the venue's own, at the same port; other paths are none."""

    async def story(port: int) -> None:
        reader = LeaderReader(SYMBOLS)
        async with connect(f"ws://127.0.0.1:{port}{TARGET}", compression=None, proxy=None) as opened:
            coins = {reader.read(await opened.recv(decode=False), Nanos(0)).coin for _ in range(4)}
            await opened.send("anything")
            reader.read(await opened.recv(decode=False), Nanos(0))
        assert coins == {"BTC", "ETH"}
        with pytest.raises(InvalidStatus):
            await asyncio.wait_for(connect(f"ws://127.0.0.1:{port}/leader", proxy=None), 5)

    live(story)

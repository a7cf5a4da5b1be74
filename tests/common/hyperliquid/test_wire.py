"""Recorded traffic of the real venue through the one door, and the door itself."""

import json
import tarfile
from collections import Counter
from io import BytesIO

import pytest
import zstandard

from common.hyperliquid import wire, wire_actions
from common.instrument import Instrument
from common.messages.market import Book, Trade
from common.messages.venue import FillsQuery, MalformedVenueData, MetaQuery, StreamFills, VenueMeta
from common.units import Millis, Nanos
from tests.common.hyperliquid.coins import COINS
from tests.data import data_file

FIXTURES = "J_hl_wire_fixtures"


def unpacked(name: str) -> bytes:
    with data_file(name).open("rb") as packed:
        return zstandard.ZstdDecompressor().stream_reader(packed).read()


def nautilus(name: str) -> bytes:
    with tarfile.open(fileobj=BytesIO(unpacked(f"{FIXTURES}/nautilus_hyperliquid_test_data.tar.zst"))) as archive:
        member = archive.extractfile(f"test_data/{name}")
        assert member
        return member.read()


def test_the_door_opens() -> None:
    """Every name that wire.py promises is there, and is the one of its room."""
    assert all(hasattr(wire, name) for name in wire.__all__)
    assert wire.encode_action is wire_actions.encode_action


@pytest.mark.data
def test_recorded_market_stream() -> None:
    """Books and trades of a real morning: every frame is understood, best first, with its stamp."""
    reader, counts = wire.FrameReader(COINS), Counter[str]()
    for line in unpacked(f"{FIXTURES}/hftbacktest_btcusd_20250126.raw.zst").splitlines():
        if not line.strip():
            continue
        frame = reader.read(line.split(b" ", 1)[1], Nanos(0))
        assert isinstance(frame, wire.Facts)
        assert frame.stamp_ms
        for message in frame.messages:
            assert isinstance(message, Book | Trade)
            counts[type(message).__name__] += 1
            if isinstance(message, Book):
                assert len(message.bids) == len(message.asks) == 20
                assert message.bids[0][0] < message.asks[0][0]
    assert counts["Book"] == 46
    assert counts["Trade"] > 30


@pytest.mark.data
def test_recorded_liquidation() -> None:
    """The fill of a real liquidation carries its mark."""
    frame = wire.FrameReader(COINS).read(nautilus("ws_user_fill_liquidation.json"), Nanos(0))
    assert isinstance(frame, wire.Facts)
    (fills,) = frame.messages
    assert isinstance(fills, StreamFills)
    assert [(fill.liquidation, fill.ticks, fill.lots) for fill in fills.fills] == [(True, 666_530, 100)]


@pytest.mark.data
def test_recorded_dust_and_spot() -> None:
    """Fills of spot coins, with their fees in other coins, are left out of an answer, not in its way."""
    page = wire.decode_page(FillsQuery(Millis(0)), nautilus("http_user_fills_dust_conversion.json"), COINS)
    assert page.items == ()
    assert len(page.times) >= 3


@pytest.mark.data
def test_off_grid_book() -> None:
    """A price between two ticks of BTC (a fixture that somebody made up) is malformed, not rounded."""
    data = nautilus("ws_book_data.json")
    frame = wire.FrameReader(COINS).read(b'{"channel":"l2Book","data":' + data + b"}", Nanos(0))
    assert isinstance(frame, wire.Facts)
    (message,) = frame.messages
    assert isinstance(message, MalformedVenueData)
    assert "98449.75" in message.reason


@pytest.mark.data
def test_recorded_universe() -> None:
    """Flags that are null are no fault."""
    found = wire.decode_answer(
        MetaQuery(), nautilus("http_meta_perp_sample.json"), query_id=1, asked_at=Nanos(0), instruments={}
    )
    assert isinstance(found, VenueMeta)
    assert [(each.coin, each.asset, each.size_decimals) for each in found.universe][2] == ("ATOM", 2, 2)


@pytest.mark.data
def test_recorded_fills_of_everybody() -> None:
    """Two minutes of all users' fills in two coins convert exactly."""
    universe = {
        **COINS,
        "SOL": Instrument(coin="SOL", asset=5, size_decimals=2),
    }
    elements = [
        fill
        for line in unpacked("E_hl_node_fills_20251027/node_fills_by_block_777010829_777011828.jsonl.zst").splitlines()
        for _, fill in json.loads(line)["events"]
        if fill["coin"] in universe and fill["feeToken"] == "USDC"
    ]
    assert len(elements) > 200
    page = wire.decode_page(FillsQuery(Millis(0)), json.dumps(elements).encode(), universe)
    assert len(page.items) == len(elements)

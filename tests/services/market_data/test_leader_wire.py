"""What passes for a price of the leader: real messages do, all others are a PeerFault."""

import json
from math import isfinite
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import PeerFault
from common.messages import LeaderTop
from common.sections import Leader
from common.units import Nanos
from services.market_data.leader_wire import LeaderReader, stream_url
from tests.data import data_file
from tests.recorded import unpacked

NOW = Nanos(7)
SYMBOLS = {"BTC": "btcusdt", "ETH": "ethusdt"}
TICKER = {"u": 5, "s": "BTCUSDT", "b": "61800.20", "B": "2.507", "a": "61800.30", "A": "2.510"}
TOP = LeaderTop(coin="BTC", bid=61_800.2, ask=61_800.3, received_at=NOW)


def frame(**changes: object) -> bytes:
    return json.dumps({"stream": "btcusdt@bookTicker", "data": {**TICKER, **changes}}).encode()


def read(*frames: bytes) -> LeaderTop:
    reader = LeaderReader(SYMBOLS)
    *_, last = [reader.read(each, NOW) for each in frames]
    return last


def test_a_price() -> None:
    """Of spot, which has no times, and of futures, which have more than we read."""
    assert read(frame()) == TOP
    assert read(frame(e="bookTicker", T=1_723_161_256_313, E=1_723_161_256_313)) == TOP


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"s": "SOLUSDT"}, "speaks of 'SOLUSDT', which was not asked for"),
        ({"a": "61800.20"}, "BTC is no market: 2.507 @ 61800.20, 2.510 @ 61800.20"),
        ({"a": "61800.19"}, "BTC is no market"),
        ({"b": "0.00"}, "BTC is no market"),
        ({"A": "0"}, "BTC is no market"),
        ({"b": "NaN"}, "Expected `str` matching"),
        ({"b": "inf"}, "Expected `str` matching"),
        ({"a": "1e9"}, "Expected `str` matching"),
        ({"b": "-1"}, "Expected `str` matching"),
        ({"a": "9" * 40}, "Expected `str`"),
        ({"b": 61_800.2}, "Expected `str`, got `float`"),
        ({"u": "5"}, "Expected `int`"),
    ],
)
def test_what_is_no_price(changes: dict[str, Any], reason: str) -> None:
    """Each fault is named."""
    with pytest.raises(PeerFault, match=f"leader: {reason}"):
        read(frame(**changes))


def test_updates_go_forward() -> None:
    """An equal number repeats itself, a lower one is late; coins and connections count on their own."""
    assert read(frame(), frame(u=5, a="61800.40")).ask == 61_800.4
    assert read(frame(), frame(s="ETHUSDT", u=4)).coin == "ETH"
    with pytest.raises(PeerFault, match="leader: BTC update 4 came after 5"):
        read(frame(), frame(u=4))


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode), st.data())
def test_noise_is_a_peer_fault(noise: bytes, data: st.DataObject) -> None:
    """Arbitrary bytes, and a good frame with some of its own bytes changed."""
    spoilt = bytearray(frame())
    place = data.draw(st.integers(0, len(spoilt) - 1))
    spoilt[place : place + data.draw(st.integers(0, 9))] = noise[:4]
    for raw in (noise, bytes(spoilt)):
        try:
            top = read(raw)
        except PeerFault:
            continue
        assert 0 < top.bid < top.ask
        assert isfinite(top.ask)


def test_addresses() -> None:
    """A combined stream of all coins, there or at the local venue."""
    streams = "/stream?streams=btcusdt@bookTicker/ethusdt@bookTicker"
    there = Leader(symbols=SYMBOLS, url="wss://fstream.binance.com/")
    assert stream_url(there, "https://api.hyperliquid.xyz") == f"wss://fstream.binance.com{streams}"
    assert stream_url(Leader(symbols=SYMBOLS), "http://127.0.0.1:3001") == f"ws://127.0.0.1:3001/leader{streams}"


@pytest.mark.data
@pytest.mark.parametrize("name", ["usdm_btcusdt_20240808", "spot_btcusdt_20240808"])
def test_recorded_streams(name: str) -> None:
    """Every bookTicker of the recordings is a price; every other message of theirs is refused."""
    path = f"G_binance_usdm_cm_spot/{name}.raw.zst"
    data_file(path)
    reader, prices = LeaderReader({"BTC": "btcusdt"}), 0
    for line in unpacked(path).splitlines():
        at, _, raw = line.partition(b" ")
        if b"@bookTicker" in raw[:40]:
            reader.read(raw, Nanos(int(at)))
            prices += 1
        else:
            with pytest.raises(PeerFault):
                reader.read(raw, Nanos(int(at)))
    assert prices > 20_000

"""Our JSON beside recordings of the venue's: the same keys, and values of the same kind.

Old recordings lack keys that came later, and ours lack what belongs to nobody here; both are named in NEWER and ABSENT.
"""

import io
import json
import re
import tarfile
from functools import cache
from typing import Any, Final

import pytest
import zstandard

from tests.data import data_file
from tests.services.venue_sim.door import ALICE, BOB, CLOID, Door, limit, place

pytestmark = pytest.mark.data

DATA: Final = "J_hl_wire_fixtures"
PYTHON: Final = "hyperliquid-python-sdk_cassettes_info_test.tar.zst"
RUST: Final = "nautilus_hyperliquid_test_data.tar.zst"

# Keys that the venue sends since a recording was made.
NEWER: Final = {
    *("marginTableId", "marginTables", "collateralToken", "nRequestsSurplus", "n", "time", "tid", "feeToken", "twapId"),
    *("maxLeverage", "cumFunding", "crossMaintenanceMarginUsed", "cloid", "nSamples", "origSz", "reduceOnly"),
}
# Keys of a recording that we do not send: gone at the venue, or about things that this venue has not.
ABSENT: Final = {"maxTradeSzs", "onlyIsolated", "isDelisted", "growthMode"}


@cache
def archive(name: str) -> dict[str, str]:
    """Return the files of an archive by their names."""
    packed = (data_file(DATA) / name).read_bytes()
    plain = zstandard.ZstdDecompressor(max_window_size=2**31).stream_reader(packed).read()
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        return {
            member.name.rpartition("/")[2]: found.read().decode()
            for member in tar.getmembers()
            if (found := tar.extractfile(member)) is not None
        }


def cassette(test: str) -> Any:
    """Return the last answer of a recorded exchange: a folded, single-quoted scalar of YAML."""
    text = archive(PYTHON)[f"{test}.yaml"]
    quoted = re.findall(r"string: '((?:[^']|'')*)'", text)[-1]
    return json.loads(re.sub(r"\n+\s*", lambda fold: "\n" * (fold.group().count("\n") - 1) or " ", quoted))


def number(text: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?", text) is not None


def same_shape(ours: Any, theirs: Any, path: str = "$") -> None:
    """Compare keys and types, element by element against the first of a list."""
    if theirs is None or ours is None:
        return  # both have keys that may be null
    if isinstance(theirs, dict):
        assert isinstance(ours, dict), path
        missing, extra = theirs.keys() - ours.keys() - ABSENT, ours.keys() - theirs.keys() - NEWER
        assert (missing, extra) == (set(), set()), path
        for key in sorted(ours.keys() & theirs.keys()):
            same_shape(ours[key], theirs[key], f"{path}.{key}")
    elif isinstance(theirs, list):
        assert isinstance(ours, list), path
        if ours and theirs:
            same_shape(ours[0], theirs[0], f"{path}[0]")
    elif isinstance(theirs, str) and isinstance(ours, str):
        assert number(ours) == number(theirs), f"{path}: {ours} is not printed like {theirs}"
    else:
        assert type(ours) is type(theirs), f"{path}: {ours!r} is not of the type of {theirs!r}"


@pytest.fixture(scope="module")
def door() -> Door:
    """Both have traded, paid funding, and have orders of every sort."""
    door = Door().meet(ALICE, BOB)
    door.rest(BOB, limit("100000", "0.5", buy=False))
    door.do(ALICE, place(limit("100000", "0.3", tif="Ioc")))
    stop = {**limit("90000", "0.1", buy=False), "r": True}
    stop["t"] = {"trigger": {"isMarket": True, "triggerPx": "91000", "tpsl": "sl"}}
    door.rest(ALICE, limit("95000", "0.1", cloid=CLOID), stop)
    door.do(ALICE, place(limit("70000", "0.1", tif="Ioc", buy=False, asset=0)))
    return door.block(after_ms=3_600_000)


@pytest.mark.parametrize(
    ("test", "kind", "fields"),
    [
        ("test_get_user_state", "clearinghouseState", {}),
        ("test_get_info", "meta", {}),
        ("test_get_all_mids", "allMids", {}),
        ("test_get_l2_snapshot", "l2Book", {"coin": "BTC"}),
        ("test_get_open_orders", "openOrders", {}),
        ("test_get_frontend_open_orders", "frontendOpenOrders", {}),
        ("test_historical_orders", "historicalOrders", {}),
        ("test_get_user_fills", "userFills", {}),
        ("test_get_user_fills_by_time", "userFillsByTime", {"startTime": 0}),
        ("test_user_funding_history_with_end_time", "userFunding", {"startTime": 0}),
        ("test_get_funding_history[None]", "fundingHistory", {"coin": "BTC", "startTime": 0}),
        ("test_user_rate_limit", "userRateLimit", {}),
        ("test_user_role", "userRole", {}),
        ("test_portfolio", "portfolio", {}),
        (
            "test_get_candles_snapshot",
            "candleSnapshot",
            {"req": {"coin": "BTC", "interval": "1h", "startTime": 0, "endTime": 2**50}},
        ),
    ],
)
def test_info_like_the_recorded(door: Door, test: str, kind: str, fields: dict[str, Any]) -> None:
    """What the official client's recordings hold has the shape of what we answer."""
    theirs = cassette(test)
    ours = door.block(after_ms=60_000).ask(kind, user=ALICE.address, **fields)
    if kind == "allMids":
        assert all(number(mid) for mid in (*ours.values(), *theirs.values()))
        return
    if kind == "frontendOpenOrders":
        ours = [order for order in ours if order["isTrigger"]]
    assert ours
    same_shape(ours, theirs)


def test_streams_like_the_recorded(door: Door) -> None:
    """Books, trades and a maker's fill of a liquidation, as other clients keep them for their tests."""
    files = archive(RUST)
    book = json.loads(files["ws_book_data.json"])
    same_shape(door.block(after_ms=60_000).ask("l2Book", coin="BTC"), {**book, "time": 1})
    trades = json.loads(files["http_recent_trades_btc.json"])
    ours = door.ask("recentTrades", coin="BTC")
    assert ours
    assert ours[0].keys() == trades[0].keys()
    message = json.loads(files["ws_user_fill_liquidation.json"])
    (fill,) = message["data"]["fills"]
    assert door.ask("userFills", user=ALICE.address)[0].keys() == fill.keys() - {"liquidation", "cloid"}
    (context, *_) = json.loads(files["ws_all_dexs_asset_ctxs.json"])["data"]["ctxs"][0][1]
    same_shape(door.ask("metaAndAssetCtxs")[1][0], context)


def test_recorded_books_are_printed_alike() -> None:
    """Every price and size of a recorded message is printed as ours are: one decimal at least, none too many."""
    packed = (data_file(DATA) / "hftbacktest_btcusd_20250126.raw.zst").read_bytes()
    text = zstandard.ZstdDecompressor(max_window_size=2**31).stream_reader(packed).read().decode()
    printed = set(re.findall(r'"(?:px|sz)":"([^"]*)"', text))
    assert len(printed) > 100
    assert all(re.fullmatch(r"\d+\.(0|\d*[1-9])", each) for each in printed)

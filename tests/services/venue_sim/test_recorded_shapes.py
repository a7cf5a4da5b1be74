"""Our JSON beside recordings of the venue's: the same keys, JSON types and forms of numbers.

Recordings are of different years and moments: what one of them lacks or has besides is named with its kind.
"""

import json
from typing import Any, Final

import pytest

from services.venue_sim.api import OracleUpdate
from tests.recorded import FOLDER, cassette, kept, node_fills, stream_messages, unpacked
from tests.services.venue_sim.door import AGENT, ALICE, BOB, CLOID, Door, limit, place
from tests.services.venue_sim.shapes import Shape
from tests.services.venue_sim.stage import BTC, config

pytestmark = pytest.mark.data

RANGE: Final = {"startTime": 0}
CANDLES: Final = {"req": {"coin": "BTC", "interval": "1h", "startTime": 0, "endTime": 2**50}}
# Old cassettes: what the venue sends since, and the one thing that it sends no more.
STATE: Final = {
    *(f"$.assetPositions[].position.{key} is ours alone" for key in ("cumFunding", "maxLeverage")),
    "$.assetPositions[].position.maxTradeSzs is missing",
    *(f"$.{key} is ours alone" for key in ("crossMaintenanceMarginUsed", "time")),
}
META: Final = {
    *(f"$.{key} is ours alone" for key in ("collateralToken", "marginTables")),
    "$.universe[].marginTableId is ours alone",
}
FILLS: Final = {f"$[].{key} is ours alone" for key in ("feeToken", "tid", "twapId")}
# Files that the Rust client's authors cut, or wrote by hand.
INVENTED_TRADES: Final = {"$[].users[] is address, theirs text", "$[].sz is decimal, theirs unpolished number"}
CUT_STATE: Final = {f"$.{key} is ours alone" for key in ("crossMaintenanceMarginUsed", "marginSummary")}
FLAGS: Final = {f"$.universe[].{key} is missing" for key in ("isDelisted", "onlyIsolated")}  # null there
CUT_METAS: Final = {"$[].universe[].marginTableId is ours alone"}
CUT_TOKENS: Final = {
    *(f"$.tokens[].{key} is ours alone" for key in ("evmContract", "fullName")),
    "$.tokens[].tokenId is cloid, theirs text",
}
SAMPLES: Final = {"$[].delta.nSamples is null, theirs int"}


@pytest.fixture(scope="module")
def door() -> Door:
    """Both have traded and paid funding; one has orders of every sort, the other an isolated position."""
    door = Door(exchange_config=config(equity_usd=10_000)).meet(ALICE, BOB, AGENT)
    door.do_signed(ALICE, "approveAgent", agentAddress="0x" + "ab" * 20, agentName="bot")
    door.do_signed(ALICE, "usdSend", stamp="time", destination=BOB.address, amount="5")
    door.do_signed(ALICE, "usdClassTransfer", amount="12.5", toPerp=False)
    door.do(BOB, {"type": "updateLeverage", "asset": 1, "isCross": False, "leverage": 20})
    door.rest(BOB, limit("100000", "0.5", buy=False, cloid=CLOID), limit("4000", "0.1", asset=1))
    door.do(ALICE, place(limit("100000", "0.3", tif="Ioc"), limit("4000", "0.1", buy=False, tif="Ioc", asset=1)))
    stop = {**limit("90000", "0.1", buy=False), "r": True}
    stop["t"] = {"trigger": {"isMarket": True, "triggerPx": "91000", "tpsl": "sl"}}
    door.rest(ALICE, limit("95000", "0.1", cloid=CLOID), stop)
    door.do(ALICE, place(limit("70000", "0.01", tif="Ioc", buy=False)))
    door.block(after_ms=3_600_000)
    return door.block(after_ms=60_000)


def differences(theirs: list[Any], ours: Any, expected: set[str]) -> None:
    """Ours must differ from all of theirs together in what is expected, and in nothing else."""
    assert set(Shape(theirs).differences(ours)) == expected


@pytest.mark.parametrize(
    ("test", "kind", "fields", "expected"),
    [
        ("test_get_user_state", "clearinghouseState", {}, STATE),
        ("test_get_info", "meta", {}, META),
        ("test_get_all_mids", "allMids", {}, set()),
        ("test_get_l2_snapshot", "l2Book", {"coin": "BTC"}, set()),
        ("test_get_open_orders", "openOrders", {}, {"$[].origSz is ours alone", "$[].reduceOnly is ours alone"}),
        ("test_get_frontend_open_orders", "frontendOpenOrders", {}, {"$[].cloid is ours alone"}),
        (
            "test_historical_orders",
            "historicalOrders",
            {},
            {"$[].order.cloid is cloid, theirs null", "$[].order.tif is null, theirs text"},
        ),
        ("test_get_user_fills", "userFills", {}, FILLS),
        ("test_get_user_fills_by_time", "userFillsByTime", RANGE, FILLS),
        ("test_user_funding_history_with_end_time", "userFunding", RANGE, SAMPLES),
        ("test_user_funding_history_without_end_time", "userFunding", RANGE, SAMPLES),
        ("test_get_funding_history[None]", "fundingHistory", {"coin": "BTC", **RANGE}, set()),
        ("test_get_funding_history[1684811870000]", "fundingHistory", {"coin": "BTC", **RANGE}, set()),
        ("test_user_non_funding_ledger_updates_with_end_time", "userNonFundingLedgerUpdates", RANGE, set()),
        ("test_user_non_funding_ledger_updates_without_end_time", "userNonFundingLedgerUpdates", RANGE, set()),
        ("test_user_rate_limit", "userRateLimit", {}, {"$.nRequestsSurplus is ours alone"}),
        ("test_user_role", "userRole", {}, set()),
        ("test_extra_agents", "extraAgents", {}, set()),
        ("test_portfolio", "portfolio", {}, set()),
        ("test_get_candles_snapshot", "candleSnapshot", CANDLES, set()),
        ("test_user_twap_slice_fills", "userTwapSliceFills", {}, set()),
        ("test_user_vault_equities", "userVaultEquities", {}, set()),
        ("test_delegator_history", "delegatorHistory", {}, set()),
    ],
)
def test_answers_to_the_official_client(
    door: Door, test: str, kind: str, fields: dict[str, Any], expected: set[str]
) -> None:
    """Each cassette of the official client's tests, beside what we answer to the same question."""
    theirs = cassette(test)
    ours = door.ask(kind, user=ALICE.address, **fields)
    if kind == "allMids":  # the keys are coins
        theirs, ours = [*theirs.values()], [*ours.values()]
    assert ours or not theirs or kind in {"userVaultEquities", "delegatorHistory"}, "nothing of ours to compare"
    differences([theirs], ours, expected)


@pytest.mark.parametrize(
    ("names", "kind", "fields", "expected"),
    [
        (("http_funding_history",), "fundingHistory", {"coin": "BTC", **RANGE}, set()),
        (("http_recent_trades_btc",), "recentTrades", {"coin": "BTC"}, INVENTED_TRADES),
        (("http_spot_clearinghouse_state",), "spotClearinghouseState", {}, set()),
        (("http_l2_book_btc", "http_l2_book_snapshot", "ws_book_data"), "l2Book", {"coin": "BTC"}, set()),
        (("http_clearinghouse_state_negative_total_raw_usd",), "clearinghouseState", {}, CUT_STATE),
        (("http_meta_perp_sample",), "meta", {}, META | FLAGS),
        (
            ("http_all_perp_metas_non_usdc_collateral",),
            "allPerpMetas",
            {},
            {"$[].universe[].marginTableId is ours alone"},
        ),
        (("http_spot_meta_non_usdc_collateral",), "spotMeta", {}, CUT_TOKENS),
        (("http_user_fills_dust_conversion",), "userFills", {}, set()),
    ],
)
def test_answers_to_the_rust_client(
    door: Door, names: tuple[str, ...], kind: str, fields: dict[str, Any], expected: set[str]
) -> None:
    """Each file of the Rust client's tests; some of them were written or cut by hand."""
    ours = door.ask(kind, user=ALICE.address, **fields)
    assert ours
    differences([kept(f"{name}.json") for name in names], ours, expected)


def heard(door: Door, *subscriptions: dict[str, Any]) -> dict[str, Any]:
    """Return the last message of each channel after a trade."""
    door.open(1)
    for subscription in subscriptions:
        door.subscribe(1, **subscription)
    door.do(ALICE, place(limit("100000", "0.01", tif="Ioc")))
    door.block(after_ms=20_000)
    messages = {message["channel"]: message for message in door.heard(1)}
    door.close(1)
    return messages


def test_streams_of_a_morning(door: Door) -> None:
    """Books and trades of a real WebSocket."""
    ours = heard(door, {"type": "l2Book", "coin": "BTC"}, {"type": "trades", "coin": "BTC"})
    for channel in ("l2Book", "trades"):
        theirs = [message for message in stream_messages() if message["channel"] == channel]
        assert theirs
        differences(theirs, ours[channel], set())


def test_books_of_another_log(door: Door) -> None:
    """The levels of an order book log, one book a line."""
    lines = unpacked(f"{FOLDER}/xxsnipxx_orderbook_log_20250703.jsonl.zst").splitlines()
    books = [json.loads(line) for line in lines if line.strip()]
    ours = door.ask("l2Book", coin="BTC")["levels"]
    differences([[book["bids"], book["asks"]] for book in books], ours, set())


def test_streams_of_the_rust_client(door: Door) -> None:
    """Mids, and the contexts of all exchanges."""
    ours = heard(door, {"type": "allMids"}, {"type": "allDexsAssetCtxs"})
    mids = (list(message["data"]["mids"].values()) for message in (kept("ws_allmids.json"), ours["allMids"]))
    differences([next(mids)], next(mids), set())
    differences([kept("ws_all_dexs_asset_ctxs.json")], ours["allDexsAssetCtxs"], set())


def test_fills_of_everybody(door: Door) -> None:
    """Our fills beside all fills that a node wrote in two minutes, key by key."""
    theirs = [fill for fill in node_fills() if fill["feeToken"] == "USDC"]
    for user in (ALICE, BOB):
        ours = door.ask("userFills", user=user.address)
        assert ours
        differences([theirs], ours, set())


def test_a_liquidation() -> None:
    """The maker's fill of a liquidation, as the Rust client keeps one."""
    door = Door(exchange_config=config(equity_usd=10_000)).meet(ALICE, BOB, AGENT).open(1)
    door.rest(BOB, limit("100000", "0.5", buy=False))
    door.do(ALICE, place(limit("100000", "0.5", tif="Ioc")))
    door.rest(AGENT, limit("81000", "1", cloid=CLOID))
    door.subscribe(1, type="userEvents", user=AGENT.address).heard(1)
    door.exchange.feed(OracleUpdate("BTC", BTC.ticks("81000")))
    door.block(after_ms=3_000)
    (ours, *_) = door.heard(1)
    differences([kept("ws_user_fill_liquidation.json")], ours, set())
